"""Resolves the bodies of functions: SQL in both forms, and plpgsql with its variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from eventlive_db.lint.sql.apply import path_of
from eventlive_db.lint.sql.bodies import quoted_body
from eventlive_db.lint.sql.catalog import Catalog, Columns, Function
from eventlive_db.lint.sql.context import Context, Fault
from eventlive_db.lint.sql.errors import SyntaxFaultError
from eventlive_db.lint.sql.names import find_type
from eventlive_db.lint.sql.parser import parse_statements
from eventlive_db.lint.sql.plpgsql import Embedded, PlpgsqlBody, read_body, stand_in
from eventlive_db.lint.sql.resolve import resolve
from eventlive_db.lint.sql.resolve_expression import expression
from eventlive_db.lint.sql.scope import Output, Scope, Variable, Variables
from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node, list_items, unwrap

_TRIGGER = frozenset(
    {
        "tg_name",
        "tg_when",
        "tg_level",
        "tg_op",
        "tg_relid",
        "tg_relname",
        "tg_table_name",
        "tg_table_schema",
        "tg_nargs",
    }
    | {"tg_argv", "tg_event", "tg_tag"}
)
_GIVEN = frozenset({"found", "sqlstate", "sqlerrm"})
_POLYMORPHIC = frozenset({"record", "trigger", "event_trigger", "void"})


@dataclass(frozen=True, slots=True)
class BodyQuery:
    """A statement of a body, parsed.

    Attributes:
        snippet: Its text.
        node: ``{kind: body}``.
        embedded: In plpgsql, the statement it belongs to.
    """

    snippet: Snippet
    node: Node
    embedded: Embedded | None = None


@dataclass(slots=True)
class ParsedBody:
    """A function's body.

    Attributes:
        queries: Its statements and expressions.
        plpgsql: Where it is plpgsql, that.
        faults: What could not be parsed.
    """

    queries: list[BodyQuery]
    plpgsql: PlpgsqlBody | None
    faults: list[Fault]


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
        _declared(catalog, path, parsed.plpgsql, variables)
        if function.returns == "trigger":
            _trigger_rows(catalog, function, variables)
        faults += _resolve_plpgsql(catalog, path, parsed, variables)
    else:
        for query in parsed.queries:
            context = Context(catalog, path, query.snippet, variables, faults, in_body=True)
            resolve(context, query.node)
    return faults


def resolve_do(catalog: Catalog, path: tuple[str, ...], parsed: ParsedBody) -> list[Fault]:
    """Look up every name in a DO block."""
    if parsed.plpgsql is None:
        return parsed.faults
    variables = Variables()
    _declared(catalog, path, parsed.plpgsql, variables)
    return [*parsed.faults, *_resolve_plpgsql(catalog, path, parsed, variables)]


def _parameters(function: Function) -> Variables:
    variables = Variables(qualifiers={function.name.rpartition(".")[2]})
    for parameter in function.parameters:
        if parameter.name:
            array = "[]" if parameter.mode == "variadic" and not parameter.type.endswith("[]") else ""
            variables.named[parameter.name] = Variable(parameter.type + array)
    return variables


def _declared(catalog: Catalog, path: tuple[str, ...], body: PlpgsqlBody, variables: Variables) -> None:
    variables.qualifiers |= body.labels
    for name in _GIVEN:
        variables.named.setdefault(name, Variable())
    for datum in body.tree.get("datums", []):
        for kind, variable in datum.items():
            if kind in {"PLpgSQL_var", "PLpgSQL_rec"} and variable.get("refname"):
                variables.named.setdefault(str(variable["refname"]), Variable())
    types: dict[str, set[str]] = {}
    for declaration in body.declarations:
        types.setdefault(declaration.name, set()).add(_declared_type(catalog, path, declaration.type))
    for name, found in types.items():
        # Two blocks may each have a variable of that name: then nothing is known of it.
        variables.named[name] = Variable(found.pop() if len(found) == 1 else "")


def _declared_type(catalog: Catalog, path: tuple[str, ...], written: str) -> str:
    if written.endswith("%rowtype"):
        return find_type(catalog, written.removesuffix("%rowtype"), path)
    if written.endswith("%type"):
        *owner, column = written.removesuffix("%type").split(".")
        relation = catalog.relation(tuple(owner), path) if owner else None
        return (relation.columns or {}).get(column, "") if relation else ""
    return find_type(catalog, written, path)


def _trigger_rows(catalog: Catalog, function: Function, variables: Variables) -> None:
    """NEW and OLD have the columns of the tables whose triggers call the function."""
    for name in _TRIGGER:
        variables.named.setdefault(name, Variable())
    tables = {t.table for t in catalog.triggers.values() if t.function == function.name}
    columns: dict[str, str] | None = {}
    for table in tables:
        relation = catalog.relations.get(table)
        known = relation.columns if relation else None
        columns = None if known is None or columns is None else {**columns, **known}
    title = " or ".join(sorted(tables))
    for row in ("new", "old"):
        variables.named[row] = Variable("", columns if tables else None, title)


def _resolve_plpgsql(catalog: Catalog, path: tuple[str, ...], parsed: ParsedBody, variables: Variables) -> list[Fault]:
    assert parsed.plpgsql is not None  # noqa: S101  # the callers looked
    _infer_records(catalog, path, parsed, variables)
    faults: list[Fault] = []
    for query in parsed.queries:
        context = Context(catalog, path, query.snippet, variables, faults, in_body=True)
        resolve(context, query.node)
        _targets(context, query)
    return faults


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


def _infer_records(catalog: Catalog, path: tuple[str, ...], parsed: ParsedBody, variables: Variables) -> None:
    """The fields of ``record`` variables: what all queries that fill one give, where all of them are known."""
    assert parsed.plpgsql is not None  # noqa: S101  # the callers looked
    shapes: dict[str, Columns | None] = {}
    for query in parsed.queries:
        embedded = query.embedded
        if embedded is None or not embedded.is_row or not embedded.target:
            continue
        name = embedded.target[0]
        if variables.named.get(name, Variable("")).type != "record":
            continue
        quiet = Context(catalog, path, query.snippet, variables)
        output: Output = None if embedded.dynamic else resolve(quiet, query.node)
        known = shapes.get(name, {})
        shapes[name] = None if output is None or known is None else {**known, **dict(output)}
    for name, shape in shapes.items():
        if name not in parsed.plpgsql.unknown_targets:
            variables.named[name] = Variable("record", shape, "its query")
