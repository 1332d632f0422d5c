"""What ran, read from the log of the server that the tests used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from eventlive_db.plans.coverage.errors import LogError
from eventlive_db.plans.frames import Frame, parse_context

COVERAGE_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        # For each session, so that a reload is enough on a server that runs already.
        "session_preload_libraries": "auto_explain",
        "auto_explain.log_min_duration": "0",
        "auto_explain.log_nested_statements": "on",
        "auto_explain.log_analyze": "off",
        "auto_explain.log_verbose": "off",
        "auto_explain.log_format": "text",
        "auto_explain.log_level": "log",
        "auto_explain.sample_rate": "1",
        "log_error_verbosity": "default",
        "log_min_messages": "warning",
        "lc_messages": "C",
        # What the client sent is of no use here.
        "log_min_error_statement": "panic",
    }
)
"""Cluster settings for a test run whose coverage is wanted.

The log may go to standard error or a file (``stderr``) or be ``jsonlog``. From Postgres 16 it holds the values of
parameters. Source: PostgreSQL manual, "Error Reporting and Logging", and appendix F, auto_explain.
"""

_FIELDS = r"DEBUG\d?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|QUERY|CONTEXT|LOCATION|BACKTRACE|STATEMENT"
_FIELD = re.compile(rf"^(?:.*? )?(?P<name>{_FIELDS}):  (?P<text>.*)$", re.DOTALL)
_ADDITIONS = {"DETAIL", "HINT", "QUERY", "CONTEXT", "LOCATION", "BACKTRACE", "STATEMENT"}
_PLAN_BEGINS = re.compile(r"^(?:Query Parameters: |.*  \(cost=\d)")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Trace:
    """One line of a function that was seen at work.

    Attributes:
        kind: ``plpgsql`` or ``sql``; ``client`` for what no function ran.
        function: As the server prints it; empty for ``client``.
        line: Of a plpgsql body, the line of the opening quote being 1; of a SQL function the number of the statement.
        at: What plpgsql was doing, such as ``at PERFORM``.
        text: The statement or expression that ran there, in single spaces; None where the server names none.
    """

    kind: Literal["plpgsql", "sql", "client"]
    function: str = ""
    line: int | None = None
    at: str = ""
    text: str | None = None


def executed(logs: Iterable[Path]) -> frozenset[Trace]:
    """Every place in a function that the logs prove to have run.

    A statement is proven by its own plan, and by any message that was sent while it ran, an error too. One that
    failed inside an exception block and sent nothing leaves no trace.

    Args:
        logs: Log files of servers that ran with :data:`COVERAGE_SETTINGS`.

    Raises:
        LogError: There is none, one cannot be read, or none has a plan in it.
    """
    paths = list(logs)
    if not paths:
        msg = "no log file was given"
        raise LogError(msg, "Give the logs of the server that the tests ran on")
    traces: set[Trace] = set()
    plans = 0
    for path in paths:
        try:
            for message, context in _messages(path):
                query = _query_text(message)
                plans += query is not None
                traces.update(_traces(query, parse_cached(context)))
        except OSError as error:
            msg = f"the log {path} cannot be read: {error.strerror}"
            raise LogError(msg) from error
    if not plans:
        msg = f"no plan is in {', '.join(map(str, paths))}"
        advice = "Run the server with eventlive_db.plans.coverage.COVERAGE_SETTINGS; auto_explain is part of contrib"
        raise LogError(msg, advice)
    return frozenset(traces)


parse_cached = lru_cache(maxsize=10_000)(parse_context)
"""The same few call stacks come again and again."""


def one_line(text: str) -> str:
    """The text in single spaces: plpgsql blanks out the INTO of a statement that it runs."""
    return _SPACE.sub(" ", text).strip()


def _messages(path: Path) -> Iterator[tuple[str, str]]:
    """Each message with its context."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        first = lines.read(1)
        lines.seek(0)
        yield from _from_json(lines) if first == "{" else _from_text(lines)


def _from_json(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # the last line of a server that was killed
        yield str(entry.get("message", "")), str(entry.get("context", ""))


def _from_text(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What log_destination = stderr writes: a message, its additions below it, further lines indented by a tab."""
    message: list[str] = []
    context: list[str] = []
    current = message
    for raw in lines:
        line = raw.rstrip("\n")
        if line.startswith("\t"):
            current.append(line[1:])
            continue
        field = _FIELD.match(line)
        if field is None:
            current = []  # of another program
        elif field["name"] in _ADDITIONS:
            current = context if field["name"] == "CONTEXT" else []
            current.append(field["text"])
        else:
            if message:
                yield "\n".join(message), "\n".join(context)
            message, context = [field["text"]], []
            current = message
    if message:
        yield "\n".join(message), "\n".join(context)


def _query_text(message: str) -> str | None:
    """The statement of a plan; None for other messages."""
    head, mark, body = message.partition(" plan:\n")
    if not mark or not head.startswith("duration: "):
        return None
    if body.startswith("{"):  # a test that set log_format = json for itself
        try:
            return one_line(json.loads(body).get("Query Text", ""))
        except ValueError:
            return ""
    lines = body.removeprefix("Query Text: ").split("\n")
    end = next((number for number, line in enumerate(lines) if _PLAN_BEGINS.match(line)), len(lines))
    return one_line("\n".join(lines[:end]))


def _traces(query: str | None, frames: tuple[Frame, ...]) -> Iterator[Trace]:
    if query is not None and not any(frame.kind in {"plpgsql", "sql"} for frame in frames):
        yield Trace("client", text=query)
    inner = query  # what the innermost function ran is what the message is about
    for frame in frames:
        if frame.kind == "plpgsql":
            yield Trace("plpgsql", frame.name, frame.line, frame.at, inner)
            inner = None
        elif frame.kind == "sql":
            yield Trace("sql", frame.name, frame.line)
            inner = None
        else:
            inner = one_line(frame.name)
