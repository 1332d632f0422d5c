"""The costs that capacity multiplies are those of the functions as they are."""

from __future__ import annotations

from typing import Any

import pytest

from eventlive_db.capacity import Costs, shipped_costs
from eventlive_db.load.costs import measure_costs
from eventlive_db.migrate.options import Options
from eventlive_db.migrate.runner import upgrade


@pytest.fixture(scope="module")
def measured(pytestconfig: pytest.Config) -> Costs:
    """Measured now, a few times each."""
    kind = pytestconfig.getoption("--pg-kind")
    if kind in {"dsn", "container"}:
        pytest.skip("measuring starts a Postgres of its own: take --pg-kind installed or embedded")

    def prepare(dsn: str) -> None:
        upgrade(Options(dsn=dsn))

    costs: dict[str, Any] = measure_costs(prepare, kind=kind, rounds=20)
    return Costs.read(costs)


def test_every_call_costs_what_is_shipped(measured: Costs) -> None:
    shipped = shipped_costs()
    for ours, theirs in ((measured.calls, shipped.calls), (measured.incumbent, shipped.incumbent)):
        assert ours.keys() == theirs.keys()
        for name, cost in ours.items():
            assert (cost.requests, cost.statements) == (theirs[name].requests, theirs[name].statements), name
            # Fewer calls and another major: a page more or less, and records of other lengths.
            assert cost.wal_bytes == pytest.approx(theirs[name].wal_bytes, rel=0.35, abs=40), name


def test_the_settings_are_those_shipped(measured: Costs) -> None:
    assert measured.settings == shipped_costs().settings


def test_what_changes_nothing_writes_nothing(measured: Costs) -> None:
    for name in ("webinar_messages_poll", "webinar_stats_access"):
        assert measured.calls[name].wal_bytes == 0


def test_the_incumbent_makes_more_of_everything(measured: Costs) -> None:
    theirs, ours = measured.incumbent["ping"], measured.calls["webinar_presence_ping"]
    assert theirs.requests == 5
    assert theirs.statements >= 4 * ours.statements
    assert theirs.wal_bytes > 4 * ours.wal_bytes
