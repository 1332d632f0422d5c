"""A database that goes away under thousands of heartbeat loops, and comes back: does the herd trample it?"""

from __future__ import annotations

import asyncio
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg_pool import AsyncConnectionPool

from eventlive_db.client import AsyncClient, AsyncUserClient, rpc
from eventlive_db.client.loops import HeartbeatLoop
from eventlive_db.client.replies import Entry
from eventlive_db.server import DEMO_SETTINGS, Server, open_server

WINDOW_S = 10.0
BOUND = 2.0


@dataclass(frozen=True, slots=True)
class HerdPlan:
    """How the run goes.

    Attributes:
        loops: Sessions with a heartbeat loop each, all guests of one process.
        interval_s: Seconds between two beats of each.
        before_s: How long the database is there first.
        away_s: How long it is away.
        after_s: How long it is watched after it is back.
        connections: What the loops share.
    """

    loops: int = 5000
    interval_s: float = 60.0
    before_s: float = 60.0
    away_s: float = 60.0
    after_s: float = 120.0
    connections: int = 20


@dataclass(frozen=True, slots=True)
class HerdResult:
    """What came of it.

    Attributes:
        steady: Calls a second that the loops make when nothing is wrong.
        worst: The most calls a second that were sent in any ten seconds, from the moment the database went.
        sent: Calls sent in each ten seconds of the run, a second each.
        alive: Loops whose session was open at the end.
        ended: Why the others ended, and how many.
    """

    steady: float
    worst: float
    sent: list[float]
    alive: int
    ended: dict[str, int]

    @property
    def kept(self) -> bool:
        """Whether no ten seconds saw more than twice the steady rate."""
        return self.worst <= BOUND * self.steady


class CountedPool:
    """A pool that notes when each call asks for a connection: that is when it is sent, or tries to be."""

    def __init__(self, pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]]) -> None:
        self._pool = pool
        self.times: list[float] = []

    def connection(self) -> AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]:
        """Lend a connection."""
        self.times.append(time.monotonic())
        return self._pool.connection()


def worst_rate(times: list[float], since: float, window_s: float = WINDOW_S) -> float:
    """The most events a second in any window that begins at one of them, from ``since`` on."""
    first = bisect_left(times, since)
    return max(
        ((bisect_left(times, times[at] + window_s) - at) / window_s for at in range(first, len(times))), default=0.0
    )


def run_herd(
    plan: HerdPlan,
    install: Callable[[str], object],
    *,
    kind: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> HerdResult:
    """Run it, on a Postgres of this machine.

    Args:
        plan: How.
        install: Installs the schema in the database of a DSN.
        kind: ``installed`` or ``embedded``; default: the first there is.
        progress: Told what is going on.
    """
    with tempfile.TemporaryDirectory(prefix="eventlive-herd-") as home, ExitStack() as stack:
        Path(home).chmod(0o755)
        data = Path(home) / "data"

        def start(port: int | None) -> Server:
            return stack.enter_context(open_server(kind=kind, settings=DEMO_SETTINGS, data=data, port=port))

        server = start(None)
        install(server.dsn())
        dsn = server.tcp_dsn()
        port = int(str(psycopg.conninfo.conninfo_to_dict(dsn)["port"]))
        return asyncio.run(_run(plan, dsn, stack.close, lambda: start(port), progress))


async def _run(
    plan: HerdPlan, dsn: str, stop: Callable[[], None], start: Callable[[], object], progress: Callable[[str], None]
) -> HerdResult:
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
        dsn, min_size=plan.connections, max_size=plan.connections, kwargs={"autocommit": True}, open=False, timeout=5
    )
    async with pool:
        counted = CountedPool(pool)
        client = AsyncClient(counted)
        guest = client.as_guest()
        entries = await _enter(client, guest, plan, progress)
        counted.times.clear()
        loops = [HeartbeatLoop.after_entry(guest, entry) for entry in entries]
        tasks = [asyncio.create_task(loop.run()) for loop in loops]
        began = time.monotonic()
        progress(f"{plan.loops:,} loops beat, for {plan.before_s:.0f} s")
        await asyncio.sleep(plan.before_s)
        gone = time.monotonic()
        progress(f"the database is away, for {plan.away_s:.0f} s")
        await asyncio.to_thread(stop)
        await asyncio.sleep(plan.away_s)
        await asyncio.to_thread(start)
        progress(f"it is back, for {plan.after_s:.0f} s")
        await asyncio.sleep(plan.after_s)
        alive = sum(not task.done() for task in tasks)
        ended: dict[str, int] = {}
        for task in tasks:
            if task.done():
                reason = task.result().reason
                ended[reason] = ended.get(reason, 0) + 1
        for loop in loops:
            loop.stop()
        await asyncio.gather(*tasks)
    times = counted.times
    windows = int((times[-1] - began) // WINDOW_S)
    edges = [bisect_left(times, began + number * WINDOW_S) for number in range(windows + 1)]
    sent = [(after - before) / WINDOW_S for before, after in pairwise(edges)]
    return HerdResult(plan.loops / plan.interval_s, worst_rate(times, gone), sent, alive, ended)


async def _enter(
    client: AsyncClient, guest: AsyncUserClient, plan: HerdPlan, progress: Callable[[str], None]
) -> list[Entry]:
    """All of them enter one webinar."""
    service = client.as_service()
    settings = {"session_heartbeat_interval_s": plan.interval_s, "heartbeat_target_rps": 100_000}
    webinar = await service.call(rpc.webinar_create("herd", access_policy="guest_allowed", settings=settings))
    await service.call(rpc.webinar_set_status(webinar.webinar_id, "live"))
    progress(f"{plan.loops:,} guests enter")
    found: list[Entry] = []
    for _ in range(0, plan.loops, plan.connections):
        some = min(plan.connections, plan.loops - len(found))
        calls = (guest.call(rpc.webinar_enter(webinar.webinar_id, uuid4())) for _ in range(some))
        found += await asyncio.gather(*calls)
    return found
