"""Every function and view that clients may call is judged, on every kind of Postgres that is kept a snapshot of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eventlive_db.plans.suite import load_suite
from eventlive_db.resources import sql_dir

SUITE = load_suite(Path(__file__).parent / "eventlive" / "plans.toml")


def exposed(kind: str) -> set[str]:
    """Names of the exposed functions or views, as ``sql/`` declares them."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(sql_dir().glob("*/*.sql")))
    return set(re.findall(rf"^create {kind} eventlive_api\.(\w+)", text, re.MULTILINE))


def unjudged(names: set[str], calls: list[str]) -> set[str]:
    """Names that no call uses."""
    return {name for name in names if not any(re.search(rf"\beventlive_api\.{name}\b", call) for call in calls)}


@pytest.mark.parametrize("kind", ["function", "view"])
def test_each_exposed_object_has_a_case(kind: str) -> None:
    names = exposed(kind)
    assert len(names) >= 7
    assert unjudged(names, [case.call for case in SUITE.cases]) == set()


def test_an_object_without_a_case_is_noticed() -> None:
    assert unjudged({"webinar_new"}, [case.call for case in SUITE.cases]) == {"webinar_new"}


def test_each_case_limits_what_matters() -> None:
    for case in SUITE.cases:
        budget = case.budget
        missing = [
            name
            for name in ("statements", "buffers", "rows_read", "seq_scans", "locks", "xids", "aborted_subtransactions")
            if getattr(budget, name) is None
        ]
        assert missing == [], case.name


@pytest.mark.parametrize("major", [15, 18])
def test_each_case_has_a_snapshot_for_both_majors(major: int) -> None:
    # What makes tables has none: their names are times.
    assert len(list((SUITE.snapshots / str(major)).glob("*.plan"))) == sum(case.snapshot for case in SUITE.cases) > 100


HOT = ("ping", "ping, throttled", "heartbeat", "heartbeat, throttled", "heartbeat of a guest", "register, a repeat")


@pytest.mark.parametrize("name", HOT)
def test_the_hot_path_is_judged_at_a_thousand_to_a_million_rows_and_may_grow_by_two_blocks(name: str) -> None:
    case = SUITE.case(name)
    assert case.scaled
    assert case.budget.growth == 2
    assert SUITE.scale.sizes == (1_000, 100_000, 1_000_000)
