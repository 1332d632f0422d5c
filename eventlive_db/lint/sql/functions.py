"""Resolves the bodies of functions: SQL in both forms, and plpgsql with its variables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from eventlive_db.lint.sql.apply import path_of
from eventlive_db.lint.sql.bodies import quoted_body
from eventlive_db.lint.sql.body_ddl import is_ddl, is_guarded, with_made
from eventlive_db.lint.sql.catalog import Catalog, Function
from eventlive_db.lint.sql.context import Context, Fault
from eventlive_db.lint.sql.errors import SyntaxFaultError
from eventlive_db.lint.sql.parsed_body import BodyQuery, ParsedBody
from eventlive_db.lint.sql.parser import parse_statements
from eventlive_db.lint.sql.plpgsql import PlpgsqlBody, read_body, stand_in
from eventlive_db.lint.sql.plpgsql_variables import declare, declare_trigger_rows, infer_records
from eventlive_db.lint.sql.resolve import resolve
from eventlive_db.lint.sql.resolve_ddl import resolve_ddl
from eventlive_db.lint.sql.resolve_expression import expression
from eventlive_db.lint.sql.resolve_types import type_declared
from eventlive_db.lint.sql.scope import Scope, Variable, Variables
from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node, list_items, unwrap

_POLYMORPHIC = frozenset({"record", "trigger", "event_trigger", "void"})


def parse_function(function: Function, scalars: frozenset[str] = frozenset()) -> ParsedBody:
    """Read a function's body; empty for other languages than sql and plpgsql.

    Args:
        function: The function.
        scalars: Types of the project that are no rows.
    """
    statement, body = function.origin.statement, function.node
    parsed = ParsedBody([], None, [])
    if "sql_body" in body:
        parsed.queries.extend(BodyQuery(statement, node) for node in _atomic(body["sql_body"]))
        return parsed
    text = quoted_body(statement, body)
    if text is None or function.language not in {"sql", "plpgsql"}:
        return parsed
    try:
        if function.language == "sql":
            parsed.queries.extend(BodyQuery(text, node) for node in parse_statements(text.text))
        else:
            parsed.plpgsql = read_body(text, _header(function, scalars), scalars)
    except SyntaxFaultError as error:
        parsed.faults.append(
            Fault(text, error.index or 0, "parse.syntax", f"the body of {function.name}: {error.reason}")
        )
    if parsed.plpgsql:
        _parse_embedded(parsed, parsed.plpgsql)
    return parsed


def parse_do(statement: Snippet, body: Node, scalars: frozenset[str] = frozenset()) -> ParsedBody:
    """Read the body of a DO block."""
    parsed = ParsedBody([], None, [])
    text = quoted_body(statement, body)
    if text is None:
        return parsed
    try:
        parsed.plpgsql = read_body(text, scalars=scalars)
    except SyntaxFaultError as error:
        parsed.faults.append(Fault(text, error.index or 0, "parse.syntax", f"the DO block: {error.reason}"))
        return parsed
    _parse_embedded(parsed, parsed.plpgsql)
    return parsed


def _atomic(node: Node) -> Iterator[Node]:
    if "List" in node:
        for member in list_items(node):
            yield from _atomic(member)
    else:
        yield node


def _parse_embedded(parsed: ParsedBody, body: PlpgsqlBody) -> None:
    for embedded in body.embedded:
        try:
            nodes = parse_statements(embedded.snippet.text)
        except SyntaxFaultError as error:
            parsed.faults.append(Fault(embedded.snippet, error.index or 0, "parse.syntax", error.reason))
            continue
        parsed.queries.extend(BodyQuery(embedded.snippet, node, embedded) for node in nodes)


def _header(function: Function, scalars: frozenset[str]) -> str:
    """A signature that the parser of plpgsql takes: it knows no types of other schemas."""
    written = [
        f"{'' if p.mode == 'table' else p.mode} {_quoted(p.name)} {_bare(p.type, scalars)}"
        for p in function.parameters
        if p.mode != "table"
    ]
    table = [f"{_quoted(p.name)} {_bare(p.type, scalars)}" for p in function.parameters if p.mode == "table"]
    if function.kind == "procedure":
        return f"create procedure lint({', '.join(written)}) language plpgsql as"
    has_outputs = any(p.mode in {"out", "inout"} for p in function.parameters)
    if table:
        returns = f"returns table ({', '.join(table)})"
    elif has_outputs and not function.returns_set:
        returns = ""
    else:
        returns = f"returns {'setof ' if function.returns_set else ''}{_bare(function.returns, scalars)}"
    return f"create function lint({', '.join(written)}) {returns} language plpgsql as"


def _quoted(name: str) -> str:
    return f'"{name}"' if name else ""


def _bare(type_name: str, scalars: frozenset[str]) -> str:
    word = type_name.rpartition(".")[2]
    return word if word in _POLYMORPHIC else stand_in(type_name, scalars) or f'"{word}"'


def function_path(function: Function, default: tuple[str, ...]) -> tuple[str, ...]:
    """Where the names of a body are looked up."""
    return path_of(function.settings["search_path"]) if "search_path" in function.settings else default


def resolve_function(
    catalog: Catalog, function: Function, parsed: ParsedBody, default_path: tuple[str, ...]
) -> list[Fault]:
    """Look up every name in a function's body and in the defaults of its parameters.

    Args:
        catalog: What exists when it runs.
        function: The function.
        parsed: Its body.
        default_path: Where names are looked up where it sets no search_path.
    """
    path = function_path(function, default_path)
    variables = _parameters(function)
    defaults = Context(catalog, default_path, function.origin.statement)
    for node in function.node.get("parameters", []):
        expression(defaults, unwrap(node)[1].get("defexpr"), Scope(), resolve)
    faults = [*parsed.faults, *defaults.faults]
    if parsed.plpgsql:
        declare(catalog, path, parsed.plpgsql, variables)
        if function.returns == "trigger":
            declare_trigger_rows(catalog, function, variables)
        faults += _resolve_plpgsql(catalog, path, parsed, variables)
    else:
        _resolve_queries(catalog, path, parsed.queries, variables, faults)
    return faults


def resolve_do(catalog: Catalog, path: tuple[str, ...], parsed: ParsedBody) -> list[Fault]:
    """Look up every name in a DO block.

    Args:
        catalog: What exists before it and after it.
        path: Where unqualified names are looked up.
        parsed: Its body.
    """
    if parsed.plpgsql is None:
        return parsed.faults
    variables = Variables()
    declare(catalog, path, parsed.plpgsql, variables)
    return [*parsed.faults, *_resolve_plpgsql(catalog, path, parsed, variables)]


def _parameters(function: Function) -> Variables:
    variables = Variables(qualifiers={function.name.rpartition(".")[2]})
    for parameter in function.parameters:
        if parameter.name:
            array = "[]" if parameter.mode == "variadic" and not parameter.type.endswith("[]") else ""
            variables.named[parameter.name] = Variable(parameter.type + array)
    return variables


def _resolve_plpgsql(catalog: Catalog, path: tuple[str, ...], parsed: ParsedBody, variables: Variables) -> list[Fault]:
    assert parsed.plpgsql is not None  # noqa: S101  # the callers looked
    faults: list[Fault] = []
    whole = Context(with_made(catalog, path, parsed.queries), path, parsed.plpgsql.text, variables, faults)
    for declaration in parsed.plpgsql.declarations:
        type_declared(whole, declaration)
    infer_records(whole.catalog, path, parsed, variables)
    _resolve_queries(catalog, path, parsed.queries, variables, faults, parsed.plpgsql.text.text)
    return faults


def _resolve_queries(
    catalog: Catalog,
    path: tuple[str, ...],
    queries: list[BodyQuery],
    variables: Variables,
    faults: list[Fault],
    body: str = "",
) -> None:
    catalog = with_made(catalog, path, queries)
    for query in queries:
        context = Context(catalog, path, query.snippet, variables, faults, in_body=True)
        if not is_ddl(query):
            resolve(context, query.node)
        elif not is_guarded(body):
            resolve_ddl(context, catalog, *unwrap(query.node))
        _targets(context, query)


def _targets(context: Context, query: BodyQuery) -> None:
    """Fields that a query is read into, or that an assignment sets."""
    embedded = query.embedded
    if embedded is None or embedded.is_row or embedded.written is None:
        return
    written = embedded.written
    around = Context(context.catalog, context.path, written, context.variables, context.faults)
    for target in embedded.target:
        record, dot, name = target.partition(".")
        if not dot or record not in context.variables.named:
            continue
        place = re.search(rf"\b{re.escape(record)}\s*\.\s*{re.escape(name)}\b", written.text, re.IGNORECASE)
        byte = written.byte_index(place.start()) if place else 0
        expression(around, {"ColumnRef": {"fields": [_word(record), _word(name)], "location": byte}}, Scope(), resolve)


def _word(text: str) -> Node:
    return {"String": {"sval": text}}
