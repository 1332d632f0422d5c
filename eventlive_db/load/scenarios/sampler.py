"""What the server does meanwhile, looked at again and again by a session of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg

from eventlive_db.load.processes import postmaster_pid, processor_seconds

HOT = ("webinar_live_presence", "webinar_user_sessions")
"""The tables that every beat writes."""

_LOOK = """
    select d.xact_commit + d.xact_rollback as transactions, d.deadlocks,
           pg_current_wal_insert_lsn() - '0/0'::pg_lsn as wal_bytes,
           t.updates, t.hot, t.dead, t.scanned, t.size,
           a.connections, a.active, a.waiting
      from pg_stat_database d
     cross join lateral (
            select coalesce(sum(s.n_tup_upd) filter (where s.relname = 'webinar_live_presence'), 0) as updates,
                   coalesce(sum(s.n_tup_hot_upd) filter (where s.relname = 'webinar_live_presence'), 0) as hot,
                   coalesce(sum(s.n_dead_tup), 0) as dead, coalesce(sum(s.seq_tup_read), 0) as scanned,
                   coalesce(sum(pg_total_relation_size(s.relid)), 0) as size
              from pg_stat_user_tables s
             where s.schemaname = 'eventlive' and s.relname = any (%s)
           ) t
     cross join lateral (
            select count(*) as connections,
                   count(*) filter (where a.state = 'active') as active,
                   count(*) filter (where a.wait_event_type = 'Lock') as waiting
              from pg_stat_activity a
             where a.datname = d.datname and a.pid <> pg_backend_pid()
           ) a
     where d.datname = current_database()
"""

_STATEMENTS = """
    select s.query, s.toplevel, s.calls, s.rows, s.mean_exec_time as mean_ms, s.total_exec_time as total_ms,
           s.wal_bytes, s.shared_blks_hit + s.shared_blks_read as blocks
      from pg_stat_statements s
     where s.dbid = (select d.oid from pg_database d where d.datname = current_database())
     order by s.total_exec_time desc
"""


class Sample(NamedTuple):
    """One look; figures have grown since the server started, unless they say now.

    ``updates`` and ``hot`` are those of presence; a session that is left is in one index less, which is no HOT update.
    """

    t: float
    transactions: int
    deadlocks: int
    wal_bytes: int
    updates: int
    hot: int
    dead_now: int
    scanned: int
    size_now: int
    connections_now: int
    active_now: int
    waiting_now: int
    cpu_s: Sequence[float | None]


class Statement(NamedTuple):
    """A kind of statement, as pg_stat_statements tells of it; ``blocks`` are those touched in shared buffers."""

    query: str
    toplevel: bool
    calls: int
    rows: int
    mean_ms: float
    total_ms: float
    wal_bytes: int
    blocks: int


@dataclass(slots=True)
class Sampler:
    """Looks at regular times.

    Attributes:
        dsn: The database, as a superuser.
        now: Seconds since the beginning of the run.
        every_s: Time between two looks, in seconds.
        others: Processes whose processor time is told beside the server's: PostgREST's, the driver's own.
    """

    dsn: str
    now: Callable[[], float]
    every_s: float
    others: Sequence[int]

    @contextmanager
    def looking(self) -> Iterator[list[Sample]]:
        """Look for as long as the block goes; the list is filled meanwhile.

        Raises:
            psycopg.Error: A look failed.
        """
        found: list[Sample] = []
        failed: list[BaseException] = []
        stop = threading.Event()
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            postmaster = postmaster_pid(connection)

            def look() -> None:
                try:
                    while True:
                        found.append(self._look(connection, postmaster))
                        if stop.wait(self.every_s):
                            found.append(self._look(connection, postmaster))
                            return
                except BaseException as error:  # raised below
                    failed.append(error)

            thread = threading.Thread(target=look, name="eventlive-sampler", daemon=True)
            thread.start()
            try:
                yield found
            finally:
                stop.set()
                thread.join()
        if failed:
            raise failed[0]

    def _look(self, connection: psycopg.Connection[Any], postmaster: int | None) -> Sample:
        [row] = connection.execute(_LOOK, [list(HOT)]).fetchall()
        own = None if postmaster is None else processor_seconds(postmaster)
        cpu = (own, *(processor_seconds(pid) for pid in self.others)) if own is not None else (None,)
        figures = dict(zip(Sample._fields[1:-1], map(int, row), strict=True))
        return Sample(t=self.now(), cpu_s=cpu, **figures)


def forget_statements(dsn: str) -> None:
    """Begin to count statements anew, and what tables were used for.

    Args:
        dsn: The database, as a superuser.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create extension if not exists pg_stat_statements")
        connection.execute("select pg_stat_statements_reset()")


def statements(dsn: str) -> list[Statement]:
    """What has been run since, the dearest first.

    Args:
        dsn: The database, as a superuser.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        return [Statement(*row) for row in connection.execute(_STATEMENTS).fetchall()]
