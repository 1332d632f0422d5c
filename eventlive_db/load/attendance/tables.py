"""From records to tables: which lines are headers, titles and preamble, and which tables count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from eventlive_db.load.attendance.headers import (
    WANTED,
    Field,
    Header,
    Kind,
    is_unique_users_header,
    match_header,
    section_role,
)
from eventlive_db.load.attendance.model import AttendanceError, FileFault
from eventlive_db.load.attendance.text import Record, RecordReader, split_line, split_lines
from eventlive_db.load.attendance.times import read_time

_DELIMITERS = (",", "\t", ";")
_HEADER_WITHIN = 500  # lines; what stands before the first header is a few lines of summary
_MOST_COLUMNS_SHOWN = 20


@dataclass(slots=True)
class Table:
    """One header and the rows under it.

    Attributes:
        header: what the columns mean.
        role: the role of everyone in it by the section's title; empty if the title says none.
        records: the rows, blank ones left out.
    """

    header: Header
    role: str
    records: list[Record] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Selection:
    """The tables to read.

    Attributes:
        tables: those that list the attendance, each time once.
        format: as in :attr:`AttendanceFile.format`.
        notes: what was left out, and what the kind of table cannot say.
    """

    tables: tuple[Table, ...]
    format: str
    notes: tuple[str, ...]


def find_tables(text: str) -> Selection:
    """The tables of an export that list its attendance.

    Raises:
        AttendanceError: no line is a header that names a person and two times.
    """
    lines = split_lines(text)
    delimiter = _find_delimiter(lines)
    reader = RecordReader(lines, delimiter)
    tables: list[Table] = []
    current: Table | None = None
    role = ""
    for record in reader:
        if record.is_blank:
            continue
        if current is not None and _is_row(record, current.header):
            current.records.append(record)
            continue
        title = section_role(record.cells)
        header = match_header(record.cells)
        if header is not None:
            current = Table(header, role)
            tables.append(current)
        elif title is not None or _is_title(record, lines[reader.position : reader.position + 3], delimiter):
            current, role = None, title or ""
        elif current is not None:
            current.records.append(reader.reject() if record.spans > 1 else record)
    if not tables:  # the header was seen on a line of its own, but quoting made it part of another row
        raise _no_header(lines)
    return _select(tables)


def _is_row(record: Record, header: Header) -> bool:
    """Whether the times of a row stand where the header says, which no title and no header has there.

    A row over several lines must fit in every column: it may be two rows that a stray quote has joined.
    """
    if header.end >= len(record.cells):
        return False
    if record.spans == 1:
        return read_time(record.cells[header.end]) is not None
    indexes = (header.end,) if header.kind is Kind.LOG else (header.start, header.end)
    texts = [record.cells[index].strip() for index in indexes if index < len(record.cells)]
    extra = record.cells[header.width :]
    return not any(cell.strip() for cell in extra) and all(
        read_time(text) is not None or (not text and not extra) for text in texts
    )


def _is_title(record: Record, below: Sequence[str], delimiter: str) -> bool:
    """Whether this is one cell right above a header: a title in a language nobody has taught us."""
    if not record.cells or any(cell.strip() for cell in record.cells[1:]):
        return False
    line = next((line for line in below if line.strip()), "")
    return match_header(split_line(line, delimiter)) is not None


def _find_delimiter(lines: Sequence[str]) -> str:
    """The delimiter with which a line of the file becomes a header."""
    for line in lines[:_HEADER_WITHIN]:
        for delimiter in _DELIMITERS:
            if delimiter in line and match_header(split_line(line, delimiter)) is not None:
                return delimiter
    raise _no_header(lines)


def _no_header(lines: Sequence[str]) -> AttendanceError:
    """The error that names what was looked for, and what the widest line of the file holds instead."""
    rows = [split_line(line, delimiter) for line in lines[:_HEADER_WITHIN] for delimiter in _DELIMITERS]
    seen = max(rows, key=len, default=())
    shown = ", ".join(repr(cell[:40]) for cell in seen[:_MOST_COLUMNS_SHOWN]) or "none"
    message = f"No line of the file is a header of an attendance report. Looked for {WANTED}; saw {shown}."
    hint = "Export the participants (Zoom: Reports > Usage > Participants; Teams: Attendance > Download) as CSV."
    if any(is_unique_users_header(row) for row in rows):
        hint = "This looks like Zoom's list of unique users: export again with 'Show unique users' switched off."
    return AttendanceError(message, token=FileFault.NO_HEADER, hint=hint)


def _select(tables: Sequence[Table]) -> Selection:
    """Every table of the most detailed kind that has rows: Teams lists the same people twice."""
    kinds = (Kind.JOINS, Kind.LOG, Kind.SPANS)
    by_kind = {kind: tuple(table for table in tables if table.header.kind is kind) for kind in kinds}
    filled = [kind for kind in kinds if any(table.records for table in by_kind[kind])]
    kind = filled[0] if filled else tables[0].header.kind
    chosen = by_kind[kind]
    notes = []
    if kind is Kind.SPANS:
        notes.append("The report has only the first join and last leave of a person: breaks count as watching.")
    if kind is Kind.JOINS and by_kind[Kind.SPANS]:
        notes.append("The section of participants repeats the single joins and was not counted.")
    if not filled:
        notes.append("The file has a header but no row under it.")
    return Selection(chosen, _format(kind, chosen, repeats=bool(by_kind[Kind.SPANS])), tuple(notes))


def _format(kind: Kind, tables: Sequence[Table], *, repeats: bool) -> str:
    if kind is Kind.LOG:
        return "teams-log"
    if kind is Kind.SPANS:
        return "teams-summary"
    fields = {column for table in tables for column in table.header.columns}
    if any(table.role for table in tables) or Field.ATTENDED in fields:
        return "zoom-webinar"
    if repeats or Field.ROLE in fields or Field.OTHER_EMAIL in fields:
        return "teams"
    return "zoom-meeting" if Field.DURATION in fields else "table"
