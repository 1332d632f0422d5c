"""Names in DDL: constraints, indexes, policies, triggers, views, and what is altered, granted or commented on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from eventlive_db.lint.sql.catalog import Catalog, Relation
from eventlive_db.lint.sql.context import Context
from eventlive_db.lint.sql.resolve import resolve
from eventlive_db.lint.sql.resolve_ddl_more import MORE_KINDS
from eventlive_db.lint.sql.resolve_dml import index_elements
from eventlive_db.lint.sql.resolve_expression import expression
from eventlive_db.lint.sql.resolve_named import (
    altered,
    altered_policy,
    comment,
    drop,
    grant,
    relation_of_any_kind,
    rename,
)
from eventlive_db.lint.sql.resolve_types import type_named
from eventlive_db.lint.sql.scope import Entry, Scope
from eventlive_db.lint.sql.tree import Node, items, range_name, strings, unwrap

_OF_COLUMN = frozenset(
    {
        "AT_DropColumn",
        "AT_AlterColumnType",
        "AT_SetNotNull",
        "AT_DropNotNull",
        "AT_ColumnDefault",
        "AT_SetStatistics",
        "AT_SetStorage",
        "AT_AddIdentity",
        "AT_SetIdentity",
        "AT_DropIdentity",
        "AT_SetExpression",
        "AT_DropExpression",
    }
)


def resolve_ddl(context: Context, before: Catalog, kind: str, body: Node) -> None:
    """Look up the names of a statement that is no query.

    Args:
        context: The text, and the catalog with what the statement makes in it.
        before: The catalog without it.
        kind: Of the statement.
        body: Of the statement.
    """
    if kind in _KINDS:
        _KINDS[kind](context, before, body)


def _scope_of(relation: Relation | None, alias: str = "") -> Scope:
    if relation is None:
        return Scope((Entry(alias, None),))
    name = alias or relation.name.rpartition(".")[2]
    return Scope((Entry(name, relation.columns, relation.name),))


def _keys(context: Context, names: list[str], relation: Relation | None, start: int) -> None:
    for name in names:
        if relation is not None and relation.columns is not None and name not in relation.columns:
            context.missing_column({}, name, relation.name, relation.columns, start)


def _constraint(context: Context, body: Node, relation: Relation | None) -> None:
    scope = _scope_of(relation)
    start = context.snippet.char_index(body.get("location", 0))
    expression(context, [body.get("raw_expr"), body.get("where_clause")], scope, resolve)
    for key in ("keys", "fk_attrs", "including"):
        _keys(context, strings(body.get(key)), relation, start)
    if "pktable" in body:
        target = context.find_relation(range_name(body["pktable"]), body["pktable"])
        place = context.snippet.char_index(body["pktable"].get("location", 0))
        _keys(context, strings(body.get("pk_attrs")), target, place)
    for _, pair in items(body.get("exclusions")):
        members = pair.get("items", [])
        if members and relation is not None:
            entry = scope.entries[0]
            index_elements(context, members[:1], entry, scope, resolve, start)


def _table(context: Context, before: Catalog, body: Node) -> None:
    type_named(context.on(before), body.get("ofTypename", {}))
    relation = context.catalog.relation(range_name(body.get("relation", {})), context.path)
    for _, parent in items(body.get("inhRelations")):
        context.find_relation(range_name(parent), parent)
    for kind, element in items(body.get("tableElts")):
        if kind == "Constraint":
            _constraint(context, element, relation)
        elif kind == "ColumnDef":
            type_named(context.on(before), element.get("typeName", {}))
            for _, constraint in items(element.get("constraints")):
                _constraint(context, constraint, relation)
        elif kind == "TableLikeClause":
            context.find_relation(range_name(element.get("relation", {})), element.get("relation", {}))
    start = context.snippet.char_index(body.get("partspec", {}).get("location", 0))
    for _, element in items(body.get("partspec", {}).get("partParams")):
        if "name" in element:
            _keys(context, [element["name"]], relation, start)
        expression(context, element.get("expr"), _scope_of(relation), resolve)


def _index(context: Context, _before: Catalog, body: Node) -> None:
    target = body.get("relation", {})
    relation = context.find_relation(range_name(target), target)
    scope = _scope_of(relation)
    start = context.snippet.char_index(target.get("location", 0))
    entry = scope.entries[0]
    for key in ("indexParams", "indexIncludingParams"):
        index_elements(context, body.get(key, []), entry, scope, resolve, start + len(target.get("relname", "")))
    expression(context, body.get("whereClause"), scope, resolve)


def _policy(context: Context, _before: Catalog, body: Node) -> None:
    target = body.get("table", {})
    scope = _scope_of(context.find_relation(range_name(target), target))
    expression(context, [body.get("qual"), body.get("with_check")], scope, resolve)


def _altered_policy(context: Context, before: Catalog, body: Node) -> None:
    altered_policy(context, before, body)
    _policy(context, before, body)


def _trigger(context: Context, _before: Catalog, body: Node) -> None:
    target = body.get("relation", {})
    relation = context.find_relation(range_name(target), target)
    _keys(context, strings(body.get("columns")), relation, 0)
    columns = relation.columns if relation else None
    name = relation.name if relation else ""
    rows = tuple(Entry(row, columns, name, hidden=True) for row in ("new", "old"))
    expression(context, body.get("whenClause"), Scope(rows), resolve)
    function = tuple(strings(body.get("funcname")))
    if len(function) > 1 and not context.catalog.overloads(function):
        byte = context.snippet.byte_index(context.snippet.text.lower().rfind("execute"))
        called = {"FuncCall": {"funcname": body["funcname"], "location": byte}}
        expression(context, called, Scope(), resolve)


def _view(context: Context, _before: Catalog, body: Node) -> None:
    resolve(context, body.get("query", {}))


def _alter(context: Context, before: Catalog, body: Node) -> None:
    target = body.get("relation", {})
    name = range_name(target)
    now = context.catalog.relation(name, context.path)
    then = before.relation(name, context.path)
    if then is None and now is None:
        if not body.get("missing_ok"):
            relation_of_any_kind(context.on(before), str(body.get("objtype", "")), target)
        return
    known: Relation | None = now or then
    columns = {**((then.columns if then else None) or {}), **((now.columns if now else None) or {})}
    for _, command in items(body.get("cmds")):
        _command(context, target, command, known, columns)


def _command(context: Context, target: Node, command: Node, relation: Relation | None, columns: dict[str, str]) -> None:
    if relation is None or relation.columns is None:
        return
    kind, name = command.get("subtype", ""), command.get("name", "")
    _, definition = unwrap(command.get("def"))
    scope = Scope((Entry(relation.name.rpartition(".")[2], columns, relation.name),))
    if kind in _OF_COLUMN and name not in columns and not command.get("missing_ok"):
        context.missing_column({}, name, relation.name, columns, context.snippet.char_index(target.get("location", 0)))
    if kind == "AT_AddConstraint":
        _constraint(context, definition, Relation(relation.name, relation.kind, columns, relation.origin))
    elif kind == "AT_AddColumn":
        type_named(context, definition.get("typeName", {}))
        for _, constraint in items(definition.get("constraints")):
            _constraint(context, constraint, Relation(relation.name, relation.kind, columns, relation.origin))
    elif kind == "AT_AlterColumnType":
        type_named(context, definition.get("typeName", {}))
        expression(context, definition.get("raw_default"), scope, resolve)
    elif kind == "AT_ColumnDefault":
        expression(context, command.get("def"), scope, resolve)
    elif kind == "AT_AttachPartition":
        context.find_relation(range_name(definition.get("name", {})), definition.get("name", {}))


def _schema(context: Context, before: Catalog, body: Node) -> None:
    """What ``create schema`` makes in it, in the same statement."""
    inside = replace(context, path=(body.get("schemaname", ""), *context.path))
    for kind, element in items(body.get("schemaElts")):
        resolve_ddl(inside, before, kind, element)


def _composite(context: Context, before: Catalog, body: Node) -> None:
    for _, column in items(body.get("coldeflist")):
        type_named(context.on(before), column.get("typeName", {}))


def _domain(context: Context, before: Catalog, body: Node) -> None:
    type_named(context.on(before), body.get("typeName", {}))
    scope = Scope((Entry("", {"value": ""}),))
    for _, constraint in items(body.get("constraints")):
        expression(context, constraint.get("raw_expr"), scope, resolve)


_KINDS: dict[str, Callable[[Context, Catalog, Node], None]] = {
    "CreateStmt": _table,
    "IndexStmt": _index,
    "CreatePolicyStmt": _policy,
    "AlterPolicyStmt": _altered_policy,
    "CreateTrigStmt": _trigger,
    "ViewStmt": _view,
    "CreateTableAsStmt": _view,
    "AlterTableStmt": _alter,
    "CommentStmt": comment,
    "SecLabelStmt": comment,
    "AlterOwnerStmt": comment,
    "GrantStmt": grant,
    "DropStmt": drop,
    "RenameStmt": rename,
    "AlterObjectSchemaStmt": rename,
    "AlterFunctionStmt": altered,
    "AlterEnumStmt": altered,
    "AlterDomainStmt": altered,
    "CreateDomainStmt": _domain,
    "CompositeTypeStmt": _composite,
    "CreateSchemaStmt": _schema,
    **MORE_KINDS,
}
