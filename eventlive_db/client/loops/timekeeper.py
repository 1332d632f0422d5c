"""One thread that keeps the time for many loops, and the workers that make their calls."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self

from eventlive_db.client.loops.pace import Pace


class Beating(Protocol):
    """What the threads need of a loop.

    Attributes:
        ticket: Its place in the queue; -1 for none.
        calling: From when it is due until its call is over; only then it may be put into the queue again.
    """

    ticket: int
    calling: bool

    def beat(self) -> None:
        """Make the call that is due."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


class LoopThreads:
    """The thread that keeps the time, and the workers that make the calls; for any number of loops.

    As a context manager it stops all of them at the end, and waits for the calls that are under way. Its threads are
    daemons: a program that ends does not wait for the next beat.

    Args:
        workers: Calls at the same time; 0: the one thread makes them, one after the other.
        clock: Seconds that only go forward.

    Raises:
        ValueError: ``workers`` is negative.
    """

    def __init__(self, workers: int = 4, *, clock: Callable[[], float] = time.monotonic) -> None:
        if workers < 0:
            msg = f"workers must be 0 or more, not {workers}"
            raise ValueError(msg)
        self.clock = clock
        self.pace = Pace()
        self.changed = threading.Condition()
        self._queue: list[tuple[float, int, Beating]] = []
        self._numbers = itertools.count()
        self._loops: set[Beating] = set()
        self._closed = False
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="eventlive-call") if workers else None
        self._thread = threading.Thread(target=self._keep_time, name="eventlive-loops", daemon=True)
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop all loops, and wait for the calls that are under way; not from one of its own callbacks."""
        with self.changed:
            self.shut()
            loops = list(self._loops)
        for loop in loops:
            loop.stop()
        if self._started and threading.current_thread() is not self._thread:
            self._thread.join()
        if self._pool is not None:
            self._pool.shutdown()

    def shut(self) -> None:
        """Make no more calls; called under the lock."""
        self._closed = True
        self.changed.notify_all()

    def add(self, loop: Beating) -> None:
        """Begin; called by a loop under the lock.

        Raises:
            RuntimeError: It is closed, or the loop was started before.
        """
        if self._closed or loop in self._loops:
            msg = "these threads are closed; make others" if self._closed else "this loop was started before"
            raise RuntimeError(msg)
        if not self._started:
            self._started = True
            self._thread.start()
        self._loops.add(loop)
        self.pace.loops = len(self._loops)

    def remove(self, loop: Beating) -> None:
        """It is over; called under the lock."""
        self._loops.discard(loop)
        self.pace.loops = len(self._loops)

    def put(self, loop: Beating, due_at: float) -> None:
        """Have it called at a time; called under the lock. A later word replaces an earlier one."""
        loop.ticket = next(self._numbers)
        heapq.heappush(self._queue, (due_at, loop.ticket, loop))
        if len(self._queue) > 2 * len(self._loops) + 64:
            self._queue = [entry for entry in self._queue if entry[1] == entry[2].ticket]
            heapq.heapify(self._queue)
        if self._queue[0][1] == loop.ticket:
            self.changed.notify_all()

    def _keep_time(self) -> None:
        while (loop := self._next()) is not None:
            if self._pool is None:
                loop.beat()
                continue
            try:
                self._pool.submit(loop.beat)
            except RuntimeError:  # the interpreter is ending
                return

    def _next(self) -> Beating | None:
        """Wait for the next loop that is due; ``None`` when closed."""
        with self.changed:
            while not self._closed:
                wait_s = self._queue[0][0] - self.clock() if self._queue else None
                if wait_s is None or wait_s > 0:
                    self.changed.wait(None if wait_s is None else min(wait_s, threading.TIMEOUT_MAX))
                    continue
                _, ticket, loop = heapq.heappop(self._queue)
                if loop.ticket == ticket:
                    loop.ticket = -1
                    loop.calling = True  # until it is put back, nobody else puts it
                    return loop
        return None
