"""When a loop calls next, and when it is over: without a clock, a thread or a connection of its own.

The rules, where ``I`` is the interval that the server issued last:

* The first call comes after a random part of ``I``, or when the reply to entering said. Who has a session does not poll
  before its first heartbeat was answered: only then the server has said an ``I`` for polls that fits the audience.
* After a reply the next call comes when the reply says.
* After a failure it comes after ``uniform(0, min(4, 2^n) I)``, n = 1 for the first: full jitter whose mean is ``I`` or
  more, so that a population that fails together calls no more often than one that does not, and comes back spread
  over an interval. Where the session could expire before that, but not within ``I``, the call comes in the second half
  of the time that is left.
* Retry-After, and the time that a breaker stays open, is a floor under ``uniform(0, I)``, from the second time on under
  ``uniform(0, 2 I)``, or less of it but not under ``I`` where the session could expire: all who wait for the same
  moment come as thinly as if they had never stopped, and those who are told to come back soon, again and again, come
  no more often than usual.
* After 429 without Retry-After, ``I`` counts double, and the next call comes in the second half of it. Each reply
  halves it again.
* What cannot succeed ends the loop: 400, 401, 403, 404, 409, 410, a reply that cannot be read. 5xx does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from eventlive_db.client.errors import EventliveError, RateLimitedError, ServerError
from eventlive_db.client.replies import Entry, Heartbeat
from eventlive_db.client.resilience.backoff import usual_random

_CAP = 4.0
"""No window after a failure, and no interval after 429, is longer than so many issued intervals."""
_USUAL_S = 300.0
"""Until the server has said it: the setting ``session_heartbeat_interval_s``."""
_LIFETIME = 2.5
"""A session expires so many issued intervals after its last heartbeat: the setting ``expiry_factor``."""
_SAFE = 0.9
"""The last moment to save a session: this part of the time it has left."""
_EARLY = 0.5
"""A beat before this part of the interval is answered, but not written: the setting ``throttle_factor``."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a loop is over.

    Attributes:
        reason: For a session ``left``, ``expired``, ``replaced``, ``ejected`` or ``webinar_ended``; for a poller
            ``ended``; ``stopped`` by its owner; else the token of ``error``, or ``crashed`` where it has none.
        replaced_by: The session that took over.
        error: What cannot succeed, or what went wrong in the owner's own code.
    """

    reason: str
    replaced_by: UUID | None = None
    error: Exception | None = None


STOPPED = Ended("stopped")


class PollReply(Protocol):
    """What a poller needs of a reply."""

    @property
    def messages(self) -> Sequence[Any]:
        """In order."""
        ...

    @property
    def cursor(self) -> int:
        """Where the next poll goes on."""
        ...

    @property
    def next_poll_s(self) -> float | None:
        """When to poll again, in seconds; ``None``: no more."""
        ...


class Schedule:
    """What heartbeats and polls have in common.

    Every method takes the time now, in seconds of any clock that only goes forward, always the same one.

    Args:
        interval_s: The interval until the server issues another, in seconds.
        first_s: When the first call comes, in seconds; ``None``: at random within the interval.
        lifetime: After so many intervals without a reply all is lost anyway; infinite if nothing is.
        least_s: Whatever the server says, no reply is followed by a call sooner than this, in seconds.
        random: Gives numbers from 0 up to 1.

    Raises:
        ValueError: ``interval_s`` is not above zero, or ``first_s`` negative.
    """

    __slots__ = (
        "_due_at",
        "_expires_at",
        "_failures",
        "_first_s",
        "_least_s",
        "_lifetime",
        "_random",
        "_slow",
        "ended",
        "interval_s",
        "paused",
    )

    def __init__(
        self,
        interval_s: float,
        first_s: float | None = None,
        *,
        lifetime: float = math.inf,
        least_s: float = 1.0,
        random: Callable[[], float] = usual_random,
    ) -> None:
        if not 0 < interval_s < math.inf or (first_s is not None and not 0 <= first_s < math.inf):
            msg = f"needs interval_s > 0 and first_s >= 0, not {interval_s} and {first_s}"
            raise ValueError(msg)
        self.interval_s = interval_s
        self.paused = False
        self.ended: Ended | None = None
        self._first_s = first_s
        self._lifetime = lifetime
        self._least_s = least_s
        self._random = random
        self._due_at: float | None = None
        self._expires_at = math.inf
        self._failures = 0
        self._slow = 1.0

    @property
    def due_at(self) -> float | None:
        """When the next call is due; ``None`` while paused, before the beginning and after the end."""
        return None if self.paused or self.ended else self._due_at

    @property
    def begun(self) -> bool:
        """Whether it is known when the first call comes."""
        return self._due_at is not None

    @property
    def failures(self) -> int:
        """Calls in a row that failed, or that a breaker did not let through."""
        return self._failures

    def begin(self, now: float) -> None:
        """Start; once begun, nothing happens."""
        if self._due_at is None:
            first_s = self._random() * self.interval_s if self._first_s is None else self._first_s
            self._due_at = now + first_s
            self._expires_at = now + self._lifetime * self.interval_s

    def pause(self) -> None:
        """Hidden: no calls until :meth:`resume`. The reply to one that is under way still counts."""
        self.paused = True

    def resume(self, now: float, wait_s: Callable[[], float] = lambda: 0.0) -> None:
        """Seen again: call when it is due.

        Args:
            now: The time.
            wait_s: How long to wait where it is due already, in seconds; asked only then.
        """
        if self.paused and self._due_at is not None and self._due_at <= now:
            self._due_at = now + wait_s()
        self.paused = False

    def end(self, ended: Ended) -> None:
        """It is over; the first reason stays."""
        if self.ended is None:
            self.ended = ended

    def failed(self, now: float, error: EventliveError) -> float | None:
        """A call failed, or was not sent.

        Returns:
            How long to wait, in seconds; ``None`` when it is over.
        """
        if self.ended is not None:
            return None
        if not (error.retry or isinstance(error, ServerError)):
            self.end(Ended(error.token, error=error))
            return None
        if isinstance(error, RateLimitedError) and error.retry_after_s is None:
            self._slow = min(self._slow * 2, self._slowest())
        self._failures += 1
        delay_s = self._delay_after(now, error)
        self._due_at = now + delay_s
        return delay_s

    def _replied(self, now: float, next_s: float, *, written: bool = True) -> None:
        """There was a reply; ``written`` says whether it began a new interval, and a new life."""
        if written:
            self.interval_s = max(next_s, self._least_s)
            self._expires_at = now + self._lifetime * self.interval_s
        self._due_at = now + max(next_s, self._least_s) * self._slow
        self._failures = 0
        self._slow = max(self._slow / 2, 1.0)

    def _delay_after(self, now: float, error: EventliveError) -> float:
        interval_s, chance = self.interval_s, self._random()
        left_s = _SAFE * (self._expires_at - now)
        if error.retry_after_s is not None:
            floor_s = max(error.retry_after_s, 0.0)
            left_s -= floor_s
            window_s = min(self._failures, 2) * interval_s
            return floor_s + chance * (left_s if interval_s <= left_s < window_s else window_s)
        if isinstance(error, RateLimitedError):
            least_s, most_s = self._slow * interval_s / 2, self._slow * interval_s
            return least_s + chance * ((left_s if least_s < left_s < most_s else most_s) - least_s)
        window_s = min(_CAP, 2.0 ** min(self._failures, 8)) * interval_s
        # Not when less than an interval is left: a window that shrinks towards the end would be a herd.
        if interval_s <= left_s < window_s:
            return left_s * (1 + chance) / 2
        return window_s * chance

    def _slowest(self) -> float:
        """A longer interval than this would lose the session by itself."""
        return min(_CAP, max(_SAFE * self._lifetime, 1.0))


class HeartbeatSchedule(Schedule):
    """When to send the heartbeats of a session.

    Args:
        interval_s: ``next_heartbeat_s`` of the entry, in seconds.
        first_s: ``first_heartbeat_s`` of the entry, in seconds.
        lifetime: The setting ``expiry_factor``, where it is not 2.5.
        least_s: No reply is followed by a call sooner than this, in seconds.
        random: Gives numbers from 0 up to 1.

    Attributes:
        fallback_poll_s: How often the server last said to poll for messages if Realtime is lost, in seconds; ``None``
            until it answered a heartbeat. The reply to entering says it for a hall that may not have been counted yet:
            all who came in at once would poll as often as the first of them may.
    """

    __slots__ = ("fallback_poll_s",)

    def __init__(
        self,
        interval_s: float = _USUAL_S,
        first_s: float | None = None,
        *,
        lifetime: float = _LIFETIME,
        least_s: float = 1.0,
        random: Callable[[], float] = usual_random,
    ) -> None:
        super().__init__(interval_s, first_s, lifetime=lifetime, least_s=least_s, random=random)
        self.fallback_poll_s: float | None = None

    @classmethod
    def after_entry(cls, entry: Entry, *, random: Callable[[], float] = usual_random) -> HeartbeatSchedule:
        """As the reply to ``webinar_enter`` says."""
        return cls(entry.next_heartbeat_s, entry.first_heartbeat_s, random=random)

    def replied(self, now: float, reply: Heartbeat) -> None:
        """A heartbeat was answered."""
        if reply.fallback_poll_interval_s is not None:
            self.fallback_poll_s = reply.fallback_poll_interval_s
        if reply.state != "open":
            self.end(Ended(reply.state, reply.replaced_by))
        else:
            since_s = now - (self._expires_at - self._lifetime * self.interval_s)
            next_s = self.interval_s if reply.next_heartbeat_s is None else reply.next_heartbeat_s
            self._replied(now, next_s, written=since_s >= _EARLY * self.interval_s)
            if self.fallback_poll_s is None:  # a server that does not say it
                self.fallback_poll_s = self.interval_s


class PollSchedule(Schedule):
    """When to poll. The first time is at random, so that clients that lose Realtime together do not poll together.

    Args:
        interval_s: The interval until the server issues another, in seconds. The larger the audience the longer it has
            to be: who has no heartbeats takes the interval of these, ``session_heartbeat_interval_s``.
        first_s: When the first poll comes, in seconds; ``None``: at random within the interval.
        beats: The heartbeats of the same session, which say the interval; until the first was answered, :meth:`begin`
            has to be called again, and where they end before, it ends with them.
        least_s: No reply is followed by a poll sooner than this, in seconds.
        random: Gives numbers from 0 up to 1.
    """

    __slots__ = ("_beats",)

    def __init__(
        self,
        interval_s: float = _USUAL_S,
        first_s: float | None = None,
        *,
        beats: HeartbeatSchedule | None = None,
        least_s: float = 1.0,
        random: Callable[[], float] = usual_random,
    ) -> None:
        super().__init__(interval_s, first_s, least_s=least_s, random=random)
        self._beats = beats

    def begin(self, now: float) -> None:
        """Start, where the server has said how often; once begun, nothing happens."""
        if self._beats is None or self.begun:
            super().begin(now)
        elif self._beats.fallback_poll_s is not None:
            self.interval_s = self._beats.fallback_poll_s
            super().begin(now)
        elif self._beats.ended is not None:
            self.end(self._beats.ended)

    def replied(self, now: float, reply: PollReply) -> None:
        """A poll was answered, and its messages were taken."""
        if reply.next_poll_s is None:
            self.end(Ended("ended"))
        else:
            self._replied(now, reply.next_poll_s)
