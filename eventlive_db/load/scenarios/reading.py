"""What readers got of the messages that were posted, poll by poll."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from eventlive_db.client.callers import AsyncCaller
from eventlive_db.client.calls import Call
from eventlive_db.client.errors import EventliveError
from eventlive_db.client.replies import MessagePage
from eventlive_db.load.results_parts import Mark

Reply = TypeVar("Reply")
PAGE = 50
"""Messages that a poll asks for."""
_SWITCHED_OFF = "fallback_disabled"


class Post(NamedTuple):
    """A message: when the reply to its post came, in seconds since the beginning of the run, and its id."""

    at: float
    message_id: int


class Poll(NamedTuple):
    """A poll that was answered.

    Attributes:
        sent_at: When it was sent, in seconds since the beginning of the run.
        after: What it asked for: messages behind this one.
        found: Ids of what it got, in order; None where it was refused.
    """

    sent_at: float
    after: int
    found: tuple[int, ...] | None


class Noted:
    """A caller that notes its polls. That polling is switched off is no poll.

    Args:
        caller: Makes them.
        now: Seconds since the beginning of the run.
        polls: Where to note them.
    """

    __slots__ = ("_caller", "_now", "_polls")

    def __init__(self, caller: AsyncCaller, now: Callable[[], float], polls: list[Poll]) -> None:
        self._caller = caller
        self._now = now
        self._polls = polls

    async def call(self, request: Call[Reply]) -> Reply:
        """Make one call.

        Raises:
            EventliveError: It failed.
        """
        sent_at = self._now()
        after = request.arguments.get("_after")
        behind = after if isinstance(after, int) else 0
        try:
            reply = await self._caller.call(request)
        except EventliveError as error:
            if error.token != _SWITCHED_OFF:
                self._polls.append(Poll(sent_at, behind, None))
            raise
        if isinstance(reply, MessagePage):
            self._polls.append(Poll(sent_at, behind, tuple(message.message_id for message in reply.messages)))
        return reply


def reading_mark(posted: Sequence[Post], readers: Iterable[tuple[Sequence[Poll], Sequence[int]]]) -> Mark:
    """Everybody who polled has all messages, from the first one on.

    Args:
        posted: What was posted, in order.
        readers: Of each viewer, the polls in order, and the ids of what they took of them.
    """
    polled = [(polls, received) for polls, received in readers if polls]
    wrong = sum(not has_all(posted, polls, received) for polls, received in polled)
    read = sum(bool(received) for _, received in polled)
    return Mark(
        "viewers with a message skipped, doubled or out of order",
        "0",
        f"{wrong:,}",
        wrong == 0 and 0 < read == len(polled),
        note=f"{len(posted):,} messages; {read:,} of {len(polled):,} who polled have some",
    )


def has_all(posted: Sequence[Post], polls: Sequence[Poll], received: Sequence[int]) -> bool:
    """Whether a reader has everything, each once and in order.

    A poll has to get what was there as it was sent, or a full page of it.

    Args:
        posted: What was posted, in order.
        polls: Their polls, in order.
        received: What they took of them.
    """
    ids, times = [post.message_id for post in posted], [post.at for post in posted]
    for poll in polls:
        if poll.found is None:
            continue
        behind = bisect_right(ids, poll.after)
        there = bisect_left(times, poll.sent_at) - behind
        if list(poll.found) != ids[behind : behind + len(poll.found)] or len(poll.found) < min(PAGE, there):
            return False
    answered = any(poll.found is not None for poll in polls)
    return list(received) == ids[: len(received)] and (answered or not polls)
