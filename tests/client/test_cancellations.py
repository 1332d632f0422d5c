"""A call that is cancelled ends, at whatever point it is; its lock is free and its connection given back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from eventlive_db.client import AsyncClient, AsyncUserClient, Identity, rpc
from eventlive_db.client.loops import HeartbeatLoop, HeartbeatSchedule
from eventlive_db.client.resilience import Resilience
from tests.support.database import EventliveDatabase

SOURCES = pytest.mark.parametrize("source", ["dsn", "pool", "connection"])
STUCK_S = 60.0
"""A lock or connection that was lost is one that nobody gets; so long is waited for it before the test gives up."""


@contextlib.asynccontextmanager
async def client_of(source: str, dsn: str) -> AsyncIterator[AsyncClient]:
    """A client with one connection, however it comes by it."""
    once = Resilience(max_attempts=1)
    if source == "dsn":
        async with AsyncClient(dsn, resilience=once) as client:
            yield client
    elif source == "pool":
        async with pool_of(dsn) as pool:
            yield AsyncClient(pool, resilience=once)
    else:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            yield AsyncClient(connection, resilience=once)


@contextlib.asynccontextmanager
async def pool_of(dsn: str) -> AsyncIterator[AsyncConnectionPool[psycopg.AsyncConnection[Any]]]:
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
        dsn, min_size=1, max_size=1, kwargs={"autocommit": True}, open=False
    )
    async with pool:
        await pool.wait()
        yield pool


def moments() -> Iterator[int]:
    """Turns of the event loop: each of the first, and later ones more thinly."""
    return chain(range(24), (round(24 * 1.3**n) for n in range(1, 40)))


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def cancelled(task: asyncio.Task[Any], after: int) -> bool:
    """Cancel it after so many turns, and see that it ends so; false where it was over before."""
    await turns(after)
    if not task.cancel():
        await task
        return False
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


def viewer_of(db: EventliveDatabase, webinar: UUID) -> Identity:
    viewer = uuid4()
    db.register(webinar, viewer)
    return Identity.user(viewer)


@SOURCES
def test_a_call_can_be_cancelled_at_any_moment(db: EventliveDatabase, source: str) -> None:
    webinar = db.webinar()
    who = viewer_of(db, webinar)

    async def at(moment: int) -> bool:
        async with client_of(source, db.dsn) as client:
            me = client.as_user(who)
            await me.call(rpc.webinar_presence_ping(webinar))  # it is connected
            found = await cancelled(asyncio.create_task(me.call(rpc.webinar_presence_ping(webinar))), moment)
            if source != "connection":  # a caller's own may have been closed, which is for the caller to replace
                async with asyncio.timeout(STUCK_S):
                    await me.call(rpc.webinar_presence_ping(webinar))
            return found

    async def main() -> int:
        met = 0
        for moment in moments():
            if not await at(moment):
                break
            met += 1
        return met

    assert asyncio.run(main()) > 3


def test_who_waits_for_a_connection_can_be_cancelled_while_it_is_handed_over(db: EventliveDatabase) -> None:
    webinar = db.webinar()
    who = viewer_of(db, webinar)

    async def main() -> None:
        async with pool_of(db.dsn) as pool:
            me = AsyncClient(pool).as_user(who)
            for moment in range(24):
                async with pool.connection():
                    task = asyncio.create_task(me.call(rpc.webinar_presence_ping(webinar)))
                    while not pool.get_stats().get("requests_waiting"):
                        await asyncio.sleep(0)
                    await turns(3)
                await cancelled(task, moment)
                async with asyncio.timeout(STUCK_S):
                    await me.call(rpc.webinar_presence_ping(webinar))

    asyncio.run(main())


class Losing:
    """A pool of one connection that loses the cancellation of who waits for it, as ``asyncio.wait_for`` may."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self.waits = asyncio.Event()
        self.lent = 0

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        self.waits.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        self.lent += 1
        try:
            yield self._connection
        finally:
            self.lent -= 1


def test_nothing_is_sent_for_who_was_cancelled_while_waiting_for_a_connection(db: EventliveDatabase) -> None:
    webinar = db.webinar()

    async def main() -> None:
        async with await psycopg.AsyncConnection.connect(db.dsn, autocommit=True) as connection:
            pool = Losing(connection)
            me = AsyncClient(pool).as_user(Identity.user(uuid4()))
            task = asyncio.create_task(me.call(rpc.webinar_register(webinar)))
            await pool.waits.wait()
            assert await cancelled(task, 0)
            assert pool.lent == 0
            assert not connection.lock.locked()

    asyncio.run(main())
    assert db.count("registrations") == 0


def test_who_was_cancelled_may_call_while_it_cleans_up(db: EventliveDatabase) -> None:
    webinar, viewer = db.webinar(), Identity.user(uuid4())

    async def visit(me: AsyncUserClient) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await me.call(rpc.webinar_register(webinar))

    async def main() -> None:
        async with AsyncClient(db.dsn) as client:
            task = asyncio.create_task(visit(client.as_user(viewer)))
            await turns(1)
            assert await cancelled(task, 0)

    asyncio.run(main())
    assert db.count("registrations") == 1


@pytest.mark.parametrize("source", ["dsn", "pool"])
def test_heartbeats_can_be_cancelled_at_any_moment_and_go_on(db: EventliveDatabase, source: str) -> None:
    webinar = db.webinar()
    who = viewer_of(db, webinar)

    async def main() -> int:
        met = 0
        async with client_of(source, db.dsn) as client:
            me = client.as_user(who)
            entry = await me.call(rpc.webinar_enter(webinar, uuid4()))
            session = entry.session.session_id
            for moment in moments():
                heard = asyncio.Event()
                loop = HeartbeatLoop(me, webinar, session, HeartbeatSchedule(300.0, 0.0))
                with loop.heard_by(heard.set):
                    assert await cancelled(asyncio.create_task(loop.run()), moment)  # it never ends by itself
                if heard.is_set():
                    break
                met += 1
                async with asyncio.timeout(STUCK_S):
                    await me.call(rpc.webinar_session_heartbeat(webinar, session))
        return met

    assert asyncio.run(main()) > 3
