"""Pollers for programs without asyncio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from eventlive_db.client.callers import Caller
from eventlive_db.client.calls import Call
from eventlive_db.client.loops.schedule import PollReply, PollSchedule
from eventlive_db.client.loops.threads import OnEnd, OnError, ThreadedHeartbeatLoop, ThreadedLoop
from eventlive_db.client.loops.timekeeper import LoopThreads
from eventlive_db.client.loops.work import PollWork, schedule_of_polls

ReplyOfPoll = TypeVar("ReplyOfPoll", bound=PollReply)


class ThreadedFallbackPoller(ThreadedLoop[ReplyOfPoll]):
    """Polls for messages while Realtime is away.

    Args:
        caller: Makes the calls; from any thread.
        poll: Makes the call for what comes after a cursor.
        handle: Takes the messages, in order, on a worker's thread. An exception of it ends the loop as ``crashed``, and
            the cursor stays before the messages.
        cursor: Where to begin.
        schedule: When; for whoever has heartbeats, these say it.
        beats: The heartbeats of the reader's session, which have to run: it does not poll until one was answered, and
            then as often as that said. Where they end before, it ends with them.
        threads: Shared by many loops; ``None``: one thread of its own.
        on_end: Told why it is over.
        on_error: Told of each error, and of the delay before the next call in seconds, ``None`` when it is over.

    Raises:
        ValueError: Both a schedule and heartbeats.
    """

    __slots__ = ("_beats", "_handle", "_polls")

    def __init__(
        self,
        caller: Caller,
        poll: Callable[[int], Call[ReplyOfPoll]],
        handle: Callable[[Sequence[Any]], object],
        cursor: int = 0,
        schedule: PollSchedule | None = None,
        *,
        beats: ThreadedHeartbeatLoop | None = None,
        threads: LoopThreads | None = None,
        on_end: OnEnd | None = None,
        on_error: OnError | None = None,
    ) -> None:
        self._polls = PollWork(poll, cursor, schedule_of_polls(schedule, None if beats is None else beats.schedule))
        self._handle = handle
        self._beats = beats
        super().__init__(caller, self._polls, threads, on_end, on_error)

    @property
    def cursor(self) -> int:
        """What was taken so far."""
        return self._polls.cursor

    def start(self) -> None:
        """Begin; once.

        Raises:
            RuntimeError: It was started before, or its threads are closed.
        """
        super().start()
        if self._beats is not None:
            self._beats.heard_by(self._begin)
            self._begin()  # a reply may have come since

    def _begin(self) -> None:
        """Where it waits for the first heartbeat: see whether it may begin."""
        schedule = self._polls.schedule
        with self._threads.changed:
            if schedule.begun:
                return
            schedule.begin(self._threads.clock())
            self._go_on()
        if schedule.ended is not None:
            self._finish()

    def _tell(self) -> None:
        if self._beats is not None and self._polls.schedule.ended is not None:
            self._beats.forget(self._begin)

    def _taken(self, reply: ReplyOfPoll) -> None:
        if reply.messages:
            self._handle(reply.messages)
