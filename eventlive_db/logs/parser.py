"""What the parsers of all formats have in common."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import ClassVar

from eventlive_db.logs.lines import Line
from eventlive_db.logs.model import LogEvent

_DURATION = re.compile(r"duration: (\d+\.\d+) ms")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where lines come from, and what the caller knows about them.

    Attributes:
        file: The file, as it was given.
        prefix: The server's ``log_line_prefix``; None tries the common ones.
        timezone: The server's ``log_timezone``; of use where the log has abbreviations, or no zone at all.
    """

    file: str
    prefix: str | None = None
    timezone: tzinfo | None = None


class Parser(ABC):
    """Takes lines, gives events. A line that is no part of any record is counted, and stops nothing.

    Args:
        origin: Where the lines come from.
        adrift: They begin in the middle of a file: those before the first record belong to one that was not asked for.
    """

    needs_day: ClassVar[bool] = False

    def __init__(self, origin: Origin, *, adrift: bool = False) -> None:
        self.origin = origin
        self.unparsed = 0
        self._adrift = adrift

    @property
    def holding(self) -> bool:
        """Whether lines of a record that may still grow were taken."""
        return False

    @abstractmethod
    def feed(self, line: Line) -> Sequence[LogEvent]:
        """Take a line; give the events that are complete now."""

    def settle(self) -> Sequence[LogEvent]:
        """Nothing more came: give the events that were only waiting for lines that may follow."""
        return ()

    def end(self) -> Sequence[LogEvent]:
        """Nothing more can come: give or count all that is held."""
        return self.settle()

    def day_is(self, last: datetime, midnights: int) -> None:  # noqa: B027  # most logs have dates
        """For logs with no date: the time of the last line to come, and how often midnight passes before it."""

    def _found(self) -> None:
        self._adrift = False

    def _reject(self, lines: int = 1) -> None:
        if not self._adrift:
            self.unparsed += lines


def logged_duration_s(message: str) -> float | None:
    """Seconds of a ``duration: 12.3 ms`` that ``log_min_duration_statement`` writes."""
    found = _DURATION.match(message)
    return float(found[1]) / 1000 if found else None


def first_line(text: str) -> str:
    """The first line of a message."""
    return text.partition("\n")[0]
