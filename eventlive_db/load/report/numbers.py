"""Figures as a person reads them. ``page.js`` has the same rules for the values at its cursor."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

NOTHING = "–"  # noqa: RUF001  # stands in a cell for what is not there
_OF_BYTES = re.compile(r"(?:B|bytes)\b(.*)", re.DOTALL)
_BYTES = ("B", "kB", "MB", "GB", "TB", "PB")


def number(value: float) -> str:
    """``1,234``, ``12.3``, ``0.0457``: thousands separated, three digits below a thousand.

    What three digits would make a hundred, or another power of ten, has up to five: ``99.97`` is not 100.
    """
    exact = Decimal(value + 0.0)
    if not -10 <= exact.adjusted() < 15:
        return f"{value:.2e}"
    for digits in (3, 4, 5):
        rounded = exact.quantize(Decimal(1).scaleb(-max(0, digits - 1 - exact.adjusted())), ROUND_HALF_UP)
        if rounded.adjusted() == exact.adjusted() or exact.adjusted() > 2:
            break
    told = f"{rounded:,f}"
    return told.rstrip("0").rstrip(".") if "." in told else told


def number_or_nothing(value: float | None) -> str:
    """The same, and a dash for None."""
    return NOTHING if value is None else number(value)


def share(part: float, whole: float) -> str:
    """``1.25 %``; only nothing is 0 and only all is 100."""
    if part == whole:
        return "100 %"
    percent = 100 * part / whole
    return f"{number(min(percent, 99.99)) if percent >= 0.01 or not part else '< 0.01'} %"


def seconds(value: float) -> str:
    """``12.3 s``, ``12 min 35 s``, ``1 h 2 min``: the parts that are not zero."""
    if value < 59.95:
        return f"{number(value)} s"
    minutes, rest = divmod(math.floor(value + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours:,} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest} s" if rest else ""]
    return " ".join(part for part in parts if part)


def byte_scale(unit: str, highest: float) -> tuple[float, str]:
    """What to divide values by, and the unit they then have: bytes become kB and so on, of 1,000 each.

    Args:
        unit: ``B`` or ``bytes``, also with something behind it, such as ``B/s`` or ``bytes a second``; others stay
            what they are.
        highest: Of the values.
    """
    bytes_ = _OF_BYTES.fullmatch(unit)
    if bytes_ is None:
        return 1.0, unit
    power = min(len(_BYTES) - 1, int(math.log10(highest) // 3)) if highest >= 1000 else 0
    return 1000.0**power, f"{_BYTES[power]}{bytes_[1]}"


def size(value: float) -> str:
    """Bytes: ``512 B``, ``1.34 MB``."""
    factor, unit = byte_scale("B", value)
    return f"{number(value / factor)} {unit}"


def setting(value: Any) -> str:
    """A value of the options or settings; what is inside another one is told as Python tells it."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.12g}"
    return str(value)
