"""Postgres' plain text log: records of several lines, of several backends.

A record is a line with a severity, then lines DETAIL, HINT, CONTEXT, STATEMENT of the same backend; a newline inside
any of them is followed by a tab. Postgres writes a record at once, but long ones that go through a pipe may be
interleaved. So a record is held until its backend begins another, until so many others have begun that nothing of
it can come any more, or until somebody who looked again found nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eventlive_db.logs import sqlstates
from eventlive_db.logs.lines import MAX_BYTES, Line
from eventlive_db.logs.model import LogEvent
from eventlive_db.logs.parser import Origin, Parser, logged_duration_s
from eventlive_db.logs.prefix import COMMON_PREFIXES, SEVERITIES, is_secondary, pattern
from eventlive_db.logs.stamps import parse_postgres

_HELD = 32
_HEAD_CHARS = 1000  # more than any prefix
_COMMON = tuple(pattern(prefix) for prefix in COMMON_PREFIXES)
_VERBOSE = re.compile(r"([0-9A-Z]{5}): (.*)", re.DOTALL)


@dataclass(slots=True)
class _Record:
    """One that may still grow."""

    at: datetime
    line: int
    severity: str
    key: str
    head: dict[str, str | None]
    texts: dict[str, str] = field(default_factory=dict)
    last: str = "message"
    size: int = 0
    cut: bool = False
    closed: bool = False

    def add(self, name: str, text: str) -> None:
        """Take a labelled line, or with the name it had last a line that continues it."""
        self.size += len(text)
        if self.size > MAX_BYTES:
            self.cut = True
        elif name in self.texts:
            self.texts[name] += f"\n{text}"
        else:
            self.texts[name] = text
        self.last = name

    def event(self, file: str) -> LogEvent:
        """The record as an event."""
        message, sqlstate = self.texts["message"].partition("\n")[0], self.head.get("sqlstate")
        verbose = _VERBOSE.match(message)
        # Only with log_error_verbosity = verbose is there a location, and the SQLSTATE before the message.
        if verbose and ("location" in self.texts or sqlstates.guess(verbose[2]) == verbose[1]):
            sqlstate, message = verbose[1], verbose[2]
        guessed = sqlstates.guess(message) if sqlstate is None and self.severity not in SEVERITIES else None
        pid = self.head.get("pid")
        return LogEvent(
            at=self.at,
            source="postgres",
            file=file,
            line=self.line,
            message=message,
            severity=self.severity,
            sqlstate=sqlstate or guessed,
            detail=self.texts.get("detail"),
            hint=self.texts.get("hint"),
            context=self.texts.get("context"),
            statement=self.texts.get("statement"),
            user=self.head.get("user") or None,
            database=self.head.get("database") or None,
            application=self.head.get("application") or None,
            duration_s=logged_duration_s(message),
            pid=int(pid) if pid else None,
            query=self.texts.get("query"),
            sqlstate_guessed=guessed is not None,
            cut=self.cut,
        )


class StderrParser(Parser):
    """Parser of the plain text log, with any ``log_line_prefix``."""

    def __init__(self, origin: Origin, *, adrift: bool = False) -> None:
        super().__init__(origin, adrift=adrift)
        self._patterns = patterns(origin.prefix)
        self._records: list[_Record] = []
        self._last: _Record | None = None

    @property
    def holding(self) -> bool:
        return bool(self._records)

    def feed(self, line: Line) -> Sequence[LogEvent]:
        text = line.text.removesuffix("\r")
        if text.startswith("\t"):
            if self._last:
                self._last.add(self._last.last, text[1:])
                self._last.cut |= line.cut
            else:
                self._reject()
            return ()
        if not text:
            return ()
        found = self._match(text)
        at = self._time(found) if found else None
        if found is None or at is None:
            self._last = None
            self._reject()
            return ()
        head: dict[str, str | None] = found.groupdict()
        label, rest = found["label"], text[found.end() :]
        key = head.get("session") or head.get("pid") or ""
        if is_secondary(label):
            self._last = next((record for record in reversed(self._records) if record.key == key), None)
            if self._last is None or self._last.closed:
                self._last = None
                self._reject()
            else:
                self._last.add(label.lower(), rest)
                self._last.cut |= line.cut
            return ()
        self._found()
        record = _Record(at, line.number, label, key, head, cut=line.cut)
        record.add("message", rest)
        return self._begin(record)

    def settle(self) -> Sequence[LogEvent]:
        for record in self._records:
            record.closed = True
        self._last = None
        return self._closed()

    def _begin(self, record: _Record) -> Sequence[LogEvent]:
        for other in self._records:
            other.closed |= other.key == record.key
        self._records.append(record)
        if len(self._records) > _HELD:
            self._records[-_HELD - 1].closed = True
        self._last = record
        return self._closed()

    def _closed(self) -> Sequence[LogEvent]:
        """Those that are complete, in the order in which they began."""
        count = next((place for place, record in enumerate(self._records) if not record.closed), len(self._records))
        complete, self._records = self._records[:count], self._records[count:]
        return [record.event(self.origin.file) for record in complete]

    def _match(self, text: str) -> re.Match[str] | None:
        for place, known in enumerate(self._patterns):
            if found := known.match(text, 0, _HEAD_CHARS):
                # Most lines are like the one before.
                self._patterns.insert(0, self._patterns.pop(place))
                return found
        return None

    def _time(self, found: re.Match[str]) -> datetime | None:
        stamp = found.groupdict().get("at")
        try:
            if stamp:
                return parse_postgres(stamp, self.origin.timezone)
            return datetime.fromtimestamp(float(found["epoch"]), UTC)
        except (ValueError, OverflowError):
            return None


def patterns(prefix: str | None) -> list[re.Pattern[str]]:
    """The patterns to try.

    Raises:
        LogError: The prefix has no time.
    """
    # What is logged before the configuration is read has Postgres' own prefix.
    return [pattern(prefix), pattern("%m [%p] ")] if prefix is not None else list(_COMMON)
