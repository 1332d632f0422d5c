"""What a log tells: events, the formats they are read from, and why a log cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from eventlive_db.errors import AdvisedError


class LogError(AdvisedError):
    """A log cannot be read, or not be told from others."""

    token = "log_error"


class LogFormat(StrEnum):
    """How a file is written; the values are what a user types."""

    STDERR = "stderr"
    CSVLOG = "csvlog"
    JSONLOG = "jsonlog"
    POSTGREST = "postgrest"
    AUTH = "auth"
    REALTIME = "realtime"
    GATEWAY = "gateway"
    GATEWAY_JSON = "gateway-json"


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One record of a log.

    Attributes:
        at: When, in UTC, as the log says.
        source: ``postgres``, ``postgrest``, ``auth``, ``realtime`` or ``gateway``.
        file: The file, as it was given.
        line: Number of its first line in that file, counted from 1; from 1 again after a truncation.
        message: First line of the message.
        severity: For Postgres LOG, WARNING, ERROR, FATAL, PANIC; for others what they call level, in capitals.
        sqlstate: Such as ``42703``; None when not known.
        detail: Of Postgres; of Auth the ``error``.
        hint: Of Postgres; of Auth the ``error_code``.
        context: Where in the functions it happened.
        statement: The statement, with its own newlines.
        user: Role of the session; over HTTP the authenticated user.
        database: Its database.
        application: Its ``application_name``.
        method: Of an HTTP request.
        path: Of an HTTP request, with its query where the log has it.
        status: Of an HTTP answer.
        duration_s: How long it took, in seconds, where the log says so.
        pid: The backend.
        query: The statement inside a function that failed (``internal_query``, ``QUERY:``).
        sqlstate_guessed: The SQLSTATE was worked out from an English message, which a function can also raise.
        cut: Text is missing: it was longer than what is kept, or the file ended in the middle of the record.
    """

    at: datetime
    source: str
    file: str
    line: int
    message: str
    severity: str | None = None
    sqlstate: str | None = None
    detail: str | None = None
    hint: str | None = None
    context: str | None = None
    statement: str | None = None
    user: str | None = None
    database: str | None = None
    application: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    duration_s: float | None = None
    pid: int | None = None
    query: str | None = None
    sqlstate_guessed: bool = False
    cut: bool = False
