"""How many, how fast: counts by the second, and offending lines."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from eventlive_db.logs import LogEvent, redact
from eventlive_db.verify.model import Evidence

MINUTE_S = 60
_TEXT_MAX = 400


@dataclass(slots=True)
class Rate:
    """How often something happened; as large as the seconds in which it did, however often."""

    by_second: Counter[int] = field(default_factory=Counter)

    def add(self, at: datetime) -> None:
        """Count one."""
        self.by_second[int(at.timestamp())] += 1

    @property
    def total(self) -> int:
        """How many at any time."""
        return self.by_second.total()

    def within(self, window: Window) -> int:
        """How many in a window, by the second."""
        return self.count(window.since, window.until)

    def count(self, begin: datetime, end: datetime) -> int:
        """How many from ``begin`` to ``end``, by the second."""
        low, high = int(begin.timestamp()), int(end.timestamp())
        return sum(number for second, number in self.by_second.items() if low <= second <= high)

    def peak_per_minute(self, begin: datetime, end: datetime) -> int:
        """The most in any 60 seconds: a storm need not begin with the minute."""
        low, high = int(begin.timestamp()), int(end.timestamp())
        window: deque[tuple[int, int]] = deque()
        inside = peak = 0
        for second in sorted(second for second in self.by_second if low <= second <= high):
            window.append((second, self.by_second[second]))
            inside += self.by_second[second]
            while window[0][0] <= second - MINUTE_S:
                inside -= window.popleft()[1]
            peak = max(peak, inside)
        return peak


def longest_pause(rate: Rate, window: Window, floor: timedelta, many: int) -> tuple[datetime, timedelta, int] | None:
    """The longest time of a window without any, where as long a time before it had many.

    Args:
        rate: What should have gone on; what was before the window counts too.
        window: What is judged.
        floor: Shorter ones are no matter.
        many: So many before it should have been followed by others.

    Returns:
        When it began, how long it was, and how many there were before it.
    """
    low, high = int(window.since.timestamp()), int(window.until.timestamp())
    seconds = sorted(second for second in rate.by_second if second <= high)
    sums = [0, *accumulate(rate.by_second[second] for second in seconds)]
    longest: tuple[int, int, int] | None = None
    for index, last in enumerate(seconds):
        begin = max(last, low)
        length = (seconds[index + 1] if index + 1 < len(seconds) else high) - begin
        if length <= floor.total_seconds() or (longest and length <= longest[1]):
            continue
        before = sums[index + 1] - sums[bisect_left(seconds, last - length)]
        if before >= many:
            longest = begin, length, before
    if longest is None:
        return None
    return datetime.fromtimestamp(longest[0], UTC), timedelta(seconds=longest[1]), longest[2]


def unexplained(effects: Rate, causes: Rate, begin: datetime, end: datetime) -> int:
    """How many effects from ``begin`` to ``end`` have no cause of their own within a minute of them."""
    low, high = int(begin.timestamp()), int(end.timestamp())
    left = deque(sorted(causes.by_second.items()))
    alone = 0
    for second in sorted(second for second in effects.by_second if low <= second <= high):
        number = effects.by_second[second]
        # The earliest first: the later ones are left for later effects.
        while number and left and left[0][0] <= second + MINUTE_S:
            at, there = left.popleft()
            if at < second - MINUTE_S:
                continue
            used = min(number, there)
            number -= used
            if there > used:
                left.appendleft((at, there - used))
        alone += number
    return alone


@dataclass(slots=True)
class Offences:
    """Lines that count against a check, of which the first and the last are kept."""

    rate: Rate = field(default_factory=Rate)
    total: int = 0
    first: LogEvent | None = None
    last: LogEvent | None = None

    def add(self, event: LogEvent) -> None:
        """Count one; logs are read one after the other, so the first to come need not be the first."""
        self.total += 1
        self.rate.add(event.at)
        if self.first is None or event.at < self.first.at:
            self.first = event
        if self.last is None or event.at >= self.last.at:
            self.last = event

    def evidence(self) -> tuple[Evidence | None, Evidence | None]:
        """The first and the last of them, as a report shows them."""
        return (
            evidence(self.first) if self.first else None,
            evidence(self.last) if self.last and self.total > 1 else None,
        )


def evidence(event: LogEvent) -> Evidence:
    """A line as a report shows it: on one line, short, and without personal data."""
    parts = [event.message]
    if event.path and event.path not in event.message:
        parts.append(f"{event.method or ''} {event.path}".strip())
    if event.statement:
        parts.append(f"statement: {event.statement}")
    who = [f"{name} {value}" for name, value in (("user", event.user), ("application", event.application)) if value]
    # Each by itself: a quote that one of them leaves open ends with it. Cut only behind the redaction, since half of an
    # address would not be known for one.
    text = "; ".join(redact(part) for part in (*parts, *([", ".join(who)] if who else [])))
    whole = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return Evidence(event.file, event.line, event.at, whole if len(whole) <= _TEXT_MAX else whole[:_TEXT_MAX] + "…")


@dataclass(frozen=True, slots=True)
class Window:
    """What is judged: from ``since`` to ``until``; ``until`` moves while logs are watched."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.until - self.since

    @property
    def minutes(self) -> float:
        """The same in minutes; a window of less than one counts as one."""
        return max(self.length.total_seconds() / MINUTE_S, 1.0)

    def holds(self, event: LogEvent) -> bool:
        """Whether an event is inside."""
        return self.since <= event.at <= self.until

    def before(self) -> Window:
        """The time of the same length before it."""
        return Window(self.since - self.length, self.since - timedelta(seconds=1))
