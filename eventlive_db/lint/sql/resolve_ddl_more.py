"""Names in the rarer DDL: rules, publications, statistics, sequences, aggregates, operators, upkeep of tables."""

from __future__ import annotations

import re
from collections.abc import Callable

from eventlive_db.lint.sql.catalog import Catalog, Relation
from eventlive_db.lint.sql.context import Context, suggestion
from eventlive_db.lint.sql.resolve import resolve
from eventlive_db.lint.sql.resolve_expression import expression
from eventlive_db.lint.sql.resolve_named import altered, relation_of_any_kind
from eventlive_db.lint.sql.resolve_types import type_named
from eventlive_db.lint.sql.scope import Entry, Scope
from eventlive_db.lint.sql.tree import Node, items, list_items, option, range_name, strings, unwrap

# What CREATE AGGREGATE, OPERATOR and TYPE say of functions and of types.
_FUNCTIONS = frozenset(
    {"sfunc", "finalfunc", "combinefunc", "serialfunc", "deserialfunc", "msfunc", "minvfunc", "mfinalfunc"}
    | {"function", "procedure", "restrict", "join"}
    | {"input", "output", "receive", "send", "typmod_in", "typmod_out", "analyze", "subscript"}
    | {"subtype_diff", "canonical"}
)
_TYPES = frozenset({"stype", "mstype", "basetype", "leftarg", "rightarg", "element", "subtype"})


def _columns(context: Context, names: list[str], relation: Relation | None, near: int) -> None:
    for name in names:
        if relation is not None and relation.columns is not None and name not in relation.columns:
            context.missing_column({}, name, relation.name, relation.columns, near)


def _place(context: Context, target: Node) -> int:
    return context.snippet.char_index(target.get("location", 0))


def _rule(context: Context, _before: Catalog, body: Node) -> None:
    target = body.get("relation", {})
    relation = context.find_relation(range_name(target), target)
    columns, name = (relation.columns, relation.name) if relation else (None, "")
    rows = Scope(tuple(Entry(row, columns, name, hidden=True) for row in ("new", "old")))
    expression(context, body.get("whereClause"), rows, resolve)
    for action in body.get("actions", []):
        resolve(context, action, rows)


def _publication(context: Context, _before: Catalog, body: Node) -> None:
    for _, published in items(body.get("pubobjects")):
        table = published.get("pubtable", {})
        if not table:
            continue
        target = table.get("relation", {})
        relation = context.find_relation(range_name(target), target)
        _columns(context, strings(table.get("columns")), relation, _place(context, target))
        scope = Scope((Entry(target.get("relname", ""), relation.columns if relation else None),))
        expression(context, table.get("whereClause"), scope, resolve)


def _statistics(context: Context, _before: Catalog, body: Node) -> None:
    relation: Relation | None = None
    for _, target in items(body.get("relations")):
        relation = context.find_relation(range_name(target), target)
    on = re.search(r"\bon\b", context.snippet.text, re.IGNORECASE)
    scope = Scope((Entry("", relation.columns if relation else None, relation.name if relation else ""),))
    for _, element in items(body.get("exprs")):
        if "name" in element:
            _columns(context, [element["name"]], relation, on.end() if on else 0)
        expression(context, element.get("expr"), scope, resolve)


def _kept_up(context: Context, _before: Catalog, body: Node) -> None:
    """``refresh materialized view``, ``cluster`` and ``reindex``."""
    target = body.get("relation")
    if target:
        kind = "OBJECT_INDEX" if body.get("kind") == "REINDEX_OBJECT_INDEX" else "OBJECT_TABLE"
        relation_of_any_kind(context, kind, target)


def _vacuum(context: Context, _before: Catalog, body: Node) -> None:
    for _, element in items(body.get("rels")):
        target = element.get("relation", {})
        relation = context.find_relation(range_name(target), target) if target else None
        _columns(context, strings(element.get("va_cols")), relation, _place(context, target))


def _sequence(context: Context, before: Catalog, body: Node) -> None:
    owned = option(body, "owned_by")
    parts = strings(list_items((owned or {}).get("arg")))
    if owned and len(parts) > 1:
        near = _place(context, owned)
        place = {"location": owned.get("location", 0)}
        relation = context.find_relation(tuple(parts[:-1]), place)
        _columns(context, parts[-1:], relation, near)
    type_named(context, unwrap((option(body, "as") or {}).get("arg"))[1])
    altered(context, before, {} if "for_identity" in body else body)


def _created_sequence(context: Context, before: Catalog, body: Node) -> None:
    _sequence(context, before, {"options": body.get("options", [])})


def _defined(context: Context, before: Catalog, body: Node) -> None:
    """``create aggregate``, ``create operator`` and ``create type``."""
    for _, arguments in items(body.get("args")):
        for _, parameter in items(arguments.get("items")):
            type_named(context.on(before), parameter.get("argType", {}))
    for _, element in items(body.get("definition") or body.get("params")):
        kind, value = unwrap(element.get("arg"))
        if kind != "TypeName":
            continue
        if element.get("defname") in _TYPES:
            type_named(context.on(before), value)
        elif element.get("defname") in _FUNCTIONS:
            _function(context, strings(value.get("names")), value)


def _event_trigger(context: Context, _before: Catalog, body: Node) -> None:
    place = context.snippet.byte_index(context.snippet.text.lower().rfind("execute"))
    _function(context, strings(body.get("funcname")), {"location": place})


def _cast(context: Context, before: Catalog, body: Node) -> None:
    for key in ("sourcetype", "targettype"):
        type_named(context.on(before), body.get(key, {}))
    function = strings(body.get("func", {}).get("objname"))
    near = context.snippet.text.lower().find("function")
    _function(context, function, {"location": context.snippet.byte_index(max(near, 0))})


def _function(context: Context, names: list[str], place: Node) -> None:
    """A function by its name alone; without a schema it may be of Postgres."""
    name, catalog = tuple(names), context.catalog
    if len(name) < 2 or catalog.overloads(name, context.path) or not context.is_surely_missing(name):
        return
    known = [f.partition(".")[2] for f in catalog.functions if f.startswith(f"{name[-2]}.")]
    message = f"there is no function {'.'.join(name[-2:])}"
    context.fault("resolve.function", place, message, suggestion(name[-1], known), name[-1])


MORE_KINDS: dict[str, Callable[[Context, Catalog, Node], None]] = {
    "RuleStmt": _rule,
    "CreatePublicationStmt": _publication,
    "AlterPublicationStmt": _publication,
    "CreateStatsStmt": _statistics,
    "RefreshMatViewStmt": _kept_up,
    "ClusterStmt": _kept_up,
    "ReindexStmt": _kept_up,
    "VacuumStmt": _vacuum,
    "CreateSeqStmt": _created_sequence,
    "AlterSeqStmt": _sequence,
    "DefineStmt": _defined,
    "CreateRangeStmt": _defined,
    "CreateEventTrigStmt": _event_trigger,
    "CreateCastStmt": _cast,
}
