"""Times as logs write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from eventlive_db.logs.model import LogError

POSTGRES = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?:[A-Za-z]{1,10}|<?[+-]\d\d(?::?\d\d){0,2}>?)"
"""Pattern of what ``%t``, ``%m``, csvlog and jsonlog write, always with a zone."""

COMBINED = r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
"""Pattern of the time in access logs."""

_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}

# CST, IST, AST and the like stand for several zones, so they are not here.
_HOURS = {
    "UTC": 0.0,
    "GMT": 0,
    "Z": 0,
    "WET": 0,
    "WEST": 1,
    "BST": 1,
    "CET": 1,
    "CEST": 2,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "SAST": 2,
    "CAT": 2,
    "EAT": 3,
    "WAT": 1,
    "PKT": 5,
    "WIB": 7,
    "HKT": 8,
    "AWST": 8,
    "JST": 9,
    "KST": 9,
    "ACST": 9.5,
    "ACDT": 10.5,
    "AEST": 10,
    "AEDT": 11,
    "NZST": 12,
    "NZDT": 13,
    "NST": -3.5,
    "NDT": -2.5,
    "EST": -5,
    "EDT": -4,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "AKST": -9,
    "AKDT": -8,
    "HST": -10,
}


def parse_postgres(text: str, zone: tzinfo | None = None) -> datetime:
    """A time that matches :data:`POSTGRES`, in UTC.

    Args:
        text: The time with its zone: an offset or an abbreviation.
        zone: The server's ``log_timezone``, for abbreviations.

    Raises:
        LogError: The abbreviation is not known, or stands for several zones; ``zone`` would say which.
        ValueError: There is no such time.
    """
    day_and_time, _, name = text.rpartition(" ")
    local = datetime.fromisoformat(day_and_time)
    name = name.strip("<>")
    if name[0] in "+-":
        digits = name[1:].replace(":", "").ljust(6, "0")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:]))
        return local.replace(tzinfo=timezone(offset if name[0] == "+" else -offset)).astimezone(UTC)
    if name in ("UTC", "GMT", "Z"):
        return local.replace(tzinfo=UTC)
    if zone is not None:
        # The abbreviation tells the two hours apart when clocks are set back.
        folds = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        fitting = next((moment for moment in folds if moment.tzname() == name), local.replace(tzinfo=zone))
        return fitting.astimezone(UTC)
    if name not in _HOURS:
        msg = f"the log's times are in '{name}', which is not known or stands for several time zones"
        advice = "Name the server's log_timezone (timezone), or set log_timezone = 'UTC'"
        raise LogError(msg, advice, token="unknown_timezone")
    return local.replace(tzinfo=timezone(timedelta(hours=_HOURS[name]))).astimezone(UTC)


def parse_combined(text: str) -> datetime:
    """A time that matches :data:`COMBINED`, in UTC; months are English whatever the locale.

    Raises:
        ValueError: There is no such time.
    """
    day, month, rest = text.split("/", 2)
    if month not in _MONTHS:
        msg = f"no month is called {month}"
        raise ValueError(msg)
    return datetime.strptime(f"{day}/{_MONTHS[month]}/{rest}", "%d/%m/%Y:%H:%M:%S %z").astimezone(UTC)


_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d+))?\s*(Z|[+-]\d\d:?\d\d)?\Z", re.I)


def parse_any(value: object) -> datetime | None:
    """A time of a JSON line: RFC 3339, an access log's, or seconds, milliseconds, microseconds since 1970.

    Returns:
        The time in UTC (taken as UTC where it has no offset), or None where it is none.
    """
    if isinstance(value, str):
        if found := _ISO.match(value.strip()):
            day, time, fraction, offset = found.groups()
            moment = f"{day}T{time}.{(fraction or '0')[:6].ljust(6, '0')}{(offset or 'Z').upper()}"
            try:
                return datetime.fromisoformat(moment).astimezone(UTC)
            except ValueError:
                return None
        if re.fullmatch(COMBINED, value):
            try:
                return parse_combined(value)
            except ValueError:
                return None
        if re.fullmatch(r"\d{9,}(\.\d+)?", value):
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Seconds have 10 digits until the year 2286.
    seconds = float(value) if abs(value) < 1e20 else 0.0
    while seconds > 1e11:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, UTC) if seconds > 1e8 else None
