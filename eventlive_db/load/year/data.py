"""What the jobs find: a visit log of a year, partly caught by the default partition, and enough to do for each job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

LENGTH_DAYS = 30
OLDEST_DAYS = 400
PARTITIONS = 11
RETENTION_DAYS = 365
_CHUNK = 100_000

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "synchronous_commit": "off"}
"""Of the cluster: ten million rows that are made once, not by users."""


@dataclass(frozen=True, slots=True)
class YearPlan:
    """How large it is.

    Attributes:
        rows: Events in the visit log at first. Of those three tenths are in the default partition.
        turns: How often each job has its turn.
        window_s: How long heartbeats are counted without a job, each time, and at least beside one.
        beats_per_s: Heartbeats sent a second.
        sessions: Sessions they are sent for.
        pieces: Rows that each purge finds to delete in each turn.
        webinars: Live webinars for the rollup to count.
    """

    rows: int = 10_000_000
    turns: int = 3
    window_s: float = 2.0
    beats_per_s: float = 200.0
    sessions: int = 1000
    pieces: int = 30_000
    webinars: int = 300

    @property
    def caught(self) -> int:
        """Events that the default partition has caught."""
        return self.rows * 3 // 10

    @property
    def in_each(self) -> int:
        """Events in each partition."""
        return (self.rows - self.caught) // PARTITIONS


class YearData:
    """The rows, and how many of them are to be left.

    Args:
        dsn: How to connect as the superuser.
        plan: How many.
        progress: Told what is going on.
    """

    def __init__(self, dsn: str, plan: YearPlan, progress: Callable[[str], None]) -> None:
        self._dsn, self._plan, self._progress = dsn, plan, progress
        self._admin: psycopg.Connection[Any] = psycopg.connect(dsn, autocommit=True)
        self.old = self._webinar("draft", "3 years")
        self.kept = 0

    def close(self) -> None:
        """Close the connection."""
        self._admin.close()

    def _webinar(self, status: str, age: str) -> UUID:
        row = self._admin.execute(
            "insert into eventlive.webinars (slug, status, created_at)"
            " values ('y-' || gen_random_uuid(), %s, now() - %s::interval) returning id",
            [status, age],
        ).fetchone()
        assert row is not None  # noqa: S101  # an INSERT with RETURNING returns its row
        webinar_id: UUID = row[0]
        return webinar_id

    def fill(self) -> None:
        """Make the log of a year in which nobody has rotated it for 70 days."""
        with self._admin.transaction():
            self._admin.execute("set local role eventlive_owner")
            for number in range(PARTITIONS):
                self._admin.execute(
                    "select eventlive.add_event_log_partition("
                    " now() - %s * interval '24 h', now() - %s * interval '24 h')",
                    [OLDEST_DAYS - number * LENGTH_DAYS, OLDEST_DAYS - (number + 1) * LENGTH_DAYS],
                )
        caught_from = OLDEST_DAYS - PARTITIONS * LENGTH_DAYS
        spans = [
            (OLDEST_DAYS - number * LENGTH_DAYS - 0.01, OLDEST_DAYS - (number + 1) * LENGTH_DAYS + 0.01)
            for number in range(PARTITIONS)
        ]
        chunks = [(*span, size) for span in spans for size in _chunks(self._plan.in_each)]
        chunks += [(caught_from - 0.01, 0.0, size) for size in _chunks(self._plan.caught)]
        self._insert(chunks)
        # The oldest partition is past its retention.
        self.kept = self._plan.in_each * (PARTITIONS - 1) + self._plan.caught
        self._admin.execute("analyze eventlive.event_access_logs")

    def _insert(self, chunks: list[tuple[float, float, int]]) -> None:
        lock, done, total = threading.Lock(), 0, sum(size for _, _, size in chunks)
        left, failed = list(chunks), list[BaseException]()

        def work() -> None:
            nonlocal done
            try:
                with psycopg.connect(self._dsn, autocommit=True) as connection:
                    while True:
                        with lock:
                            if not left or failed:
                                return
                            since, until, size = left.pop(0)
                        connection.execute(_EVENTS, [since, until, since, size, size])
                        with lock:
                            done += size
                            self._progress(f"{done:,} of {total:,} events")
            except BaseException as error:  # raised below, in the thread that waits
                failed.append(error)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]

    def prepare(self, job: str, turn: int) -> None:
        """Give a job something to do.

        Args:
            job: Its name.
            turn: Counted from 0.
        """
        if job == "rotate_event_logs":
            if turn:
                self._neglect(turn)
            return
        if job == "rollup_live":
            if not turn:
                self._admin.execute(_CROWD, [self._plan.webinars])
            return
        self._admin.execute(_WORK[job], {"webinar": self.old, "turn": turn, "pieces": self._plan.pieces})

    def _neglect(self, turn: int) -> None:
        """Have a month go by: the partitions from now on are gone, and what came is in the default one."""
        days = RETENTION_DAYS - turn * LENGTH_DAYS
        self._admin.execute("select eventlive.set_setting('event_log_retention_days', to_jsonb(%s::int))", [days])
        self._admin.execute(_UNDO)
        size = self._plan.rows // 10
        self._insert([(0.0005, 0.0, chunk) for chunk in _chunks(size)])
        self.kept += size - (self._plan.in_each if turn < PARTITIONS else 0)

    def left(self) -> int:
        """How many of the events are in the log, asked of the log."""
        row = self._admin.execute("select count(*) from eventlive.event_access_logs where event = 'left'").fetchone()
        return int(row[0]) if row else 0


def _chunks(rows: int) -> list[int]:
    return [_CHUNK] * (rows // _CHUNK) + ([rows % _CHUNK] if rows % _CHUNK else [])


_EVENTS = b"""
    insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, session_id, detail)
    select ('00000000-0000-4000-8000-' || lpad((n %% 200)::text, 12, '0'))::uuid,
           clock_timestamp() - interval '24 h' * (%s::float8 + (%s::float8 - %s::float8) * n / %s::float8),
           'left', gen_random_uuid(), gen_random_uuid(), jsonb_build_object('watched_seconds', n)
      from generate_series(1, %s) n
