"""Posts notices from a thread of its own: a slow or failing receiver never holds up the watch."""

from __future__ import annotations

import random as chance
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from eventlive_db.watch.alarms import Key, Notice
from eventlive_db.watch.posting import Outcome, Post

Encode = Callable[[Notice], tuple[bytes, dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a notice is tried for.

    Attributes:
        tries: Attempts for one notice.
        max_age_s: An older notice is dropped, in seconds; a receiver that asks for a longer pause gets this one.
        base_s: The longest first pause between two tries; each further one's is twice as long.
        cap_s: No pause is longer, but for one that the receiver asks for.
        queue: Notices that wait; beyond it the oldest is dropped.
    """

    tries: int = 8
    max_age_s: float = 3600.0
    base_s: float = 1.0
    cap_s: float = 120.0
    queue: int = 100


class Delivery:
    """Posts what it is given, in order, each until it arrives, is refused or too old.

    Args:
        post: One attempt.
        encode: A notice as body and headers.
        report: Told, from the thread, of a notice that is given up, in a sentence without any secret.
        patience: How long it tries.
        clock: Seconds that only grow.
        pause: Waits so many seconds, or less if the delivery is to end. Default: really waits.
        random: Gives numbers from 0 up to 1.
    """

    def __init__(
        self,
        post: Post,
        encode: Encode,
        report: Callable[[str], None],
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] | None = None,
        random: Callable[[], float] = chance.random,
    ) -> None:
        self._post, self._encode, self._report = post, encode, report
        self._patience = patience or Patience()
        self._clock, self._random = clock, random
        self._pause = pause or self._wait
        self._waiting: deque[tuple[Notice, float]] = deque()
        self._current: Notice | None = None
        self._left: list[Notice] = []
        self._changed = threading.Condition()
        self._ending = False
        self._until = float("inf")
        self._not_before = self._asked_until = float("-inf")
        self.counts: Counter[str] = Counter()
        """Notices so far, by outcome: ``sent``, ``failed``, ``dropped``."""
        self._thread = threading.Thread(target=self._run, name="eventlive-notices", daemon=True)
        self._thread.start()

    def put(self, notice: Notice) -> None:
        """Have it posted; returns at once."""
        with self._changed:
            self._waiting.append((notice, self._clock()))
            full = len(self._waiting) > self._patience.queue
            oldest = self._waiting.popleft()[0] if full else None
            self._changed.notify_all()
        if oldest is not None:
            self._give_up(oldest, "dropped", f"more than {self._patience.queue} wait")

    def undelivered(self) -> list[Notice]:
        """Those that wait, and the one that is being posted."""
        with self._changed:
            return [*self._left, *([self._current] if self._current else []), *(notice for notice, _ in self._waiting)]

    def undelivered_keys(self) -> set[Key]:
        """Of which alarms."""
        return {notice.reading.key for notice in self.undelivered()}

    def close(self, grace_s: float = 5.0) -> list[Notice]:
        """End: what waits gets one more try each, while there is time and the receiver has not asked for a pause.

        Args:
            grace_s: Longest time this takes, in seconds.

        Returns:
            What has not arrived, or not surely so.
        """
        with self._changed:
            self._ending = True
            self._until = self._clock() + grace_s
            self._changed.notify_all()
        self._thread.join(grace_s)
        return self.undelivered()

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            done = self._deliver(*taken)
            with self._changed:
                self._current = None
                if not done:
                    self._left.append(taken[0])

    def _take(self) -> tuple[Notice, float] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            if not self._waiting or self._clock() >= self._until:
                return None
            taken = self._waiting.popleft()
            self._current = taken[0]
            return taken

    def _deliver(self, notice: Notice, put_at: float) -> bool:
        """Whether it is done with, one way or another; false where the delivery ends before."""
        body, headers = self._encode(notice)
        for tries in count(1):
            self._hold()
            if self._clock() - put_at > self._patience.max_age_s:
                return self._give_up(notice, "dropped", "it is too old by now")
            if self._ending and self._clock() < self._asked_until:
                return False
            outcome = self._post(body, headers)
            if outcome.verdict == "delivered":
                self._count("sent")
                return True
            if outcome.verdict == "refused":
                return self._give_up(notice, "failed", outcome.said)
            if tries >= self._patience.tries:
                return self._give_up(notice, "failed", f"{outcome.said}, {tries} times")
            if self._ending:
                return False
            self._postpone(tries, outcome)
        raise AssertionError

    def _postpone(self, tries: int, outcome: Outcome) -> None:
        """Nothing is posted for a while: what the receiver asks for, and full jitter on top of it."""
        bound = min(self._patience.cap_s, self._patience.base_s * 2.0 ** min(tries - 1, 30))
        now = self._clock()
        self._asked_until = now + min(outcome.retry_after_s or 0.0, self._patience.max_age_s)
        self._not_before = self._asked_until + self._random() * bound

    def _hold(self) -> None:
        while not self._ending and (left := self._not_before - self._clock()) > 0:
            self._pause(left)

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ending, seconds)

    def _count(self, outcome: str) -> None:
        with self._changed:
            self.counts[outcome] += 1

    def _give_up(self, notice: Notice, outcome: str, why: str) -> bool:
        self._count(outcome)
        name = f"{notice.reading.rule} {notice.reading.subject}".strip()
        self._report(f"the notice that {name} is {notice.state} was not posted: {why}")
        return True
