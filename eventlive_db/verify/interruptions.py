"""Signals that end the run, but never between making something and knowing that it is there."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupted(KeyboardInterrupt):
    """A signal ended the run. Of this kind, since psycopg then cancels the call that is under way.

    Attributes:
        name: Of the signal, such as ``SIGTERM``.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.name = signal.Signals(number).name


class Interruptions:
    """Turns SIGINT, SIGTERM and SIGHUP into :class:`Interrupted`, and keeps them back inside :meth:`shield`."""

    def __init__(self) -> None:
        self._depth = 0
        self._kept: int | None = None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Take the signals for as long as the context lasts; outside the main thread they are somebody else's."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {}
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP; nohup has it ignored
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """Let what is inside come to its end; a signal that came meanwhile is obeyed behind it.

        What is inside has to be short, or bounded by a timeout.

        Raises:
            Interrupted: A signal came.
        """
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if not self._depth and self._kept is not None:
            number, self._kept = self._kept, None
            raise Interrupted(number)

    def _on_signal(self, number: int, _frame: object) -> None:
        if self._depth:
            self._kept = number
            return
        raise Interrupted(number)
