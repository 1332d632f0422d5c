"""What a loop calls, and what it does with the reply: the same for tasks and for threads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from eventlive_db.client import rpc
from eventlive_db.client.calls import Call
from eventlive_db.client.loops.schedule import HeartbeatSchedule, PollReply, PollSchedule, Schedule
from eventlive_db.client.replies import Heartbeat

_LOG = logging.getLogger(__name__)

Reply = TypeVar("Reply")
ReplyOfPoll = TypeVar("ReplyOfPoll", bound=PollReply)


class Work(Protocol[Reply]):
    """One session's heartbeats, or one reader's polls."""

    @property
    def schedule(self) -> Schedule:
        """When."""
        ...

    def request(self) -> Call[Reply]:
        """What."""
        ...

    def replied(self, now: float, reply: Reply) -> None:
        """It was answered, and the reply was taken."""
        ...


class HeartbeatWork:
    """The heartbeats of a session."""

    __slots__ = ("schedule", "session_id", "webinar_id")

    def __init__(self, webinar_id: UUID | str, session_id: UUID | str, schedule: HeartbeatSchedule) -> None:
        rpc.webinar_session_heartbeat(webinar_id, session_id)  # a wrong id is told now, not by the first beat
        self.webinar_id = webinar_id
        self.session_id = session_id
        self.schedule = schedule

    def request(self) -> Call[Heartbeat]:
        """The next heartbeat."""
        return rpc.webinar_session_heartbeat(self.webinar_id, self.session_id)

    def replied(self, now: float, reply: Heartbeat) -> None:
        """It was answered."""
        self.schedule.replied(now, reply)


class PollWork(Generic[ReplyOfPoll]):
    """The polls of a reader; ``cursor`` goes on only once the messages were taken."""

    __slots__ = ("cursor", "poll", "schedule")

    def __init__(self, poll: Callable[[int], Call[ReplyOfPoll]], cursor: int, schedule: PollSchedule) -> None:
        self.poll = poll
        self.cursor = cursor
        self.schedule = schedule

    def request(self) -> Call[ReplyOfPoll]:
        """The next poll."""
        return self.poll(self.cursor)

    def replied(self, now: float, reply: ReplyOfPoll) -> None:
        """The messages were taken."""
        self.cursor = reply.cursor
        self.schedule.replied(now, reply)


def schedule_of_polls(schedule: PollSchedule | None, beats: HeartbeatSchedule | None) -> PollSchedule:
    """When a poller polls that was given one of them, or none.

    Raises:
        ValueError: Both.
    """
    if schedule is not None and beats is not None:
        msg = "a poller polls as its schedule says, or as its heartbeats say: give it one of them"
        raise ValueError(msg)
    return schedule or PollSchedule(beats=beats)


def tell(callback: Callable[..., object] | None, *arguments: object) -> None:
    """Tell the owner; what goes wrong there is logged, and stops nothing."""
    if callback is None:
        return
    try:
        callback(*arguments)
    except Exception:
        _LOG.exception("a callback of a loop failed")
