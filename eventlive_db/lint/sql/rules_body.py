"""Rules for the bodies of functions and DO blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from eventlive_db.lint.sql.catalog import Function
from eventlive_db.lint.sql.config import Config
from eventlive_db.lint.sql.context import Fault
from eventlive_db.lint.sql.parsed_body import ParsedBody
from eventlive_db.lint.sql.plpgsql import PlpgsqlBody, tokens_of, walk_statements
from eventlive_db.lint.sql.scripts import ParsedStatement

_SERIALIZATION = frozenset({"40001", "serialization_failure"})
_DYNAMIC = frozenset({"stmt_dynexecute", "stmt_dynfors"})


@dataclass(frozen=True, slots=True)
class Unit:
    """A function or DO block.

    Attributes:
        statement: What makes or runs it.
        parsed: Its body.
        function: None for a DO block.
    """

    statement: ParsedStatement
    parsed: ParsedBody
    function: Function | None = None

    @property
    def title(self) -> str:
        """For messages."""
        return self.function.name if self.function else "the DO block"

    def is_among(self, patterns: tuple[str, ...]) -> bool:
        """Whether patterns name the function, or the file."""
        names = [self.statement.snippet.source.name, *([self.function.name] if self.function else [])]
        return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def check_body(unit: Unit, config: Config) -> Iterator[Fault]:
    """The faults in a body of plpgsql, beyond its names."""
    body = unit.parsed.plpgsql
    if body is None:
        return
    yield from _handlers(unit, body, config)
    yield from _raises(unit, body)
    if not unit.is_among(config.dynamic_sql):
        yield from _dynamic(unit, body)


def _handlers(unit: Unit, body: PlpgsqlBody, config: Config) -> Iterator[Fault]:
    tokens = tokens_of(body.text.text)
    words = [token.group().lower() for token in tokens]
    in_handlers = False
    for index, word in enumerate(words[:-1]):
        after = words[index + 1]
        if word == "exception" and after == "when":
            in_handlers = True
            if unit.is_among(config.hot_path):
                message = (
                    f"{unit.title} is on the hot path and has an exception block, which costs a subtransaction a call"
                )
                advice = "test for what may fail before it does"
                yield Fault(
                    body.text,
                    tokens[index].start(),
                    "body.exception_in_hot_path",
                    message,
                    advice,
                    "exception",
                    unit.title,
                )
        elif in_handlers and after == "others" and word in {"when", "or"}:
            message = f"{unit.title} catches whatever may happen, and so hides faults"
            advice = "name the conditions that are meant"
            yield Fault(body.text, tokens[index + 1].start(), "body.when_others", message, advice, "others", unit.title)


def _raises(unit: Unit, body: PlpgsqlBody) -> Iterator[Fault]:
    tokens = tokens_of(body.text.text)
    raising = False
    for token in tokens:
        word = token.group().lower()
        if word == "raise":
            raising = True
        elif word == ";":
            raising = False
        elif raising and word.strip("'") in _SERIALIZATION:
            message = (
                f"{unit.title} raises serialization_failure (40001), which PostgREST before 16 repeats without end"
            )
            advice = "raise a state that says what the caller can do"
            yield Fault(body.text, token.start(), "body.raise_40001", message, advice, word, unit.title)
            raising = False


def _dynamic(unit: Unit, body: PlpgsqlBody) -> Iterator[Fault]:
    for kind, statement in walk_statements(body.tree):
        if kind in _DYNAMIC or "dynquery" in statement:
            start = body.line_offset(statement.get("lineno", 1))
            found = re.compile(r"\bexecute\b", re.IGNORECASE).search(body.text.text, start)
            index = found.start() if found else start
            message = f"{unit.title} executes a text, whose tables and columns nobody can know before it runs"
            advice = "write the statement out, or list the function under dynamic_sql"
            yield Fault(body.text, index, "body.dynamic_sql", message, advice, "execute", unit.title)
