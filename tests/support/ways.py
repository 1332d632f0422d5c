"""The ways of a client to a database: synchronous and asynchronous, by a DSN and by a pool."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from eventlive_db.client import AsyncClient, Call, Client, Identity
from eventlive_db.client.resilience import Resilience

Reply = TypeVar("Reply")
PATIENCE_S = 60.0
"""How long a pool waits for a connection, unless a test wants to see it give up."""


def once(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a client; it tries once, unless they say otherwise."""
    return {"resilience": Resilience(max_attempts=1), **options}


class Way(Protocol):
    """One client, whichever it is."""

    def call(self, request: Call[Reply], identity: Identity) -> Reply:
        """Make a call, and wait for it."""
        ...

    def patience(self, seconds: float) -> None:
        """How long a pool waits for a connection."""

    def close(self) -> None:
        """Close everything."""


class SyncDsn:
    """A :class:`Client` with a DSN."""

    def __init__(self, dsn: str, **options: Any) -> None:
        self.client = Client(dsn, **once(options))

    def call(self, request: Call[Reply], identity: Identity) -> Reply:
        """Make a call."""
        return self.client.as_user(identity).call(request)

    def patience(self, _seconds: float) -> None:
        """It has no pool."""

    def close(self) -> None:
        """Close the connection."""
        self.client.close()


class SyncPool(SyncDsn):
    """A :class:`Client` with a pool of one connection."""

    def __init__(self, dsn: str, **options: Any) -> None:
        # Whatever psycopg is set to, a call prepares nothing.
        how = {"autocommit": True, "prepare_threshold": 0}
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            dsn, kwargs=how, min_size=1, max_size=1, timeout=PATIENCE_S, open=True
        )
        self._pool.wait(PATIENCE_S)
        self.client = Client(self._pool, **once(options))

    def patience(self, seconds: float) -> None:
        """How long the pool waits."""
        self._pool.timeout = seconds

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()


class AsyncDsn:
    """An :class:`AsyncClient` with a DSN, and a loop of its own that runs all the time."""

    def __init__(self, dsn: str, **options: Any) -> None:
        self.run_loop()
        self.client = AsyncClient(dsn, **once(options))

    def run_loop(self) -> None:
        """Start the loop: what a pool does by itself goes on while no call waits."""
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def wait(self, work: Coroutine[Any, Any, Reply]) -> Reply:
        """Have the loop do it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def end_loop(self) -> None:
        """Stop the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def call(self, request: Call[Reply], identity: Identity) -> Reply:
        """Make a call."""
        return self.wait(self.client.as_user(identity).call(request))

    def patience(self, _seconds: float) -> None:
        """It has no pool."""

    def close(self) -> None:
        """Close the connection."""
        self.wait(self.client.close())
        self.end_loop()


class AsyncPool(AsyncDsn):
    """An :class:`AsyncClient` with a pool of one connection."""

    def __init__(self, dsn: str, **options: Any) -> None:
        self.run_loop()
        # Whatever psycopg is set to, a call prepares nothing.
        how = {"autocommit": True, "prepare_threshold": 0}

        async def opened() -> AsyncConnectionPool[psycopg.AsyncConnection[Any]]:
            pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
                dsn, kwargs=how, min_size=1, max_size=1, timeout=PATIENCE_S, open=False
            )
            await pool.open(wait=True, timeout=PATIENCE_S)
            return pool

        self._pool = self.wait(opened())
        self.client = AsyncClient(self._pool, **once(options))

    def patience(self, seconds: float) -> None:
        """How long the pool waits."""
        self._pool.timeout = seconds

    def close(self) -> None:
        """Close the pool."""
        self.wait(self._pool.close())
        self.end_loop()


WAYS: Mapping[str, type[SyncDsn] | type[AsyncDsn]] = MappingProxyType(
    {"sync-dsn": SyncDsn, "sync-pool": SyncPool, "async-dsn": AsyncDsn, "async-pool": AsyncPool}
)


@contextmanager
def all_ways(dsn: str, names: Iterable[str] = WAYS, **options: Any) -> Iterator[dict[str, Way]]:
    """A client of each kind, or of those that are named."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(closing(WAYS[name](dsn, **options))) for name in names}
