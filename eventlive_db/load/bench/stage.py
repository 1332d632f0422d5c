"""Where a benchmark happens: databases of their own with many viewers in them, on one server."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg import sql

from eventlive_db.client import Client, rpc
from eventlive_db.load.bench.errors import MissingToolError
from eventlive_db.load.bench.pgbench import HOW_TO_GET, Pgbench
from eventlive_db.load.bench.shapes import FIRST_USER
from eventlive_db.server import DURABLE_SETTINGS, Server

BENCH_SETTINGS = {
    **DURABLE_SETTINGS,
    "shared_buffers": "1GB",
    # No checkpoint in the middle of a turn: the page images after it would be paid by whoever comes next.
    "checkpoint_timeout": "1h",
    "max_wal_size": "16GB",
    "jit": "off",
}
"""Durable, with fsync and full page writes: else commits that are waited for would cost nothing."""

BATCH = 1000
"""Users in a batch: as many as ``ping_batch_max`` allows."""

_REGISTERED = b"""
    insert into eventlive.registrations (webinar_id, user_id)
    select %(webinar)s, ('00000000-0000-4000-8000-' || n)::uuid
      from generate_series(%(first)s, %(first)s + %(users)s - 1) n
     order by hashint8(n)
"""
# In no order, as people come: neighbours in the key are no neighbours in the table.
_PRESENT = b"""
    insert into eventlive.webinar_live_presence
    select %(webinar)s, ('00000000-0000-4000-8000-' || n)::uuid,
           x.at, x.at, x.at + interval '300 seconds', %(throttle)s, 300
      from generate_series(%(first)s, %(first)s + %(users)s - 1) n,
           (select clock_timestamp() - %(age)s * interval '1 second' as at) x
     order by hashint8(n)
"""
_SESSIONS = b"""
    insert into eventlive.webinar_user_sessions
        (webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, interval_s)
    select %(webinar)s, ('00000000-0000-4000-9000-' || n)::uuid, ('00000000-0000-4000-8000-' || n)::uuid,
           x.at, x.at, x.at + interval '1 day', 300
      from generate_series(%(first)s, %(first)s + %(users)s - 1) n, (select clock_timestamp() as at) x
     order by hashint8(n)
"""
# LIKE copies neither storage parameters nor foreign keys, and the limit has to pay for both.
_COPY = b"""
    create schema bench;
    create table bench.presence (like eventlive.webinar_live_presence including all);
    alter table bench.presence add foreign key (webinar_id, user_id)
        references eventlive.registrations (webinar_id, user_id) on delete cascade;
    do $$
    begin
        execute 'alter table bench.presence set (' || (
            select array_to_string(c.reloptions, ', ') from pg_class c
             where c.oid = 'eventlive.webinar_live_presence'::regclass
        ) || ')';
    end
    $$;
    grant usage on schema bench to authenticated, service_role;
    grant select, update on bench.presence to authenticated;
"""
_BATCHES = b"""
    create table bench.batches (number integer primary key, user_ids uuid[] not null);
    grant select on bench.batches to service_role
"""
# Nobody is twice in a batch, and its users are neighbours neither in the table nor in the key.
_BATCH = b"""
    insert into bench.batches
    select b, array(
               select ('00000000-0000-4000-8000-'
                       || %(first)s + (abs(hashint8(b)::bigint) + n * (%(users)s / %(batch)s)) %% %(users)s)::uuid
                 from generate_series(1, %(batch)s) n
           )
      from generate_series(1, %(batches)s) b
