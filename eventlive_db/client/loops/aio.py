"""Loops as tasks of asyncio. Their methods belong to the event loop's thread; elsewhere, ``call_soon_threadsafe``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from eventlive_db.client.callers import AsyncCaller
from eventlive_db.client.calls import Call
from eventlive_db.client.cancelling import cancellations, end_if_cancelled
from eventlive_db.client.errors import EventliveError
from eventlive_db.client.loops.pace import Pace
from eventlive_db.client.loops.schedule import STOPPED, Ended, HeartbeatSchedule, PollReply, PollSchedule
from eventlive_db.client.loops.work import HeartbeatWork, PollWork, Work, schedule_of_polls, tell
from eventlive_db.client.replies import Entry, Heartbeat

Reply = TypeVar("Reply")
ReplyOfPoll = TypeVar("ReplyOfPoll", bound=PollReply)
OnError = Callable[[EventliveError, float | None], object]


class _AsyncLoop(Generic[Reply]):
    """Waits until a call is due, makes it, and goes on as its schedule says."""

    __slots__ = ("_caller", "_on_error", "_pace", "_running", "_wake", "_work")

    def __init__(self, caller: AsyncCaller, work: Work[Reply], pace: Pace | None, on_error: OnError | None) -> None:
        self._caller = caller
        self._work = work
        self._pace = pace or Pace()
        self._on_error = on_error
        self._wake: asyncio.Future[bool] | None = None
        self._running: asyncio.AbstractEventLoop | None = None

    async def run(self) -> Ended:
        """Call until it is over.

        After a cancellation it may be run again, and goes on. A cancellation that the caller has lost ends it too.

        Returns:
            Why it is over.

        Raises:
            RuntimeError: It runs already.
        """
        before = cancellations()
        if self._running is not None:
            msg = "this loop runs already; make another one"
            raise RuntimeError(msg)
        self._running = loop = asyncio.get_running_loop()
        self._pace.loops += 1
        schedule = self._work.schedule
        try:
            schedule.begin(loop.time())
            while schedule.ended is None:
                # Between the ring and this line it may have been paused or stopped.
                if await self._is_due(loop, schedule.due_at) and schedule.due_at is not None:
                    await self._call(loop, before)
                    end_if_cancelled(before)
            return schedule.ended
        finally:
            self._pace.loops -= 1
            self._running = None

    def pause(self) -> None:
        """Hidden: no calls until :meth:`resume`; one that is under way is finished."""
        self._work.schedule.pause()
        self._wake_up()

    def resume(self) -> None:
        """Seen again: call at once if it is due, but no more of the loops with the same pace than usual."""
        if self._running is not None:
            now = self._running.time()
            schedule = self._work.schedule
            schedule.resume(now, lambda: self._pace.wait_s(now, schedule.interval_s))
            self._wake_up()
        else:
            self._work.schedule.paused = False

    def stop(self) -> None:
        """End it: no further call; one that is under way is finished, and its reply ignored."""
        self._work.schedule.end(STOPPED)
        self._wake_up()
        self._tell()

    async def _taken(self, reply: Reply) -> None:
        """Hand the reply on."""

    def _tell(self) -> None:
        """There was a reply, or it is over."""

    async def _is_due(self, loop: asyncio.AbstractEventLoop, due_at: float | None) -> bool:
        """Wait; false where something else woke it up."""
        wake: asyncio.Future[bool] = loop.create_future()
        self._wake = wake
        timer = None if due_at is None else loop.call_at(due_at, _ring, wake)
        try:
            return await wake
        finally:
            self._wake = None
            if timer is not None:
                timer.cancel()

    async def _call(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        schedule = self._work.schedule
        try:
            reply = await self._caller.call(self._work.request())
        except EventliveError as error:
            tell(self._on_error, error, schedule.failed(loop.time(), error))
        else:
            end_if_cancelled(before)
            if schedule.ended is None:
                await self._taken(reply)
                self._work.replied(loop.time(), reply)
        self._tell()

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(False)


def _ring(wake: asyncio.Future[bool]) -> None:
    if not wake.done():
        wake.set_result(True)


class HeartbeatLoop(_AsyncLoop[Heartbeat]):
    """Keeps a session alive.

    Args:
        caller: Makes the calls, as the session's user.
        webinar_id: The webinar.
        session_id: The session.
        schedule: When; :meth:`after_entry` makes it of the reply to entering.
        pace: Shared by loops that may be resumed together.
        on_error: Told of each error, and of the delay before the next call in seconds, ``None`` when it is over.

    Raises:
        InvalidCallError: An id is none.
    """

    __slots__ = ("_beats", "_listeners")

    def __init__(
        self,
        caller: AsyncCaller,
        webinar_id: UUID | str,
        session_id: UUID | str,
        schedule: HeartbeatSchedule | None = None,
        *,
        pace: Pace | None = None,
        on_error: OnError | None = None,
    ) -> None:
        self._beats = HeartbeatWork(webinar_id, session_id, schedule or HeartbeatSchedule())
        self._listeners: tuple[Callable[[], object], ...] = ()
        super().__init__(caller, self._beats, pace, on_error)

    @property
    def fallback_poll_s(self) -> float | None:
        """How often to poll for messages if Realtime is lost, in seconds, as the server last said to this session.

        ``None`` before the first heartbeat was answered: do not poll yet. A :class:`FallbackPoller` that is given the
        heartbeats keeps it.
        """
        return self._beats.schedule.fallback_poll_s

    @property
    def schedule(self) -> HeartbeatSchedule:
        """When it beats."""
        return self._beats.schedule

    @contextlib.contextmanager
    def heard_by(self, listener: Callable[[], object]) -> Iterator[None]:
        """Within the block, tell a listener of each reply, and of the end."""
        self._listeners = (*self._listeners, listener)
        try:
            yield
        finally:
            self._listeners = tuple(other for other in self._listeners if other != listener)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    @classmethod
    def after_entry(
        cls, caller: AsyncCaller, entry: Entry, *, pace: Pace | None = None, on_error: OnError | None = None
    ) -> HeartbeatLoop:
        """The heartbeats of the session that was entered just now."""
        session = entry.session
        schedule = HeartbeatSchedule.after_entry(entry)
        return cls(caller, session.webinar_id, session.session_id, schedule, pace=pace, on_error=on_error)


class FallbackPoller(_AsyncLoop[ReplyOfPoll]):
    """Polls for messages while Realtime is away.

    Args:
        caller: Makes the calls.
        poll: Makes the call for what comes after a cursor.
        handle: Takes the messages, in order. Messages it did not take are asked for again: an exception of it ends
            :meth:`run`, and the cursor stays.
        cursor: Where to begin.
        schedule: When; for whoever has heartbeats, these say it.
        beats: The heartbeats of the reader's session, which have to run: it does not poll until one was answered, and
            then as often as that said. Where they end before, it ends with them.
        pace: Shared by pollers that may be resumed together.
        on_error: Told of each error, and of the delay before the next call in seconds, ``None`` when it is over.

    Raises:
        ValueError: Both a schedule and heartbeats.
    """

    __slots__ = ("_beats", "_handle", "_polls")

    def __init__(
        self,
        caller: AsyncCaller,
        poll: Callable[[int], Call[ReplyOfPoll]],
        handle: Callable[[Sequence[Any]], Awaitable[object]],
        cursor: int = 0,
        schedule: PollSchedule | None = None,
        *,
        beats: HeartbeatLoop | None = None,
        pace: Pace | None = None,
        on_error: OnError | None = None,
    ) -> None:
        self._polls = PollWork(poll, cursor, schedule_of_polls(schedule, None if beats is None else beats.schedule))
        self._handle = handle
        self._beats = beats
        super().__init__(caller, self._polls, pace, on_error)

    @property
    def cursor(self) -> int:
        """What was taken so far."""
        return self._polls.cursor

    async def run(self) -> Ended:
        """Poll until it is over; see :meth:`HeartbeatLoop.run`."""
        if self._beats is None:
            return await super().run()
        with self._beats.heard_by(self._begin):
            return await super().run()

    def _begin(self) -> None:
        """Where it waits for the first heartbeat: see whether it may begin."""
        schedule = self._polls.schedule
        if self._running is not None and not schedule.begun:
            schedule.begin(self._running.time())
            self._wake_up()

    async def _taken(self, reply: ReplyOfPoll) -> None:
        if reply.messages:
            await self._handle(reply.messages)
