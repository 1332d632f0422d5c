"""The scenarios run in small; what is broken on purpose makes them fail."""

from __future__ import annotations

import json

import pytest

from eventlive_db.load.report import write_report
from eventlive_db.load.scenarios import Outcome, Plan, run_s1, run_s2, run_s3
from eventlive_db.load.scenarios.faults import MISSING_INDEX, PING_REGISTERS, UNBOUNDED_POLLER
from eventlive_db.server import Server
from tests.load.scenario_runs import failed, install, plan

SEEN_BY = {
    PING_REGISTERS: {"registrations, none of them by a ping", "strangers refused, each once"},
    MISSING_INDEX: {"blocks that a call of webinar_enter touches"},
}


def calls(outcome: Outcome, function: str) -> dict[str, int]:
    """How many were made of a function, by way."""
    return {line["via"]: line["calls"] for line in outcome.calls if line["function"] == function}


def test_s1_passes(pg_server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    outcome = run_s1(plan(pg_server.kind), install)
    assert failed(outcome) == []
    assert [text for _, text in outcome.events] == ["the door opens", "everybody has gone"]
    assert {plot.title for plot in outcome.plots} >= {
        "Latency of webinar_presence_ping",
        "Requests",
        "WAL",
        "Connections",
    }
    assert outcome.statements
    assert outcome.settings["presence_ping_interval_s"] == 2
    assert any("60 times as fast" in note for note in outcome.notes)
    # What it says goes into a file, and into a page.
    results = json.loads(json.dumps(outcome.as_json()))
    page = tmp_path_factory.mktemp("report") / "s1.html"
    write_report(results, page)
    assert outcome.title in page.read_text()


@pytest.mark.heavy
def test_s1_passes_through_postgrest_too(pg_server: Server) -> None:
    outcome = run_s1(plan(pg_server.kind, http=True), install)
    assert failed(outcome) == []
    assert min(calls(outcome, "webinar_presence_ping").values()) > 10
    assert set(calls(outcome, "webinar_presence_ping")) == {"postgrest", "psycopg"}
    assert outcome.machine["postgrest"].startswith("PostgREST")


@pytest.mark.heavy
@pytest.mark.parametrize("fault", [PING_REGISTERS, MISSING_INDEX])
def test_s1_fails_where_something_is_broken(pg_server: Server, fault: str) -> None:
    outcome = run_s1(plan(pg_server.kind, fault=fault), install)
    assert set(failed(outcome)) == SEEN_BY[fault]
    assert outcome.options["fault"] == fault


def s2_plan(kind: str, **changes: object) -> Plan:
    """For an audience so small that a few polls a second are many."""
    return plan(kind, speed=40, settings={"fallback_target_rps": 1}, viewers=20, **changes)  # type: ignore[arg-type]


@pytest.mark.heavy
def test_s2_passes_and_its_ceiling_is_the_same_for_a_larger_audience(pg_server: Server) -> None:
    small, large = run_s2(s2_plan(pg_server.kind, http=True), install, sizes=(40, 160))
    assert failed(small) == []
    assert failed(large) == []
    # The larger audience polls in all as often as the smaller one, and so each of its viewers less often.
    assert sum(calls(large, "webinar_messages_poll").values()) < sum(calls(small, "webinar_messages_poll").values())
    assert {mark.source for mark in large.marks} == {"measured", "sampled", "computed"}
    assert [text for _, text in large.events] == ["Realtime is cut", "polling is switched off", "Realtime comes back"]


@pytest.mark.heavy
def test_s2_fails_where_clients_poll_as_they_like(pg_server: Server) -> None:
    [outcome] = run_s2(s2_plan(pg_server.kind, fault=UNBOUNDED_POLLER), install, sizes=(20,))
    assert "polls a second of 20 viewers, in the worst minute" in failed(outcome)
    assert "polls once they are switched off" in failed(outcome)


@pytest.mark.heavy
def test_s3_passes(pg_server: Server) -> None:
    outcome = run_s3(plan(pg_server.kind, speed=30, viewers=20, http=True), install)
    assert failed(outcome) == []
    [told] = [mark for mark in outcome.marks if mark.name.endswith("once nobody has counted for a while")]
    assert "30 s" in told.found
    assert sum(calls(outcome, "webinar_enter").values()) == 10 + 4 * 10
