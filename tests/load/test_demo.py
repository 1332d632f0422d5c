"""The demonstration does what it says, and notices when a promise is broken."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest

from eventlive_db.client import RpcError
from eventlive_db.load.demo import DemoPlan, DemoReport, LiveView, run_demo
from eventlive_db.server import Server
from tests.support.database import EventliveDatabase

PLAN = DemoPlan(viewers=36, connections=8, seconds=7)
Ran = tuple[DemoReport, list[LiveView]]

REGISTERS = "a ping registered somebody"
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
NOT_HOT = "presence updates were not HOT"


async def run(db: EventliveDatabase) -> Ran:
    """A small webinar."""
    views: list[LiveView] = []
    return await run_demo(db.dsn, PLAN, views.append), views


def leave_as_it_is(db: EventliveDatabase) -> None:
    """Nothing is broken."""


def register_by_ping(db: EventliveDatabase) -> None:
    definition = db.value("select pg_get_functiondef('eventlive.create_presence(uuid, uuid)'::regprocedure)")
    db.admin.execute(
        definition.replace(
            "perform eventlive.raise_error('not_registered');",
            "insert into eventlive.registrations (webinar_id, user_id) values (_webinar_id, _user_id);",
        ).encode()
    )


def breaks(fault: str) -> Callable[[EventliveDatabase], None]:
    """Puts one of ``FAULTS`` into a database."""

    def plant(db: EventliveDatabase) -> None:
        function, old, new = FAULTS[fault]
        definition = db.value(f"select pg_get_functiondef('eventlive.{function}(uuid)'::regprocedure)")
        assert old in definition
        db.admin.execute(definition.replace(old, new, 1).encode())

    return plant


def index_last_seen(db: EventliveDatabase) -> None:
    db.admin.execute("create index on eventlive.webinar_live_presence (last_seen_at)")


WEBINARS: dict[str, Callable[[EventliveDatabase], None]] = {
    "": leave_as_it_is,
    REGISTERS: register_by_ping,
    **{fault: breaks(fault) for fault in FAULTS},
    NOT_HOT: index_last_seen,
}


@pytest.fixture(scope="module")
def ran(pg_server: Server, schema_template: str) -> Iterator[dict[str, Ran]]:
    """All webinars, each in a database of its own, at the same time: each mostly waits for its viewers."""
    with ExitStack() as stack:
        databases = []
        for prepare in WEBINARS.values():
            name = f"demo_{secrets.token_hex(8)}"
            stack.callback(pg_server.drop_database, name)
            databases.append(EventliveDatabase(pg_server.create_database(name, schema_template)))
            stack.callback(databases[-1].close)
            prepare(databases[-1])

        async def run_all() -> list[Ran]:
            return await asyncio.gather(*map(run, databases))

        yield dict(zip(WEBINARS, asyncio.run(run_all()), strict=True))


def test_a_webinar_runs_from_the_door_to_the_end_and_every_promise_holds(ran: dict[str, Ran]) -> None:
    report, views = ran[""]
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


def test_a_ping_that_registers_is_noticed(ran: dict[str, Ran]) -> None:
    report, _ = ran[REGISTERS]
    assert report.traces.registrations_by_ping > 0
    assert not report.passed


@pytest.mark.parametrize("broken", [*FAULTS, NOT_HOT])
def test_what_costs_more_than_promised_is_noticed(ran: dict[str, Ran], broken: str) -> None:
    report, _ = ran[broken]
    assert report.broken == [broken]


def test_a_refusal_that_nobody_expects_is_noticed(db: EventliveDatabase) -> None:
    db.admin.execute("select eventlive.set_setting('client_info_max_bytes', '256')")
    definition = db.value(
        "select pg_get_functiondef('eventlive.webinar_enter(uuid, uuid, jsonb, boolean)'::regprocedure)"
    )
    db.admin.execute(definition.replace("if pg_column_size(_client) >", "if 300 >").encode())
    with pytest.raises(RpcError):
        asyncio.run(run(db))


def test_a_heartbeat_that_breaks_ends_the_demonstration(db: EventliveDatabase) -> None:
    db.admin.execute("alter table eventlive.webinar_live rename column settings_version to version")
    with pytest.raises(psycopg.Error, match="settings_version"):
        asyncio.run(run(db))
