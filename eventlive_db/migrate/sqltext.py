"""Cuts a SQL script into its statements, as psql does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*)
    | (?P<block>/\*)
    | (?P<string>[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*")
    | (?P<dollar>\$(?:[A-Za-z_]\w*)?\$)
    | (?P<word>[A-Za-z_][\w$]*)
    | (?P<mark>[();])
    | (?P<open>['"])
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        text: The statement with the comments in front of it, and without the semicolon.
        line: Line of the script where its first word stands.
        words: Its words in lower case, up to the first bracket, string or comment: enough to tell what it is.
    """

    text: str
    line: int
    words: tuple[str, ...]


def split_statements(script: str) -> Iterator[Statement]:
    """The statements of a script, in order.

    Quotes, dollar quotes, nested comments and the bodies of ``begin atomic`` functions are taken as a whole.

    Args:
        script: SQL without psql's backslash commands.

    Raises:
        ValueError: A quote or a comment has no end, or the last statement has no semicolon.
    """
    scanner = _Scanner(script)
    yield from scanner.statements()


class _Scanner:
    def __init__(self, script: str) -> None:
        self._script = script
        self._start = 0
        self._restart()

    def _restart(self) -> None:
        self._first: int | None = None
        self._words: list[str] = []
        self._heading = True
        self._brackets = 0
        self._blocks = 0
        self._previous = ""

    def statements(self) -> Iterator[Statement]:
        position = 0
        while token := _TOKEN.search(self._script, position):
            position = token.end()
            kind, text = token.lastgroup, token.group()
            if kind == "open":
                msg = f"the quote in line {self._script.count(chr(10), 0, token.start()) + 1} has no end"
                raise ValueError(msg)
            if kind == "block":
                position = self._end_of_comment(position)
            elif kind == "comment":
                continue
            elif kind == "mark" and text == ";" and not self._brackets and not self._blocks:
                if self._first is not None:
                    yield self._statement(token.start())
                self._start = position
                self._restart()
            else:
                self._begin(token.start())
                if kind == "dollar":
                    position = self._after(text, position)
                self._look_at(kind, text)
        if self._first is not None:
            line = self._script.count("\n", 0, self._first) + 1
            msg = f"the statement that begins in line {line} has no end; a quote, 'end' or ';' is missing"
            raise ValueError(msg)

    def _begin(self, position: int) -> None:
        if self._first is None:
            self._first = position

    def _look_at(self, kind: str | None, text: str) -> None:
        if kind != "word":
            self._heading = False
            if kind == "mark":
                self._brackets += {"(": 1, ")": -1}.get(text, 0)
            self._previous = ""
            return
        word = text.lower()
        if self._heading:
            self._words.append(word)
        if (word == "atomic" and self._previous == "begin") or (self._blocks and word == "case"):
            self._blocks += 1
        elif self._blocks and word == "end":
            self._blocks -= 1
        self._previous = word

    def _statement(self, end: int) -> Statement:
        assert self._first is not None  # noqa: S101  # the caller looked
        line = self._script.count("\n", 0, self._first) + 1
        return Statement(self._script[self._start : end].strip(), line, tuple(self._words))

    def _after(self, tag: str, position: int) -> int:
        end = self._script.find(tag, position)
        if end < 0:
            msg = f"the quote {tag} has no end"
            raise ValueError(msg)
        return end + len(tag)

    def _end_of_comment(self, position: int) -> int:
        depth = 1
        while depth:
            edge = _BLOCK_EDGE.search(self._script, position)
            if edge is None:
                msg = "a comment /* has no end"
                raise ValueError(msg)
            depth += 1 if edge.group() == "/*" else -1
            position = edge.end()
        return position
