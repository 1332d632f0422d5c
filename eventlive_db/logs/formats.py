"""Which format a file has, by what is in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from eventlive_db.logs.access import AccessParser, access_format
from eventlive_db.logs.csvlog import START, CsvParser
from eventlive_db.logs.jsonlines import JsonParser, fields, json_format
from eventlive_db.logs.lines import Line
from eventlive_db.logs.model import LogError, LogFormat
from eventlive_db.logs.parser import Origin, Parser
from eventlive_db.logs.realtime import RealtimeParser, is_realtime
from eventlive_db.logs.stderr import StderrParser, patterns

PATIENCE = 50
"""After so many lines of no known format a file is given up."""

_HEAD_CHARS = 4096


def of_line(line: Line, prefixes: Sequence[re.Pattern[str]]) -> LogFormat | None:
    """The format that this line is in, or None."""
    if (found := fields(line)) is not None:
        return json_format(found)
    text = line.text[:_HEAD_CHARS].removesuffix("\r")
    if START.match(text):
        return LogFormat.CSVLOG
    if any(prefix.match(text) for prefix in prefixes):
        return LogFormat.STDERR
    if is_realtime(text):
        return LogFormat.REALTIME
    return access_format(text)


def of_lines(lines: Iterable[Line], prefix: str | None) -> LogFormat | None:
    """The format that most of the lines are in, or None where none is known.

    Raises:
        LogError: The prefix has no time.
    """
    known = patterns(prefix)
    votes = Counter(found for line in lines if (found := of_line(line, known)) is not None)
    return votes.most_common(1)[0][0] if votes else None


def parser(kind: LogFormat, origin: Origin, sample: Iterable[Line], *, adrift: bool) -> Parser:
    """The parser of a format; ``sample`` tells Realtime's two forms apart.

    Raises:
        LogError: The prefix has no time.
    """
    if kind is LogFormat.STDERR:
        return StderrParser(origin, adrift=adrift)
    if kind is LogFormat.CSVLOG:
        return CsvParser(origin, adrift=adrift)
    if kind in (LogFormat.POSTGREST, LogFormat.GATEWAY):
        return AccessParser(origin, kind, adrift=adrift)
    if kind is LogFormat.REALTIME and not any(fields(line) for line in sample):
        return RealtimeParser(origin, adrift=adrift)
    return JsonParser(origin, kind, adrift=adrift)


def unknown(file: str) -> LogError:
    """Why a file is given up."""
    names = ", ".join(kind.value for kind in LogFormat)
    advice = f"Say which format it is ({names}); for Postgres' text log give the server's log_line_prefix (prefix)"
    return LogError(f"{file} is in no format that is known", advice, token="unknown_log_format")
