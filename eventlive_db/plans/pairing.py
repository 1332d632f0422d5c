"""Which things of two lists belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def pair(
    before: Iterable[T], after: Iterable[T], *keys: Callable[[T], object]
) -> tuple[list[tuple[T, T]], list[T], list[T]]:
    """Pair what is equal under the first key, then the rest under the next; what finds no partner is left."""
    pairs: list[tuple[T, T]] = []
    gone, added = list(before), list(after)
    for key in keys:
        for old in tuple(gone):
            new = next((new for new in added if key(new) == key(old)), None)
            if new is not None:
                gone.remove(old)
                added.remove(new)
                pairs.append((old, new))
    return pairs, gone, added


def without_first(items: list[T], matches: Callable[[T], bool]) -> list[T]:
    """The items but for the first one that matches."""
    found = next((n for n, item in enumerate(items) if matches(item)), None)
    return items if found is None else items[:found] + items[found + 1 :]
