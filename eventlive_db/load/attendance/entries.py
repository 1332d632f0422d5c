"""From tables to entries: the person and the two times of each row, still as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eventlive_db.load.attendance.headers import Field, Header, Kind, says_no, says_yes
from eventlive_db.load.attendance.model import RowFault, RowProblem
from eventlive_db.load.attendance.tables import Table
from eventlive_db.load.attendance.text import Record

MAX_FIELD_CHARS = 500  # a name, an address or a time; RFC 5321 (4.5.3.1) allows an address 254
_NOTHING = frozenset({"", "-", "--"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One row that names a person and has all the cells it needs.

    Attributes:
        line: the line of the file, counted from 1.
        name: as written, without spaces around it; may be empty if ``email`` is not.
        email: as written, or None.
        start: the join time as written; in a log, the action.
        end: the leave time as written; in a log, the time of the action.
        times: those of the two that are times.
        role: as in :attr:`Attendance.role`.
        utc: whether the header says that the times are UTC.
    """

    line: int
    name: str
    email: str | None
    start: str
    end: str
    times: tuple[str, ...]
    role: str
    utc: bool


@dataclass(frozen=True, slots=True)
class Entries:
    """The rows of every table, in the order of the file, and what was left out."""

    entries: tuple[Entry, ...]
    problems: tuple[RowProblem, ...]
    notes: tuple[str, ...]


_FAULTS = {
    RowFault.BAD_QUOTING: "a quote is opened and not closed, or closed in the middle of a field",
    RowFault.OVERLONG_FIELD: "a field is longer than any name, address or time can be",
}


def read_entries(tables: Sequence[Table]) -> Entries:
    """The entries of the tables. Rows of people who never came, or who only waited, are counted in a note."""
    entries: list[Entry] = []
    problems: list[RowProblem] = []
    seen: dict[str, int] = {}
    absent = waited = 0
    for table in tables:
        for record in table.records:
            problem = _record_problem(record, table.header)
            if problem is None and says_no(_cell(record, table.header, Field.ATTENDED)):
                absent += 1
                continue
            if problem is None and says_yes(_cell(record, table.header, Field.WAITING_ROOM)):
                waited += 1
                continue
            found = problem or _read(record, table)
            if isinstance(found, Entry):
                key = "\0".join(cell.strip() for cell in record.cells).rstrip("\0")
                first = seen.setdefault(key, record.line)
                if first == record.line:
                    entries.append(found)
                    continue
                message = f"the row is the same as line {first} in every column"
                found = RowProblem(record.line, RowFault.DUPLICATE_ROW, message)
            problems.append(found)
    notes = []
    if absent:
        notes.append(f"{absent} registered people did not attend and were left out.")
    if waited:
        notes.append(f"{waited} rows are time in the waiting room and were left out.")
    return Entries(tuple(entries), tuple(problems), tuple(notes))


def _record_problem(record: Record, header: Header) -> RowProblem | None:
    """Why the cells of this row cannot be told apart, or None if they can."""
    cells = record.cells
    if record.fault is not None:
        return RowProblem(record.line, record.fault, _FAULTS[record.fault])
    if any("\0" in cell for cell in cells):
        return RowProblem(record.line, RowFault.NUL_BYTE, "the row holds a NUL byte, which no text may")
    needed = max(header.start, header.end, header.columns.get(Field.NAME, 0)) + 1
    if len(cells) < needed or any(cell.strip() for cell in cells[header.width :]):
        message = f"the row has {len(cells)} columns and its header {header.width}; look for a separator in a name"
        return RowProblem(record.line, RowFault.WRONG_COLUMN_COUNT, message)
    used = (*header.columns.values(), *header.emails)
    longest = max(len(cells[index]) for index in used if index < len(cells))
    if longest > MAX_FIELD_CHARS:
        message = f"a field has {longest} characters; at most {MAX_FIELD_CHARS} are read"
        return RowProblem(record.line, RowFault.OVERLONG_FIELD, message)
    return None


def _cell(record: Record, header: Header, field: Field) -> str:
    """What stands in a column, or nothing where the header or the row does not have it."""
    return _at(record, header.columns.get(field, len(record.cells)))


def _at(record: Record, index: int) -> str:
    text = record.cells[index].strip() if index < len(record.cells) else ""
    return "" if text in _NOTHING else text


def _read(record: Record, table: Table) -> Entry | RowProblem:
    header = table.header
    parts = (_cell(record, header, field) for field in (Field.FIRST_NAME, Field.LAST_NAME))
    name = _cell(record, header, Field.NAME) or " ".join(filter(None, parts))
    addresses = (_at(record, index) for index in header.emails)
    email = next((address for address in addresses if "@" in address.strip("@")), None)
    start, end = _at(record, header.start), _at(record, header.end)
    is_log = header.kind is Kind.LOG
    if not name and email is None:
        return RowProblem(record.line, RowFault.NO_PERSON, "the row has neither a name nor an e-mail address")
    if not start and not is_log:
        return RowProblem(record.line, RowFault.MISSING_JOIN_TIME, f"{name or email} has no join time")
    if not end:
        what = "time" if is_log else "leave time"
        fault = RowFault.UNPARSABLE_TIME if is_log else RowFault.MISSING_LEAVE_TIME
        return RowProblem(record.line, fault, f"{name or email} has no {what}")
    role = table.role or _cell(record, header, Field.ROLE).lower()
    times = (end,) if is_log else (start, end)
    return Entry(record.line, name, email, start, end, times, role, header.utc)
