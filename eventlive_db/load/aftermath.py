"""What a run left in the database, and what a ping cost there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from eventlive_db.client import Call, Identity
from eventlive_db.client.calls import SET_IDENTITY
from eventlive_db.plans.capture import capture
from eventlive_db.plans.errors import CaptureUnavailableError

_OUT_OF_THROTTLE = (
    "update eventlive.webinar_live_presence set last_seen_at = last_seen_at - interval '1 hour'"
    " where webinar_id = %s and user_id = %s"
)


@dataclass(frozen=True, slots=True)
class PingCost:
    """What one presence ping costs inside the database, averaged over real ones.

    Attributes:
        pings: How many were measured.
        statements: Statements that touch tables, for a ping that writes.
        wal_bytes: Bytes of WAL of a ping that writes.
        throttled_wal_bytes: Bytes of WAL of a throttled one; seldom more than 0, when Postgres tidies a page it reads.
        throttled_writes: Throttled pings that wrote a row after all; must be 0.
    """

    pings: int
    statements: float
    wal_bytes: float
    throttled_wal_bytes: float
    throttled_writes: int


@dataclass(frozen=True, slots=True)
class Traces:
    """What is in the tables after the webinar.

    Attributes:
        registrations_by_ping: Registrations of people who did nothing but ping; must be 0.
        sessions: Sessions in all.
        watched_seconds: Watch time credited, all sessions together.
        open_sessions: Sessions still open after the end; must be 0.
    """

    registrations_by_ping: int
    sessions: int
    watched_seconds: float
    open_sessions: int


def hot_ratio(dsn: str, application_name: str) -> float | None:
    """Part of all presence updates in this database that were HOT; None where there was none.

    Waits, ten seconds at most, until the server processes of that application have gone: a process reports its
    counters when it ends.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        for _ in range(200):
            others = connection.execute(
                "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
                " and application_name = %s",
                [application_name],
            ).fetchone()
            if others is None:
                break
            time.sleep(0.05)
        row = connection.execute(
            "select n_tup_hot_upd::float / nullif(n_tup_upd, 0) from pg_stat_user_tables"
            " where schemaname = 'eventlive' and relname = 'webinar_live_presence'"
        ).fetchone()
    return row[0] if row else None


def measure_ping(dsn: str, webinar_id: UUID, pings: int = 20) -> tuple[PingCost | None, str]:
    """Ping as users who are present, and look inside.

    Args:
        dsn: A superuser's, or that of a role that may load auto_explain.
        webinar_id: A webinar with people present.
        pings: How many of each kind.

    Returns:
        The average, or None and the reason why it could not be measured.
    """
    request: Call[Any] = Call("webinar_presence_ping", {"_webinar_id": webinar_id})
    statements = wal_bytes = throttled_wal_bytes = throttled_writes = 0
    with psycopg.connect(dsn, autocommit=True) as connection:
        users = connection.execute(
            "select p.user_id from eventlive.webinar_live_presence p where p.webinar_id = %s order by 1 limit %s",
            [webinar_id, pings],
        ).fetchall()
        if not users:
            return None, "nobody was present"
        try:
            for number in range(-2, pings):
                (user_id,) = users[number % len(users)]
                for throttled in (False, True):
                    if not throttled:
                        connection.execute(_OUT_OF_THROTTLE, [webinar_id, user_id])
                    with capture(connection) as captured, connection.transaction():
                        connection.execute(SET_IDENTITY, Identity.user(user_id).settings())
                        connection.execute(request.query(), request.parameters())
                        wrote = connection.execute("select pg_current_xact_id_if_assigned() is not null").fetchone()
                    if number < 0:  # the first calls on a connection also read the catalog
                        continue
                    call = next(s for s in reversed(captured) if "webinar_presence_ping" in s.query)
                    if throttled:
                        throttled_wal_bytes += call.wal_bytes
                        throttled_writes += wrote == (True,)
                    else:
                        wal_bytes += call.wal_bytes
                        statements += sum(1 for s in captured if s is not call and s.relations)
        except CaptureUnavailableError as error:
            return None, str(error)
    cost = PingCost(pings, statements / pings, wal_bytes / pings, throttled_wal_bytes / pings, throttled_writes)
    return cost, ""


def read_traces(dsn: str, webinar_id: UUID, strangers: list[UUID]) -> Traces:
    """Count what the webinar left behind.

    Args:
        dsn: Of a role that may read the tables.
        webinar_id: The webinar.
        strangers: People who did nothing but ping.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "select (select count(*) from eventlive.registrations r"
            " where r.webinar_id = %(webinar)s and r.user_id = any (%(strangers)s)),"
            " count(*), coalesce(sum(s.watched_seconds), 0)::float, count(*) filter (where s.exited_at is null)"
            " from eventlive.webinar_user_sessions s where s.webinar_id = %(webinar)s",
            {"webinar": webinar_id, "strangers": strangers},
        ).fetchone()
    assert row  # noqa: S101 -- an aggregate has one row
    return Traces(*row)
