"""Posts notices from a thread of its own: a slow or failing receiver never holds up the watch."""

from __future__ import annotations

import random as chance
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventlive_db.watch.alarms import Key, Notice
from eventlive_db.watch.posting import Outcome, Post
from eventlive_db.watch.waiting import Entry, Gather, Waiting

Encode = Callable[[Sequence[Notice]], tuple[bytes, dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a notice is tried for.

    Attributes:
        tries: Attempts in a row for one post; then what else waits goes first.
        max_age_s: An older notice is dropped, in seconds.
        asked_s: A receiver that asks for a longer pause gets this one, in seconds.
        base_s: The longest first pause between two tries; each further one's is twice as long.
        cap_s: No pause is longer, but for one that the receiver asks for.
    """

    tries: int = 8
    max_age_s: float = 86400.0
    asked_s: float = 3600.0
    base_s: float = 1.0
    cap_s: float = 120.0


class Delivery:
    """Posts what it is given, the urgent first, each until it arrives, is refused or too old.

    Args:
        post: One attempt.
        encode: Notices as one body and its headers.
        report: Told, from the thread, of a notice that is given up, and of a receiver that fails again and again, in a
            sentence without any secret.
        gather: How many of the notices that wait go into one post. Default: each has its own.
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
        gather: Gather = lambda _: 1,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] | None = None,
        random: Callable[[], float] = chance.random,
    ) -> None:
        self._post, self._encode, self._report, self._gather = post, encode, report, gather
        self._patience = patience or Patience()
        self._clock, self._random = clock, random
        self._pause = pause or self._wait
        self._waiting = Waiting(self._patience.tries)
        self._current: list[Entry] = []
        self._left: list[Entry] = []
        self._changed = threading.Condition()
        self._ending = False
        self._until = float("inf")
        self._not_before = self._asked_until = float("-inf")
        self._failures = 0
        self._said = ""
        self.counts: Counter[str] = Counter()
        """Notices so far, by outcome: ``sent``, ``failed``, ``dropped``."""
        self._thread = threading.Thread(target=self._run, name="eventlive-notices", daemon=True)
        self._thread.start()

    def put(self, *notices: Notice) -> None:
        """Have them posted; returns at once."""
        with self._changed:
            for notice in notices:
                self._waiting.put(notice, self._clock())
            self._changed.notify_all()

    def undelivered(self) -> list[Notice]:
        """Those that wait, and those that are being posted."""
        with self._changed:
            return [*(entry.notice for entry in (*self._left, *self._current)), *self._waiting.notices()]

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
        while self._has_work():
            self._hold()
            with self._changed:
                old = self._waiting.drop(self._clock() - self._patience.max_age_s)
                if self._ending and self._clock() < self._asked_until:
                    return
                self._current = self._waiting.take(self._gather)
            for notice in old:
                self._give_up(notice, "dropped", "; ".join(filter(None, ("it waited for too long", self._said))))
            if self._current:
                self._deliver(self._current)

    def _has_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            return bool(self._waiting) and self._clock() < self._until

    def _deliver(self, entries: list[Entry]) -> None:
        """One attempt, and what comes of it."""
        outcome = self._post(*self._encode([entry.notice for entry in entries]))
        again: list[Entry] = []
        if outcome.verdict == "failed":
            again = entries
            self._fail(outcome)
        else:
            self._failures, self._said = 0, ""
        if outcome.verdict == "delivered":
            self._count("sent", len(entries))
        elif outcome.verdict == "refused" and len(entries) == 1:
            self._give_up(entries[0].notice, "failed", outcome.said)
        elif outcome.verdict == "refused":
            again = entries
            for entry in entries:
                # It may be for one of them.
                entry.alone = True
        with self._changed:
            self._current = []
            for entry in again:
                entry.tries += 1
            if self._ending and outcome.verdict == "failed":
                self._left += again
            else:
                self._waiting.put_back(again)
            waiting = len(self._waiting)
        if self._failures == self._patience.tries and again:
            self._report(
                f"notices cannot be posted: {outcome.said}, {self._failures} times in a row;"
                f" {waiting} wait and are tried on"
            )

    def _fail(self, outcome: Outcome) -> None:
        """Nothing is posted for a while: what the receiver asks for, and full jitter on top of it."""
        self._failures += 1
        self._said = outcome.said
        bound = min(self._patience.cap_s, self._patience.base_s * 2.0 ** min(self._failures - 1, 30))
        now = self._clock()
        self._asked_until = now + min(outcome.retry_after_s or 0.0, self._patience.asked_s)
        self._not_before = self._asked_until + self._random() * bound

    def _hold(self) -> None:
        while not self._ending and (left := self._not_before - self._clock()) > 0:
            self._pause(left)

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ending, seconds)

    def _count(self, outcome: str, number: int = 1) -> None:
        with self._changed:
            self.counts[outcome] += number

    def _give_up(self, notice: Notice, outcome: str, why: str) -> None:
        self._count(outcome)
        name = f"{notice.reading.rule} {notice.reading.subject}".strip()
        self._report(f"the notice that {name} is {notice.state} was not posted: {why}")
