"""Thousands of loops and a server that goes away and comes back, in virtual time, with the real schedule and breaker.

Only the network is made up: an answer takes 50 ms, a failure 10 ms, and the server keeps sessions as the database does:
the issued interval varies by a tenth, and a session expires 2.5 of them after its last heartbeat.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eventlive_db.client.errors import CircuitOpenError, EventliveError, UnavailableError
from eventlive_db.client.loops.schedule import HeartbeatSchedule
from eventlive_db.client.replies import Heartbeat
from eventlive_db.client.resilience import Breaker, Permit

ANSWER_S = 0.05
FAILURE_S = 0.01
WINDOW_S = 10.0

MakeSchedule = Callable[[float, Callable[[], float]], HeartbeatSchedule]


@dataclass
class Outcome:
    """What came of it: when calls were sent, and which sessions expired."""

    sent: list[float] = field(default_factory=list)
    expired: set[int] = field(default_factory=set)
    blocked: int = 0

    def worst_window(self, begin: float, end: float) -> int:
        """The most calls in any ten seconds between two times."""
        times = [at for at in self.sent if begin <= at < end]
        return max((bisect_left(times, at + WINDOW_S) - i for i, at in enumerate(times)), default=0)


@dataclass
class Herd:
    """Loops that beat against one server.

    Args:
        count: How many.
        interval_s: What the server issues, in seconds.
        away: From when to when it does not answer.
        shared: One breaker for all of them, as in a gateway; else one each, as in a browser.
        retry_after: Whether it says, while away, when it will be back.
        make: The schedule of each; the negative controls have others.
    """

    count: int
    interval_s: float
    away: tuple[float, float]
    shared: bool
    retry_after: bool = False
    make: MakeSchedule = lambda interval_s, chance: HeartbeatSchedule(interval_s, random=chance)
    seed: int = 1
    now: float = 0.0

    def run(self, until: float) -> Outcome:
        """Let them beat until then."""
        chance = random.Random(self.seed)
        schedules = [self.make(self.interval_s, chance.random) for _ in range(self.count)]
        one = self._breaker(chance)
        breakers = [one if self.shared else self._breaker(chance) for _ in range(self.count)]
        expires = [2.5 * self.interval_s] * self.count
        outcome = Outcome()
        events: list[tuple[float, int, Permit | None]] = []
        for number, schedule in enumerate(schedules):
            schedule.begin(0.0)
            self._put(events, schedule, number)
        while events and events[0][0] < until:
            self.now, number, permit = heapq.heappop(events)
            schedule = schedules[number]
            if permit is None:
                try:
                    permit = breakers[number].permit()
                except CircuitOpenError as error:
                    outcome.blocked += 1
                    schedule.failed(self.now, error)
                    self._put(events, schedule, number)
                else:
                    outcome.sent.append(self.now)
                    heapq.heappush(events, (self.now + (FAILURE_S if self._is_away() else ANSWER_S), number, permit))
                continue
            if failure := self._failure():
                permit.failed(failure)
                schedule.failed(self.now, failure)
            else:
                permit.succeeded()
                if self.now > expires[number]:
                    outcome.expired.add(number)
                issued_s = self.interval_s * (0.9 + 0.2 * chance.random())
                expires[number] = self.now + 2.5 * issued_s
                schedule.replied(self.now, _reply(issued_s))
            self._put(events, schedule, number)
        return outcome

    def _breaker(self, chance: random.Random) -> Breaker:
        return Breaker(clock=lambda: self.now, random=chance.random)

    def _is_away(self) -> bool:
        return self.away[0] <= self.now < self.away[1]

    def _failure(self) -> EventliveError | None:
        if not self._is_away():
            return None
        after_s = self.away[1] - self.now if self.retry_after else None
        return UnavailableError(503, "unavailable", retry_after_s=after_s)

    @staticmethod
    def _put(events: list[tuple[float, int, Permit | None]], schedule: HeartbeatSchedule, number: int) -> None:
        assert schedule.due_at is not None
        heapq.heappush(events, (schedule.due_at, number, None))


_NOW = datetime.now(UTC)


def _reply(issued_s: float) -> Heartbeat:
    return Heartbeat(state="open", next_heartbeat_s=issued_s, server_time=_NOW, settings_version="1")
