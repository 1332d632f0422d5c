"""SQL in the strings of Python files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from eventlive_db.lint.sql.context import Fault
from eventlive_db.lint.sql.errors import SyntaxFaultError
from eventlive_db.lint.sql.parser import parse_statements
from eventlive_db.lint.sql.scripts import ParsedStatement, Script
from eventlive_db.lint.sql.text import Snippet, SourceFile
from eventlive_db.lint.sql.tree import unwrap

EXECUTES = frozenset({"execute", "executemany", "fetch", "fetchrow", "fetchval", "stream", "copy"})
_COMPOSES = frozenset({"SQL", "text"})
_KEYWORD = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(?:with\s+(?:recursive\s+)?\w+|select\b|insert\s+into|update\s+\S+\s+(?:as\s+\S+\s+)?set|delete\s+from"
    r"|merge\s+into|call\s+\w|create\s|alter\s|drop\s|do\s+(?:language\s+\w+\s+)?(?:\$\w*\$|'))",
    re.IGNORECASE,
)
_PIECE = re.compile(r"([rRbBuUfFtT]{0,2})('''|\"\"\"|'|\")")
_BETWEEN = re.compile(r"(?:\s+|\\\n|#[^\n]*\n|[()])+")
_ESCAPE = re.compile(r"\\(?:\n|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|[0-7]{1,3}|.)", re.DOTALL)
_PARAMETER = re.compile(r"%(?:\(\w+\))?[sbt]|%%")
# Of SQLAlchemy's text(); a cast has two colons.
_BOUND = re.compile(r"(?<![:\w\\]):[a-zA-Z_]\w*")
_FIELD = re.compile(r"\{\{|\}\}|\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class SqlString:
    """A string that is or may be SQL.

    Attributes:
        snippet: Its value, with underscores where something is only known when the program runs.
        is_executed: Whether it goes to a cursor as it is, so that it must be SQL.
    """

    snippet: Snippet
    is_executed: bool


def find_strings(source: SourceFile) -> list[SqlString]:
    """The strings of a Python file that are SQL.

    Args:
        source: The file.

    Raises:
        SyntaxError: It is not Python.
    """
    tree = ast.parse(source.text)
    finder = _Finder(source)
    finder.visit(tree)
    return finder.found


def read_python(source: SourceFile) -> Script:
    """Parse the SQL in the strings of a Python file."""
    script = Script(source)
    try:
        found = find_strings(source)
    except SyntaxError as error:
        message = f"this is not Python: {error.msg}"
        script.faults.append(Fault(source.whole(), source.line_start(error.lineno or 1), "parse.syntax", message))
        return script
    for string in found:
        _parse(script, string)
    return script


def _parse(script: Script, string: SqlString) -> None:
    snippet, failed = string.snippet, None
    for text in dict.fromkeys(_readings(snippet.text)):
        candidate = snippet.with_text(text)
        try:
            nodes = parse_statements(text)
        except SyntaxFaultError as error:
            failed = failed or Fault(candidate, error.index or 0, "parse.syntax", error.reason)
            continue
        script.statements.extend(ParsedStatement(candidate, *unwrap(node)) for node in nodes)
        return
    # A text with holes, or one that nobody executes, may be a part of something.
    if failed and string.is_executed and "__" not in snippet.text:
        script.faults.append(failed)


def _readings(text: str) -> Iterator[str]:
    """What a text may mean: a hole is a name, a value, or a part of a statement that may be left out."""
    holes = re.compile(r"_{2,}")
    yield text
    yield holes.sub(lambda hole: "$1".ljust(len(hole.group())), text)
    yield holes.sub(lambda hole: " " * len(hole.group()), text)


class _Finder(ast.NodeVisitor):
    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._seen: set[int] = set()
        self.found: list[SqlString] = []

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if node.args and (name in EXECUTES or name in _COMPOSES):
            first = node.args[0]
            if name in EXECUTES and isinstance(node.func, ast.Attribute):
                self._take(first, is_executed=True, has_fields=False, required=False)
            elif name in _COMPOSES:
                self._take(first, is_executed=False, has_fields=name == "SQL", required=True, is_text=name == "text")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        self._take(node, is_executed=False, has_fields=False, required=True)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._take(node, is_executed=False, has_fields=False, required=True)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):  # a docstring
            self.generic_visit(node)

    def _take(
        self, node: ast.expr, *, is_executed: bool, has_fields: bool, required: bool, is_text: bool = False
    ) -> None:
        """Take a string; with ``required`` only where it begins as SQL does."""
        is_string = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        if id(node) in self._seen or not (is_string or isinstance(node, ast.JoinedStr)):
            return
        for below in ast.walk(node):
            self._seen.add(id(below))
        value = _beginning(node)
        begins = _KEYWORD.match(value) is not None
        if not begins and (required or not is_executed or " " not in value.strip()):
            return
        snippet = _snippet(self._source, node)
        text = _PARAMETER.sub(_blank_parameter, snippet.text)
        if is_text:
            text = _BOUND.sub(lambda bound: "$1".ljust(len(bound.group())), text)
        if has_fields:
            text = _FIELD.sub(_blank_field, text)
        self.found.append(SqlString(snippet.with_text(text), is_executed))


def _beginning(node: ast.expr) -> str:
    """A string up to its first hole, to see whether it is worth more."""
    if isinstance(node, ast.JoinedStr):
        first = node.values[0] if node.values else None
        return _beginning(first) + " __ " if isinstance(first, ast.Constant) else "__ "
    value = node.value if isinstance(node, ast.Constant) else ""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _blank_parameter(found: re.Match[str]) -> str:
    return "% " if found.group() == "%%" else "$1".ljust(len(found.group()))


def _blank_field(found: re.Match[str]) -> str:
    return f"{found.group()[0]} " if found.group() in {"{{", "}}"} else "_" * len(found.group())


def _snippet(source: SourceFile, node: ast.expr) -> Snippet:
    """The value of a string literal, each character with its place in the file."""
    start = _offset(source, node.lineno, node.col_offset)
    end = _offset(source, node.end_lineno or node.lineno, node.end_col_offset or 0)
    chars: list[str] = []
    places: list[int] = []
    position = start
    while position < end:
        gap = _BETWEEN.match(source.text, position)
        if gap:
            position = gap.end()
            continue
        piece = _PIECE.match(source.text, position)
        if piece is None:
            break
        position = _read_piece(source.text, piece, chars, places)
    return Snippet(source, "".join(chars), places)


def _offset(source: SourceFile, line: int, byte: int) -> int:
    first = source.line_start(line)
    text = source.text[first : source.line_start(line + 1)]
    return first + (byte if text.isascii() else len(text.encode()[:byte].decode()))


def _read_piece(text: str, piece: re.Match[str], chars: list[str], places: list[int]) -> int:
    """Read one literal; the character after it."""
    prefix, quote = piece[1].lower(), piece[2]
    position = piece.end()
    while not text.startswith(quote, position) and position < len(text):
        escape = _ESCAPE.match(text, position) if "r" not in prefix else None
        if escape is None and text[position] == "\\":
            escape = re.compile(r"\\.", re.DOTALL).match(text, position)
            value = escape.group() if escape else "\\"
        else:
            value = _unescape(escape.group()) if escape else text[position]
        end = escape.end() if escape else position + 1
        if "f" in prefix and text[position] in "{}" and not escape:
            end, value = _replacement(text, position)
        chars.extend(value)
        places.extend(min(position + i, end - 1) for i in range(len(value)))
        position = end
    return position + len(quote)


def _unescape(escape: str) -> str:
    return "" if escape == "\\\n" else str(ast.literal_eval(f'"{escape}"' if escape != '\\"' else "'\"'"))


def _replacement(text: str, position: int) -> tuple[int, str]:
    """The end of ``{...}`` in an f-string, and a hole as long as it; ``{{`` is one brace."""
    if text.startswith(("{{", "}}"), position):
        return position + 2, text[position]
    depth, end = 0, position
    while end < len(text):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
        if not depth:
            break
    return end, "_" * (end - position)


def read_literal(source: SourceFile, node: ast.expr) -> Snippet:
    """The value of a string literal as it is, for what executes it without parameters."""
    return _snippet(source, node)
