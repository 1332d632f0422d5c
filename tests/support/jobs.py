"""Jobs in a test: run them, see all that they left, give them something to do, and stop them where it hurts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest

from eventlive_db.server import Server
from tests.support.actors import Background, in_background, new_id, wait_until_blocked
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function
from tests.support.own_server import wait_for
from tests.support.races import GATE, closed_gate

JOBS = (
    "close_expired_sessions",
    "purge_job_runs",
    "purge_messages",
    "purge_presence",
    "purge_sessions",
    "purge_timelines",
    "rollup_live",
    "rotate_event_logs",
)

PAUSE = f"perform pg_advisory_lock_shared({GATE}); perform pg_advisory_unlock_shared({GATE});"
"""A statement at which a function stops while the gate is closed; see ``races.closed_gate``."""


def run(db: EventliveDatabase, job: str, connection: psycopg.Connection[Any] | None = None) -> dict[str, Any]:
    """Run a job and return its outcome."""
    row = (connection or db.admin).execute("call eventlive.run_job(%s)", [job]).fetchone()
    assert row
    outcome: dict[str, Any] = row[0]
    return outcome


def changed(db: EventliveDatabase, job: str) -> int:
    """Run a job to its end and return how many rows it says it changed."""
    outcome = run(db, job)
    assert outcome["outcome"] == "done"
    return int(outcome["rows"])


def work(db: EventliveDatabase, job: str) -> list[tuple[Any, ...]]:
    """What a job would do now: webinar, ids, step, amount."""
    return db.rows("select webinar_id, ids, step, amount from eventlive.job_work(%s)", job)


def everything(db: EventliveDatabase, *but: str) -> dict[str, list[str]]:
    """Every row of every table of the schema, those of jobs and statistics too."""
    tables = db.rows("select relname from pg_class where relnamespace = 'eventlive'::regnamespace and relkind = 'r'")
    return {
        table: [row for (row,) in db.rows(f"select t::text from eventlive.{table} t order by 1")]
        for (table,) in sorted(tables)
        if table not in but
    }


def health(db: EventliveDatabase, job: str) -> str:
    """The state of a job, as ``job_health`` has it."""
    return str(db.value("select state from eventlive.job_health() where name = %s", job))


def patiently(db: EventliveDatabase) -> None:
    """Have jobs wait for locks as long as a test needs to look at them."""
    db.admin.execute("select eventlive.set_setting('job_lock_timeout_s', '60')")


def set_number(db: EventliveDatabase, key: str, value: float) -> None:
    """Change a setting for all webinars."""
    db.admin.execute("select eventlive.set_setting(%s, to_jsonb(%s::numeric))", [key, value])


def batch_size(db: EventliveDatabase, rows: int) -> None:
    """How many rows a job changes in one transaction."""
    set_number(db, "job_batch_size", rows)


@dataclass(frozen=True, slots=True)
class Running:
    """A job that runs in a session of its own."""

    connection: psycopg.Connection[Any]
    background: Background

    @property
    def pid(self) -> int:
        """The server process."""
        return self.connection.info.backend_pid

    def result(self) -> dict[str, Any]:
        """Wait for its end and return its outcome."""
        outcome: dict[str, Any] = self.background.result()
        return outcome


def start(db: EventliveDatabase, job: str) -> Running:
    """Start a job in a session of its own; it is expected to stop somewhere."""
    connection = db.connect()
    return Running(connection, in_background(lambda: run(db, job, connection)))


@contextmanager
def fault(db: EventliveDatabase, function: str, old: str, new: str) -> Iterator[None]:
    """Have a function of the schema with a part replaced during the block."""
    definition = db.value("select pg_get_functiondef(%s::regproc)", f"eventlive.{function}")
    break_function(db, function, old, new)
    try:
        yield
    finally:
        db.admin.execute(definition.encode())


@contextmanager
def open_statement(db: EventliveDatabase, statement: str, *parameters: object) -> Iterator[None]:
    """Run a statement in another session and leave its transaction open during the block; then commit."""
    holder = db.connect()
    with holder.transaction():
        holder.execute(statement.encode(), parameters)
        yield


@contextmanager
def job_database(server: Server, template: str) -> Iterator[EventliveDatabase]:
    """A database for the tests of a module; have it :func:`cleared` before each."""
    name = f"jobs_{secrets.token_hex(8)}"
    database = EventliveDatabase(server.create_database(name, template))
    yield database
    database.close()
    server.drop_database(name)


def cleared(db: EventliveDatabase) -> EventliveDatabase:
    """The database without anything that a test stored, and without its connections."""
    db.close()
    db.admin = db.connect()
    # A server process outlives its connection for a moment, and with it the lock of a job that failed there.
    held = "select from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
    wait_for("nobody to hold the lock of a job", lambda: not db.rows(held))
    clear(db)
    return db


def clear(db: EventliveDatabase) -> None:
    """Remove everything that was stored, and give the settings their defaults."""
    db.admin.execute(
        """
        delete from eventlive.webinars;
        delete from eventlive.event_access_logs;
        delete from eventlive.profiles;
        delete from eventlive.job_runs;
        update eventlive.jobs set last_success_at = null, enabled = true, max_age = '30 minutes';
        update eventlive.settings set value = default_value where value <> default_value;
        """
    )


def present(db: EventliveDatabase, webinar_id: UUID, *, expires_in: str = "1 hour", count: int = 1) -> list[UUID]:
    """Registered users with a presence row that expires then."""
    user_ids = [new_id() for _ in range(count)]
    for user_id in user_ids:
        db.register(webinar_id, user_id)
    db.admin.execute(
        "insert into eventlive.webinar_live_presence"
        " (webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s)"
        " select %s, u, x.at - interval '5 minutes', x.at - interval '5 minutes', x.at, 60, 300"
        "   from unnest(%s::uuid[]) u, (select clock_timestamp() + %s::interval as at) x",
        [webinar_id, user_ids, expires_in],
    )
    return user_ids


def sessions(
    db: EventliveDatabase,
    webinar_id: UUID,
    *,
    expires_in: str = "1 hour",
    exited_ago: str | None = None,
    count: int = 1,
    user_id: UUID | None = None,
) -> list[UUID]:
    """Sessions, of guests where no user is named, that began 750 s before they ended or expire; logged."""
    ids = [new_id() for _ in range(count)]
    db.admin.execute(
        "with made as ("
        " insert into eventlive.webinar_user_sessions (webinar_id, session_id, user_id, entered_at, last_heartbeat_at,"
        "     expires_at, exited_at, exit_reason, interval_s)"
        " select %(webinar)s, s, %(user)s, x.until - interval '750 seconds', x.until - interval '750 seconds',"
        "        x.expires, x.exited, case when x.exited is not null then 'left' end, 300"
        "   from unnest(%(ids)s::uuid[]) s,"
        "        (select e.exited, e.expires, least(e.expires, e.exited) as until"
        "           from (select clock_timestamp() - %(exited)s::interval as exited,"
        "                        clock_timestamp() + %(expires)s::interval as expires) e) x"
        " returning webinar_id, session_id, user_id, entered_at)"
        " insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, session_id)"
        " select m.webinar_id, m.entered_at, 'entered', m.user_id, m.session_id from made m",
        {"webinar": webinar_id, "user": user_id, "ids": ids, "expires": expires_in, "exited": exited_ago},
    )
    return ids


def live(db: EventliveDatabase, webinar_id: UUID, *columns: str) -> tuple[Any, ...]:
    """Columns, or expressions of them, of the row of webinar_live."""
    [row] = db.rows(f"select {', '.join(columns)} from eventlive.webinar_live where webinar_id = %s", webinar_id)
    return row


def deletions(db: EventliveDatabase, table: str, act: Callable[[], Any]) -> list[int]:
    """How many rows each transaction deletes meanwhile."""
    db.admin.execute(
        f"""
        create table public.deletions (xid xid8, rows bigint);
        create function public.note() returns trigger language plpgsql security definer as $$
        begin
            insert into public.deletions select pg_current_xact_id(), count(*) from gone;
            return null;
        end $$;
        create trigger a_test after delete on {table} referencing old table as gone
            for each statement execute function public.note();
        """.encode()
    )
    try:
        act()
        return [int(rows) for (rows,) in db.rows("select sum(rows) from public.deletions group by xid order by xid")]
    finally:
        db.admin.execute("drop function public.note() cascade; drop table public.deletions")


@contextmanager
def stopped(db: EventliveDatabase, job: str = "rollup_live") -> Iterator[Running]:
    """A run that is stopped in the midst for the time of the block; it may have been killed at its end."""
    patiently(db)
    db.webinar()
    with fault(db, f"{job}_step", "\nbegin\n", f"\nbegin\n    {PAUSE}\n"):
        try:
            with closed_gate(db):
                running = start(db, job)
                wait_until_blocked(db.admin, running.pid)
                yield running
        finally:
            running.background.thread.join()


def kill(db: EventliveDatabase, running: Running) -> None:
    """End its server process, and wait for that."""
    db.value("select pg_terminate_backend(%s)", running.pid)
    wait_for("the end of the run", lambda: not db.rows("select from pg_stat_activity where pid = %s", running.pid))
    with pytest.raises(psycopg.OperationalError):
        running.result()
