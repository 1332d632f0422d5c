"""Where in which function something happened: the CONTEXT of a server message, read.

Each nested statement that auto_explain reports carries the call stack of the server, innermost first. Source:
PostgreSQL manual, "Reporting Errors Within the Server"; the wording is that of plpgsql, SQL functions and SPI with
``lc_messages = C``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["plpgsql", "sql", "statement", "expression"]

_FRAME = re.compile(
    r"""
      PL/pgSQL\ function\ (?P<plpgsql>.+?)(?:\ line\ (?P<line>\d+))?(?:\ (?P<at>(?:at|during|while)\ .+))?$
    | SQL\ function\ "(?P<sql>.+?)"(?:\ statement\ (?P<statement_number>\d+)|\ during\ .+)?$
    | SQL\ statement\ "(?P<statement>.*)
    | (?:PL/pgSQL|SQL)\ (?:expression|assignment)\ "(?P<expression>.*)
    """,
    re.VERBOSE,
)


# Lines that are read over.
_OTHER = re.compile(r"while |COPY |PL/|parallel worker$|compilation of ")


@dataclass(frozen=True, slots=True)
class Frame:
    """One level of the call stack.

    Attributes:
        kind: ``plpgsql`` and ``sql`` are functions, ``statement`` and ``expression`` what they run.
        name: Of a function, as the server prints it: with its arguments' types for plpgsql, bare for SQL. Else the
            text of the statement or expression.
        line: Of a plpgsql function's body, counted from the line of the opening quote; for a SQL function the number
            of the statement. None where the server names none.
        at: What plpgsql was doing, such as ``at SQL statement``.
    """

    kind: Kind
    name: str
    line: int | None = None
    at: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a function.

    Attributes:
        function: As the server prints it, such as ``app.take_job(uuid)``; empty for what the client sent itself.
        line: Of a plpgsql body, the line of the opening quote being 1; None where it is not known.
    """

    function: str = ""
    line: int | None = None

    @property
    def name(self) -> str:
        """The function without its arguments."""
        return self.function.partition("(")[0]

    def __str__(self) -> str:
        if not self.function:
            return "the call itself"
        return f"{self.name} line {self.line}" if self.line is not None else self.name


def parse_context(context: str | None) -> tuple[Frame, ...]:
    """Read a CONTEXT field.

    Args:
        context: The text; one frame a line, except that a statement may go over several.

    Returns:
        The frames, innermost first; lines that are none of plpgsql, SQL functions or SPI are left out.
    """
    frames: list[Frame] = []
    lines = (context or "").split("\n")
    position = 0
    while position < len(lines):
        match = _FRAME.match(lines[position])
        end = position + 1
        if match is None:
            pass
        elif match["plpgsql"]:
            number = match["line"]
            frames.append(Frame("plpgsql", match["plpgsql"], int(number) if number else None, match["at"] or ""))
        elif match["sql"]:
            number = match["statement_number"]
            frames.append(Frame("sql", match["sql"], int(number) if number else None))
        else:
            kind: Kind = "expression" if match["statement"] is None else "statement"
            end = _end_of_text(lines, position)
            text = "\n".join([match[kind], *lines[position + 1 : end]])
            frames.append(Frame(kind, text.removesuffix('"')))
        position = end
    return tuple(frames)


def _end_of_text(lines: Sequence[str], start: int) -> int:
    """Where the statement that begins on a line is over: a line within it may end with a quote too."""
    closed = [n + 1 for n in range(start, len(lines)) if lines[n].endswith('"')]
    ends = (n for n in closed if n == len(lines) or _FRAME.match(lines[n]) or _OTHER.match(lines[n]))
    return next(ends, closed[0] if closed else start + 1)


def place_of(frames: Iterable[Frame]) -> Place:
    """The innermost line of a function in a call stack; an empty place for what the client sent itself."""
    for frame in frames:
        if frame.kind == "plpgsql":
            return Place(frame.name, frame.line)
        if frame.kind == "sql":
            return Place(frame.name)
    return Place()
