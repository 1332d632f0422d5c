"""The demonstration does what it says, and notices when a promise is broken."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from eventlive_db.client import RpcError
from eventlive_db.load.demo import DemoPlan, DemoReport, LiveView, run_demo
from tests.support.database import EventliveDatabase

PLAN = DemoPlan(viewers=36, connections=8, seconds=6)


def run(db: EventliveDatabase) -> tuple[DemoReport, list[LiveView]]:
    """A small webinar."""
    views: list[LiveView] = []
    return asyncio.run(run_demo(db.dsn, PLAN, views.append)), views


def test_a_webinar_runs_from_the_door_to_the_end_and_every_promise_holds(db: EventliveDatabase) -> None:
    report, views = run(db)
    assert report.passed, report
    assert report.traces.registrations_by_ping == 0
    assert report.traces.open_sessions == 0
    assert report.traces.watched_seconds > 0
    assert report.hot_ratio is not None
    assert report.ping_cost
    assert report.ping_cost.statements == 1
    assert set(report.errors) == {
        ("webinar_presence_ping", "not_registered"),
        ("webinar_enter", "duplicate_session"),
    }
    assert report.errors["webinar_enter", "duplicate_session"] == PLAN.duplicates
    assert report.replaced_tabs == PLAN.duplicates // 2
    functions = {call.function for call in report.calls}
    assert {"webinar_register", "webinar_enter", "webinar_presence_ping"} <= functions
    assert {"webinar_session_heartbeat", "webinar_leave"} <= functions
    assert max(view.present for view in views) > 0
    assert max(view.guests for view in views) > 0


def test_a_ping_that_registers_is_noticed(db: EventliveDatabase) -> None:
    definition = db.value("select pg_get_functiondef('eventlive.create_presence(uuid, uuid)'::regprocedure)")
    db.admin.execute(
        definition.replace(
            "perform eventlive.raise_error('not_registered');",
            "insert into eventlive.registrations (webinar_id, user_id) values (_webinar_id, _user_id);",
        ).encode()
    )
    report, _ = run(db)
    assert report.traces.registrations_by_ping > 0
    assert not report.passed


FAULTS = {
    "a ping took more than one statement": (
        "webinar_presence_ping",
        "begin\n",
        "begin\n    perform from eventlive.registrations r where r.webinar_id = _webinar_id;\n",
    ),
    "a throttled ping wrote a row": (
        "webinar_presence_ping",
        "and p.last_seen_at <= v_now - p.throttle_s * interval '1 second'",
        "",
    ),
}


@pytest.mark.parametrize("broken", FAULTS)
def test_a_ping_that_costs_more_than_promised_is_noticed(db: EventliveDatabase, broken: str) -> None:
    function, old, new = FAULTS[broken]
    definition = db.value(f"select pg_get_functiondef('eventlive.{function}(uuid)'::regprocedure)")
    assert old in definition
    db.admin.execute(definition.replace(old, new, 1).encode())
    report, _ = run(db)
    assert report.broken == [broken]


def test_updates_that_are_not_hot_are_noticed(db: EventliveDatabase) -> None:
    db.admin.execute("create index on eventlive.webinar_live_presence (last_seen_at)")
    report, _ = run(db)
    assert report.broken == ["presence updates were not HOT"]


def test_a_refusal_that_nobody_expects_is_noticed(db: EventliveDatabase) -> None:
    db.admin.execute("select eventlive.set_setting('client_info_max_bytes', '256')")
    definition = db.value(
        "select pg_get_functiondef('eventlive.webinar_enter(uuid, uuid, jsonb, boolean)'::regprocedure)"
    )
    db.admin.execute(definition.replace("if pg_column_size(_client) >", "if 300 >").encode())
    with pytest.raises(RpcError):
        run(db)


def test_a_heartbeat_that_breaks_ends_the_demonstration(db: EventliveDatabase) -> None:
    db.admin.execute("alter table eventlive.webinar_live rename column settings_version to version")
    with pytest.raises(psycopg.Error, match="settings_version"):
        run(db)
