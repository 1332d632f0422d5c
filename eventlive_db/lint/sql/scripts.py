"""SQL files as parsed statements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from eventlive_db.lint.sql.context import Fault
from eventlive_db.lint.sql.errors import SyntaxFaultError
from eventlive_db.lint.sql.parser import parse_statements
from eventlive_db.lint.sql.text import Snippet, SourceFile
from eventlive_db.lint.sql.tree import Node, unwrap
from eventlive_db.migrate.sqltext import split_statements

_LEAD = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_PSQL = re.compile(r"^[ \t]*\\[a-zA-Z!?][^\n]*", re.MULTILINE)
# The rows that follow COPY ... FROM STDIN in a script of psql or pg_dump, and the line that ends them.
_ROWS = re.compile(r"^[ \t]*copy\b[^;]*?\bfrom\s+stdin\b[^;]*;[^\n]*\n(?P<rows>.*?^\\\.[ \t]*$)", re.I | re.M | re.S)


@dataclass(slots=True)
class ParsedStatement:
    """One statement of a file.

    Attributes:
        snippet: Its text, from its first word on.
        kind: Such as ``SelectStmt``.
        body: Its tree.
        in_transaction: False in an autocommit block.
        path: Where its unqualified names are looked up; known once it was applied.
    """

    snippet: Snippet
    kind: str
    body: Node
    in_transaction: bool = True
    path: tuple[str, ...] = ()

    @property
    def node(self) -> Node:
        """``{kind: body}``."""
        return {self.kind: self.body}


@dataclass(slots=True)
class Script:
    """A file that was parsed.

    Attributes:
        source: The file.
        statements: In order.
        faults: What could not be parsed.
    """

    source: SourceFile
    statements: list[ParsedStatement] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def read_script(source: SourceFile) -> Script:
    """Parse each statement of a file on its own, so that one that is no SQL hides no other.

    Args:
        source: SQL; lines that are commands of psql are passed over.
    """
    script = Script(source)
    for snippet in _statements(source, script.faults):
        parse_into(script, snippet)
    return script


def parse_into(script: Script, snippet: Snippet, *, in_transaction: bool = True) -> None:
    """Parse a text and add its statements, or what is wrong with it, to a script."""
    try:
        nodes = parse_statements(snippet.text)
    except SyntaxFaultError as error:
        index = len(snippet.text) if error.index is None else error.index
        script.faults.append(Fault(snippet, index, "parse.syntax", error.reason))
        return
    for node in nodes:
        kind, body = unwrap(node)
        script.statements.append(ParsedStatement(snippet, kind, body, in_transaction))


def _without_rows(copy: re.Match[str]) -> str:
    """The command, and nothing where its rows stand."""
    text = copy.group()
    begin = copy.start("rows") - copy.start()
    return text[:begin] + re.sub(r"[^\n]", " ", text[begin:])


def _statements(source: SourceFile, faults: list[Fault]) -> Iterator[Snippet]:
    whole = source.whole()
    text = _ROWS.sub(_without_rows, source.text)
    text = _PSQL.sub(lambda command: " " * len(command.group()), text)
    try:
        found = list(split_statements(text))
    except ValueError:
        # The last one may lack its semicolon, which psql does not mind.
        try:
            found = list(split_statements(f"{text}\n;"))
        except ValueError as error:
            faults.append(Fault(whole, 0, "parse.syntax", str(error)))
            return
    position = 0
    for statement in found:
        start = text.index(statement.text, position)
        position = start + len(statement.text)
        lead = _LEAD.match(statement.text)
        first = start + (lead.end() if lead else 0)
        yield Snippet(source, text[first:position], range(first, position))
