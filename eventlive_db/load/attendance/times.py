"""The many ways an export writes a time, and the one question a single value often cannot answer.

``05/06/2024`` is May or June by where it was written. A value is therefore read both ways, and the file as a
whole decides: one value that can only be a day-first date settles all of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

_MORNING = r"a\.?\s?m\.?|오전|午前|上午"
_AFTERNOON = r"p\.?\s?m\.?|오후|午後|下午"
_TIME = (
    rf"(?:(?P<am1>{_MORNING})|(?P<pm1>{_AFTERNOON}))?\s*"
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?\s*"
    rf"(?:(?P<am2>{_MORNING})|(?P<pm2>{_AFTERNOON}))?\s*"
    r"(?P<zone>z|(?:utc|gmt)?(?P<sign>[+-])(?P<zh>[0-9]{2}):?(?P<zm>[0-9]{2})|utc|gmt)?"
)
_BETWEEN = r"(?:t|\s*,\s*|\s+(?:(?:at|um|à)\s+)?)"
_NUMERIC = re.compile(
    r"(?P<a>[0-9]{1,4})\s*(?P<sep>[-/.])\s*(?P<b>[0-9]{1,2})\s*(?P=sep)\s*(?P<c>[0-9]{1,4})\.?" + _BETWEEN + _TIME
)
_WORD = r"(?P<month>[^\W0-9_]{3,12})\.?"
_MONTH_FIRST = re.compile(_WORD + r"[\s-]+(?P<day>[0-9]{1,2}),?[\s-]+(?P<year>[0-9]{4})" + _BETWEEN + _TIME)
_DAY_FIRST = re.compile(
    r"(?P<day>[0-9]{1,2})\.?(?:[\s-]+|\s+de\s+)" + _WORD + r",?(?:[\s-]+|\s+de\s+)(?P<year>[0-9]{4})" + _BETWEEN + _TIME
)
# By the first four letters, else the first three: English, German, Spanish, French.
_MONTHS = {
    word: month
    for month, words in enumerate(
        (
            "jan ene",
            "feb fév",
            "mar mär mrz",
            "apr abr avr",
            "may mai",
            "jun juin",
            "jul juil",
            "aug ago aoû",
            "sep",
            "oct okt",
            "nov",
            "dec dez dic déc",
        ),
        start=1,
    )
    for word in words.split()
}
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069\ufeff"))


@dataclass(frozen=True, slots=True)
class Reading:
    """A time read both ways.

    Attributes:
        month_first: what it is where the month comes first, or None if that is no date.
        day_first: what it is where the day comes first, or None if that is no date.

    Both are the same where the text leaves no choice, and naive unless the text carries an offset.
    """

    month_first: datetime | None
    day_first: datetime | None

    def choose(self, *, day_first: bool) -> datetime | None:
        """The time in the given order, or None if the text is no date in that order."""
        return self.day_first if day_first else self.month_first


@dataclass(frozen=True, slots=True)
class DateOrder:
    """How the dates of a file are read.

    Attributes:
        day_first: whether the day comes before the month.
        note: what had to be assumed, or None if the file left no choice.
    """

    day_first: bool
    note: str | None


@lru_cache(maxsize=1 << 16)  # every time is asked for twice: for the order of the file, then for itself
def read_time(text: str) -> Reading | None:
    """The time a cell holds, read both ways, or None if it holds none.

    Accepts numeric dates with ``/``, ``-`` or ``.`` (dots are day-first everywhere), dates with the name of
    the month, ISO 8601, twelve or twenty-four hours, fractions of a second, an offset, and the narrow
    no-break space that browsers put before AM and PM since CLDR 42.
    """
    clean = " ".join(unicodedata.normalize("NFKC", text).translate(_INVISIBLE).casefold().split())
    if match := _NUMERIC.fullmatch(clean):
        return _numeric(match)
    if match := _MONTH_FIRST.fullmatch(clean) or _DAY_FIRST.fullmatch(clean):
        month = _MONTHS.get(match["month"][:4]) or _MONTHS.get(match["month"][:3])
        known = month and _build(match, int(match["year"]), month, int(match["day"]))
        return Reading(known, known) if known else None
    return None


def _numeric(match: re.Match[str]) -> Reading | None:
    first, second, third = int(match["a"]), int(match["b"]), int(match["c"])
    if len(match["a"]) == 4:
        known = _build(match, first, second, third)
        return Reading(known, known) if known else None
    if len(match["a"]) > 2 or len(match["c"]) not in (2, 4):
        return None
    year = third if len(match["c"]) == 4 else 2000 + third
    day_first = _build(match, year, second, first)
    month_first = day_first if match["sep"] == "." else _build(match, year, first, second)
    return Reading(month_first, day_first) if month_first or day_first else None


def _build(match: re.Match[str], year: int, month: int, day: int) -> datetime | None:
    hour = int(match["hour"])
    afternoon = bool(match["pm1"] or match["pm2"])
    if afternoon or match["am1"] or match["am2"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if afternoon else 0)
    micros = int((match["fraction"] or "0").ljust(6, "0")[:6])
    zone: tzinfo | None = UTC if match["zone"] else None
    try:
        if match["sign"]:
            offset = timedelta(hours=int(match["zh"]), minutes=int(match["zm"]))
            zone = timezone(offset if match["sign"] == "+" else -offset)
        return datetime(year, month, day, hour, int(match["minute"]), int(match["second"] or 0), micros, zone)
    except ValueError:
        return None


def decide_order(texts: Iterable[str], *, day_first: bool | None) -> DateOrder:
    """Whether the dates of a file put the day first.

    Args:
        texts: every time in the file.
        day_first: what the user said, or None to let the file decide. Where no value decides, the month is
            first, as both services write it for en-US; where values contradict, the majority decides.
    """
    if day_first is not None:
        return DateOrder(day_first, None)
    day_only = month_only = 0
    unclear = ""
    for text in texts:
        reading = read_time(text)
        if reading is None or reading.month_first == reading.day_first:
            continue
        day_only += reading.month_first is None
        month_only += reading.day_first is None
        if reading.month_first is not None and reading.day_first is not None:
            unclear = unclear or text.strip()
    decided = day_only > month_only
    order = "day/month" if decided else "month/day"
    if day_only and month_only:
        return DateOrder(decided, f"Some dates can only be day/month and others only month/day; read as {order}.")
    if unclear and not day_only and not month_only:
        note = f"Dates such as {unclear!r} can be read two ways and were read as {order}; say so if not."
        return DateOrder(decided, note)
    return DateOrder(decided, None)


def to_utc(moment: datetime, zone: tzinfo, *, not_before: datetime | None = None) -> datetime | None:
    """The moment in UTC, or None if it lies outside the calendar.

    Args:
        moment: as read; a moment without an offset is local time in ``zone``.
        zone: the time zone of the export.
        not_before: where the local time exists twice, at the end of summer time, the second one is taken if
            the first lies before this.
    """
    try:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        known = moment.replace(tzinfo=zone).astimezone(UTC)
        if not_before is not None and known < not_before:
            known = moment.replace(tzinfo=zone, fold=1).astimezone(UTC)
    except OverflowError:
        return None
    return known
