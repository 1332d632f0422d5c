"""One file's bytes, from whoever reads it, to events: lines, the format, its parser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from eventlive_db.logs import formats
from eventlive_db.logs.lines import MAX_BYTES, Line, LineBuffer
from eventlive_db.logs.model import LogEvent, LogFormat
from eventlive_db.logs.parser import Origin, Parser


class Stream:
    """Takes bytes in any pieces.

    Args:
        origin: Where they come from.
        kind: Their format; None finds out.
        first_line: Number of the line that they begin with.
        adrift: They begin in the middle of a file.
        day: For a log with no dates, when the last line was written and how often midnight passes before it.

    Raises:
        LogError: The prefix has no time.
    """

    def __init__(
        self,
        origin: Origin,
        kind: LogFormat | None = None,
        *,
        first_line: int = 1,
        adrift: bool = False,
        day: Callable[[], tuple[datetime, int] | None] = lambda: None,
    ) -> None:
        self.origin = origin
        self.format = kind
        self._adrift = adrift
        self._day = day
        self._buffer = LineBuffer(first_line)
        self._undetected: list[Line] = []
        self._lost = 0
        self.parser: Parser | None = None
        if kind is not None and kind is not LogFormat.REALTIME:
            self.parser = formats.parser(kind, origin, (), adrift=adrift)

    @property
    def pending(self) -> bool:
        """Whether a line has begun and not ended."""
        return self._buffer.pending

    @property
    def next_line(self) -> int:
        """Number of the line that is incomplete or comes next."""
        return self._buffer.number

    @property
    def holding(self) -> bool:
        """Whether there is anything that was read and not given."""
        return self.pending or bool(self._undetected) or (self.parser is not None and self.parser.holding)

    @property
    def unparsed(self) -> int:
        """Lines that are no part of any record."""
        return self._lost + len(self._undetected) + (self.parser.unparsed if self.parser else 0)

    def feed(self, data: bytes) -> list[LogEvent]:
        """Take bytes; give the events that are complete now.

        Raises:
            LogError: There are many lines, and none is in a format that is known; or a time cannot be read.
        """
        events: list[LogEvent] = []
        lines = self._buffer.feed(data)
        if self.parser is None:
            self._undetected += lines
            events += self._detect()
            size = sum(len(line.text) for line in self._undetected)
            if len(self._undetected) >= formats.PATIENCE or size > MAX_BYTES:
                raise formats.unknown(self.origin.file)
        else:
            for line in lines:
                events += self.parser.feed(line)
        return events

    def settle(self) -> Sequence[LogEvent]:
        """Nothing more came when somebody looked again."""
        return self.parser.settle() if self.parser else ()

    def end(self) -> list[LogEvent]:
        """Nothing more can come.

        Raises:
            LogError: There are lines, and none is in a format that is known.
        """
        rest, events = self._buffer.rest(), list[LogEvent]()
        if self.parser is None:
            self._undetected += [rest] if rest else []
            events += self._detect()
            if self._undetected:
                raise formats.unknown(self.origin.file)
        elif rest:
            events += self.parser.feed(rest)
        if self.parser:
            events += self.parser.end()
        return events

    def redate(self) -> None:
        """More is about to come, after a pause in which midnight may have passed."""
        if self.parser and self.parser.needs_day and (known := self._day()):
            self.parser.day_is(*known)

    def drop(self) -> None:
        """The file begins again: what is held will never be complete. Lines of it count as not parsed."""
        self._lost += self._buffer.rest() is not None
        if self.parser:
            self.parser.end()

    def _detect(self) -> list[LogEvent]:
        lines = self._undetected
        self.format = self.format or formats.of_lines(lines, self.origin.prefix)
        if self.format is None or not lines:
            return []
        self.parser = formats.parser(self.format, self.origin, lines, adrift=self._adrift)
        self._undetected = []
        self.redate()
        return [event for line in lines for event in self.parser.feed(line)]
