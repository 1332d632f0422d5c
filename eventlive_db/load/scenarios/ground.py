"""Where a scenario takes place: a Postgres with a history, a PostgREST before it, and the two ways in."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from eventlive_db.client import AsyncClient, Identity
from eventlive_db.client.callers import AsyncCaller
from eventlive_db.client.resilience import Resilience
from eventlive_db.load.bench.results import machine_of
from eventlive_db.load.scenarios.faults import plant
from eventlive_db.load.scenarios.ledger import Kept, Ledger
from eventlive_db.load.scenarios.plan import POSTGREST, PSYCOPG, Plan, Scaled, scaled
from eventlive_db.load.stage import APPLICATION_NAME
from eventlive_db.load.tokens import signer
from eventlive_db.server import DEMO_SETTINGS, Server, open_server
from eventlive_db.server.postgrest import (
    PostgREST,
    config_for,
    find_postgrest,
    make_authenticator,
    running_postgrest,
    version_of,
)

SERVER_SETTINGS = {
    **DEMO_SETTINGS,
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "track_io_timing": "on",
}
"""Autovacuum runs, and a commit waits for its WAL to be written; on a disk of one's own it would wait for the disk."""

_HISTORY = """
    insert into eventlive.webinars (id, slug, status, starts_at)
    select gen_random_uuid(), 'history-' || n, 'live', now() - interval '10 days' from generate_series(1, 10) n;

    create temporary table viewer as
    select w.id as webinar_id, gen_random_uuid() as user_id, gen_random_uuid() as session_id,
           now() - interval '9 days' as entered_at
      from eventlive.webinars w, generate_series(1, {rows} / 10);

    insert into eventlive.registrations (webinar_id, user_id, registered_at)
    select v.webinar_id, v.user_id, v.entered_at from viewer v;

    insert into eventlive.webinar_live_presence
        (webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s)
    select v.webinar_id, v.user_id, v.entered_at, v.entered_at + interval '1 hour', v.entered_at + interval '2 hours',
           60, 300
      from viewer v;

    insert into eventlive.webinar_user_sessions
        (webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, interval_s, exited_at, exit_reason)
    select v.webinar_id, v.session_id, v.user_id, v.entered_at, v.entered_at + interval '1 hour',
           v.entered_at + interval '2 hours', 300, v.entered_at + interval '1 hour', 'left'
      from viewer v;
"""


_SET = "select eventlive.set_setting(%s, to_jsonb(%s::numeric))"


class NoStatementsError(RuntimeError):
    """The server cannot tell what its statements cost."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A place for one run.

    Attributes:
        plan: How it is run.
        dsn: The database, as the superuser.
        postgrest: What answers over HTTP; None where no way needs it.
        secret: Signs the tokens.
        machine: What everything ran on.
        scaled: The settings that were changed.
        pids: Processes beside the server's, by what to call them.
    """

    plan: Plan
    dsn: str
    postgrest: PostgREST | None
    secret: str = field(repr=False)
    machine: dict[str, str] = field(default_factory=dict)
    scaled: Scaled = field(default_factory=lambda: Scaled({}, {}))
    pids: dict[str, int] = field(default_factory=dict)

    def token(self, user_id: UUID) -> str:
        """A token that outlives the run.

        Raises:
            ModuleNotFoundError: The extra ``http`` is missing.
        """
        return signer(self.secret)(user_id)


@contextmanager
def open_ground(plan: Plan, install: Callable[[str], object], progress: Callable[[str], None]) -> Iterator[Ground]:
    """Make a place, which is gone when the block ends.

    Args:
        plan: How the scenario is run.
        install: Installs the schema in the database of a DSN.
        progress: Told what is going on.

    Raises:
        ModuleNotFoundError: A way needs the extra ``http``, which is missing.
        NoPostgRESTError: A way needs PostgREST, and there is none.
        ServerError: Postgres or PostgREST did not start.
    """
    if POSTGREST in plan.ways:
        signer("")  # now, and not once Postgres has started
        import eventlive_db.client.http  # noqa: F401
    program = find_postgrest(plan.postgrest) if POSTGREST in plan.ways else None
    progress("Postgres starts")
    with open_server(kind=plan.kind, settings=SERVER_SETTINGS) as server:
        name = f"eventlive_load_{secrets.token_hex(6)}"
        dsn = server.create_database(name)
        try:
            install(dsn)
            changed = _prepare(dsn, plan, progress)
            machine = machine_of(f"{server.version_num // 10000}.{server.version_num % 10000} ({server.kind})")
            secret = secrets.token_urlsafe(48)
            if program is None:
                yield Ground(plan, dsn, None, secret, machine, changed, {"driver": os.getpid()})
                return
            config = config_for(_of_authenticator(server, name), secret, db_pool=plan.connections)
            with running_postgrest(config, program) as postgrest:
                machine["postgrest"] = version_of(program)
                pids = {"PostgREST": postgrest.pid, "driver": os.getpid()}
                yield Ground(plan, dsn, postgrest, secret, machine, changed, pids)
        finally:
            server.drop_database(name)


