"""SQL files as parsed statements."""

from __future__ import annotations

from dataclasses import dataclass, field

from eventlive_db.lint.sql.context import Fault
from eventlive_db.lint.sql.errors import SyntaxFaultError
from eventlive_db.lint.sql.parser import parse_statements
from eventlive_db.lint.sql.psql_variables import try_readings
from eventlive_db.lint.sql.split import Piece, next_piece, resume
from eventlive_db.lint.sql.text import Snippet, SourceFile
from eventlive_db.lint.sql.tree import Node, unwrap


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
        source: SQL, as psql takes it.
    """
    script = Script(source)
    position = 0
    while piece := next_piece(source.text, position):
        snippet = Snippet(source, piece.text, range(piece.start, piece.end))
        fault = _parse_piece(script, snippet, piece)
        position = piece.after if fault is None else resume(source.text, piece, piece.start + fault)
        if position < piece.after:
            # Where but the semicolon is missing, what stands before is a statement.
            _parse(script, snippet.cut(0, position - piece.start))
    return script


def parse_into(script: Script, snippet: Snippet, *, in_transaction: bool = True) -> None:
    """Parse a text and add its statements, or what is wrong with it, to a script."""
    fault = _parse(script, snippet, in_transaction=in_transaction)
    if fault:
        script.faults.append(fault)


def _parse(script: Script, snippet: Snippet, *, in_transaction: bool = True) -> Fault | None:
    try:
        nodes = parse_statements(snippet.text)
    except SyntaxFaultError as error:
        index = len(snippet.text) if error.index is None else error.index
        return Fault(snippet, index, "parse.syntax", error.reason)
    for node in nodes:
        kind, body = unwrap(node)
        script.statements.append(ParsedStatement(snippet, kind, body, in_transaction))
    return None


def _parse_piece(script: Script, snippet: Snippet, piece: Piece) -> int | None:
    """Parse a statement with its variables; where the parser gave up."""
    variables = [range(v.start - piece.start, v.stop - piece.start) for v in piece.variables]
    faults: list[Fault | None] = []

    def attempt(text: str) -> int | None:
        faults.append(_parse(script, snippet.with_text(text)))
        return faults[-1].index if faults[-1] else None

    try_readings(snippet.text, variables, attempt)
    fault = faults[-1]
    if fault is None:
        return None
    # A variable may stand for any words at all: what comes after one may be right.
    unknown = [v.start for v in variables if snippet.text[v.start + 1] not in "'\"{"]
    if piece.body is not None:
        script.faults.append(Fault(snippet, piece.body - piece.start, "parse.syntax", "this body has no end"))
    elif not unknown or fault.index < unknown[0]:
        script.faults.append(fault)
    return fault.index
