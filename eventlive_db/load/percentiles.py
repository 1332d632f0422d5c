"""The one definition of a percentile, so that figures of different runs are of the same kind."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles


def percentile(values: Sequence[float], percent: int) -> float | None:
    """What so many percent of the values do not exceed, with what lies between two of them; None where there is none.

    Args:
        values: In any order and unit.
        percent: From 1 to 99.
    """
    if not values:
        return None
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]
