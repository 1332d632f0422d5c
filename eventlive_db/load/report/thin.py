"""Long series made short without losing a spike, a dip or a gap."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

LONGEST = 1500
"""Series of up to so many points are drawn as they are."""
BUCKETS = 375
"""Longer ones keep four points of each of so many equal parts of the time."""

Point = tuple[float, float | None]


def thinned(times: Sequence[float], values: Sequence[float | None]) -> list[Point]:
    """The points to draw, in order.

    Of each part of the time stay the first value, the last, the lowest and the highest, at their own times: at this
    width a line through them covers the same pixels as one through all. A gap stays a gap: between two values that are
    kept stands None where there was one. Source: Jugel and others, "M4: A Visualization-Oriented Time Series Data
    Aggregation", VLDB 2014.
    """
    if len(times) <= LONGEST:
        return list(zip(times, values, strict=True))
    known = [(index, value) for index, value in enumerate(values) if value is not None]
    if not known:
        return []
    first, span = times[0], times[-1] - times[0] or 1.0
    kept: list[int] = []
    for _, group in itertools.groupby(known, key=lambda at: int((times[at[0]] - first) / span * BUCKETS)):
        part = list(group)
        low, high = min(part, key=lambda at: at[1]), max(part, key=lambda at: at[1])
        kept += sorted({part[0][0], low[0], high[0], part[-1][0]})
    return _with_gaps(times, values, kept)


def _with_gaps(times: Sequence[float], values: Sequence[float | None], kept: Sequence[int]) -> list[Point]:
    missing = [0, *itertools.accumulate(value is None for value in values)]
    points: list[Point] = [(times[kept[0]], values[kept[0]])]
    for before, after in itertools.pairwise(kept):
        if missing[after] > missing[before]:
            points.append((times[before], None))
        points.append((times[after], values[after]))
    return points
