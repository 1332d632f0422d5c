"""Texts that know where they stand: a file, a statement of it, a function's body, a query in that body."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class SourceFile:
    """A file that was read.

    Attributes:
        name: Relative to the folder that is linted.
        text: All of it.
    """

    name: str
    text: str

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        starts.extend(index + 1 for index, char in enumerate(self.text) if char == "\n")
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of a character."""
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line_start(self, line: int) -> int:
        """Offset of the first character of a line; the end of the file for a line beyond it."""
        return self._line_starts[line - 1] if line <= len(self._line_starts) else len(self.text)

    def whole(self) -> Snippet:
        """The file as a snippet of itself."""
        return Snippet(self, self.text, range(len(self.text)))


@dataclass(frozen=True)
class Snippet:
    """A piece of a file, perhaps unquoted or padded, that knows where each character stands in it.

    Attributes:
        source: The file.
        text: What is parsed.
        offsets: For each character of it, the offset in the file.
    """

    source: SourceFile
    text: str
    offsets: Sequence[int]
    _bytes: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def cut(self, start: int, end: int | None = None) -> Snippet:
        """A part of it, by characters."""
        return Snippet(self.source, self.text[start:end], self.offsets[start:end])

    def with_text(self, text: str) -> Snippet:
        """Another text of the same length in the same place."""
        assert len(text) == len(self.text)  # noqa: S101  # the callers only blank out
        return Snippet(self.source, text, self.offsets)

    def with_prefix(self, prefix: str) -> Snippet:
        """The same with words in front that stand nowhere."""
        first = self.offsets[0] if len(self.offsets) else 0
        return Snippet(self.source, prefix + self.text, [first] * len(prefix) + list(self.offsets))

    def offset(self, index: int) -> int:
        """Where a character stands in the file."""
        if not len(self.offsets):
            return 0
        if index >= len(self.offsets):
            return self.offsets[-1] + 1
        return self.offsets[max(index, 0)]

    def position(self, index: int) -> tuple[int, int]:
        """Line and column in the file of a character of this text."""
        return self.source.position(self.offset(index))

    def byte_index(self, char: int) -> int:
        """The byte of a character, as the parser would count it."""
        return len(self.text[:char].encode())

    def char_index(self, byte: int) -> int:
        """The character at a byte of the text in UTF-8, which is how the parser counts."""
        if self.text.isascii():
            return byte
        if not self._bytes:
            total = 0
            for char in self.text:
                self._bytes.append(total)
                total += len(char.encode())
        return bisect_right(self._bytes, byte) - 1
