"""Names in a FROM clause, and what each item of it brings."""

from __future__ import annotations

from dataclasses import replace

from eventlive_db.lint.sql.catalog import Columns, Function
from eventlive_db.lint.sql.context import Context, is_hole, listing, suggestion
from eventlive_db.lint.sql.names import find_type
from eventlive_db.lint.sql.resolve_expression import Resolve, expression
from eventlive_db.lint.sql.resolve_types import type_named
from eventlive_db.lint.sql.scope import Entry, Output, Scope, as_columns, renamed
from eventlive_db.lint.sql.tree import Node, items, list_items, range_name, strings, type_name, unwrap

# What the functions of Postgres that are used in FROM give, where that does not depend on what they are given.
_BUILT_IN: dict[str, tuple[str, ...]] = {
    "jsonb_each": ("key", "value"),
    "jsonb_each_text": ("key", "value"),
    "json_each": ("key", "value"),
    "json_each_text": ("key", "value"),
    "jsonb_array_elements": ("value",),
    "jsonb_array_elements_text": ("value",),
    "json_array_elements": ("value",),
    "json_array_elements_text": ("value",),
    "jsonb_object_keys": ("",),
    "json_object_keys": ("",),
    "generate_series": ("",),
    "generate_subscripts": ("",),
    "regexp_split_to_table": ("",),
    "string_to_table": ("",),
    "pg_sleep": ("",),
}


def from_item(context: Context, node: Node, level: Scope, resolve: Resolve) -> list[Entry]:
    """Look up an item of a FROM clause.

    Args:
        context: The text it stands in.
        node: The item.
        level: What stands before it in the clause, and around the query.
        resolve: Resolves the sub-selects in it.

    Returns:
        What it brings into scope.
    """
    kind, body = unwrap(node)
    if kind == "RangeVar":
        return [table(context, body, level)]
    if kind == "RangeSubselect":
        around = level if body.get("lateral") else Scope(parent=level.parent, ctes=level.ctes)
        output = resolve(context, body.get("subquery", {}), Scope(parent=around))
        return [_aliased(body, output)]
    if kind == "RangeFunction":
        return [_function_item(context, body, level, resolve)]
    if kind == "JoinExpr":
        return _join(context, body, level, resolve)
    if kind == "RangeTableSample":
        expression(context, body.get("args"), level, resolve)
        return from_item(context, body.get("relation", {}), level, resolve)
    expression(context, [body.get("docexpr"), body.get("rowexpr"), body.get("context_item")], level, resolve)
    return [Entry(body.get("alias", {}).get("aliasname", ""), None)]


def _aliased(body: Node, output: Output, default: str = "") -> Entry:
    alias = body.get("alias", {})
    return Entry(alias.get("aliasname", default), as_columns(renamed(output, strings(alias.get("colnames")))))


def table(context: Context, body: Node, level: Scope) -> Entry:
    """A table, view or CTE by its name."""
    name = range_name(body)
    if len(name) == 1:
        is_cte, output = level.cte(name[0])
        if is_cte:
            return _aliased(body, output, name[0])
    relation = context.find_relation(name, body)
    if relation is None:
        return Entry(body.get("alias", {}).get("aliasname", name[-1] if name and not is_hole(name[-1]) else ""), None)
    context.note_unqualified(name, body, relation.name)
    output = list(relation.columns.items()) if relation.columns is not None else None
    return replace(_aliased(body, output, name[-1]), relation=relation.name)


def _function_item(context: Context, body: Node, level: Scope, resolve: Resolve) -> Entry:
    output: Output = []
    default = ""
    for node in body.get("functions", []):
        function, *rest = list_items(node)
        expression(context, function, level, resolve)
        kind, inner = unwrap(function)
        name = strings(inner.get("funcname"))
        default = default or (name[-1] if name else kind.lower())
        definitions = list_items(rest[0]) if rest and rest[0] else []
        columns = _defined(context, definitions) if definitions else _function_output(context, inner, body)
        output = None if columns is None or output is None else [*output, *columns]
    if body.get("coldeflist"):
        output = _defined(context, body["coldeflist"])
    alias = body.get("alias", {})
    title = alias.get("aliasname", default)
    if body.get("ordinality") and output is not None:
        output = [*output, ("ordinality", "")]
    if output is not None:
        # A scalar is named after the alias, else after the function.
        output = [(name or title, type_of) for name, type_of in output]
    return Entry(title, as_columns(renamed(output, strings(alias.get("colnames")))))


