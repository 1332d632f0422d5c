"""What reading an attendance export gives: rows, the rows that could not be read, and why."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class FileFault(StrEnum):
    """Why a whole file could not be read. The values are stable; the sentences are not."""

    MISSING_FILE = "missing_file"
    IS_DIRECTORY = "is_directory"
    UNREADABLE_FILE = "unreadable_file"
    FILE_TOO_LARGE = "file_too_large"
    EMPTY_FILE = "empty_file"
    BINARY_FILE = "binary_file"
    NO_HEADER = "no_header"


class RowFault(StrEnum):
    """Why one row was left out. The values are stable; the sentences are not."""

    BAD_QUOTING = "bad_quoting"
    NUL_BYTE = "nul_byte"
    OVERLONG_FIELD = "overlong_field"
    WRONG_COLUMN_COUNT = "wrong_column_count"
    NO_PERSON = "no_person"
    MISSING_JOIN_TIME = "missing_join_time"
    MISSING_LEAVE_TIME = "missing_leave_time"
    UNPARSABLE_TIME = "unparsable_time"
    LEAVE_BEFORE_JOIN = "leave_before_join"
    DUPLICATE_ROW = "duplicate_row"
    UNKNOWN_ACTION = "unknown_action"
    LEFT_WITHOUT_JOIN = "left_without_join"


class AttendanceError(Exception):
    """The file holds no attendance that could be read.

    Args:
        message: what is wrong, in one sentence.
        token: the stable name of the fault, for programs.
        hint: what the user can do next, in one sentence.
    """

    def __init__(self, message: str, *, token: FileFault, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.token = token
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Attendance:
    """One time that one person was in the event: one row of the export, one session of the replay.

    Attributes:
        lines: the lines of the file it was read from, counted from 1. One line, or two where Teams writes
            joining and leaving separately.
        name: as the export says it, never normalised; empty where only an e-mail is given.
        email: as the export says it, or None.
        joined_at: when the person came, in UTC.
        left_at: when the person went, in UTC; never before ``joined_at``.
        role: ``host``, ``panelist`` or ``attendee`` by the section of a Zoom webinar report, the Role column
            of a Teams report in lower case, and empty where the file does not say.
    """

    lines: tuple[int, ...]
    name: str
    email: str | None
    joined_at: datetime
    left_at: datetime
    role: str = ""

    @property
    def is_guest(self) -> bool:
        """Whether the export knows no e-mail of this person."""
        return self.email is None

    @property
    def person_key(self) -> str:
        """The same text for the same person in every row: the normalised e-mail, else the normalised name.

        Someone who is signed in on one device and a nameless guest on another has two keys: an export cannot
        tell that they are one.
        """
        return fold_text(self.email if self.email is not None else self.name)

    @property
    def seconds(self) -> float:
        """How long this session lasted, in seconds."""
        return (self.left_at - self.joined_at).total_seconds()


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One row that was left out.

    Attributes:
        line: the line of the file on which the row starts, counted from 1 as an editor counts them.
        token: the stable name of the fault, for programs.
        message: what is wrong and what the row held there, for people.
    """

    line: int
    token: RowFault
    message: str


@dataclass(frozen=True, slots=True)
class AttendanceFile:
    """Everything an export said.

    Attributes:
        rows: the sessions, in the order of the file.
        problems: the rows left out, in the order of the file.
        notes: sentences on what had to be assumed, such as the order of day and month.
        format: ``zoom-meeting``, ``zoom-webinar``, ``teams`` (one row per join), ``teams-summary`` (first
            join and last leave only), ``teams-log`` (the older list of actions) or ``table`` (anything else).
    """

    rows: tuple[Attendance, ...]
    problems: tuple[RowProblem, ...]
    notes: tuple[str, ...]
    format: str


def fold_text(text: str) -> str:
    """The text without differences of case, width and spacing, to compare names and addresses by."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