"""


def batch_of(users: int) -> int:
    """How many are in a batch: :data:`BATCH`, and a tenth of all at most, or no page had room for its updates."""
    return max(1, min(BATCH, users // 10))


@dataclass(frozen=True, slots=True)
class Place:
    """A server to measure on.

    Attributes:
        server: The server.
        install: Installs the schema in the database of a DSN.
        pgbench: The program; None where there is none.
        progress: Told what is going on.
    """

    server: Server
    install: Callable[[str], object]
    pgbench: Path | None
    progress: Callable[[str], None] = field(default=lambda _: None, repr=False)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """A database with the schema in it, dropped at the end.

        Raises:
            MissingToolError: There is no pgbench.
        """
        if self.pgbench is None:
            msg = "pgbench is not on this machine"
            raise MissingToolError(msg, HOW_TO_GET)
        with self.schema() as name:
            dsn = self.server.dsn(name)
            with psycopg.connect(dsn, autocommit=True) as connection:
                yield Database(dsn, Pgbench(self.pgbench, dsn), connection)

    @contextmanager
    def schema(self) -> Iterator[str]:
        """The name of a database with the schema in it, dropped at the end."""
        name = f"eventlive_bench_{secrets.token_hex(6)}"
        try:
            self.install(self.server.create_database(name))
            yield name
        finally:
            self.server.drop_database(name)


@dataclass(frozen=True, slots=True)
class Database:
    """A database to measure in.

    Attributes:
        dsn: How to connect as the superuser.
        pgbench: The load generator.
        connection: A connection of the superuser's.
    """

    dsn: str = field(repr=False)
    pgbench: Pgbench
    connection: psycopg.Connection[tuple[object, ...]]

    def webinar(self, **settings: float) -> UUID:
        """A live webinar with these settings."""
        with Client(self.dsn) as client:
            service = client.as_service()
            webinar_id = service.call(rpc.webinar_create(f"bench-{secrets.token_hex(6)}")).webinar_id
            if settings:
                service.call(rpc.webinar_configure(webinar_id, {"settings": settings}))
            service.call(rpc.webinar_set_status(webinar_id, "live"))
        return webinar_id

    def register(self, webinar_id: UUID, users: int) -> None:
        """Register users, from the first one on."""
        self.connection.execute(_REGISTERED, {"webinar": webinar_id, "first": FIRST_USER, "users": users})

    def present(self, webinar_id: UUID, users: int, *, throttle_s: float, age_s: float = 0) -> None:
        """Make registered users present.

        Args:
            webinar_id: The webinar.
            users: How many.
            throttle_s: For how long after the last ping another one writes nothing.
            age_s: How long ago the last ping was.
        """
        self.connection.execute(
            _PRESENT,
            {"webinar": webinar_id, "first": FIRST_USER, "users": users, "throttle": throttle_s, "age": age_s},
        )

    def watch(self, webinar_id: UUID, users: int) -> None:
        """Give each registered user an open session."""
        self.connection.execute(_SESSIONS, {"webinar": webinar_id, "first": FIRST_USER, "users": users})

    def copy_presence(self) -> None:
        """Make ``bench.presence``, the table of the bare UPDATE: the same columns, keys, indexes and parameters."""
        self.connection.execute(_COPY)
        self.connection.execute("insert into bench.presence select * from eventlive.webinar_live_presence")

    def make_batches(self, users: int, batches: int) -> None:
        """Make ``bench.batches``, of users any of so many."""
        self.connection.execute(_BATCHES)
        self.connection.execute(
            _BATCH, {"first": FIRST_USER, "users": users, "batch": batch_of(users), "batches": batches}
        )

    def settle(self) -> None:
        """Vacuum and analyze everything, and have a checkpoint behind us."""
        self.connection.execute("vacuum (analyze)")
        self.connection.execute("checkpoint")

    def tidy(self, *tables: str) -> None:
        """Vacuum tables, so that nobody pays for what another one has left."""
        for table in tables:
            self.connection.execute(sql.SQL("vacuum {}").format(sql.Identifier(*table.split("."))))

    def number(self, query: str) -> float:
        """The one number that a query answers."""
        row = self.connection.execute(query.encode()).fetchone()
        return float(str(row[0])) if row else 0.0
