"""Bytes into lines, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_BYTES = 1 << 20
"""Of a line, and of a record of several lines, this much is kept: 1 MiB."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its newline.

    Attributes:
        number: Counted from 1.
        text: What was kept; bytes that are not UTF-8, and NUL, are U+FFFD.
        quotes: Double quotes in the whole line.
        cut: The line is longer than ``text``, or the file ends in it.
    """

    number: int
    text: str
    quotes: int
    cut: bool


class LineBuffer:
    """Takes bytes as they come and gives complete lines; an incomplete one, or half a character, is held.

    A writer that does not append leaves a hole of NUL bytes after a truncation: those before a line are dropped.

    Args:
        first: Number of the first line.

    Attributes:
        number: Number of the line that is incomplete or comes next.
    """

    def __init__(self, first: int = 1) -> None:
        self.number = first
        self._kept = bytearray()
        self._quotes = 0
        self._cut = False

    @property
    def pending(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._kept)

    def feed(self, data: bytes) -> Iterator[Line]:
        """Take bytes; give the lines that they complete."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._add(piece)
            yield self._take()
        self._add(rest)

    def rest(self) -> Line | None:
        """The incomplete last line, once no more can come."""
        self._cut = True
        return self._take() if self.pending else None

    def _add(self, piece: bytes) -> None:
        if not self._kept:
            piece = piece.lstrip(b"\0")
        room = MAX_BYTES - len(self._kept)
        self._kept += piece[:room]
        self._cut = self._cut or len(piece) > room
        self._quotes += piece.count(b'"')

    def _take(self) -> Line:
        text = self._kept.decode("utf-8", "replace").replace("\0", "\ufffd")
        line = Line(self.number, text, self._quotes, self._cut)
        self.number += 1
        self._kept.clear()
        self._quotes, self._cut = 0, False
        return line
