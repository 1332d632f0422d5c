"""Loops for programs without asyncio: one thread keeps the time for many sessions, a few workers make the calls."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar
from uuid import UUID

from eventlive_db.client.callers import Caller
from eventlive_db.client.errors import EventliveError
from eventlive_db.client.loops.schedule import STOPPED, Ended, HeartbeatSchedule
from eventlive_db.client.loops.timekeeper import LoopThreads
from eventlive_db.client.loops.work import HeartbeatWork, Work, tell
from eventlive_db.client.replies import Entry, Heartbeat

_LOG = logging.getLogger(__name__)

Reply = TypeVar("Reply")
OnError = Callable[[EventliveError, float | None], object]
OnEnd = Callable[[Ended], object]


class ThreadedLoop(Generic[Reply]):
    """One loop of :class:`LoopThreads`; use :class:`ThreadedHeartbeatLoop` or a poller."""

    __slots__ = (
        "_caller",
        "_finished",
        "_on_end",
        "_on_error",
        "_over",
        "_own",
        "_threads",
        "_work",
        "calling",
        "ticket",
    )

    def __init__(
        self,
        caller: Caller,
        work: Work[Reply],
        threads: LoopThreads | None,
        on_end: OnEnd | None,
        on_error: OnError | None,
    ) -> None:
        self._caller = caller
        self._work = work
        self._own = threads is None
        self._threads = threads or LoopThreads(workers=0)
        self._on_end = on_end
        self._on_error = on_error
        self._finished = False
        self._over = threading.Event()
        self.calling = False
        self.ticket = -1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        self.join()

    def start(self) -> None:
        """Begin; once.

        Raises:
            RuntimeError: It was started before, or its threads are closed.
        """
        with self._threads.changed:
            if self._finished:
                msg = "this loop is over; make another one"
                raise RuntimeError(msg)
            self._threads.add(self)
            self._work.schedule.begin(self._threads.clock())
            self._go_on()

    def pause(self) -> None:
        """Hidden: no calls until :meth:`resume`; one that is under way is finished."""
        with self._threads.changed:
            self._work.schedule.pause()

    def resume(self) -> None:
        """Seen again: call at once if it is due, but no more of the loops on the same threads than usual."""
        with self._threads.changed:
            now, schedule = self._threads.clock(), self._work.schedule
            schedule.resume(now, lambda: self._threads.pace.wait_s(now, schedule.interval_s))
            self._go_on()

    def stop(self) -> None:
        """End it: no further call; one that is under way is finished, and its reply ignored."""
        with self._threads.changed:
            self._work.schedule.end(STOPPED)
            idle = not self.calling
        if idle:
            self._finish()

    def join(self, timeout_s: float | None = None) -> Ended | None:
        """Wait until it is over.

        Returns:
            Why; ``None`` when it was not over after ``timeout_s`` seconds.
        """
        return self._work.schedule.ended if self._over.wait(timeout_s) else None

    def beat(self) -> None:
        """Make the call that is due; on a worker's thread."""
        crash = None
        with self._threads.changed:
            due_at = self._work.schedule.due_at  # it may have been paused or stopped while it waited for a worker
            due = due_at is not None and due_at <= self._threads.clock()
        try:
            if due:
                self._call()
        except Exception as error:
            _LOG.exception("a loop crashed")
            crash = Ended("crashed", error=error)
        with self._threads.changed:
            if crash is not None:
                self._work.schedule.end(crash)
            self.calling = False
            ended = self._work.schedule.ended is not None
            self._go_on()
        if ended:
            self._finish()

    def _call(self) -> None:
        threads, schedule = self._threads, self._work.schedule
        try:
            reply = self._caller.call(self._work.request())
        except EventliveError as error:
            with threads.changed:
                delay_s = schedule.failed(threads.clock(), error)
            tell(self._on_error, error, delay_s)
            return
        if schedule.ended is None:
            self._taken(reply)
            with threads.changed:
                self._work.replied(threads.clock(), reply)
            self._tell()

    def _taken(self, reply: Reply) -> None:
        """Hand the reply on."""

    def _tell(self) -> None:
        """There was a reply, or it is over; not under the lock."""

    def _go_on(self) -> None:
        due_at = self._work.schedule.due_at
        if due_at is not None and not self.calling:
            self._threads.put(self, due_at)

    def _finish(self) -> None:
        with self._threads.changed:
            if self._finished:
                return
            self._finished = True
            self._threads.remove(self)
            if self._own:
                self._threads.shut()
        self._tell()
        tell(self._on_end, self._work.schedule.ended)
        self._over.set()


class ThreadedHeartbeatLoop(ThreadedLoop[Heartbeat]):
    """Keeps a session alive.

    Args:
        caller: Makes the calls, as the session's user; from any thread.
        webinar_id: The webinar.
        session_id: The session.
        schedule: When; :meth:`after_entry` makes it of the reply to entering.
        threads: Shared by many loops; ``None``: one thread of its own.
        on_end: Told why it is over.
        on_error: Told of each error, and of the delay before the next call in seconds, ``None`` when it is over.

    Raises:
        InvalidCallError: An id is none.
    """

    __slots__ = ("_beats", "_listeners")

    def __init__(
        self,
        caller: Caller,
        webinar_id: UUID | str,
        session_id: UUID | str,
        schedule: HeartbeatSchedule | None = None,
        *,
        threads: LoopThreads | None = None,
        on_end: OnEnd | None = None,
        on_error: OnError | None = None,
    ) -> None:
        self._beats = HeartbeatWork(webinar_id, session_id, schedule or HeartbeatSchedule())
        self._listeners: list[Callable[[], object]] = []
        super().__init__(caller, self._beats, threads, on_end, on_error)

    @property
    def fallback_poll_s(self) -> float | None:
        """How often to poll for messages if Realtime is lost, in seconds, as the server last said to this session.

        ``None`` before the first heartbeat was answered: do not poll yet. A
        :class:`~eventlive_db.client.loops.ThreadedFallbackPoller` that is given the heartbeats keeps it.
        """
        return self._beats.schedule.fallback_poll_s

    @property
    def schedule(self) -> HeartbeatSchedule:
        """When it beats."""
        return self._beats.schedule

    def heard_by(self, listener: Callable[[], object]) -> None:
        """From now on, tell a listener of each reply, and of the end; on any thread."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[], object]) -> None:
        """Tell it no more."""
        with contextlib.suppress(ValueError):  # it was forgotten before
            self._listeners.remove(listener)

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    @classmethod
    def after_entry(
        cls,
        caller: Caller,
        entry: Entry,
        *,
        threads: LoopThreads | None = None,
        on_end: OnEnd | None = None,
        on_error: OnError | None = None,
    ) -> ThreadedHeartbeatLoop:
        """The heartbeats of the session that was entered just now."""
        session, schedule = entry.session, HeartbeatSchedule.after_entry(entry)
        return cls(
            caller,
            session.webinar_id,
            session.session_id,
            schedule,
            threads=threads,
            on_end=on_end,
            on_error=on_error,
        )
