"""What the client costs: a call through it against the same statements sent by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import psycopg

from eventlive_db.client import AsyncClient, Client, Identity, rpc
from eventlive_db.load.bench.compare import Comparison, Contender, compare, repeat

IDENTITY = "select pg_catalog.set_config('role', %s, true), pg_catalog.set_config('request.jwt.claims', %s, true)"
BEAT = "select eventlive_api.webinar_session_heartbeat(_webinar_id => %s, _session_id => %s)"
CLIENT, PIPELINE, EXECUTE = "the client", "psycopg's pipeline", "psycopg, one by one"
TARGET = 0.8


class Scene:
    """A viewer in a webinar, whose heartbeats are inside the throttle: the call that costs least, so overhead shows."""

    def __init__(self, dsn: str) -> None:
        self.viewer = Identity.user(uuid4())
        self.session_id = uuid4()
        with Client(dsn) as client:
            service = client.as_service()
            self.webinar_id = service.call(rpc.webinar_create(f"bench-{uuid4()}")).webinar_id
            service.call(rpc.webinar_set_status(self.webinar_id, "live"))
            client.as_user(self.viewer).call(rpc.webinar_enter(self.webinar_id, self.session_id))

    @property
    def parameters(self) -> list[object]:
        """What the call takes."""
        return [self.webinar_id, self.session_id]


def by_pipeline(connection: psycopg.Connection[Any], scene: Scene) -> Any:
    """The transaction of a call, as anybody would write it with psycopg's pipeline."""
    with connection.pipeline():
        connection.execute("begin")
        connection.execute(IDENTITY, scene.viewer.settings())
        cursor = connection.execute(BEAT, scene.parameters)
        connection.execute("commit")
    return cursor.fetchone()


def by_execute(connection: psycopg.Connection[Any], scene: Scene) -> Any:
    """The same without a pipeline: a round trip for each statement."""
    with connection.transaction():
        connection.execute(IDENTITY, scene.viewer.settings())
        return connection.execute(BEAT, scene.parameters).fetchone()


async def aby_pipeline(connection: psycopg.AsyncConnection[Any], scene: Scene) -> Any:
    """:func:`by_pipeline`, awaited."""
    async with connection.pipeline():
        await connection.execute("begin")
        await connection.execute(IDENTITY, scene.viewer.settings())
        cursor = await connection.execute(BEAT, scene.parameters)
        await connection.execute("commit")
    return await cursor.fetchone()


async def aby_execute(connection: psycopg.AsyncConnection[Any], scene: Scene) -> Any:
    """:func:`by_execute`, awaited."""
    async with connection.transaction():
        await connection.execute(IDENTITY, scene.viewer.settings())
        return await (await connection.execute(BEAT, scene.parameters)).fetchone()


@contextmanager
def synchronous(dsn: str, scene: Scene) -> Iterator[list[Contender]]:
    """The three ways with a connection each; nothing is prepared, as behind a pooler."""
    with ExitStack() as stack:
        client = stack.enter_context(Client(dsn)).as_user(scene.viewer)
        raw = [stack.enter_context(psycopg.connect(dsn, autocommit=True, prepare_threshold=None)) for _ in range(2)]
        yield [
            Contender(CLIENT, repeat(lambda: client.call(rpc.webinar_session_heartbeat(*_ids(scene))))),
            Contender(PIPELINE, repeat(lambda: by_pipeline(raw[0], scene))),
            Contender(EXECUTE, repeat(lambda: by_execute(raw[1], scene))),
        ]


@contextmanager
def asynchronous(dsn: str, scene: Scene) -> Iterator[list[Contender]]:
    """The three ways under asyncio, in one loop."""
    loop = asyncio.new_event_loop()

    async def connect() -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(dsn, autocommit=True, prepare_threshold=None)

    client = AsyncClient(dsn)
    raw = [loop.run_until_complete(connect()) for _ in range(2)]
    viewer = client.as_user(scene.viewer)
    try:
        yield [
            Contender(CLIENT, _repeat(loop, lambda: viewer.call(rpc.webinar_session_heartbeat(*_ids(scene))))),
            Contender(PIPELINE, _repeat(loop, lambda: aby_pipeline(raw[0], scene))),
            Contender(EXECUTE, _repeat(loop, lambda: aby_execute(raw[1], scene))),
        ]
    finally:
        for connection in raw:
            loop.run_until_complete(connection.close())
        loop.run_until_complete(client.close())
        loop.close()


def _ids(scene: Scene) -> tuple[Any, Any]:
    return scene.webinar_id, scene.session_id


def _repeat(loop: asyncio.AbstractEventLoop, action: Callable[[], Awaitable[object]]) -> Callable[[float], int]:
    async def work(until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            await action()
            done += 1
        return done

    return lambda until: loop.run_until_complete(work(until))


def compare_clients(
    where: dict[str, str], *, rounds: int, slice_s: float, progress: Callable[[str], None]
) -> list[Comparison]:
    """The client against psycopg by hand, with threads' connections and with asyncio's.

    Args:
        where: How to connect, by what to call it: a Unix socket and TCP cost differently.
        rounds: How many turns each way has.
        slice_s: How long a turn is, in seconds.
        progress: Told what is going on.
    """
    found = []
    for name, dsn in where.items():
        scene = Scene(dsn)
        for kind, ways in (("sync", synchronous), ("asyncio", asynchronous)):
            with ways(dsn, scene) as contenders:
                found.append(
                    compare(
                        f"A call through the client, {kind}, {name}",
                        contenders,
                        unit="calls/s",
                        base=PIPELINE,
                        rounds=rounds,
                        slice_s=slice_s,
                        targets={CLIENT: TARGET},
                        progress=progress,
                    )
                )
    return found
