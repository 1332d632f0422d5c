"""The stage of a run: a pool of real connections, and callers who share it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool

from eventlive_db.client import Call, Identity, RpcError, call_async
from eventlive_db.load.tally import Tally

APPLICATION_NAME = "eventlive-load"
"""By which the connections of a run are known in pg_stat_activity."""


class Stage:
    """Makes calls over a pool of connections and keeps the tally.

    Args:
        pool: Connections in autocommit mode whose role may become the client roles.
        api_schema: The exposed schema.
    """

    def __init__(self, pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]], api_schema: str) -> None:
        self._pool = pool
        self._api_schema = api_schema
        self.tally = Tally()

    async def call(self, identity: Identity, function: str, /, **arguments: object) -> Any:
        """Call as somebody. Parameter names go without the leading underscore.

        Raises:
            RpcError: The function refused; counted by token.
            psycopg.Error: Anything else; counted as a failure.
        """
        request: Call[Any] = Call(function, {f"_{name}": value for name, value in arguments.items()})
        async with self._pool.connection() as connection:
            started = time.perf_counter()
            try:
                reply = await call_async(connection, request, identity, self._api_schema)
            except RpcError as error:
                self.tally.record(function, time.perf_counter() - started, error.token)
                raise
            except psycopg.Error as error:
                self.tally.record_failure(function, error)
                raise
            self.tally.record(function, time.perf_counter() - started)
        return reply

    async def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of a query, asked with the connection's own role."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement.encode(), parameters)
            return await cursor.fetchall()

    async def create_webinar(self, slug: str, settings: dict[str, object], **properties: object) -> UUID:
        """A webinar that is live.

        Args:
            slug: Its name.
            settings: Overrides, such as the intervals of a run that is faster than life.
            properties: Policies, as ``webinar_create`` takes them.
        """
        service = Identity.service()
        webinar = await self.call(service, "webinar_create", slug=slug, settings=settings, **properties)
        webinar_id = UUID(webinar["webinar_id"])
        await self.call(service, "webinar_set_status", webinar_id=webinar_id, status="live")
        return webinar_id

    async def end_webinar(self, webinar_id: UUID) -> None:
        """End a webinar and close all that is open in it."""
        remaining = True
        while remaining:
            reply = await self.call(Identity.service(), "webinar_set_status", webinar_id=webinar_id, status="ended")
            remaining = reply["remaining"]


@asynccontextmanager
async def open_stage(dsn: str, connections: int, api_schema: str = "eventlive_api") -> AsyncIterator[Stage]:
    """Open that many connections, all of them before the first call.

    Args:
        dsn: How to connect; the role must be allowed to become anon, authenticated and service_role.
        connections: How many.
        api_schema: The exposed schema.
    """
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
        dsn,
        min_size=connections,
        max_size=connections,
        kwargs={"autocommit": True, "application_name": APPLICATION_NAME},
        open=False,
        timeout=60,
    )
    async with pool:
        await pool.wait()
        yield Stage(pool, api_schema)


async def gather_all(*tasks: asyncio.Task[None]) -> None:
    """Wait for tasks; the first that fails cancels the others and is raised."""
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
