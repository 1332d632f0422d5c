"""Axes: which values they reach, and where their ticks are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from eventlive_db.load.report.numbers import number

FAR = 2.5
"""A limit beyond this many times the highest value is told beside a linear plot, not drawn in it."""
_TICKS = 5
_TIME_TICKS = 7
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Scale:
    """An upright axis.

    Attributes:
        low: At its foot.
        high: At its head.
        log: Whether equal ratios are equally far.
        ticks: Values to name.
    """

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """How far up a value is: 0 at the foot, 1 at the head; on a log axis what is below the foot lies on it."""
        if not self.log:
            return (value - self.low) / (self.high - self.low)
        if value <= self.low:
            return 0.0
        # Not the logarithm of a ratio, which may be beyond what a number holds.
        return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))


def scale_for(values: Sequence[float], limit: float | None, *, log: bool) -> Scale:
    """The axis for values.

    A linear one begins at zero, and reaches the limit where that is not so far off that the lines would be flat. A
    log one begins below the lowest value above zero, and always reaches the limit; without any value above zero it
    is a linear one.
    """
    positive = [value for value in values if value > 0]
    if log and positive:
        return _logarithmic(positive if limit is None or limit <= 0 else [*positive, limit])
    high, low = max(values, default=0.0), min(values, default=0.0)
    if limit is not None and 0 < limit <= FAR * high:
        high = max(high, limit)
    if limit is not None and high <= 0:
        high = max(high, limit)
    whole = all(value == int(value) for value in values)
    return _linear(min(low, 0.0), max(high, 0.0), whole=whole)


def _linear(low: float, high: float, *, whole: bool) -> Scale:
    if low == high:
        high = low + 1
    step = _step((high - low) / _TICKS)
    if whole:
        step = max(1.0, step)
    bottom = math.floor(low / step + 1e-9)
    top = max(math.ceil(high / step - 1e-9), bottom + 1)
    return Scale(bottom * step, top * step, False, tuple(index * step for index in range(bottom, top + 1)))


def _step(least: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * 0.9999)


def _logarithmic(values: Sequence[float]) -> Scale:
    lowest, highest = min(values), max(values)
    bottom, top = math.floor(math.log10(lowest)), math.ceil(math.log10(highest))
    named = [factor * 10.0**power for power in range(bottom, top + 2) for factor in (1, 2, 5)]
    low = max(value for value in named if value <= lowest * 1.0001)
    high = next(value for value in named if value >= highest * 1.1)
    decades = math.log10(high) - math.log10(low)
    if decades <= 2:
        return Scale(low, high, True, tuple(value for value in named if low <= value <= high))
    every = math.ceil(decades / 6)
    ticks = (10.0**power for power in range(bottom, top + 2, every))
    return Scale(low, high, True, tuple(tick for tick in ticks if low <= tick <= high))


def time_ticks(end: float) -> tuple[list[tuple[float, str]], str]:
    """Ticks from zero up to the end of the time axis, each with its name, and the unit they are in.

    Args:
        end: In seconds, above zero.
    """
    least = end / _TIME_TICKS
    if least <= 1:
        step = _step(least)
    else:
        step = next((float(s) for s in _TIME_STEPS if s >= least), math.ceil(least / 86400) * 86400.0)
    times = [index * step for index in range(int(end / step * 1.0001) + 1)]
    if end <= 120:
        return [(t, number(t)) for t in times], "s"
    if step < 60:
        return [(t, f"{int(t) // 60}:{int(t) % 60:02}") for t in times], "min:s"
    if end <= 2 * 3600:
        return [(t, f"{int(t) // 60}") for t in times], "min"
    return [(t, f"{int(t) // 3600}:{int(t) // 60 % 60:02}") for t in times], "h:min"
