"""Read an attendance export: bytes in, sessions out; only :func:`read_attendance` opens a file."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from os import PathLike
from pathlib import Path

from eventlive_db.load.attendance.entries import Entries, Entry, read_entries
from eventlive_db.load.attendance.headers import Kind, says_joined
from eventlive_db.load.attendance.model import (
    Attendance,
    AttendanceError,
    AttendanceFile,
    FileFault,
    RowFault,
    RowProblem,
    fold_text,
)
from eventlive_db.load.attendance.tables import find_tables
from eventlive_db.load.attendance.text import decode
from eventlive_db.load.attendance.times import decide_order, read_time, to_utc

MAX_FILE_BYTES = 64 * 1024 * 1024


def read_attendance(
    path: str | PathLike[str], *, timezone: tzinfo = UTC, day_first: bool | None = None
) -> AttendanceFile:
    """Read the export at ``path``; see :func:`parse_attendance`.

    Raises:
        AttendanceError: the file is missing, a directory, unreadable, over 64 MiB, or no such export.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise AttendanceError(
                f"{file} is a directory.", token=FileFault.IS_DIRECTORY, hint="Give the CSV file inside it."
            )
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise AttendanceError(
            f"There is no file {file}.", token=FileFault.MISSING_FILE, hint="Check the path and its spelling."
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        raise AttendanceError(
            f"{file} could not be read: {error}.",
            token=FileFault.UNREADABLE_FILE,
            hint="Check that you may read it and that it is closed elsewhere.",
        ) from error
    if len(data) > MAX_FILE_BYTES:
        raise AttendanceError(
            f"{file} is larger than {MAX_FILE_BYTES // 1024**2} MiB.",
            token=FileFault.FILE_TOO_LARGE,
            hint="An attendance report of one event is far smaller; split the file by event.",
        )
    return parse_attendance(data, timezone=timezone, day_first=day_first)


def parse_attendance(data: bytes, *, timezone: tzinfo = UTC, day_first: bool | None = None) -> AttendanceFile:
    """Read an attendance export of Zoom or Microsoft Teams.

    Args:
        data: the file as it was exported: UTF-8, UTF-16 or Windows-1252; comma, semicolon or tab.
        timezone: the zone of the times in the file, which seldom carry one: Zoom writes that of the account,
            Teams that of whoever exports.
        day_first: whether ``05/06/2024`` is the fifth of June; None lets the values of the file decide, and
            falls back to month first with a note.

    Returns:
        Every row that could be read, and every one that could not with its line and the reason.

    Raises:
        AttendanceError: the file is empty or no text, or no line of it is a header of an attendance report.
    """
    text, notes = decode(data)
    selection = find_tables(text)
    entries = read_entries(selection.tables)
    clock = _Clock(entries, timezone, day_first)
    is_log = selection.tables[0].header.kind is Kind.LOG
    rows, problems = _pair(entries, clock) if is_log else _sessions(entries, clock)
    problems = [*entries.problems, *problems]
    return AttendanceFile(
        rows=tuple(sorted(rows, key=lambda row: row.lines)),
        problems=tuple(sorted(problems, key=lambda problem: problem.line)),
        notes=(*notes, *selection.notes, *entries.notes, *clock.notes(), *_person_notes(rows)),
        format=selection.format,
    )


class _Clock:
    """Reads the times of one file, all in the same order of day and month."""

    def __init__(self, entries: Entries, zone: tzinfo, day_first: bool | None) -> None:
        texts = [time for entry in entries.entries for time in entry.times]
        self._zone = zone
        self._order = decide_order(texts, day_first=day_first)
        self._zoneless = False

    def read(self, text: str, *, utc: bool, not_before: datetime | None = None) -> datetime | None:
        reading = read_time(text)
        moment = None if reading is None else reading.choose(day_first=self._order.day_first)
        if moment is None:
            return None
        if moment.tzinfo is None and not utc:
            self._zoneless = True
        return to_utc(moment, UTC if utc else self._zone, not_before=not_before)

    def notes(self) -> tuple[str, ...]:
        zone = f"The times carry no zone and were read as {self._zone}; give the export's zone if it differs."
        return (*filter(None, (self._order.note,)), *((zone,) if self._zoneless else ()))


def _unparsable(line: int, what: str, text: str) -> RowProblem:
    return RowProblem(line, RowFault.UNPARSABLE_TIME, f"the {what} time {text!r} is no date and time")


def _before(line: int, left: str, joined: str) -> RowProblem:
    return RowProblem(line, RowFault.LEAVE_BEFORE_JOIN, f"the leave time {left!r} is before the join time {joined!r}")


def _sessions(entries: Entries, clock: _Clock) -> tuple[list[Attendance], list[RowProblem]]:
    """The sessions of tables that hold the join and the leave in one row."""
    rows: list[Attendance] = []
    problems: list[RowProblem] = []
    for entry in entries.entries:
        joined = clock.read(entry.start, utc=entry.utc)
        left = clock.read(entry.end, utc=entry.utc, not_before=joined)
        if joined is None:
            problems.append(_unparsable(entry.line, "join", entry.start))
        elif left is None:
            problems.append(_unparsable(entry.line, "leave", entry.end))
        elif left < joined:
            problems.append(_before(entry.line, entry.end, entry.start))
        else:
            rows.append(Attendance((entry.line,), entry.name, entry.email, joined, left, entry.role))
    return rows, problems


def _pair(entries: Entries, clock: _Clock) -> tuple[list[Attendance], list[RowProblem]]:
    """The sessions of a log: a person's first leave ends that person's first open join, and so on."""
    rows: list[Attendance] = []
    problems: list[RowProblem] = []
    waiting: dict[str, list[tuple[Entry, datetime]]] = {}
    for entry in entries.entries:
        joined = says_joined(entry.start)
        if joined is None:
            message = f"the action {entry.start!r} is neither joining nor leaving"
            problems.append(RowProblem(entry.line, RowFault.UNKNOWN_ACTION, message))
            continue
        queue = waiting.setdefault(fold_text(entry.email or entry.name), [])
        came = queue[0][1] if queue and not joined else None
        moment = clock.read(entry.end, utc=entry.utc, not_before=came)
        if moment is None:
            problems.append(_unparsable(entry.line, "join" if joined else "leave", entry.end))
        elif joined:
            queue.append((entry, moment))
        elif not queue:
            message = f"{entry.name or entry.email} left here without a join on an earlier line"
            problems.append(RowProblem(entry.line, RowFault.LEFT_WITHOUT_JOIN, message))
        else:
            start, since = queue.pop(0)
            if moment < since:
                problems.append(_before(entry.line, entry.end, start.end))
                continue
            lines = (start.line, entry.line)
            rows.append(Attendance(lines, start.name, start.email, since, moment, start.role))
    for entry, _ in (open_join for queue in waiting.values() for open_join in queue):
        message = f"{entry.name or entry.email} joined here, and no later line says when they left"
        problems.append(RowProblem(entry.line, RowFault.MISSING_LEAVE_TIME, message))
    return rows, problems


def _person_notes(rows: list[Attendance]) -> tuple[str, ...]:
    if rows and all(row.is_guest for row in rows):
        return ("No row has an e-mail address: people are told apart by their names alone.",)
    return ()
