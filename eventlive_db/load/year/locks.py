"""What a session has locked, and for how long, as another session sees it in ``pg_locks``."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import psycopg

LOG = "eventlive.event_access_logs"

STRONG = frozenset({"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"})
"""Modes beside which nobody else can write."""

_QUERY = b"""
    select extract(epoch from clock_timestamp())::float8, l.relation::regclass::text, l.mode, l.granted
      from (values (1)) as always
      left join pg_locks l on l.pid = %s and l.locktype = 'relation'
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at what the session has locked.

    Attributes:
        at: When, in seconds of the server's clock.
        held: Kinds of what it had; see :func:`kinds_of`.
    """

    at: float
    held: frozenset[str]


def kinds_of(rows: Iterable[tuple[str | None, str | None, bool | None]]) -> frozenset[str]:
    """What is worth knowing of the locks of a session.

    Args:
        rows: For each lock the table, the mode, and whether the session has it or waits for it.
    """
    kinds = set()
    for table, mode, granted in rows:
        if table == LOG:
            kinds.add("any lock on the log" if granted else "waiting for the log")
            if granted and mode in STRONG:
                kinds.add("writers locked out of the log")
        elif table == f"{LOG}_default" and granted and mode in STRONG:
            kinds.add("writers locked out of the default partition")
    return frozenset(kinds)


KINDS = (
    "any lock on the log",
    "writers locked out of the log",
    "writers locked out of the default partition",
    "waiting for the log",
)


def longest(samples: Iterable[Sample]) -> dict[str, float]:
    """For each kind, the longest time that it was held: from the first sample that has it to the first that has not."""
    found = dict.fromkeys(KINDS, 0.0)
    since: dict[str, float] = {}
    for sample in samples:
        for kind in KINDS:
            if kind in sample.held:
                since.setdefault(kind, sample.at)
            if kind in since:
                found[kind] = max(found[kind], sample.at - since[kind])
            if kind not in sample.held:
                since.pop(kind, None)
    return found


def coarsest(samples: Iterable[Sample]) -> float:
    """The longest time between two samples, in seconds: what was held for less may not have been seen."""
    times = [sample.at for sample in samples]
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


class Watch:
    """Looks at a session's locks again and again.

    Args:
        dsn: How to connect.
        pid: The session's server process.
    """

    def __init__(self, dsn: str, pid: int) -> None:
        self._dsn, self._pid = dsn, pid
        self._samples: list[Sample] = []
        self._stop = threading.Event()
        self._failed: list[BaseException] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look for as long as the block goes."""
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
        if self._failed:
            raise self._failed[0]

    def take(self) -> list[Sample]:
        """The samples since the last time."""
        samples, self._samples = self._samples, []
        return samples

    def _watch(self) -> None:
        try:
            with psycopg.connect(self._dsn, autocommit=True) as connection:
                while not self._stop.wait(0.0005):
                    self._samples.append(_sample(connection, self._pid))
        except BaseException as error:  # raised where watching ends
            self._failed.append(error)


def _sample(connection: psycopg.Connection[Any], pid: int) -> Sample:
    rows = connection.execute(_QUERY, [pid]).fetchall()
    return Sample(rows[0][0], kinds_of((table, mode, granted) for _, table, mode, granted in rows))


def merge(found: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The longest of several."""
    merged = dict.fromkeys(KINDS, 0.0)
    for one in found:
        for kind, seconds in one.items():
            merged[kind] = max(merged[kind], seconds)
    return merged
