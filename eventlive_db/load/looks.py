"""What happened on a server between two looks at it: its counters only grow, so what counts is how fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar


class Look(Protocol):
    """One look; what was seen beside its time is up to the kind of look."""

    @property
    def t(self) -> float:
        """When, in seconds since the beginning."""


class UpdatesLook(Protocol):
    """One look at a table's updates, of which so many were HOT, since it was made."""

    @property
    def updates(self) -> float:
        """Rows updated."""

    @property
    def hot(self) -> float:
        """Of these, HOT."""


AnyLook = TypeVar("AnyLook", bound=Look)


def rate(
    before: AnyLook, after: AnyLook, counter: Callable[[AnyLook], float | None], unit: float = 1.0
) -> float | None:
    """How fast a counter grew between two looks, a second.

    Args:
        before: The first one.
        after: The second one.
        counter: What to take of each; None where it was not to be seen.
        unit: In which to tell it: 1e6 for megabytes of bytes.

    Returns:
        None where the counter was not to be seen, or no time had gone by.
    """
    first, last = counter(before), counter(after)
    if first is None or last is None or after.t <= before.t:
        return None
    return (last - first) / unit / (after.t - before.t)


def rates(
    looks: Sequence[AnyLook], counter: Callable[[AnyLook], float | None], unit: float = 1.0
) -> list[float | None]:
    """:func:`rate` between each look and the next: one value less than there are looks."""
    return [rate(before, after, counter, unit) for before, after in pairwise(looks)]


def hot_percent(before: UpdatesLook, after: UpdatesLook) -> float | None:
    """The part of the updates between two looks that was HOT, in percent; None where there were none."""
    updates = after.updates - before.updates
    return 100 * (after.hot - before.hot) / updates if updates > 0 else None


def hot_percents(looks: Sequence[UpdatesLook]) -> list[float | None]:
    """:func:`hot_percent` between each look and the next: one value less than there are looks."""
    return [hot_percent(before, after) for before, after in pairwise(looks)]
