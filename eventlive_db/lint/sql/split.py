"""Cuts a script into statements as psql does: with its variables, its commands and the rows of COPY.

What psql would not take is cut all the same, so that one faulty statement hides no other. The rules are those of psql's
own scanner (psqlscan.l and psqlscanslash.l).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*)
    | (?P<block>/\*)
    | (?P<string>[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*")
    | (?P<open>['"])
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<colons>::|:=)
    | (?P<variable>:(?:'\w+'|"\w+"|\{\?\w+\}|\w+))
    | (?P<command>\\)
    | (?P<word>(?:[^\W\d]|\$\d)[\w$]*|\d[\w.]*)
    | (?P<sign>\S)
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_COMMAND = re.compile(r"\\(?P<name>[a-zA-Z_]+|[^\sa-zA-Z_])?")
_ARGUMENTS = re.compile(r"""(?:'(?:[^'\\\n]|''|\\.)*'|"[^"\n]*"|`[^`\n]*`|[^\\\n])*""")
_WHOLE_LINE = frozenset({"copy", "!", "?", ".", "ef", "ev", "h", "help", "sf", "sv"})
_SENDS = frozenset({";", "g", "gx", "gset", "gexec", "gdesc", "crosstabview", "watch", "parse", "sendpipeline"})
_END_OF_ROWS = re.compile(r"^\\\.[ \t\r]*$", re.MULTILINE)
_FROM_STDIN = re.compile(r"\bfrom\s+p?stdin\b", re.IGNORECASE)


@dataclass(slots=True)
class Piece:
    """A statement of a script.

    Attributes:
        start: Its first word.
        end: What comes after its last character.
        after: Where the rest of the script begins.
        text: It, with the commands in it blanked out.
        variables: Where psql puts in the values of its variables.
        quoted: Where its strings and dollar quotes stand.
        is_open: Whether a quote or comment in it has no end.
        body: Where the ``begin atomic`` stands that has no end.
    """

    start: int
    end: int = 0
    after: int = 0
    text: str = ""
    variables: list[range] = field(default_factory=list)
    quoted: list[range] = field(default_factory=list)
    is_open: bool = False
    body: int | None = None


def next_piece(script: str, position: int = 0) -> Piece | None:
    """The first statement from a place on; None where there is none."""
    return _Scanner(script, position).piece()


