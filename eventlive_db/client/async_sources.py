"""Where an asynchronous client's connections come from."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeAlias

import psycopg

from eventlive_db.client.options import connect_options
from eventlive_db.client.sources import is_lost

Connection: TypeAlias = psycopg.AsyncConnection[Any]


class Pool(Protocol):
    """What is needed of a ``psycopg_pool.AsyncConnectionPool``."""

    def connection(self) -> contextlib.AbstractAsyncContextManager[Connection]:
        """Lend a connection, and take it back."""
        ...


class Source(Protocol):
    """Lends a connection to one call at a time.

    Attributes:
        whole: Whether a call on it is always a transaction of its own.
    """

    whole: bool

    def connection(self) -> contextlib.AbstractAsyncContextManager[Connection]:
        """Lend a connection."""
        ...

    async def close(self) -> None:
        """Close what this source opened."""
        ...


class Dsn:
    """One connection, opened when it is needed and again when it is lost."""

    whole = True

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._closed = False
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend it; tasks take turns."""
        async with self._lock:
            if self._closed:
                msg = "the client is closed"
                raise RuntimeError(msg)
            if self._connection is not None and is_lost(self._connection):
                await self._connection.close()
                self._connection = None
            if self._connection is None:
                self._connection = await psycopg.AsyncConnection.connect(
                    self._dsn,
                    autocommit=True,
                    **connect_options(self._dsn),
                )
            yield self._connection

    async def close(self) -> None:
        """Close it."""
        async with self._lock:
            self._closed = True
            if self._connection is not None:
                await self._connection.close()
                self._connection = None


class Lent:
    """A caller's connection."""

    whole = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend it; whoever calls takes its lock."""
        yield self._connection

    async def close(self) -> None:
        """Nothing: it is the caller's."""


class Pooled:
    """A caller's pool."""

    whole = True

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend one of the pool's; those that are lost go back, and the pool replaces them."""
        lost: list[Connection] = []
        while True:
            async with self._pool.connection() as connection:
                if not is_lost(connection):
                    yield connection
                    return
                if connection in lost:
                    raise psycopg.OperationalError("the pool lends a connection that is lost, and keeps it")
                lost.append(connection)

    async def close(self) -> None:
        """Nothing: it is the caller's."""
