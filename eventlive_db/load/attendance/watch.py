"""How much watch time an export promises, to compare with what a replay measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eventlive_db.load.attendance.model import Attendance


@dataclass(frozen=True, slots=True)
class PersonWatch:
    """The watch time of one person, in seconds.

    Attributes:
        person_key: as in :attr:`Attendance.person_key`.
        sessions: how many rows this person has.
        summed_seconds: every session counted on its own: two devices for one hour are two hours.
        union_seconds: time with at least one session: two devices for one hour are one hour.
    """

    person_key: str
    sessions: int
    summed_seconds: float
    union_seconds: float


@dataclass(frozen=True, slots=True)
class WatchSeconds:
    """The watch time of everyone, in seconds.

    Attributes:
        people: one entry a person, in the order of their first row.
        summed_seconds: the sum of every session.
        union_seconds: the sum over people of the time each had at least one session.
    """

    people: tuple[PersonWatch, ...]
    summed_seconds: float
    union_seconds: float


def expected_watch_seconds(rows: Iterable[Attendance]) -> WatchSeconds:
    """The watch time the rows add up to, per person and in total, with overlaps counted twice and once.

    Args:
        rows: the sessions of one event, in any order.
    """
    by_person: dict[str, list[Attendance]] = {}
    for row in rows:
        by_person.setdefault(row.person_key, []).append(row)
    people = tuple(
        PersonWatch(key, len(sessions), sum(row.seconds for row in sessions), _union_seconds(sessions))
        for key, sessions in by_person.items()
    )
    return WatchSeconds(
        people,
        sum(person.summed_seconds for person in people),
        sum(person.union_seconds for person in people),
    )


def _union_seconds(rows: Iterable[Attendance]) -> float:
    total = 0.0
    covered_until = None
    for row in sorted(rows, key=lambda row: row.joined_at):
        start = row.joined_at if covered_until is None else max(row.joined_at, covered_until)
        if row.left_at > start:
            total += (row.left_at - start).total_seconds()
            covered_until = row.left_at
    return total