class _Scanner:
    def __init__(self, script: str, position: int) -> None:
        self._script = script
        self._position = position
        self._piece: Piece | None = None
        self._restart()

    def _restart(self) -> None:
        self._piece = None
        self._commands: list[range] = []
        self._brackets: list[str] = []
        self._blocks = 0
        self._body = 0
        self._words: list[str] = []
        self._previous = ""

    def piece(self) -> Piece | None:
        while token := _TOKEN.search(self._script, self._position):
            start, self._position = token.span()
            kind, text = str(token.lastgroup), token.group()
            if kind == "block":
                self._skip_comment(start)
            elif kind == "command":
                if self._command(start):
                    return self._finished(start, self._position)
            elif kind != "comment":
                if text == ";" and self._ends():
                    if self._piece:
                        return self._finished(start, self._position)
                    continue
                self._take(kind, text, start)
        return self._finished(len(self._script), len(self._script)) if self._piece else None

    def _ends(self) -> bool:
        """Whether a semicolon ends the statement; only a rule has some in brackets, and only a body in its block."""
        return not self._blocks and not (self._brackets and "rule" in self._words[:5])

    def _take(self, kind: str, text: str, start: int) -> None:
        self._piece = self._piece or Piece(start)
        if kind in {"dollar", "open"}:
            end = self._script.find(text, self._position) if kind == "dollar" else -1
            self._piece.is_open = end < 0
            self._position = end + len(text) if end >= 0 else len(self._script)
        if kind in {"dollar", "open", "string"}:
            self._piece.quoted.append(range(start, self._position))
        elif kind == "variable" and self._is_variable(text):
            self._piece.variables.append(range(start, self._position))
        elif kind == "word":
            self._word(text.lower(), start)
        elif text in "([":
            # Between the brackets of ``array[...]`` stand values; between others an index or slice.
            self._brackets.append("array" if text == "[" and self._previous == "array" else text)
        elif text in ")]" and self._brackets:
            self._brackets.pop()
        self._previous = text.lower()

    def _is_variable(self, text: str) -> bool:
        """Whether it is none of the two ends of a slice such as ``a[1:n]``."""
        if self._brackets[-1:] != ["["] or text[1] in "'\"{":
            return True
        before = self._previous
        return not (before[-1:].isalnum() or before[-1:] in {"_", "'", '"', ")", "]", "$"})

    def _word(self, word: str, start: int) -> None:
        self._words.append(word)
        if word == "begin" and not self._blocks:
            self._body = start
        if (word == "atomic" and self._previous == "begin") or (self._blocks and word == "case"):
            self._blocks += 1
        elif self._blocks and word == "end":
            self._blocks -= 1

    def _skip_comment(self, start: int) -> None:
        depth = 1
        while depth:
            edge = _BLOCK_EDGE.search(self._script, self._position)
            if edge is None:
                self._piece = self._piece or Piece(start)
                self._piece.is_open = True
                self._position = len(self._script)
                return
            depth += 1 if edge.group() == "/*" else -1
            self._position = edge.end()

    def _command(self, start: int) -> bool:
        """Pass over the commands that stand side by side; whether one of them sends the statement."""
        sends, place = False, start
        while found := _COMMAND.match(self._script, place):
            name = found["name"] or ""
            self._position = place = self._end_of_command(found, name)
            if name in {"r", "reset"}:
                self._restart()
            sends = sends or name in _SENDS
            if name in {";", "\\"} or self._script[place : place + 1] != "\\":
                break
        if not sends:
            self._commands.append(range(start, self._position))
        return sends and self._piece is not None

    def _end_of_command(self, found: re.Match[str], name: str) -> int:
        if name in {";", "\\"}:
            return found.end()
        line = self._script.find("\n", found.end())
        end = line if line >= 0 else len(self._script)
        if name == "copy" and _FROM_STDIN.search(self._script, found.end(), end):
            return max(end, self._after_rows(end))
        arguments = _ARGUMENTS.match(self._script, found.end(), end)
        return arguments.end() if arguments and name not in _WHOLE_LINE else end

    def _after_rows(self, end: int) -> int:
        """What comes after the rows of ``copy ... from stdin``, where they stand in the script."""
        line = self._script.find("\n", end)
        rows = _END_OF_ROWS.search(self._script, line) if line >= 0 else None
        return rows.end() if rows else self._position

    def _finished(self, end: int, after: int) -> Piece:
        piece = self._piece or Piece(end)
        if self._words[:1] == ["copy"] and _FROM_STDIN.search(self._script, piece.start, end):
            after = max(after, self._after_rows(end))
        text = self._script[piece.start : end].rstrip()
        for command in self._commands:
            text = _blanked(text, command.start - piece.start, command.stop - piece.start)
        piece.body = self._body if self._blocks else None
        piece.text, piece.end, piece.after = text, piece.start + len(text), after
        return piece


def _blanked(text: str, start: int, end: int) -> str:
    start, end = max(start, 0), min(end, len(text))
    return text if start >= end else text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


_BEGINS = re.compile(
    r"^(?:(?:create|comment\s+on|grant|revoke|truncate|alter(?!\s+column)|drop(?!\s+(?:column|constraint)))\b"
    r"|do\s+[$']|(?:begin|commit)\s*;)",
    re.IGNORECASE | re.MULTILINE,
)


def resume(script: str, piece: Piece, fault: int) -> int:
    """Where to go on after a statement that is no SQL.

    A semicolon or the end of a quote may be missing in it: where a line begins as only statements do, it may be the
    next one.

    Args:
        script: The script.
        piece: The statement.
        fault: Where in the script the parser gave up.
    """
    fault = piece.start if piece.body is not None else fault
    for line in _BEGINS.finditer(script, max(fault, piece.start + 1), piece.after):
        around = next((quote for quote in piece.quoted if quote.start < line.start() < quote.stop), None)
        # A quote that the parser came to before its end may be the wrong way round; a body is none of those.
        if around is None or around.start >= fault or piece.is_open:
            if around and script[around.start] == "$" and not piece.is_open:
                continue
            return line.start()
    return piece.after
