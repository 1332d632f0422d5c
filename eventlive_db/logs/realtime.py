"""Supabase Realtime's text log, and what in a log is a lost Realtime connection.

Its lines are ``13:37:20.170 project=… external_id=… error_code=… [error] message``: a time of day and no date, so the
date comes from when the file was last written and from how often the clock passes midnight. A day without any line is
not seen. A line before which a container engine put a full time is dated by that. Lines in JSON are read as well, where
they have a message and ``external_id`` or ``project`` (by themselves or in ``metadata``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta

from eventlive_db.logs.lines import Line
from eventlive_db.logs.model import LogEvent
from eventlive_db.logs.parser import Origin, Parser
from eventlive_db.logs.stamps import parse_any

_LINE = re.compile(
    r"(?:(?P<full>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?) )?"
    r"(?P<time>\d\d:\d\d:\d\d)(?P<fraction>\.\d{1,6})? (?P<metadata>(?:\w+=\S* )*)"
    r"\[(?P<level>debug|info|notice|warn|warning|error|critical|alert|emergency)\] (?P<message>.*)\Z",
    re.DOTALL,
)
_BACKWARDS = timedelta(hours=12)
_AHEAD = timedelta(hours=1)
_LOST = ("ChannelShutdown", "Channel terminated with reason", "Disconnecting all sockets")
_SOCKET = re.compile(r"/(?:realtime/v\d|socket)/websocket\b")


def is_disconnect(event: LogEvent) -> bool:
    """Whether a record tells that a client lost its Realtime connection or channel.

    Of Realtime's own log: ``ChannelShutdown``, ``Disconnecting all sockets`` and, which only ``LOG_LEVEL=debug``
    shows, ``Channel terminated with reason``. A socket that just closes is not in it. Of a gateway's access log:
    answer 101 to a WebSocket request, which is logged when the connection ends. Count one of the two logs, not both.
    """
    if event.source == "realtime":
        return event.message.startswith(_LOST)
    return event.source == "gateway" and event.status == 101 and bool(_SOCKET.search(event.path or ""))


def is_realtime(text: str) -> bool:
    """Whether a line is of this log."""
    return _LINE.match(text) is not None


def last_time_and_midnights(lines: Iterable[bytes]) -> tuple[time | None, int]:
    """The time of day of the last dated line, and how often midnight passes in front of it."""
    last: time | None = None
    midnights = 0
    for line in lines:
        found = _LINE.match(line[:400].decode("utf-8", "replace").rstrip("\n"))
        moment = _time(found) if found else None
        if moment is not None:
            midnights += last is not None and _passes_midnight(last, moment)
            last = moment
    return last, midnights


def _time(found: re.Match[str]) -> time | None:
    try:
        return time.fromisoformat(found["time"] + (found["fraction"] or ".0")[:7].ljust(7, "0"))
    except ValueError:
        return None


def _passes_midnight(before: time, after: time) -> bool:
    day = datetime(2000, 1, 1, tzinfo=UTC).date()
    # Less is a clock that was set, or two processes that wrote in turn.
    return datetime.combine(day, before) - datetime.combine(day, after) > _BACKWARDS


class RealtimeParser(Parser):
    """Parser of Realtime's text log. A line that is not in its form continues the message before it."""

    needs_day = True

    def __init__(self, origin: Origin, *, adrift: bool = False) -> None:
        super().__init__(origin, adrift=adrift)
        self._zone = origin.timezone or UTC
        self._day = datetime.now(self._zone).date()
        self._before: time | None = None
        self._inside = False

    def day_is(self, last: datetime, midnights: int) -> None:
        self._day = last.astimezone(self._zone).date() - timedelta(days=midnights)
        self._before = None

    def feed(self, line: Line) -> Sequence[LogEvent]:
        text = line.text.removesuffix("\r")
        found = _LINE.match(text)
        moment = _time(found) if found else None
        if found is None or moment is None:
            # Stack traces and inspected terms have lines of their own.
            if text.strip() and not self._inside:
                self._reject()
            return ()
        if self._before and _passes_midnight(self._before, moment):
            self._day += timedelta(days=1)
        self._before = moment
        self._inside = True
        self._found()
        level = "WARNING" if found["level"] == "warn" else found["level"].upper()
        code = re.search(r"\berror_code=(\S+)", found["metadata"])
        at = datetime.combine(self._day, moment, self._zone).astimezone(UTC)
        return (
            LogEvent(
                at=(parse_any(found["full"]) if found["full"] else None) or at,
                source="realtime",
                file=self.origin.file,
                line=line.number,
                message=found["message"],
                severity=level,
                hint=code[1] if code else None,
                cut=line.cut,
            ),
        )


def day_of(last: time, written: datetime) -> datetime:
    """When a last line with this time of day was written, given when its file was."""
    moment = datetime.combine(written.date(), last, written.tzinfo)
    return moment - timedelta(days=1) if moment > written + _AHEAD else moment