def _defined(context: Context, nodes: list[Node]) -> Output:
    for _, body in items(nodes):
        type_named(context, body.get("typeName", {}))
    return [
        (body.get("colname", ""), find_type(context.catalog, type_name(body.get("typeName", {})), context.path))
        for _, body in items(nodes)
    ]


def _function_output(context: Context, inner: Node, item: Node) -> Output:
    name = tuple(strings(inner.get("funcname")))
    found = context.catalog.overloads(name, context.path)
    if found:
        outputs = [_output_of(context, function) for function in found]
        return outputs[0] if all(output == outputs[0] for output in outputs) else None
    if name[-1:] == ("unnest",):
        # Of an array of rows it would give their columns: only where the alias lists names is it known.
        listed = strings(item.get("alias", {}).get("colnames"))
        width = len(inner.get("args", []))
        return [("", "")] * width if len(listed) >= width else None
    if name and (len(name) == 1 or name[0] == "pg_catalog") and name[-1] in _BUILT_IN:
        return [(column, "") for column in _BUILT_IN[name[-1]]]
    return None


def _output_of(context: Context, function: Function) -> Output:
    if function.outputs:
        if len(function.outputs) == 1 and function.returns != "record":
            only = function.outputs[0]
            row = context.columns_of(only.type)
            return list(row[1].items()) if row else [(only.name, only.type)]
        return [(p.name, p.type) for p in function.outputs]
    row = context.columns_of(function.returns)
    if row:
        return list(row[1].items())
    if not function.returns or function.returns in {"record", "anyelement", "anycompatible"}:
        return None
    known_type = "." not in function.returns or function.returns in context.catalog.types
    return [("", function.returns)] if known_type else None


def _join(context: Context, body: Node, level: Scope, resolve: Resolve) -> list[Entry]:
    left = from_item(context, body.get("larg", {}), level, resolve)
    right = from_item(context, body.get("rarg", {}), level.with_entries(*left), resolve)
    both = [*left, *right]
    for _, using in items(body.get("usingClause")):
        for side in (left, right):
            _check_using(context, body, using.get("sval", ""), side)
    # ON sees the two sides and what is around the query, but not what stands before in FROM.
    inner = Scope(tuple(both), level.parent, level.ctes)
    expression(context, body.get("quals"), inner, resolve)
    both += _using_alias(body, both)
    alias = body.get("alias")
    if not alias:
        return both
    columns: Output = []
    for entry in (entry for entry in both if not entry.hidden):
        columns = None if entry.columns is None or columns is None else [*columns, *entry.columns.items()]
    return [_aliased(body, list(dict(columns).items()) if columns is not None else None)]


def _using_alias(body: Node, sides: list[Entry]) -> list[Entry]:
    """What ``join ... using (...) as alias`` brings: the columns of USING, under that name too."""
    alias = body.get("join_using_alias", {}).get("aliasname")
    if not alias:
        return []
    types = {name: type_of for entry in reversed(sides) for name, type_of in (entry.columns or {}).items()}
    joined = strings(body.get("usingClause"))
    return [Entry(alias, {name: types.get(name, "") for name in joined}, hidden=True)]


def _check_using(context: Context, body: Node, name: str, side: list[Entry]) -> None:
    if any(entry.columns is None or name in entry.columns for entry in side):
        return
    known: Columns = {c: t for entry in side for c, t in (entry.columns or {}).items()}
    titles = listing(dict.fromkeys(entry.title for entry in side))
    near = _place(context, body)
    message = f"{titles} has no column {name} to join by; it has {listing(known)}"
    context.fault("resolve.column", {}, message, suggestion(name, known), name, near)


def _place(context: Context, body: Node) -> int:
    """Where a join stands: JoinExpr says no place, but the table to its right does."""
    _, right = unwrap(body.get("rarg"))
    return context.snippet.char_index(right.get("location", 0)) if "location" in right else 0
