"""Figures that only two looks give: differences of counters, and the age of a transaction id in seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from eventlive_db.watch.figures import TableFigures

MIN_UPDATES = 1000
"""Updates in a window below which their share of heap-only ones says nothing."""

_MOST = 1000


class Updates:
    """Counters of updates of one table over a window."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int, int]] = deque(maxlen=_MOST)

    def add(self, table: TableFigures, now: float, window_s: float) -> None:
        """Take in one look. Counters that go back were reset, and what was before says nothing."""
        if self._looks and (table.updates < self._looks[-1][1] or table.hot_updates < self._looks[-1][2]):
            self._looks.clear()
        # Looks at one moment would be one.
        if self._looks and self._looks[-1][0] == now:
            self._looks.pop()
        self._looks.append((now, table.updates, table.hot_updates))
        # The one at or before the window's beginning stays: the difference is taken to it.
        while len(self._looks) > 2 and self._looks[1][0] <= now - window_s:
            self._looks.popleft()

    def difference(self) -> tuple[int, float | None]:
        """Updates over the window, and the share of heap-only ones; none where there are too few."""
        if len(self._looks) < 2:
            return 0, None
        (_, first, first_hot), (_, last, last_hot) = self._looks[0], self._looks[-1]
        updates = last - first
        return updates, (last_hot - first_hot) / updates if updates > MIN_UPDATES else None


class Transactions:
    """Which transaction id came when, so that the age of one is known in seconds at least.

    For a replication slot the server knows no time. A slot that holds back id x is at least as old as the first look
    that found x given out already.
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque(maxlen=_MOST)

    def add(self, next_xid: int, now: float, keep_s: float) -> None:
        """Take in one look.

        Args:
            next_xid: The id that is given out next.
            now: Seconds that only grow.
            keep_s: Ages up to this one have to be told apart, in seconds.
        """
        if self._looks and next_xid < self._looks[-1][1]:
            self._looks.clear()  # another server
        # Looks are thinned out so that they reach as far back as needed.
        if not self._looks or now - self._looks[-1][0] >= keep_s / (_MOST - 2):
            self._looks.append((now, next_xid))
        while len(self._looks) > 2 and self._looks[1][0] <= now - keep_s:
            self._looks.popleft()

    def age_s(self, age_xids: int, next_xid: int, now: float) -> float | None:
        """For how long at least an id has been given out, in seconds; none where that is not known.

        Args:
            age_xids: How many ids were given out since, as ``age()`` says.
            next_xid: The id that is given out next.
            now: Seconds that only grow.
        """
        held = next_xid - age_xids
        seen = [at for at, next_then in self._looks if next_then > held]
        if age_xids == 0:
            return 0.0
        # One look, or all within it: nothing says for how long.
        return now - min(seen) if seen and now > min(seen) else None


def named(tables: Sequence[TableFigures], name: str) -> TableFigures | None:
    """The table of that name."""
    return next((table for table in tables if table.name == name), None)
