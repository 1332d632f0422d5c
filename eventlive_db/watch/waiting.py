"""Notices that wait to be posted: the urgent ones first, and of one alarm its newest beginning and end alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from eventlive_db.watch.alarms import Key, Notice
from eventlive_db.watch.readings import URGENCY

Gather = Callable[[Sequence[Notice]], int]
"""How many of these, from the first on, one post can tell."""


@dataclass(slots=True, eq=False)
class Entry:
    """A notice that waits.

    Attributes:
        notice: What is told.
        since: When it was put, in seconds that only grow.
        number: Those that were put before have a smaller one.
        tries: Attempts so far.
        alone: It was refused together with others, and is to be tried by itself.
    """

    notice: Notice
    since: float
    number: int
    tries: int = 0
    alone: bool = False


class Waiting:
    """What waits. It is bounded by the number of alarms, so nothing is dropped for want of room.

    Used by one thread at a time.

    Args:
        tries: After so many attempts a notice goes behind those that had fewer.
    """

    def __init__(self, tries: int) -> None:
        self._tries = tries
        self._of: dict[Key, deque[Entry]] = {}
        self._put = 0

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def put(self, notice: Notice, now: float) -> None:
        """Have it wait. That an alarm fires replaces all that waits of the same alarm; that it is over comes behind."""
        self._put += 1
        entries = self._of.setdefault(notice.reading.key, deque())
        if notice.state == "firing":
            entries.clear()
        entries.append(Entry(notice, now, self._put))

    def take(self, gather: Gather) -> list[Entry]:
        """Those to post next, in one post; empty where nothing waits."""
        heads = sorted((entries[0] for entries in self._of.values()), key=self._place)
        if not heads:
            return []
        together = heads[:1] if heads[0].alone else [entry for entry in heads if not entry.alone]
        taken = together[: max(gather([entry.notice for entry in together]), 1)]
        for entry in taken:
            self._remove_first(entry.notice.reading.key)
        return taken

    def put_back(self, entries: Iterable[Entry]) -> None:
        """Have those wait again that were taken, but for what is not so any more."""
        for entry in entries:
            waiting = self._of.setdefault(entry.notice.reading.key, deque())
            if not any(newer.notice.state == "firing" for newer in waiting):
                waiting.appendleft(entry)

    def drop(self, before: float) -> list[Notice]:
        """Drop what was put before then."""
        old = [entry for entries in self._of.values() for entry in entries if entry.since < before]
        for entry in old:
            self._remove_first(entry.notice.reading.key)
        return [entry.notice for entry in old]

    def notices(self) -> list[Notice]:
        """All of them, in the order they were put."""
        entries = [entry for entries in self._of.values() for entry in entries]
        return [entry.notice for entry in sorted(entries, key=lambda entry: entry.number)]

    def _remove_first(self, key: Key) -> None:
        self._of[key].popleft()
        if not self._of[key]:
            del self._of[key]

    def _place(self, entry: Entry) -> tuple[int, int, int]:
        rule = entry.notice.reading.rule
        return entry.tries // self._tries, URGENCY.get(rule, len(URGENCY)), entry.number
