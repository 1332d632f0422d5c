"""Events, readings and notices that nobody measured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from eventlive_db.logs import LogEvent
from eventlive_db.watch.alarms import Notice
from eventlive_db.watch.readings import Reading

NOW = 1_800_000_000.0
CALL = "/rest/v1/rpc/x"


def event(
    at: float = NOW,
    source: str = "gateway",
    *,
    message: str = "",
    severity: str | None = None,
    sqlstate: str | None = None,
    path: str | None = CALL,
    status: int | None = None,
    duration_s: float | None = None,
) -> LogEvent:
    """An event at a time, in seconds since 1970."""
    return LogEvent(
        at=datetime.fromtimestamp(at, UTC),
        source=source,
        file="x.log",
        line=1,
        message=message,
        severity=severity,
        sqlstate=sqlstate,
        path=path,
        status=status,
        duration_s=duration_s,
    )


def reading(breached: bool | None, *, rule: str = "http_400", subject: str = "", value: float = 12) -> Reading:
    """A reading that is an alarm, is none, or has no data."""
    return Reading(rule, subject, None if breached is None else value, 10, "/min", breached)


def notice(
    state: Literal["firing", "recovered", "test"] = "firing",
    *,
    rule: str = "http_400",
    subject: str = "",
    detail: str = "",
) -> Notice:
    """A notice of 12 answers a minute."""
    return Notice(state, Reading(rule, subject, 12, 10, "/min", state == "firing", detail), NOW - 60, NOW)