"""

_UNDO = b"""
    do $$
    declare
        v_partition record;
    begin
        set local role eventlive_owner;
        for v_partition in select * from eventlive.event_log_partitions() where upper_bound > clock_timestamp() loop
            execute format('alter table eventlive.event_access_logs detach partition %s', v_partition.relation);
            execute format('insert into eventlive.event_access_logs overriding system value select * from %s',
                v_partition.relation);
            execute format('drop table %s', v_partition.relation);
        end loop;
    end
    $$
"""

_CROWD = b"""
    with webinar as (
        insert into eventlive.webinars (slug, status)
        select 'crowd-' || gen_random_uuid(), 'live' from generate_series(1, %s)
        returning id
    ), registered as (
        insert into eventlive.registrations (webinar_id, user_id)
        select id, gen_random_uuid() from webinar, generate_series(1, 50)
        returning webinar_id, user_id
    )
    insert into eventlive.webinar_user_sessions
        (webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, interval_s)
    select webinar_id, gen_random_uuid(), user_id, now(), now(), now() + interval '1 hour', 300 from registered
"""

_SESSIONS = """
    insert into eventlive.webinar_user_sessions
        (webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, exited_at, exit_reason, interval_s)
    select %(webinar)s, gen_random_uuid(), gen_random_uuid(), {at}, {at}, {at} + interval '10 minutes', {exit}, 300
      from generate_series(1, %(pieces)s)
"""

_WORK: dict[str, bytes] = {
    "close_expired_sessions": _SESSIONS.format(at="now() - interval '1 hour'", exit="null, null").encode(),
    "purge_sessions": _SESSIONS.format(
        at="now() - interval '2 years'", exit="now() - interval '2 years', 'left'"
    ).encode(),
    "purge_presence": b"""
        with registered as (
            insert into eventlive.registrations (webinar_id, user_id)
            select %(webinar)s, gen_random_uuid() from generate_series(1, %(pieces)s)
            returning webinar_id, user_id
        )
        insert into eventlive.webinar_live_presence
        select webinar_id, user_id, x.at, x.at, x.at, 60, 300
          from registered, (select now() - interval '1 day' as at) x
    """,
    "purge_messages": b"""
        insert into eventlive.webinar_messages
            (webinar_id, message_id, change_id, user_id, client_message_id, body, created_at)
        select %(webinar)s, x.number, x.number, gen_random_uuid(), gen_random_uuid(), 'a message',
               now() - interval '2 years'
          from generate_series(1, %(pieces)s) n, lateral (select %(turn)s * 10000000::bigint + n) as x (number)
    """,
    "purge_timelines": b"""
        insert into eventlive.webinar_access_logs (webinar_id, time_bucket)
        select %(webinar)s, date_trunc('hour', now()) - interval '4 years' - n * interval '5 minutes'
          from generate_series(1, %(pieces)s) n
    """,
    "purge_job_runs": b"""
        insert into eventlive.job_runs (job_name, started_at, finished_at)
        select 'rollup_live', x.at, x.at
          from generate_series(1, %(pieces)s), (select now() - interval '100 days' as at) x
    """,
}

JOBS = ("rollup_live", "rotate_event_logs", *_WORK)
"""Every job, in the order of a turn."""
