"""Logs of one JSON object a line: Postgres' jsonlog, Auth, Realtime, and gateways.

Sources: Postgres manual, "Using JSON-Format Log Output"; the request logger of Supabase Auth, which writes the
duration in nanoseconds. For gateways any of these keys is read, the first that is there (dots go into objects):

- status: ``status``, ``status_code``, ``response_code`` (Envoy), ``response.status`` (Kong), ``DownstreamStatus``
  (Traefik)
- path: ``request_uri``, ``path``, ``uri``, ``url``, ``request.uri`` (Kong, Caddy), ``RequestPath``
- method: ``method``, ``request_method``, ``request.method``, ``RequestMethod``
- time: ``time``, ``timestamp``, ``@timestamp``, ``time_iso8601``, ``time_local``, ``start_time``, ``started_at``,
  ``ts``, ``msec``, ``StartUTC``; since 1970 in seconds, milliseconds or microseconds
- duration: ``request_time`` (nginx) and ``duration_s`` in seconds; ``latencies.request`` (Kong), ``duration_ms``,
  ``latency_ms`` in milliseconds; ``Duration`` (Traefik) in nanoseconds; ``duration`` in milliseconds where it is a
  whole number (Envoy) and in seconds where it has a decimal point (Caddy)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from eventlive_db.logs.lines import Line
from eventlive_db.logs.model import LogEvent, LogFormat
from eventlive_db.logs.parser import Origin, Parser, first_line, logged_duration_s
from eventlive_db.logs.stamps import POSTGRES, parse_any, parse_postgres

Fields = Mapping[str, Any]
_STATUS = ("status", "status_code", "response_code", "response.status", "DownstreamStatus")
_PATH = ("request_uri", "path", "uri", "url", "request.uri", "RequestPath")
_METHOD = ("method", "request_method", "request.method", "RequestMethod")
_TIME = (
    *("time", "timestamp", "@timestamp", "time_iso8601", "time_local", "start_time", "started_at", "ts", "msec"),
    *("StartUTC", "event_timestamp"),
)
_SECONDS = {
    "request_time": 1.0,
    "duration_s": 1.0,
    "latencies.request": 1e-3,
    "duration_ms": 1e-3,
    "latency_ms": 1e-3,
    "Duration": 1e-9,
}
_MESSAGE = ("msg", "message", "event_message")
_KEY = re.compile(r'\s*[{,]?\s*"((?:[^"\\]|\\.)*)"\s*:\s*')


def fields(line: Line) -> Fields | None:
    """The object of a line; of a line that was cut, those of its fields that are whole. None where it is no object."""
    if not line.text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(line.text)
    except (ValueError, RecursionError):
        return _whole_fields(line.text) if line.cut else None
    return found if isinstance(found, dict) else None


def _whole_fields(text: str) -> Fields | None:
    found: dict[str, Any] = {}
    place = 0
    decoder = json.JSONDecoder()
    while key := _KEY.match(text, place):
        try:
            found[key[1]], place = decoder.raw_decode(text, key.end())
        except (ValueError, RecursionError):
            break
    return found or None


def json_format(found: Fields) -> LogFormat | None:
    """The format of a log with such an object in it, or None."""
    if "error_severity" in found and "timestamp" in found and "message" in found:
        return LogFormat.JSONLOG
    if "component" in found or ("msg" in found and "level" in found and isinstance(found.get("time"), str)):
        return LogFormat.AUTH
    if _first(found, _STATUS) is not None and _first(found, _PATH) is not None:
        return LogFormat.GATEWAY_JSON
    metadata = found.get("metadata")
    known = metadata if isinstance(metadata, dict) else found
    if _first(found, _MESSAGE) is not None and ("external_id" in known or "project" in known):
        return LogFormat.REALTIME
    return None


def _first(found: Fields, names: Sequence[str]) -> Any:
    for name in names:
        value: Any = found
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: object) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _status(found: Fields) -> int | None:
    number = _number(_first(found, _STATUS))
    return int(number) if number is not None and 100 <= number <= 999 else None


def gateway_duration_s(found: Fields) -> float | None:
    """Seconds, from whichever key there is; see the module."""
    for name, unit in _SECONDS.items():
        number = _number(_first(found, (name,)))
        if number is not None:
            return number * unit
    value = found.get("duration")
    number = _number(value)
    if number is None:
        return None
    return number if isinstance(value, float) or (isinstance(value, str) and "." in value) else number / 1000


class JsonParser(Parser):
    """Parser of one of these formats.

    Args:
        origin: Where the lines come from.
        kind: Which format.
        adrift: They begin in the middle of a file.
    """

    def __init__(self, origin: Origin, kind: LogFormat, *, adrift: bool = False) -> None:
        super().__init__(origin, adrift=adrift)
        self._read = {
            LogFormat.JSONLOG: self._postgres,
            LogFormat.AUTH: self._auth,
            LogFormat.REALTIME: self._realtime,
            LogFormat.GATEWAY_JSON: self._gateway,
        }[kind]

    def feed(self, line: Line) -> Sequence[LogEvent]:
        found = fields(line)
        event = self._read(found, line) if found else None
        if event is None:
            if line.text.strip():
                self._reject()
            return ()
        self._found()
        return (event,)

    def _postgres(self, found: Fields, line: Line) -> LogEvent | None:
        stamp = found.get("timestamp")
        if not isinstance(stamp, str) or not re.fullmatch(POSTGRES, stamp) or "error_severity" not in found:
            return None
        try:
            at = parse_postgres(stamp, self.origin.timezone)
        except ValueError:
            return None
        message = first_line(_text(found.get("message")) or "")
        pid = found.get("pid")
        return LogEvent(
            at=at,
            source="postgres",
            file=self.origin.file,
            line=line.number,
            message=message,
            severity=_text(found["error_severity"]),
            sqlstate=_text(found.get("state_code")),
            detail=_text(found.get("detail")),
            hint=_text(found.get("hint")),
            context=_text(found.get("context")),
            statement=_text(found.get("statement")),
            user=_text(found.get("user")),
            database=_text(found.get("dbname")),
            application=_text(found.get("application_name")),
            duration_s=logged_duration_s(message),
            pid=pid if isinstance(pid, int) else None,
            query=_text(found.get("internal_query")),
            cut=line.cut,
        )

    def _service(self, source: str, found: Fields, line: Line, duration_s: float | None) -> LogEvent | None:
        at = parse_any(_first(found, _TIME))
        if at is None:
            return None
        level = found.get("level", found.get("severity"))
        return LogEvent(
            at=at,
            source=source,
            file=self.origin.file,
            line=line.number,
            message=first_line(_text(_first(found, _MESSAGE)) or ""),
            severity=level.upper() if isinstance(level, str) else None,
            detail=_text(found.get("error")),
            hint=_text(found.get("error_code")),
            method=_text(_first(found, _METHOD)),
            path=_text(_first(found, _PATH)),
            status=_status(found),
            duration_s=duration_s,
            cut=line.cut,
        )

    def _auth(self, found: Fields, line: Line) -> LogEvent | None:
        nanoseconds = _number(found.get("duration"))
        return self._service("auth", found, line, None if nanoseconds is None else nanoseconds / 1e9)

    def _realtime(self, found: Fields, line: Line) -> LogEvent | None:
        return self._service("realtime", found, line, None) if _first(found, _MESSAGE) is not None else None

    def _gateway(self, found: Fields, line: Line) -> LogEvent | None:
        return self._service("gateway", found, line, gateway_duration_s(found))
