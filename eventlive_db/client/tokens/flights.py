"""Do a thing once, however many want it at the same time: one does it, the others wait and see what came of it.

Nobody is left waiting. Whoever does it may be interrupted, or its task cancelled: that concerns it alone, and one of
the others takes over. An error that the work raises is seen by all, and kept for nobody who comes later.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, TypeVar

from eventlive_db.client.errors import UnavailableError

Result = TypeVar("Result")


class _Flight(Generic[Result]):
    """One go at the work, and what came of it."""

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.pilot = threading.get_ident()
        self.results: list[Result] = []
        self.error: Exception | None = None
        self.traceback: TracebackType | None = None


class SingleFlight(Generic[Result]):
    """For threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: _Flight[Result] | None = None

    @property
    def busy(self) -> bool:
        """Whether it is being done."""
        return self._current is not None

    def run(self, work: Callable[[], Result]) -> Result:
        """Do it, or wait for whoever does.

        Args:
            work: It; which first looks whether it is still to be done, for somebody may just have finished.

        Raises:
            RuntimeError: The work itself asks for it: it would wait for itself.
            Exception: Whatever the work raised, the same one for all who waited.
        """
        while True:
            mine = _Flight[Result]()
            # An interrupt may come at any point from here on, and must not leave a flight behind.
            try:
                with self._lock:
                    theirs = self._current
                    if theirs is None:
                        self._current = mine
                if theirs is None:
                    return self._fly(mine, work)
                if theirs.pilot == mine.pilot:
                    msg = "the work asks for its own result"
                    raise RuntimeError(msg)
                theirs.landed.wait()
            finally:
                self._land(mine)
            if theirs.error is not None:
                # Its traceback would grow with each who raises it.
                raise theirs.error.with_traceback(theirs.traceback)
            if theirs.results:
                return theirs.results[0]

    @staticmethod
    def _fly(flight: _Flight[Result], work: Callable[[], Result]) -> Result:
        try:
            result = work()
        except Exception as error:
            flight.error, flight.traceback = error, error.__traceback__
            raise
        flight.results.append(result)
        return result

    def _land(self, flight: _Flight[Result]) -> None:
        if self._current is flight:
            self._current = None
        flight.landed.set()


class AsyncSingleFlight(Generic[Result]):
    """For asyncio: the work is a task of its own, which goes on when whoever started it is cancelled.

    In one event loop at a time; a task that a loop has left behind is not waited for in the next.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[Result] | None = None

    @property
    def busy(self) -> bool:
        """Whether it is being done, in the running event loop."""
        task = self._task
        return task is not None and not task.done() and task.get_loop() is asyncio.get_running_loop()

    async def run(self, work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Do it, or wait for whoever does.

        Args:
            work: It; which first looks whether it is still to be done, for somebody may just have finished.

        Raises:
            RuntimeError: The work itself asks for it: it would wait for itself.
            Exception: Whatever the work raised, the same one for all who waited.
        """
        while True:
            task = self._task
            if task is None or not self.busy:
                task = self._task = asyncio.get_running_loop().create_task(_uncancelled(work))
                task.add_done_callback(_retrieve)
            elif task is asyncio.current_task():
                msg = "the work asks for its own result"
                raise RuntimeError(msg)
            # Neither cancels the task with the one who waits, nor takes its cancellation for one's own.
            await asyncio.wait([task])
            if not task.cancelled():
                return task.result()


async def _uncancelled(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """The work; that it cancelled itself is an error, or those who wait would start it over and over."""
    try:
        return await work()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
    raise UnavailableError(503, "interrupted", {}, "The work was cancelled from within", "Try again.")


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at the error, so that asyncio does not complain where all who waited have gone."""
    if not task.cancelled():
        task.exception()
