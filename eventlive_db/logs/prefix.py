"""``log_line_prefix`` as a pattern. Source: Postgres manual, "Error Reporting and Logging", log_line_prefix."""

from __future__ import annotations

import re

from eventlive_db.logs.model import LogError
from eventlive_db.logs.stamps import POSTGRES

_SECONDARY = {"DETAIL", "HINT", "QUERY", "CONTEXT", "LOCATION", "STATEMENT", "BACKTRACE"}
SEVERITIES = ("DEBUG", "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5", "LOG", "INFO", "NOTICE", "WARNING")
_PRIMARY = (*SEVERITIES, "ERROR", "FATAL", "PANIC")
_LABEL = rf"(?P<label>{'|'.join(sorted((*_PRIMARY, *_SECONDARY), key=len, reverse=True))}):  "

_STAMP = f"(?P<at>{POSTGRES})"
_ESCAPES = {
    "t": _STAMP,
    "m": _STAMP,
    "n": r"(?P<epoch>\d+(?:\.\d+)?)",
    "s": POSTGRES,
    # A name has up to 63 bytes.
    "a": "(?P<application>.{0,63}?)",
    "u": "(?P<user>.{0,63}?)",
    "d": "(?P<database>.{0,63}?)",
    "r": r"\S*?(?:\(\d+\))?",
    "h": r"\S*?",
    "L": r"\S*?",
    "b": "[a-z ]*?",
    "i": "[A-Za-z ]*?",
    "p": r"(?P<pid>\d+)",
    "P": r"\d*",
    "e": "(?P<sqlstate>[0-9A-Z]{5})",
    "c": r"(?P<session>[0-9a-f]+\.[0-9a-f]+)",
    "l": r"\d+",
    "v": r"(?:\d+/\d+)?",
    "x": r"\d+",
    "Q": r"-?\d+",
    "%": "%",
}
_ESCAPE = re.compile(r"%(-?\d+)?([A-Za-z%])")

COMMON_PREFIXES = (
    "%m [%p] %q%u@%d ",  # Debian
    "%m [%p] ",  # Postgres
    "%h %m [%p] %q%u@%d ",  # Supabase
    "%t:%r:%u@%d:[%p]:",  # RDS
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",  # pgBadger's
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d ",
    "%m [%p]: [%l-1] db=%d,user=%u ",  # Cloud SQL
    "%t [%p]: [%l-1] ",
    "%m [%p] %q[user=%u,db=%d,app=%a] ",
    "%m [%p] %e %q%u@%d ",
    "%m [%p] %q%u@%d %e ",
    "%t [%p-%l] %q%u@%d ",
    "%t [%p-%l] ",
    "%m %u@%d [%p] ",
    "< %m > ",
    "%m ",
)
"""Tried where the caller does not say."""


def is_secondary(label: str) -> bool:
    """Whether a line with this label belongs to a record before it."""
    return label in _SECONDARY


def pattern(prefix: str) -> re.Pattern[str]:
    """The pattern of a line up to its text: groups ``at`` or ``epoch``, ``label``, and what else the prefix has.

    Args:
        prefix: The server's ``log_line_prefix``.

    Raises:
        LogError: It has no time, so that its lines cannot be dated.
    """
    parts: list[str] = []
    seen: set[str] = set()
    end = optional = 0
    for escape in _ESCAPE.finditer(prefix):
        parts.append(re.escape(prefix[end : escape.start()]))
        end = escape.end()
        padding, letter = escape.groups()
        if letter == "q":
            # Processes that are no session stop here.
            parts.append("(?:")
            optional += 1
            continue
        # Anything else after a percent sign is ignored by the server.
        value = _ESCAPES.get(letter, "")
        value = re.sub(r"\?P<(\w+)>", lambda group: "?:" if group[1] in seen else group[0], value)
        seen.update(re.findall(r"\?P<(\w+)>", value))
        parts.append(rf" *{value} *" if padding else value)
    parts.append(re.escape(prefix[end:]) + ")?" * optional + _LABEL)
    if not seen & {"at", "epoch"}:
        msg = f"the prefix '{prefix}' has no time (%m, %t or %n)"
        advice = "Set log_line_prefix = '%m [%p] %e %q%u@%d ' on the server, or read its csvlog or jsonlog"
        raise LogError(msg, advice, token="prefix_without_time")
    return re.compile("".join(parts))
