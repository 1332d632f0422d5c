"""What 10,000 heartbeat loops cost in one process: memory for each, and processor time for 1,000 beats."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from eventlive_db.client.calls import Call
from eventlive_db.client.loops import HeartbeatLoop, HeartbeatSchedule
from eventlive_db.client.replies import Heartbeat


class Instant:
    """A server that answers at once: what is left is the cost of the loops."""

    def __init__(self, interval_s: float) -> None:
        self.calls = 0
        self._reply = Heartbeat(
            state="open", next_heartbeat_s=interval_s, server_time=datetime.now(UTC), settings_version="1"
        )

    async def call(self, request: Call[Any]) -> Any:
        """Count it and answer."""
        del request
        self.calls += 1
        return self._reply


async def _run(count: int, interval_s: float, seconds: float) -> tuple[float, float]:
    """Bytes of a loop that waits, and milliseconds of processor time for 1,000 beats."""
    server, webinar_id = Instant(interval_s), uuid4()
    sessions = [uuid4() for _ in range(count)]
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    loops = [HeartbeatLoop(server, webinar_id, session, HeartbeatSchedule(interval_s)) for session in sessions]
    tasks = [asyncio.create_task(loop.run()) for loop in loops]
    await asyncio.sleep(min(interval_s, 1))
    gc.collect()
    size = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    calls, used = server.calls, time.process_time()
    await asyncio.sleep(seconds)
    beats = server.calls - calls
    cost_ms = (time.process_time() - used) / max(beats, 1) * 1000 * 1000
    for loop in loops:
        loop.stop()
    await asyncio.gather(*tasks)
    return size, cost_ms


def measure_loops(count: int = 10_000, interval_s: float = 5.0, seconds: float = 5.0) -> dict[str, tuple[float, str]]:
    """Run so many loops against a server that answers at once.

    Args:
        count: How many loops.
        interval_s: Seconds between two beats of each.
        seconds: How long to count.
    """
    size, cost_ms = asyncio.run(_run(count, interval_s, seconds))
    return {
        f"memory of each of {count:,} heartbeat loops": (round(size), "bytes"),
        "processor time of 1,000 beats": (round(cost_ms, 1), "ms"),
    }
