"""Times as people give them: ISO 8601, as git prints them, or so long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from eventlive_db.verify.errors import VerifyError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:\d+[dhms])+")
_UNIX = re.compile(r"@?(\d{9,11})(?: [+-]\d{4})?")
_GIT_ZONE = re.compile(r" ([+-]\d{2}):?(\d{2})$")


def parse_duration(text: str) -> timedelta:
    """``90s``, ``30m``, ``2h``, ``1d``, ``1h30m``.

    Raises:
        VerifyError: It is none, or nothing.
    """
    if not _DURATION.fullmatch(text):
        raise VerifyError(f"{text!r} is no duration", "Say 90s, 30m, 2h, 1d or 1h30m.", token="not_a_duration")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", text))
    # A century: what is longer is a typing error, and soon no time at all.
    if not 0 < seconds <= 100 * 366 * 86400:
        raise VerifyError(f"{text!r} is no useful duration", "Say 90s, 30m, 2h or 1d.", token="not_a_duration")
    return timedelta(seconds=seconds)


def parse_time(text: str, now: datetime) -> datetime:
    """A moment: ISO 8601 with its zone, as git prints it (``%cI``, ``%ci``, ``%ct``), or ``2h`` for so long ago.

    Args:
        text: What the person gave.
        now: The present moment.

    Raises:
        VerifyError: It is none of these, or has no time zone.
    """
    text = text.strip()
    if _DURATION.fullmatch(text):
        return now - parse_duration(text)
    if unix := _UNIX.fullmatch(text):
        return datetime.fromtimestamp(int(unix[1]), UTC)
    try:
        found = datetime.fromisoformat(_GIT_ZONE.sub(r"\1:\2", text))
    except ValueError:
        advice = "Say 2026-08-01T12:00:00Z, 2h, or $(git log -1 --format=%cI)."
        raise VerifyError(f"{text!r} is no time", advice, token="not_a_time") from None
    if found.tzinfo is None:
        advice = "Say which: 2026-08-01T12:00:00Z, or +02:00."
        raise VerifyError(f"{text!r} has no time zone", advice, token="no_time_zone")
    return found.astimezone(UTC)


def said(at: datetime) -> str:
    """A moment as reports show it: UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def lasting(seconds: float) -> str:
    """A duration as reports show it: its two largest units."""
    left = round(seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"
