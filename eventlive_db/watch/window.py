"""Sliding windows in bounded memory: a bucket a second, never a list of events.

Times are seconds since 1970. A window of W seconds at time t is the W whole seconds that end with the one t lies in.
"""

from __future__ import annotations

import math
from collections import Counter

HORIZON_S = 3600
"""The longest window, in seconds: what is older is forgotten."""

QUANTILE_ERROR = 0.01
"""A quantile is never told too small, and at most by this part too large."""

_SMALLEST_S = 0.001
_LARGEST_S = 3600.0
_GROWTH = math.log1p(QUANTILE_ERROR)


class SlidingCount:
    """How many things happened, by the second."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()

    def add(self, at: float, now: float) -> None:
        """Count one.

        Args:
            at: When it happened; not after ``now``.
            now: The time it is.
        """
        if at > now - HORIZON_S:
            self._buckets[math.floor(at)] += 1
        if len(self._buckets) > HORIZON_S + 1:
            self._forget(now)

    def count(self, now: float, window_s: int) -> int:
        """How many within the window that ends now."""
        self._forget(now)
        first = math.floor(now) - window_s
        return sum(n for second, n in self._buckets.items() if first < second <= now)

    def _forget(self, now: float) -> None:
        oldest = math.floor(now) - HORIZON_S
        for second in [second for second in self._buckets if second <= oldest]:
            del self._buckets[second]


class SlidingQuantile:
    """Quantiles of durations, by the second: in each second a count for each class of about 1 % in width.

    Of each class the largest value is kept, so what is told was measured; it is at least the true quantile (nearest
    rank), and at most :data:`QUANTILE_ERROR` more. Below a millisecond and above an hour all are one class.
    """

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds: dict[int, dict[int, tuple[int, float]]] = {}

    def add(self, duration_s: float, at: float, now: float) -> None:
        """Count a duration.

        Args:
            duration_s: In seconds; what is no duration (negative, not finite) is left out.
            at: When it happened; not after ``now``.
            now: The time it is.
        """
        if at <= now - HORIZON_S or not 0 <= duration_s < math.inf:
            return
        classes = self._seconds.setdefault(math.floor(at), {})
        kind = _class_of(duration_s)
        count, largest = classes.get(kind, (0, 0.0))
        classes[kind] = (count + 1, max(largest, duration_s))
        if len(self._seconds) > HORIZON_S + 1:
            self._forget(now, HORIZON_S)

    def quantile(self, share: float, now: float, window_s: int) -> tuple[int, float | None]:
        """How many durations there are in the window that ends now, and the quantile, in seconds; none of nothing.

        Args:
            share: Such as 0.95.
            now: The time it is.
                window_s: Length of the window, in seconds; what is older is forgotten.
        """
        # A second of these is larger than a number, so only what the window needs is kept.
        self._forget(now, window_s)
        first = math.floor(now) - window_s
        counts: Counter[int] = Counter()
        largest: dict[int, float] = {}
        for second, classes in self._seconds.items():
            if first < second <= now:
                for kind, (count, value) in classes.items():
                    counts[kind] += count
                    largest[kind] = max(value, largest.get(kind, 0.0))
        total = counts.total()
        # Rounded, for 0.95 * 20 is a little more than 19.
        rank = math.ceil(round(share * total, 9))
        for kind in sorted(counts):
            rank -= counts[kind]
            if rank <= 0:
                return total, largest[kind]
        return 0, None

    def _forget(self, now: float, window_s: int) -> None:
        oldest = math.floor(now) - window_s
        for second in [second for second in self._seconds if second <= oldest]:
            del self._seconds[second]


def _class_of(duration_s: float) -> int:
    return math.ceil(math.log(min(max(duration_s, _SMALLEST_S), _LARGEST_S) / _SMALLEST_S) / _GROWTH)