def _of_authenticator(server: Server, database: str) -> str:
    user, password = make_authenticator(server.dsn())
    return make_conninfo(server.tcp_dsn(database), user=user, password=password)


def _prepare(dsn: str, plan: Plan, progress: Callable[[str], None]) -> Scaled:
    with psycopg.connect(dsn, autocommit=True) as admin:
        found = admin.execute("select from pg_available_extensions where name = 'pg_stat_statements'").fetchone()
        if found is None:
            msg = "this Postgres has no pg_stat_statements; its contrib package has it"
            raise NoStatementsError(msg)
        admin.execute("create extension if not exists pg_stat_statements")
        if plan.history:
            progress(f"a history of {plan.history:,} rows in each table")
            admin.execute(_HISTORY.format(rows=plan.history).encode())
            admin.execute(
                "vacuum (analyze) eventlive.registrations, eventlive.webinar_live_presence,"
                " eventlive.webinar_user_sessions, eventlive.webinars, eventlive.webinar_live"
            )
        for key, value in plan.settings.items():
            admin.execute(_SET, [key, value])
        rows = admin.execute(
            "select s.key, (s.value #>> '{}')::float8, s.min_value::float8, s.max_value::float8"
            " from eventlive.settings s where s.value_type in ('number', 'integer')"
        ).fetchall()
        changed = scaled({key: (value, least, most) for key, value, least, most in rows}, plan.speed)
        for key, value in changed.settings.items():
            admin.execute(_SET, [key, value])
        plant(admin, plan.faults)
    return Scaled({**plan.settings, **changed.settings}, changed.held)


class Doors:
    """The ways in, open: callers for whoever comes.

    Args:
        ground: The place.
        ledger: Keeps every call.
        http: Calls over HTTP; None where there is no PostgREST.
        client: Calls over psycopg.
    """

    def __init__(self, ground: Ground, ledger: Ledger, http: Any | None, client: AsyncClient) -> None:
        self._ground = ground
        self._ledger = ledger
        self._http = http
        self._client = client

    def user(self, user_id: UUID, way: str, webinar: str = "") -> AsyncCaller:
        """Somebody who is signed in."""
        caller: AsyncCaller = (
            self._http.as_user(self._ground.token(user_id))
            if way == POSTGREST and self._http is not None
            else self._client.as_user(Identity.user(user_id))
        )
        return Kept(caller, self._ledger, way, webinar)

    def guest(self, way: str, webinar: str = "") -> AsyncCaller:
        """Somebody who is not."""
        caller: AsyncCaller = (
            self._http.as_guest() if way == POSTGREST and self._http is not None else self._client.as_guest()
        )
        return Kept(caller, self._ledger, way, webinar)

    def service(self) -> AsyncCaller:
        """The application's back end; its calls are not kept."""
        return self._client.as_service()


@asynccontextmanager
async def open_doors(ground: Ground, ledger: Ledger) -> AsyncIterator[Doors]:
    """Open them: a pool of connections, and a client of PostgREST.

    What fails is told and not tried again: the loops try again by themselves, and the ledger shall have each try.

    Args:
        ground: The place.
        ledger: Keeps every call.
    """
    once = Resilience(max_attempts=1)
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
        ground.dsn,
        min_size=ground.plan.connections,
        max_size=ground.plan.connections,
        kwargs={"autocommit": True, "application_name": APPLICATION_NAME},
        open=False,
        timeout=30,
    )
    async with pool:
        await pool.wait()
        client = AsyncClient(pool, resilience=once)
        if ground.postgrest is None:
            yield Doors(ground, ledger, None, client)
            return
        import httpx  # an extra

        from eventlive_db.client.http import AsyncHttpClient

        # Kept for a moment: as a proxy does, which stands between browsers and PostgREST.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=5)
        async with httpx.AsyncClient(limits=limits, timeout=30, trust_env=False) as http:
            yield Doors(ground, ledger, AsyncHttpClient(ground.postgrest.url, resilience=once, http=http), client)


def ways_of(ground: Ground) -> str:
    """The ways, in words."""
    names = {POSTGREST: "PostgREST", PSYCOPG: "psycopg"}
    return " and ".join(names[way] for way in ground.plan.ways)
