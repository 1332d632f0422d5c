"""Postgres' CSV log. Source: Postgres manual, "Using CSV-Format Log Output".

A record is as many lines as it takes to close its quotes. A record that was torn (the server died in the middle of
it) would swallow what follows: an open record ends where a line can only be the beginning of another, which text
inside a field cannot be, since its quotes are doubled.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from eventlive_db.logs.lines import MAX_BYTES, Line
from eventlive_db.logs.model import LogEvent
from eventlive_db.logs.parser import Origin, Parser, first_line, logged_duration_s
from eventlive_db.logs.stamps import POSTGRES, parse_postgres

COLUMNS = (
    *("log_time", "user", "database", "pid", "connection_from", "session_id", "session_line_num", "command_tag"),
    *("session_start_time", "virtual_transaction_id", "transaction_id", "severity", "sqlstate", "message", "detail"),
    *("hint", "query", "internal_query_pos", "context", "statement", "query_pos", "location", "application"),
    *("backend_type", "leader_pid", "query_id"),  # of 13, and of 14
)
_NEEDED = COLUMNS.index("message") + 1
_OLDEST = COLUMNS.index("application") + 1
_SESSION = r'\d+,(?:"[^"]*")?,[0-9a-f]+\.[0-9a-f]+,\d+,'
_NAME = r'"(?:[^"]|"")+"'
START = re.compile(rf"{POSTGRES},(?:{_NAME})?,(?:{_NAME})?,{_SESSION}")
"""How a record begins."""

_SURE_START = re.compile(rf'{POSTGRES},"[^"]+","[^"]+",{_SESSION}')

# The header of the module's default is smaller than a record may be.
csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_BYTES))


class CsvParser(Parser):
    """Parser of csvlog, of any version of Postgres."""

    def __init__(self, origin: Origin, *, adrift: bool = False) -> None:
        super().__init__(origin, adrift=adrift)
        self._clear()

    def _clear(self) -> None:
        self._lines: list[str] = []
        self._first = self._count = self._size = self._quotes = 0
        self._cut = False

    @property
    def holding(self) -> bool:
        return bool(self._count)

    def feed(self, line: Line) -> Sequence[LogEvent]:
        if self._count and _SURE_START.match(line.text):
            self._reject(self._count)
            self._clear()
        if not self._count:
            if not START.match(line.text):
                self._reject(bool(line.text.strip()))
                return ()
            self._first = line.number
        self._count += 1
        self._quotes += line.quotes
        self._cut = self._cut or line.cut
        self._size += len(line.text) + 1
        if self._size <= MAX_BYTES or not self._lines:
            self._lines.append(line.text)
        else:
            self._cut = True
        return self._complete() if self._quotes % 2 == 0 else ()

    def end(self) -> Sequence[LogEvent]:
        self._reject(self._count)
        self._clear()
        return ()

    def _complete(self) -> Sequence[LogEvent]:
        text = "\n".join(self._lines).removesuffix("\r")
        if self._cut and text.count('"') % 2:
            text += '"'
        event = self._read(text)
        if event:
            self._found()
        else:
            self._reject(self._count)
        self._clear()
        return (event,) if event else ()

    def _read(self, text: str) -> LogEvent | None:
        try:
            [cells] = csv.reader([text], strict=True)
            at = parse_postgres(cells[0], self.origin.timezone)
        except (csv.Error, ValueError):
            return None
        if len(cells) < (_NEEDED if self._cut else _OLDEST):
            return None
        row = {name: cell or None for name, cell in zip(COLUMNS, cells, strict=False)}
        pid = row["pid"]
        message = first_line(row["message"] or "")
        return LogEvent(
            at=at,
            source="postgres",
            file=self.origin.file,
            line=self._first,
            message=message,
            severity=row["severity"],
            sqlstate=row["sqlstate"],
            detail=row.get("detail"),
            hint=row.get("hint"),
            context=row.get("context"),
            statement=row.get("statement"),
            user=row["user"],
            database=row["database"],
            application=row.get("application"),
            duration_s=logged_duration_s(message),
            pid=int(pid) if pid else None,
            query=row.get("query"),
            cut=self._cut,
        )
