"""What one operation leaves behind, counted and not timed: the same on any machine and however busy it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import psycopg

from eventlive_db.load.bench.errors import BenchError
from eventlive_db.load.bench.pgbench import Mode, Pgbench, Script
from eventlive_db.server import Server

_COUNTERS = b"""
    select pg_current_wal_insert_lsn() - '0/0'::pg_lsn, sum(s.n_tup_upd), sum(s.n_tup_hot_upd), sum(s.n_tup_ins),
           sum(s.seq_scan),
           sum(coalesce(i.heap_blks_hit, 0) + coalesce(i.heap_blks_read, 0)
               + coalesce(i.idx_blks_hit, 0) + coalesce(i.idx_blks_read, 0))
      from pg_stat_user_tables s
      join pg_statio_user_tables i using (relid)
"""
_GONE = b"""
    select not exists (
        select from pg_stat_activity where datname = current_database() and application_name = 'pgbench'
    )
"""
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one operation did, on average.

    Attributes:
        wal_bytes: Written to the log, commit records included.
        updates: Rows updated.
        hot_updates: Of these, without a new entry in any index.
        inserts: Rows inserted.
        seq_scans: Tables read from one end to the other.
        blocks: Pages of tables and indexes touched, without the catalog's.
    """

    wal_bytes: float
    updates: float
    hot_updates: float
    inserts: float
    seq_scans: float
    blocks: float

    @property
    def hot_ratio(self) -> float:
        """The part of the updates that was HOT; 1 where there were none."""
        return self.hot_updates / self.updates if self.updates else 1.0

    def per(self, operations: float) -> Footprint:
        """A part of it."""
        return Footprint(*(getattr(self, one.name) / operations for one in fields(self)))


def footprint(
    connection: psycopg.Connection[tuple[object, ...]],
    pgbench: Pgbench,
    script: Script,
    *,
    runs: int = 200,
    mode: Mode = "prepared",
) -> Footprint:
    """Run a script by one client, and count.

    Args:
        connection: To look with, as the superuser; nobody else may write meanwhile.
        pgbench: What runs it.
        script: What to count.
        runs: How often it is run.
        mode: The protocol that is spoken.

    Raises:
        BenchError: The run failed.
    """
    before = counters(connection)
    pgbench.run(script, runs=runs, mode=mode)
    after = counters(connection)
    return Footprint(*(b - a for a, b in zip(before, after, strict=True))).per(runs * script.operations)


def counters(connection: psycopg.Connection[tuple[object, ...]]) -> tuple[float, ...]:
    """The counters of the database, when every pgbench has gone and told what it did."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not _ask(connection, _GONE)[0]:
        if time.monotonic() > deadline:
            msg = f"a pgbench is still connected after {_TIMEOUT_S:.0f} s"
            raise BenchError(msg)
        time.sleep(0.005)
    connection.execute("select pg_stat_force_next_flush()")
    return tuple(float(str(value)) for value in _ask(connection, _COUNTERS))


def _ask(connection: psycopg.Connection[tuple[object, ...]], query: bytes) -> tuple[object, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None  # noqa: S101  # an aggregate has a row
    return row


@contextmanager
def without_page_images(server: Server, connection: psycopg.Connection[tuple[object, ...]]) -> Iterator[None]:
    """Have the server log no page images for as long as the block goes, which depend on when a checkpoint was.

    On a server that is not ours nothing is changed: there the log of an operation may hold some.

    Args:
        server: The server.
        connection: To one of its databases, as the superuser.
    """
    if server.kind == "dsn" or _ask(connection, b"show full_page_writes") == ("off",):
        yield
        return
    connection.execute("alter system set full_page_writes = off")
    try:
        connection.execute("select pg_reload_conf()")
        # It is the checkpointer that makes the setting take effect.
        deadline = time.monotonic() + _TIMEOUT_S
        while _ask(connection, b"select full_page_writes from pg_control_checkpoint()") != (False,):
            connection.execute("checkpoint")
            if time.monotonic() > deadline:
                msg = f"the server has not turned page images off within {_TIMEOUT_S:.0f} s"
                raise BenchError(msg)
        yield
    finally:
        connection.execute("alter system reset full_page_writes")
        connection.execute("select pg_reload_conf()")
