"""Runs in threads, and how all of it comes to an end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from eventlive_db.jobs.running import Run, Runner

GRACE_S = 5.0
"""How long a run that is under way may go on by itself after a signal."""

_END_S = 5.0


class Stop:
    """That all of it is to end; safe to set in a signal handler. Also the bell that wakes whoever waits."""

    def __init__(self) -> None:
        self._asked = False
        self._bell: SimpleQueue[None] = SimpleQueue()  # its put may interrupt itself, unlike an Event's set

    def __bool__(self) -> bool:
        """Whether it was asked for."""
        return self._asked

    def ask(self) -> None:
        """Ask for the end."""
        self._asked = True
        self.ring()

    def ring(self) -> None:
        """Wake whoever waits."""
        self._bell.put(None)

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until the bell rings."""
        try:
            self._bell.get(timeout=max(seconds, 0.0))
            while True:
                self._bell.get_nowait()
        except Empty:
            return


@contextmanager
def signals(stop: Stop) -> Iterator[None]:
    """SIGTERM and SIGINT ask for the end; a second one ends the program at once. In the main thread."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def ask(number: int, _frame: object) -> None:
        signal.signal(number, before[signal.Signals(number)])
        stop.ask()

    for number in numbers:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Task:
    """One run in a thread of its own, which does not outlive the program."""

    def __init__(self, runner: Runner, stop: Stop) -> None:
        self._runner = runner
        self._stop = stop
        self._run: Run | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=f"job {runner.name}", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has come to its end."""
        return not self._thread.is_alive()

    @property
    def name(self) -> str:
        """The job."""
        return self._runner.name

    def result(self) -> Run:
        """What came of it, once it is done. An error that nobody foresaw is raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._run is not None  # noqa: S101  # one of the two is there
        return self._run

    def cancel(self) -> None:
        """End it."""
        self._runner.cancel()

    def _work(self) -> None:
        try:
            self._run = self._runner.run()
        except BaseException as error:  # handed on by result()
            self._error = error
        finally:
            self._stop.ring()


def wind_up(tasks: Iterable[Task], stop: Stop, grace_s: float) -> list[Task]:
    """Let tasks come to their end, cancel those that do not, and return those that did not end even then.

    Args:
        tasks: Those that are under way.
        stop: Whose bell rings when one is done.
        grace_s: How long to wait before the calls are cancelled, in seconds.
    """
    left = _wait(list(tasks), stop, grace_s)
    for task in left:
        task.cancel()
    return _wait(left, stop, _END_S)


def _wait(tasks: list[Task], stop: Stop, seconds: float) -> list[Task]:
    deadline = time.monotonic() + seconds
    while left := [task for task in tasks if not task.done]:
        # The bell rings just before a thread ends.
        if (remaining := deadline - time.monotonic()) <= 0:
            return left
        stop.wait(min(remaining, 0.05))
    return []
