"""Names in DDL: constraints, indexes, policies, triggers, views, and what is altered, granted or commented on."""

from __future__ import annotations

from collections.abc import Callable

from eventlive_db.lint.sql.catalog import Catalog, Relation
from eventlive_db.lint.sql.context import Context, listing, suggestion
from eventlive_db.lint.sql.names import find_function, parts_of
from eventlive_db.lint.sql.resolve import resolve
from eventlive_db.lint.sql.resolve_dml import index_elements
from eventlive_db.lint.sql.resolve_expression import expression
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


def _table(context: Context, _before: Catalog, body: Node) -> None:
    relation = context.catalog.relation(range_name(body.get("relation", {})), context.path)
    for _, parent in items(body.get("inhRelations")):
        context.find_relation(range_name(parent), parent)
    for kind, element in items(body.get("tableElts")):
        if kind == "Constraint":
            _constraint(context, element, relation)
        elif kind == "ColumnDef":
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
        if not body.get("missing_ok") and body.get("objtype") not in {"OBJECT_INDEX", "OBJECT_SEQUENCE"}:
            context.find_relation(name, target)
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
        for _, constraint in items(definition.get("constraints")):
            _constraint(context, constraint, Relation(relation.name, relation.kind, columns, relation.origin))
    elif kind == "AT_AlterColumnType":
        expression(context, definition.get("raw_default"), scope, resolve)
    elif kind == "AT_ColumnDefault":
        expression(context, command.get("def"), scope, resolve)
    elif kind == "AT_AttachPartition":
        context.find_relation(range_name(definition.get("name", {})), definition.get("name", {}))


def _comment(context: Context, _before: Catalog, body: Node) -> None:
    kind, node = body.get("objtype", ""), body.get("object")
    parts = parts_of(node)
    if kind == "OBJECT_COLUMN" and len(parts) > 1:
        relation = context.find_relation(tuple(parts[:-1]), {})
        if relation and relation.columns is not None and parts[-1] not in relation.columns:
            context.missing_column({}, parts[-1], relation.name, relation.columns)
    elif kind in {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW"}:
        context.find_relation(tuple(parts), {})
    elif kind in {"OBJECT_POLICY", "OBJECT_TRIGGER"} and len(parts) > 1:
        _attached(context, kind, parts)
    elif kind in {"OBJECT_FUNCTION", "OBJECT_PROCEDURE"}:
        _function_named(context, context.catalog, unwrap(node)[1])


def _attached(context: Context, kind: str, parts: list[str]) -> None:
    relation = context.find_relation(tuple(parts[:-1]), {})
    if relation is None:
        return
    attached = context.catalog.policies if kind == "OBJECT_POLICY" else context.catalog.triggers
    names = [name for table, name in attached if table == relation.name]
    if parts[-1] not in names:
        what = kind.removeprefix("OBJECT_").lower()
        message = f"{relation.name} has no {what} {parts[-1]}; it has {listing(names)}"
        context.fault("resolve.object", {}, message, suggestion(parts[-1], names), parts[-1])


def _function_named(context: Context, catalog: Catalog, body: Node) -> None:
    """A function by name and types, as in comment, grant and drop."""
    name = tuple(strings(body.get("objname")))
    if find_function(catalog, context.path, body) or len(name) < 2:
        return
    full = ".".join(name[-2:])
    if not catalog.is_declared(name[-2]) or catalog.is_external(full):
        return
    found = catalog.overloads(name)
    if found:
        message = f"{full} has other parameters: {'; '.join(f.title for f in found)}"
        context.fault("resolve.function", {}, message, "", name[-1])
    else:
        bare = [f.partition(".")[2] for f in catalog.functions if f.startswith(f"{name[-2]}.")]
        context.fault("resolve.function", {}, f"there is no function {full}", suggestion(name[-1], bare), name[-1])


def _grant(context: Context, _before: Catalog, body: Node) -> None:
    if body.get("targtype") != "ACL_TARGET_OBJECT":
        return
    for _, target in items(body.get("objects")):
        if body.get("objtype") in {"OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE"}:
            _function_named(context, context.catalog, target)
        elif body.get("objtype") == "OBJECT_TABLE":
            relation = context.find_relation(range_name(target), target)
            for _, privilege in items(body.get("privileges")):
                _keys(context, strings(privilege.get("cols")), relation, 0)


def _drop(context: Context, before: Catalog, body: Node) -> None:
    kind = body.get("removeType")
    if body.get("missing_ok"):
        return
    earlier = Context(before, context.path, context.snippet, context.variables, context.faults)
    for node in body.get("objects", []):
        if kind in {"OBJECT_FUNCTION", "OBJECT_PROCEDURE"}:
            _function_named(earlier, before, unwrap(node)[1])
        elif kind in {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW"}:
            earlier.find_relation(tuple(parts_of(node)), {})
        elif kind in {"OBJECT_POLICY", "OBJECT_TRIGGER"}:
            _attached(earlier, kind, parts_of(node))
        elif kind == "OBJECT_INDEX":
            _dropped_index(earlier, parts_of(node))


def _dropped_index(context: Context, parts: list[str]) -> None:
    full = ".".join(parts[-2:])
    declared = len(parts) > 1 and context.catalog.is_declared(parts[-2])
    if declared and full not in context.catalog.indexes and not context.catalog.is_external(full):
        near = suggestion(full, list(context.catalog.indexes))
        context.fault("resolve.object", {}, f"there is no index {full}", near, parts[-1])


def _rename(context: Context, before: Catalog, body: Node) -> None:
    if body.get("renameType") != "OBJECT_COLUMN" or body.get("missing_ok"):
        return
    target = body.get("relation", {})
    earlier = Context(before, context.path, context.snippet, context.variables, context.faults)
    relation = earlier.find_relation(range_name(target), target)
    name = body.get("subname", "")
    if relation and relation.columns is not None and name not in relation.columns:
        place = context.snippet.char_index(target.get("location", 0))
        earlier.missing_column({}, name, relation.name, relation.columns, place)


def _domain(context: Context, _before: Catalog, body: Node) -> None:
    scope = Scope((Entry("", {"value": ""}),))
    for _, constraint in items(body.get("constraints")):
        expression(context, constraint.get("raw_expr"), scope, resolve)


_KINDS: dict[str, Callable[[Context, Catalog, Node], None]] = {
    "CreateStmt": _table,
    "IndexStmt": _index,
    "CreatePolicyStmt": _policy,
    "AlterPolicyStmt": _policy,
    "CreateTrigStmt": _trigger,
    "ViewStmt": _view,
    "CreateTableAsStmt": _view,
    "AlterTableStmt": _alter,
    "CommentStmt": _comment,
    "GrantStmt": _grant,
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "CreateDomainStmt": _domain,
}
