"""What each call costs, measured: what ``eventlive-db capacity`` multiplies.

Each call is made many times in a quiet database, in a transaction of its own, as PostgREST makes it. Statements are
those that touch tables, as auto_explain tells them; WAL is how far the log moved, commit records included.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg

from eventlive_db.client import Call, Identity, call, rpc
from eventlive_db.load import incumbent
from eventlive_db.load.bench.results import machine_of
from eventlive_db.plans.capture import capture
from eventlive_db.server import TEST_SETTINGS, open_server

ROUNDS = 200
"""Times that each call is made for its WAL and time."""

# Who calls lets the clock be: what is due is made due.
_DUE: LiteralString = """
    with s as (update eventlive.webinar_user_sessions set last_heartbeat_at = last_heartbeat_at - interval '10 minutes')
    update eventlive.webinar_live_presence set last_seen_at = last_seen_at - interval '10 minutes'
"""
_INCUMBENT_DUE: LiteralString = """
    with s as (
        update incumbent.webinar_user_sessions set last_heartbeat_at = last_heartbeat_at - interval '10 minutes'
    )
    update incumbent.webinar_live_presence set last_seen_at = last_seen_at - interval '10 minutes'
"""


_POSITION: LiteralString = "select pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn"

Asked = Callable[[int], object]
"""Makes a call as one of the users, by number."""


@dataclass(frozen=True, slots=True)
class _Scene:
    connection: psycopg.Connection[Any]
    webinar_id: UUID
    users: list[UUID]
    sessions: list[UUID]

    def call(self, request: Call[Any], user: UUID | None = None) -> Any:
        """Call as a user, or as the service."""
        return call(self.connection, request, Identity.user(user) if user else Identity.service())


def measure_costs(prepare: Callable[[str], object], *, kind: str | None = None, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measure every call on a server of its own.

    Args:
        prepare: Installs the schema in the database of a DSN.
        kind: ``installed`` or ``embedded``; default: the first there is.
        rounds: Times that each call is made.

    Returns:
        ``{"at", "machine", "settings", "calls", "incumbent"}``: for each call its requests, statements, WAL in bytes,
        and milliseconds of one connection; and the shipped settings, which say how often it is made.

    Raises:
        ServerError: There is no Postgres.
    """
    with open_server(kind=kind, settings=TEST_SETTINGS) as server:
        dsn = server.create_database("costs")
        prepare(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            return _measure(connection, rounds)


def _measure(connection: psycopg.Connection[Any], rounds: int) -> dict[str, Any]:
    scene = _set(connection, rounds)
    calls = {name: _cost(scene, rounds, [asked], _DUE) for name, asked in _calls(scene).items()}
    _set_incumbent(scene)
    theirs = {
        name: _cost(scene, rounds, [_asker(scene, wanted) for wanted in requests], _INCUMBENT_DUE)
        for name, requests in (("ping", incumbent.PING), ("track", incumbent.TRACK))
    }
    settings = connection.execute(
        "select key, default_value from eventlive.settings where value_type <> 'text' order by key"
    ).fetchall()
    return {
        "at": datetime.now(UTC).date().isoformat(),
        "machine": machine_of(connection.info.parameter_status("server_version") or ""),
        "settings": dict(settings),
        "calls": calls,
        "incumbent": theirs,
    }


def _set(connection: psycopg.Connection[Any], rounds: int) -> _Scene:
    # Two more than are timed: one warms up, one is looked into.
    users = [uuid4() for _ in range(rounds + 2)]
    service = Identity.service()
    webinar_id = UUID(call(connection, rpc.webinar_create("costs"), service)["webinar_id"])
    call(connection, rpc.webinar_set_status(webinar_id, "live"), service)
    return _Scene(connection, webinar_id, users, [uuid4() for _ in users])


def _calls(scene: _Scene) -> dict[str, Asked]:
    webinar_id, users, sessions = scene.webinar_id, scene.users, scene.sessions
    tokens: dict[int, str] = {}

    def enter(number: int) -> None:
        tokens[number] = scene.call(rpc.webinar_enter(webinar_id, sessions[number]), users[number])["leave_token"]

    # In this order: who has not entered can neither beat nor leave.
    return {
        "webinar_enter": enter,
        "webinar_session_heartbeat": lambda n: scene.call(
            rpc.webinar_session_heartbeat(webinar_id, sessions[n]), users[n]
        ),
        "webinar_presence_ping": lambda n: scene.call(rpc.webinar_presence_ping(webinar_id), users[n]),
        "webinar_messages_poll": lambda n: scene.call(rpc.webinar_messages_poll(webinar_id, after=-1), users[n]),
        "webinar_stats_access": lambda _: scene.call(Call("webinar_stats_access", {"_webinar_id": webinar_id})),
        "webinar_leave": lambda n: scene.call(rpc.webinar_leave(webinar_id, sessions[n], tokens[n]), users[n]),
    }


def _cost(scene: _Scene, rounds: int, asked: Sequence[Asked], due: LiteralString) -> dict[str, float]:
    connection = scene.connection

    def ask(number: int) -> None:
        for one in asked:
            one(number)

    connection.execute(due)
    ask(rounds)
    with capture(connection) as statements:
        ask(rounds + 1)
    before = _wal(connection)
    started = time.perf_counter()
    for number in range(rounds):
        ask(number)
    elapsed = time.perf_counter() - started
    return {
        "requests": len(asked),
        "statements": sum(1 for statement in statements if statement.relations),
        "wal_bytes": round((_wal(connection) - before) / rounds),
        "milliseconds": round(elapsed / rounds * 1000, 3),
    }


def _wal(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(_POSITION).fetchone()
    assert row is not None  # noqa: S101  # an expression has a value
    return int(row[0])


def _set_incumbent(scene: _Scene) -> None:
    connection = scene.connection
    incumbent.install(connection)
    connection.execute("insert into incumbent.webinars (id, slug) values (%s, 'costs')", (scene.webinar_id,))
    rows = [(scene.webinar_id, user, str(session)) for user, session in zip(scene.users, scene.sessions, strict=True)]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into incumbent.registrations (webinar_id, user_id) values (%s, %s)", [row[:2] for row in rows]
        )
        cursor.executemany(
            "insert into incumbent.webinar_live_presence (webinar_id, user_id) values (%s, %s)",
            [row[:2] for row in rows],
        )
        cursor.executemany(
            "insert into incumbent.webinar_user_sessions (webinar_id, user_id, session_id) values (%s, %s, %s)", rows
        )
    connection.execute("vacuum (freeze, analyze)")


def _asker(scene: _Scene, wanted: incumbent.Request) -> Asked:
    def ask(number: int) -> None:
        user, session = scene.users[number], scene.sessions[number]
        arguments: dict[str, object] = {
            "webinar": scene.webinar_id,
            "slug": "costs",
            "user": user,
            "session": str(session),
        }
        incumbent.request(scene.connection, wanted, Identity.user(user), arguments)

    return ask
