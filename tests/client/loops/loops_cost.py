"""What 10,000 loops cost in one process, with a server that answers at once: memory of each, CPU time of 1,000 beats.

python -m tests.client.loops.loops_cost [loops]
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import tracemalloc
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from eventlive_db.client.calls import Call
from eventlive_db.client.loops import HeartbeatLoop, HeartbeatSchedule, LoopThreads, ThreadedHeartbeatLoop
from eventlive_db.client.replies import Heartbeat
from tests.client.loops.virtual_time import run

INTERVAL_S = 300.0
BEATS = 5


class _Instant:
    """A server that answers at once."""

    def __init__(self) -> None:
        self.calls = 0
        self._reply = Heartbeat(
            state="open", next_heartbeat_s=INTERVAL_S, server_time=datetime.now(UTC), settings_version="1"
        )

    def answer(self, _: Call[Any]) -> Any:
        """Count it and answer."""
        self.calls += 1
        return self._reply


class _Async(_Instant):
    async def call(self, request: Call[Any]) -> Any:
        """One call."""
        return self.answer(request)


class _Sync(_Instant):
    def call(self, request: Call[Any]) -> Any:
        """One call."""
        return self.answer(request)


def _memory() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def _asynchronous(count: int, webinar: UUID, sessions: list[UUID], *, memory: bool) -> float:
    server = _Async()
    before = _memory() if memory else 0
    loops = [HeartbeatLoop(server, webinar, session, HeartbeatSchedule(INTERVAL_S)) for session in sessions]
    tasks = [asyncio.create_task(loop.run()) for loop in loops]
    await asyncio.sleep(2 * INTERVAL_S)
    if memory:
        cost = (_memory() - before) / count
    else:
        calls, cpu = server.calls, time.process_time()
        await asyncio.sleep(BEATS * INTERVAL_S)
        cost = (time.process_time() - cpu) / (server.calls - calls) * 1000
    for loop in loops:
        loop.stop()
    await asyncio.gather(*tasks)
    return cost


def _threaded(count: int, webinar: UUID, sessions: list[UUID]) -> float:
    server, before = _Sync(), _memory()
    with LoopThreads() as threads:
        loops = [
            ThreadedHeartbeatLoop(server, webinar, session, HeartbeatSchedule(1e6), threads=threads)
            for session in sessions
        ]
        for loop in loops:
            loop.start()
        return (_memory() - before) / count


def main(count: int) -> None:
    """Measure and print."""
    webinar, sessions = uuid4(), [uuid4() for _ in range(count)]
    cpu_ms = run(_asynchronous(count, webinar, sessions, memory=False)) * 1000
    tracemalloc.start()
    size = run(_asynchronous(count, webinar, sessions, memory=True))
    threaded = _threaded(count, webinar, sessions)
    print(f"{count} loops: {size:.0f} bytes each with asyncio, {threaded:.0f} bytes each on threads")
    print(f"{cpu_ms:.1f} ms of CPU for 1,000 beats with asyncio")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
