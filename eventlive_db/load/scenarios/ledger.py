"""Every call of a run: when it was answered, how long it took, and what was wrong with it."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from eventlive_db.client.callers import AsyncCaller
from eventlive_db.client.calls import Call
from eventlive_db.client.errors import EventliveError
from eventlive_db.client.replies import Heartbeat

Reply = TypeVar("Reply")


class Done(NamedTuple):
    """A call that was answered, or failed.

    Attributes:
        at: When, in seconds since the beginning of the run.
        took: How long, in seconds.
        function: Its name.
        way: ``postgrest`` or ``psycopg``.
        webinar: Which one of several, by the label that the run gave it.
        token: What was wrong; None where nothing was. A heartbeat that is told that the session is over is wrong here
            too, such as ``session_expired``: whoever watches is in.
        status: Its HTTP status; None where nothing was wrong, and where nobody answered.
    """

    at: float
    took: float
    function: str
    way: str
    webinar: str
    token: str | None = None
    status: int | None = None


@dataclass(slots=True)
class Ledger:
    """Keeps them, in the order in which they were answered."""

    clock: Callable[[], float] = time.monotonic
    done: list[Done] = field(default_factory=list)
    began: float = 0.0

    def begin(self) -> None:
        """Set the beginning."""
        self.began = self.clock()

    def now(self) -> float:
        """Seconds since the beginning."""
        return self.clock() - self.began

    def select(
        self,
        functions: Iterable[str] | None = None,
        *,
        webinar: str | None = None,
        way: str | None = None,
        since: float = float("-inf"),
        until: float = float("inf"),
    ) -> list[Done]:
        """Some of them.

        Args:
            functions: Of these functions.
            webinar: Of this webinar.
            way: By this way.
            since: Answered then or later, in seconds since the beginning.
            until: Answered before.
        """
        wanted = None if functions is None else frozenset(functions)
        first, last = (bisect_left(self.done, at, key=lambda one: one.at) for at in (since, until))
        return [
            one
            for one in self.done[first:last]
            if (wanted is None or one.function in wanted)
            and (webinar is None or one.webinar == webinar)
            and (way is None or one.way == way)
        ]


def worst_window(times: list[float], window_s: float) -> int:
    """The most events in any window that begins at one of them.

    Args:
        times: When they were, in order.
        window_s: How long it is, in seconds.
    """
    return max((bisect_left(times, at + window_s) - number for number, at in enumerate(times)), default=0)


def tokens(calls: Iterable[Done]) -> Counter[str]:
    """What was wrong, and how often."""
    return Counter(one.token for one in calls if one.token is not None)


class Kept:
    """A caller that writes its calls into a ledger.

    Args:
        caller: Makes them.
        ledger: Keeps them.
        way: How they are made.
        webinar: Which one of several.
    """

    __slots__ = ("_caller", "_ledger", "_way", "_webinar")

    def __init__(self, caller: AsyncCaller, ledger: Ledger, way: str, webinar: str) -> None:
        self._caller = caller
        self._ledger = ledger
        self._way = way
        self._webinar = webinar

    async def call(self, request: Call[Reply]) -> Reply:
        """Make one call.

        Raises:
            EventliveError: It failed.
        """
        ledger, began = self._ledger, self._ledger.now()
        try:
            reply = await self._caller.call(request)
        except EventliveError as error:
            ended = ledger.now()
            ledger.done.append(
                Done(ended, ended - began, request.function, self._way, self._webinar, error.token, error.status)
            )
            raise
        ended = ledger.now()
        over = f"session_{reply.state}" if isinstance(reply, Heartbeat) and reply.state != "open" else None
        ledger.done.append(Done(ended, ended - began, request.function, self._way, self._webinar, over))
        return reply
