"""The scenarios run in small; what is broken on purpose makes them fail."""

from __future__ import annotations

import json

import pytest

from eventlive_db.load.report import write_report
from eventlive_db.load.scenarios import Outcome, Plan, run_s1, run_s2, run_s3, s2, s3
from eventlive_db.load.scenarios.faults import (
    BEAT_EXPIRES,
    BEAT_LOGS,
    BEAT_REFUSES,
    DASHBOARD_DOUBLES,
    DASHBOARD_NEVER_SLOWS,
    MISSING_INDEX,
    PING_REGISTERS,
    PING_WRITES_NOTHING,
    POLL_ENDS_EARLY,
    POLL_FORGETS_MOST,
    UNBOUNDED_POLLER,
)
from eventlive_db.load.scenarios.run import SpeedError
from eventlive_db.server import Server
from tests.load.scenario_runs import failed, install, plan

ERRORS = "errors, of which 400 and 409"
CROWD = "most viewers at a time on a dashboard"
LATE = "dashboards are told to wait, once nobody has counted for a while"

SEEN_BY = {
    # Strangers whom a ping registers are present, too.
    PING_REGISTERS: {"registrations, none of them by a ping", "strangers refused, each once", CROWD},
    MISSING_INDEX: {"blocks that a call of webinar_enter touches"},
    BEAT_LOGS: {"events in the visit log"},
    BEAT_REFUSES: {ERRORS},
    PING_WRITES_NOTHING: {"users who were last seen before their last ping"},
    DASHBOARD_DOUBLES: {CROWD},
    BEAT_EXPIRES: {ERRORS, "sessions of those who watch that are open as Realtime comes back"},
    POLL_ENDS_EARLY: {"viewers with a message skipped, doubled or out of order"},
    POLL_FORGETS_MOST: {"viewers with a message skipped, doubled or out of order"},
    DASHBOARD_NEVER_SLOWS: {LATE},
}
"""The marks that are missed, and no others."""


def seen_by(*faults: str) -> set[str]:
    """The marks that several faults in one run miss."""
    return set().union(*(SEEN_BY[fault] for fault in faults))


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


# Several in one run, of those that are not seen by the same mark: a run takes its time.
@pytest.mark.heavy
@pytest.mark.parametrize(
    "faults",
    [(PING_REGISTERS, MISSING_INDEX, BEAT_LOGS), (PING_WRITES_NOTHING, BEAT_REFUSES, DASHBOARD_DOUBLES)],
    ids=" and ".join,
)
def test_s1_fails_where_something_is_broken(pg_server: Server, faults: tuple[str, ...]) -> None:
    outcome = run_s1(plan(pg_server.kind, faults=faults), install)
    assert len(seen_by(*faults)) == sum(len(SEEN_BY[fault]) for fault in faults)
    assert set(failed(outcome)) == seen_by(*faults)
    assert outcome.options["faults"] == ", ".join(faults)


def s2_plan(kind: str, **changes: object) -> Plan:
    """For an audience so small that a few polls a second are many."""
    return plan(kind, settings={"fallback_target_rps": 1}, **({"viewers": 20} | changes))  # type: ignore[arg-type]


@pytest.fixture
def short_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polling is switched off for no longer than it takes to see that it is."""
    monkeypatch.setattr(s2, "OFF_S", 60.0)


@pytest.mark.heavy
@pytest.mark.usefixtures("short_ends")
def test_s2_passes_and_its_ceiling_is_the_same_for_a_larger_audience(pg_server: Server) -> None:
    small, large = run_s2(s2_plan(pg_server.kind, http=True), install, sizes=(60, 180))
    assert failed(small) == []
    assert failed(large) == []
    # The larger audience polls in all as often as the smaller one, and so each of its viewers less often.
    assert calls(large, "webinar_messages_poll")["psycopg"] < calls(small, "webinar_messages_poll")["psycopg"]
    assert {mark.source for mark in large.marks} == {"measured", "sampled", "computed"}
    assert [text for _, text in large.events][-3:] == [
        "Realtime is cut",
        "polling is switched off",
        "Realtime comes back",
    ]
    # A speed at which a bound holds the time in which messages are counted, so more of them are let in.
    assert small.settings["message_rate_limit"] == 20
    assert calls(small, "webinar_message_post")["postgrest"] > 100


@pytest.mark.heavy
@pytest.mark.usefixtures("short_ends")
def test_s2_fails_where_clients_poll_as_they_like(pg_server: Server) -> None:
    [outcome] = run_s2(s2_plan(pg_server.kind, history=0, faults=(UNBOUNDED_POLLER,)), install, sizes=(20,))
    assert "polls a second of 20 viewers, in the worst minute" in failed(outcome)
    assert "polls once they are switched off" in failed(outcome)


@pytest.mark.heavy
@pytest.mark.parametrize("fault", [BEAT_EXPIRES, POLL_ENDS_EARLY, POLL_FORGETS_MOST])
def test_s2_fails_where_something_is_broken(pg_server: Server, fault: str) -> None:
    hasty = s2_plan(pg_server.kind, speed=120, viewers=20, history=0, faults=(fault,))
    [outcome] = run_s2(hasty, install, sizes=(20,))
    assert set(failed(outcome)) == seen_by(fault)


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One turn, and no more of the rest than shows what it is for."""
    for name, value in {"DOOR_S": 20.0, "TURN_S": 40.0, "TURNS": 1, "LATE_S": 180.0, "BACK_S": 120.0}.items():
        monkeypatch.setattr(s3, name, value)


SOON_LATE = {"rollup_late_after_s": 100}


@pytest.mark.heavy
@pytest.mark.usefixtures("short_turns")
def test_s3_passes(pg_server: Server) -> None:
    outcome = run_s3(plan(pg_server.kind, speed=10, viewers=20, http=True, settings=SOON_LATE), install)
    assert failed(outcome) == []
    told = {mark.name: (mark.wanted, mark.found) for mark in outcome.marks if mark.name.startswith("dashboards")}
    assert told.pop(LATE) == ("30 s, for rollup_late", "30 s, for rollup_late")
    assert set(told.values()) == {("10 s", "10 s")}
    assert sum(calls(outcome, "webinar_enter").values()) == 10 + 10


@pytest.mark.heavy
@pytest.mark.usefixtures("short_turns")
def test_s3_fails_where_dashboards_do_not_slow_down(pg_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "TURNS", 0)
    # Longer than in life, so that no bound holds them at this speed.
    intervals = {"admin_poll_interval_s": 30, "admin_poll_degraded_interval_s": 90}
    hasty = plan(
        pg_server.kind, speed=30, viewers=4, history=0, settings=SOON_LATE | intervals, faults=(DASHBOARD_NEVER_SLOWS,)
    )
    outcome = run_s3(hasty, install)
    assert set(failed(outcome)) == seen_by(DASHBOARD_NEVER_SLOWS)
    [late] = [mark for mark in outcome.marks if mark.name == LATE]
    assert (late.wanted, late.found) == ("90 s, for rollup_late", "30 s, for rollup_late")


@pytest.mark.heavy
def test_a_speed_at_which_all_dashboards_are_told_the_same_is_refused(pg_server: Server) -> None:
    with pytest.raises(SpeedError, match=r"admin_poll_interval_s is 1, not 0\.33.*Give a --speed nearer to 1"):
        run_s3(plan(pg_server.kind, speed=30, history=0), install)
