"""Text that a terminal, an XML parser and a browser can all be given."""

from __future__ import annotations

import re
import textwrap
import unicodedata

_UNFIT = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for the tab and the line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # they turn the direction of what follows
    "\u2028\u2029"  # further line breaks
    "\ud800-\udfff"  # half surrogates
    "\ufdd0-\ufdef\ufffe\uffff"
    + "".join(f"{chr(p + 0xFFFE)}{chr(p + 0xFFFF)}" for p in range(0x10000, 0x110000, 0x10000))
    + "]"
)


def printable(text: str) -> str:
    """The text with ``U+FFFD`` in place of each character that is invisible, harmful or not allowed in XML.

    Those are control characters (escape sequences of a terminal begin with one), changes of direction, half
    surrogates and noncharacters. Line feeds and tabs stay. Source: XML 1.0, section 2.2.
    """
    return _UNFIT.sub("\ufffd", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The same on one line."""
    return " ".join(printable(text).split())


def width_of(text: str) -> int:
    """Columns of a terminal that the text takes: ideographs take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_width(c) for c in text)


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text with spaces to the width, after it or (``right``) before it."""
    spaces = " " * (width - width_of(text))
    return spaces + text if right else text + spaces


def wrapped(text: str, width: int, indent: str = "", further: str | None = None) -> list[str]:
    """Lines of at most the width, words kept whole where they fit.

    Args:
        text: On one line or several, all of it becomes one paragraph.
        width: Columns, the indent included; at least 20 are used for the text.
        indent: Before the first line.
        further: Before each further line; default: as before the first.
    """
    further = indent if further is None else further
    width = max(width, 20 + max(len(indent), len(further)))
    return textwrap.wrap(
        one_line(text), width, initial_indent=indent, subsequent_indent=further, break_on_hyphens=False
    ) or [indent.rstrip()]


def shortened(text: str, length: int) -> str:
    """The text on one line, cut in the middle where it is longer: both ends of a query say what it is."""
    text = one_line(text)
    if len(text) <= length:
        return text
    tail = length // 3
    return f"{text[: length - tail - 3].rstrip()} … {text[-tail:].lstrip()}"


def plural(count: int, singular: str, many: str | None = None) -> str:
    """``1 row``, ``2 rows``."""
    return f"{count} {singular if count == 1 else many or singular + 's'}"
