"""Functions and statements, parsed with Postgres' own grammar."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from eventlive_db.functions.errors import UnreadableError
from eventlive_db.functions.tokens import declared_names, pglast, tokens

_RUNS = {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CreateTableAsStmt", "CallStmt"}
"""What goes to the executor; other statements are utility commands, of which auto_explain says nothing."""

_CLAUSES = (
    "fromClause",
    "whereClause",
    "groupClause",
    "havingClause",
    "windowClause",
    "sortClause",
    "distinctClause",
    "limitCount",
    "withClause",
    "larg",
)
_ASSIGNMENT = re.compile(r"^(?:[^:=']|:(?!=))*?:?=", re.DOTALL)
_FULL_STATEMENT = 0  # parseMode of libpg_query; more than 2 is an assignment
EXPRESSION = 2
"""parseMode of an expression."""

_GIVES_DEFAULT = {"COLON_EQUALS", "ASCII_61", "DEFAULT"}  # 61 is =


def parse_function(header: str, body: str, scalar_types: frozenset[str]) -> dict[str, Any]:
    """The tree of a plpgsql function.

    Args:
        header: A ``create function`` statement up to the body.
        body: Its text, in which the tree counts the lines.
        scalar_types: Names of the database's types that have no fields.

    Raises:
        UnreadableError: pglast refuses it.
    """
    plain = _with_known_types(body, scalar_types)
    tag = "$body$"
    while tag in plain:
        tag = f"{tag[:-1]}_$"
    try:
        tree = pglast().parse_plpgsql(f"{header} language plpgsql as {tag}{plain}{tag}")
    except pglast().parser.ParseError as error:
        raise UnreadableError(_first_line(error)) from error
    found: dict[str, Any] = tree[0]["PLpgSQL_function"]
    return found


def _first_line(error: Exception) -> str:
    return str(error.args[0] if error.args else error).split("\n")[0]


def _with_known_types(body: str, scalar_types: frozenset[str]) -> str:
    """The body with the database's own types in its declarations exchanged for others, on the same lines.

    pglast knows no schema but public and pg_catalog, and takes any unknown type for one with fields.
    """
    words = tokens(body)
    exchanged = body
    for first in reversed(list(declared_names(words))):
        begin = first + 1
        if body[words[begin].start : words[begin].end].lower() == "constant":
            begin += 1
        last = begin
        while last + 2 < len(words) and words[last + 1].name == "ASCII_46":  # a dot
            last += 2
        spelled = [body[word.start : word.end] for word in words[begin : last + 3]]
        start, end = words[begin].start, words[last].end
        kind = _known_type(spelled[: last - begin + 1 : 2], spelled[last - begin + 1 :], scalar_types)
        if kind == "record":
            end = words[last + 2].end  # with %rowtype
        if kind:
            exchanged = exchanged[:start] + kind + "\n" * body.count("\n", start, end) + exchanged[end:]
    return exchanged


def _known_type(names: list[str], follows: list[str], scalar_types: frozenset[str]) -> str:
    """What to write for a type; empty to leave it as it is."""
    if follows[:1] == ["%"]:
        return "record" if follows[1].lower() == "rowtype" else ""
    plain = names[-1].strip('"')
    if plain in scalar_types:
        return "text"
    if len(names) == 1 or names[0] == "pg_catalog":
        return ""
    return "text" if follows[:1] == ["["] else "unknown_row"


def defaults(body: str) -> Iterator[tuple[int, str]]:
    """The defaults in DECLARE sections: line of the variable's name, and the expression.

    The tree has none for a variable of a row type.
    """
    words = tokens(body)
    for first in declared_names(words):
        names = [word.name for word in words[first:]]
        end = names.index("ASCII_59") if "ASCII_59" in names else 0  # a semicolon
        sign = next((n for n in range(2, end) if names[n] in _GIVES_DEFAULT), end)
        # Of a cursor it is part of its query.
        if sign < end and names[1] != "CURSOR" and "SCROLL" not in names[1:3]:
            text = body[words[first + sign].end : words[first + end].start]
            yield body.count("\n", 0, words[first].start) + 1, text


@lru_cache(maxsize=10_000)
def runs(query: str, mode: int) -> bool | None:
    """Whether plpgsql sends a statement or expression to the executor; None for a utility command.

    It works out an expression by itself unless that has a sub-select or a clause such as FROM. An aggregate or a
    set-returning function alone would go to the executor too; it takes a catalog to tell, and is not counted.

    Args:
        query: The text, as parse_plpgsql gives it.
        mode: Its parseMode.
    """
    text = query
    if mode != _FULL_STATEMENT:
        text = f"select {query if mode == EXPRESSION else _ASSIGNMENT.sub('', query, count=1)}"
    try:
        tree = json.loads(pglast().parser.parse_sql_json(text))
    except pglast().parser.ParseError:
        return mode == _FULL_STATEMENT
    statement = tree["stmts"][0]["stmt"]
    (kind,) = statement
    if mode == _FULL_STATEMENT:
        return True if kind in _RUNS else None
    return any(clause in statement[kind] for clause in _CLAUSES) or '"SubLink"' in json.dumps(statement)


def sql_statements(text: str) -> tuple[tuple[int, str, bool], ...]:
    """The statements of a SQL function: line (the first is 1), text, and whether the executor runs it.

    Raises:
        UnreadableError: pglast refuses it.
    """
    encoded = text.encode()
    try:
        tree = json.loads(pglast().parser.parse_sql_json(text))
    except pglast().parser.ParseError as error:
        raise UnreadableError(_first_line(error)) from error
    found = []
    for entry in tree["stmts"]:
        start = entry.get("stmt_location", 0)
        length = entry.get("stmt_len", len(encoded) - start)
        own = encoded[start : start + length].decode()
        blank = len(own) - len(own.lstrip())
        line = text[: len(encoded[:start].decode()) + blank].count("\n") + 1
        found.append((line, own.strip(), next(iter(entry["stmt"])) in _RUNS))
    return tuple(found)
