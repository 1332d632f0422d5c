"""The statements of a plpgsql body, with the text, the place and the variables of each query in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from eventlive_db.lint.sql.parser import parse_plpgsql
from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node

_TOKEN = re.compile(
    r"""--[^\n]*|/\*.*?\*/|[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$|:=|[\w$]+|<<|>>|\S""",
    re.DOTALL,
)
_NO_CODE = ("--", "/*")
_QUALIFIED = re.compile(r'\s*("?[\w$]+"?)\s*\.\s*(?="?[\w$])')
_ASSIGNMENT = 3


@dataclass(frozen=True, slots=True)
class Declaration:
    """A variable as it is written.

    Attributes:
        name: In lower case.
        type: Its type with its schema, such as ``app.orders%rowtype``.
        place: Where the type stands in the body.
    """

    name: str
    type: str
    place: range = range(0)


@dataclass(frozen=True, slots=True)
class Embedded:
    """A query or expression in a body.

    Attributes:
        snippet: A whole statement, with ``select`` in front of what is only an expression.
        statement: The kind of plpgsql statement it belongs to, such as ``execsql``.
        target: What takes its result: variables as ``name`` or ``name.field``; one for a whole row.
        is_row: Whether the target takes the row as a whole.
        dynamic: Whether it is the text of a dynamic query.
        written: As it stands in the body, up to the semicolon: the parser takes out what follows INTO.
    """

    snippet: Snippet
    statement: str
    target: tuple[str, ...] = ()
    is_row: bool = False
    dynamic: bool = False
    written: Snippet | None = None


@dataclass(slots=True)
class PlpgsqlBody:
    """A body that was parsed.

    Attributes:
        text: The body.
        tree: What the parser made of it.
        declarations: Its variables.
        labels: Names of its blocks.
        embedded: Its queries and expressions, in the order of the text where that can be known.
        unknown_targets: Records that are filled by what is not known.
        cursor_rows: Records that take the rows of a cursor with a query of its own, and that cursor.
    """

    text: Snippet
    tree: Node
    declarations: list[Declaration] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    embedded: list[Embedded] = field(default_factory=list)
    unknown_targets: set[str] = field(default_factory=set)
    cursor_rows: list[tuple[str, str]] = field(default_factory=list)

    def line_offset(self, line: int) -> int:
        """The character at which a line begins, as plpgsql counts lines."""
        start = 0
        for _ in range(line - 1):
            found = self.text.text.find("\n", start)
            if found < 0:
                break
            start = found + 1
        return start


def read_body(body: Snippet, header: str = "do", scalars: frozenset[str] = frozenset()) -> PlpgsqlBody:
    """Parse a body.

    Args:
        body: What stands between its quotes.
        header: ``do``, or ``create function ... as`` without types of other schemas.
        scalars: Types of the project that are no rows, such as enumerations: the parser takes what it does not know
            for a row.

    Raises:
        SyntaxFaultError: It is not plpgsql.
    """
    declarations, changes = _declarations(body.text, scalars)
    text = body.text
    for start, end, instead in changes:
        text = text[:start] + instead.ljust(end - start) + text[end:]
    quote = "$lint$"
    while quote in text:
        quote = quote[:-1] + "_$"
    tree = parse_plpgsql(f"{header} {quote}{text}{quote}")
    found = PlpgsqlBody(body, tree, declarations)
    _Collector(found).collect()
    return found


def stand_in(type_name: str, scalars: frozenset[str]) -> str:
    """What the parser takes instead of a type that it would refuse or misunderstand; empty where it need not."""
    if type_name.endswith("]"):
        return "text[]"
    # Of a row type the parser, which knows no table, would refuse a field that is assigned to.
    if type_name.endswith("%rowtype"):
        return "record"
    return "text" if type_name.rpartition(".")[2] in scalars else ""


def tokens_of(text: str) -> list[re.Match[str]]:
    """The words, strings and signs of a body, without comments."""
    return [t for t in _TOKEN.finditer(text) if not t.group().startswith(_NO_CODE)]


_Change = tuple[int, int, str]


def _declarations(text: str, scalars: frozenset[str]) -> tuple[list[Declaration], list[_Change]]:
    """The variables of all DECLARE sections, and what to change in their types before the parser sees them."""
    tokens = tokens_of(text)
    words = [t.group().lower() for t in tokens]
    declarations: list[Declaration] = []
    changes: list[_Change] = []
    index = 0
    while index < len(tokens):
        index += 1
        if words[index - 1] != "declare":
            continue
        while index < len(tokens) and words[index] not in {"begin", "declare"}:
            end = index
            while end < len(tokens) and words[end] != ";":
                end += 1
            found = _declaration(text, tokens[index:end])
            if found:
                declarations.append(found[0])
                changes += _changes(text, *found[1], scalars)
            index = end + 1
    return declarations, changes


def _declaration(text: str, tokens: list[re.Match[str]]) -> tuple[Declaration, tuple[int, int]] | None:
    """A variable, and where its type stands; None for a cursor."""
    words = [t.group().lower() for t in tokens]
    if len(tokens) < 2 or "cursor" in words[1:4]:
        return None
    name = words[0].strip('"')
    if words[1] == "alias":
        return Declaration(name, ""), (0, 0)
    first = 2 if words[1] == "constant" else 1
    ends = {":=", "=", "default", "not", "collate"}
    stop = next((i for i in range(first, len(tokens)) if words[i] in ends), len(tokens))
    if stop <= first:
        return None
    start, end = tokens[first].start(), tokens[stop - 1].end()
    written = re.sub(r"\s*\.\s*", ".", text[start:end].strip()).lower()
    return Declaration(name, written, range(start, end)), (start, end)


def _changes(text: str, start: int, end: int, scalars: frozenset[str]) -> list[_Change]:
    written = text[start:end]
    instead = stand_in(written.lower(), scalars)
    if instead and len(instead) <= end - start:
        return [(start, end, instead)]
    qualified = _QUALIFIED.match(written)
    # ``t.c%type`` is a table and its column; with a schema it has one dot more.
    is_column = written.lower().endswith("%type") and written.count(".") == 1
    if qualified and not is_column and qualified[1].lower() not in {"pg_catalog", "public"}:
        return [(start, start + qualified.end(), "")]
    return []


class _Collector:
    """Walks the tree and finds the text of each query in the body again; the parser tells but the line."""

    def __init__(self, body: PlpgsqlBody) -> None:
        self._body = body
        self._text = body.text.text
        self._cursor = 0
        self._begin = 0
        self._datums: list[Node] = body.tree.get("datums", [])

    def collect(self) -> None:
        for datum in self._datums:
            for kind, variable in datum.items():
                if kind != "PLpgSQL_var":
                    continue
                self._cursor = self._line(variable)
                line, name = self._line(variable), str(variable.get("refname", ""))
                self._add(variable.get("default_val"), "declare", line)
                self._add(variable.get("cursor_explicit_expr"), "cursor", line, (name,))
        self._cursor = 0
        self._walk(self._body.tree.get("action", {}), 0)

    def _line(self, node: Node) -> int:
        return self._body.line_offset(node["lineno"]) if "lineno" in node else 0

    def _walk(self, node: object, start: int) -> None:
        if isinstance(node, list):
            for member in node:
                self._walk(member, start)
            return
        if not isinstance(node, dict):
            return
        for kind, value in node.items():
            if not isinstance(value, dict | list):
                continue
            if kind.startswith("PLpgSQL_stmt_") and isinstance(value, dict):
                self._statement(kind.removeprefix("PLpgSQL_stmt_"), value, start)
            elif kind == "PLpgSQL_expr" and isinstance(value, dict):
                self._add({kind: value}, "other", start)
            elif kind not in {"target", "var", "datatype"}:
                self._walk(value, start)

    def _statement(self, kind: str, node: Node, around: int) -> None:
        start = max(self._line(node), 0) or around
        self._cursor = max(self._cursor, start) if self._line(node) else self._cursor
        if node.get("label"):
            self._body.labels.add(str(node["label"]).lower())
        target, is_row = self._target(node.get("target") or node.get("var"))
        query_keys = {"execsql": "sqlstmt", "fors": "query", "return_query": "query", "perform": "expr", "call": "expr"}
        main = query_keys.get(kind, "")
        cursor = self._cursor_of(node) if kind in {"fetch", "forc"} and is_row else ""
        if cursor:
            self._body.cursor_rows.append((target[0], cursor))
        elif kind in {"dynexecute", "dynfors", "fetch", "forc", "call"}:
            self._body.unknown_targets.update(name.partition(".")[0] for name in target if is_row or "." not in name)
        if kind == "assign":
            self._assign(node, start)
            return
        for key, value in node.items():
            if key == main:
                self._add(value, kind, start, target, is_row)
            elif key == "query" and kind in {"dynexecute", "dynfors"}:
                self._add(value, kind, start, dynamic=True)
            elif key in {"expr", "cond"} or (isinstance(value, dict) and "PLpgSQL_expr" in value):
                self._add(value, kind, start)
            elif key not in {"target", "var"} and isinstance(value, dict | list):
                self._walk(value, start)

    def _cursor_of(self, node: Node) -> str:
        """The cursor of a loop or FETCH where its query is known."""
        number = node.get("curvar", 0)
        cursor: Node = self._datums[number].get("PLpgSQL_var", {}) if number < len(self._datums) else {}
        return str(cursor.get("refname", "")) if "cursor_explicit_expr" in cursor else ""

    def _assign(self, node: Node, start: int) -> None:
        number = node.get("varno", 0)
        datum = self._datums[number] if number < len(self._datums) else {}
        if "PLpgSQL_rec" in datum:
            self._body.unknown_targets.add(datum["PLpgSQL_rec"].get("refname", ""))
        target: tuple[str, ...] = ()
        if "PLpgSQL_recfield" in datum:
            record = self._datums[datum["PLpgSQL_recfield"].get("recparentno", 0)].get("PLpgSQL_rec", {})
            target = (f"{record.get('refname', '')}.{datum['PLpgSQL_recfield'].get('fieldname', '')}",)
        self._add(node.get("expr"), "assign", start, target)

    def _target(self, node: Node | None) -> tuple[tuple[str, ...], bool]:
        for kind, body in (node or {}).items():
            if kind == "PLpgSQL_rec":
                return (str(body.get("refname", "")),), True
            if kind == "PLpgSQL_row":
                fields = tuple(str(f.get("name", "")) for f in body.get("fields", []))
                return fields, False
        return (), False

    def _add(
        self,
        node: Node | None,
        kind: str,
        start: int,
        target: tuple[str, ...] = (),
        is_row: bool = False,
        dynamic: bool = False,
    ) -> None:
        if not node:
            return
        expression = node.get("PLpgSQL_expr", {})
        query, mode = str(expression.get("query", "")), expression.get("parseMode", 0)
        if not query:
            return
        whole = self._place(query, start)
        if mode >= _ASSIGNMENT:
            # ``v.a := x``: what stands to the right.
            operator = _assignment_operator(query)
            snippet = whole.cut(operator).with_prefix("select ")
        else:
            snippet = whole.with_prefix("select ") if mode else whole
        end = self._text.find(";", self._begin + len(query))
        written = self._body.text.cut(self._begin, end if end >= 0 else None)
        self._body.embedded.append(Embedded(snippet, kind, target, is_row, dynamic, written))

    def _place(self, query: str, start: int) -> Snippet:
        begin = self._find(query, start)
        if query.startswith("SELECT") and self._text[begin : begin + 7].lower() == "perform":
            begin += 1  # one letter more than what the parser put there
        self._begin = begin
        return Snippet(self._body.text.source, query, self._body.text.offsets[begin : begin + len(query)])

    def _find(self, query: str, start: int) -> int:
        """Where the parser took a query from: the INTO is blanked in it, and PERFORM has become SELECT."""
        head, rest = ("(?:perform|select)", query[6:]) if query.startswith("SELECT") else ("", query)
        found = self._plain(query, start) or self._search(head, re.escape(rest), start)
        if found is None and "  " in query:
            pieces = re.split(r"( {2,})", rest)
            blanked = "".join(f"[\\s\\S]{{{len(p)}}}" if p.startswith("  ") else re.escape(p) for p in pieces)
            found = self._search(head, blanked, start)
        if found is None:
            return start
        self._cursor = found[1]
        return found[0]

    def _plain(self, query: str, start: int) -> tuple[int, int] | None:
        """The next place of a text as it is, where it begins and ends as a word does."""
        begin = self._text.find(query, max(self._cursor, start))
        end = begin + len(query)
        if begin < 0 or _is_word(self._text[begin - 1 : begin]) or _is_word(self._text[end : end + 1]):
            return None
        return begin, end

    def _search(self, head: str, rest: str, start: int) -> tuple[int, int] | None:
        """The next place of a text, as whole words where it can be."""
        for pattern in (rf"(?<![\w$.]){head}{rest}(?![\w$])", head + rest):
            compiled = re.compile(pattern, re.IGNORECASE)
            found = compiled.search(self._text, max(self._cursor, start)) or compiled.search(self._text, start)
            if found:
                return found.start(), found.end()
        return None


def _is_word(char: str) -> bool:
    return char.isalnum() or char in {"_", "$", "."}


def _assignment_operator(query: str) -> int:
    """The character after the first ``:=`` or ``=`` outside of brackets and quotes."""
    depth = 0
    for token in tokens_of(query):
        word = token.group()
        depth += {"[": 1, "(": 1, "]": -1, ")": -1}.get(word, 0)
        if not depth and word in {":=", "="}:
            return token.end()
    return 0


def walk_statements(tree: object) -> Iterator[tuple[str, Node]]:
    """Every plpgsql statement and exception block of a tree, as kind and body."""
    if isinstance(tree, list):
        for member in tree:
            yield from walk_statements(member)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            if key.startswith("PLpgSQL_") and isinstance(value, dict):
                yield key.removeprefix("PLpgSQL_"), value
            yield from walk_statements(value)
