"""Names in INSERT, UPDATE, DELETE and MERGE."""

from __future__ import annotations

from eventlive_db.lint.sql.context import Context, is_hole
from eventlive_db.lint.sql.resolve_expression import Resolve, expression
from eventlive_db.lint.sql.resolve_from import from_item, table
from eventlive_db.lint.sql.resolve_query import target_list, with_clause
from eventlive_db.lint.sql.scope import Entry, Output, Scope
from eventlive_db.lint.sql.tree import Node, items


def insert(context: Context, body: Node, scope: Scope, resolve: Resolve) -> Output:
    """Look up the names of an InsertStmt; the columns of its RETURNING."""
    scope = with_clause(context, body, scope, resolve)
    target = _target(context, body)
    _assigned(context, body.get("cols", []), target)
    if "selectStmt" in body:
        resolve(context, body["selectStmt"], scope)
    level = Scope((target,), scope)
    clause = body.get("onConflictClause")
    if clause:
        _on_conflict(context, clause, target, level, resolve)
    return _returning(context, body, target, level, resolve)


def _target(context: Context, body: Node) -> Entry:
    # The target is never a CTE.
    return table(context, body.get("relation", {}), Scope())


def _assigned(context: Context, nodes: list[Node], target: Entry) -> None:
    if target.columns is None:
        return
    for _, column in items(nodes):
        name = column.get("name", "")
        if name and name not in target.columns and not is_hole(name):
            context.missing_column(column, name, target.title, target.columns)


def _on_conflict(context: Context, clause: Node, target: Entry, level: Scope, resolve: Resolve) -> None:
    infer = clause.get("infer", {})
    start = context.snippet.char_index(infer.get("location", clause.get("location", 0)))
    index_elements(context, infer.get("indexElems", []), target, level, resolve, start)
    expression(context, infer.get("whereClause"), level, resolve)
    _assigned(context, clause.get("targetList", []), target)
    both = level.with_entries(Entry("excluded", target.columns, hidden=True))
    expression(context, [node["ResTarget"].get("val") for node in clause.get("targetList", [])], both, resolve)
    expression(context, clause.get("whereClause"), both, resolve)


def index_elements(
    context: Context, nodes: list[Node], target: Entry, level: Scope, resolve: Resolve, start: int
) -> None:
    """The columns and expressions of an index or of what ON CONFLICT names."""
    for _, element in items(nodes):
        name = element.get("name", "")
        if name and target.columns is not None and name not in target.columns and not is_hole(name):
            context.missing_column({}, name, target.title, target.columns, start)
        expression(context, element.get("expr"), level, resolve)


def _returning(context: Context, body: Node, target: Entry, level: Scope, resolve: Resolve) -> Output:
    nodes = body.get("returningClause", {}).get("exprs", body.get("returningList", []))
    # Postgres 18: what a row was before, and what it is now.
    names = {"old", "new"}
    for _, chosen in items(body.get("returningClause", {}).get("options")):
        names.add(chosen.get("value", ""))
    rows = [Entry(name, target.columns, target.relation, hidden=True) for name in sorted(names)]
    seen = [row for row in rows if level.entry(row.alias) is None and row.alias not in context.variables.named]
    return target_list(context, nodes, level.with_entries(*seen), resolve)


def update(context: Context, body: Node, scope: Scope, resolve: Resolve) -> Output:
    """Look up the names of an UpdateStmt; the columns of its RETURNING."""
    scope = with_clause(context, body, scope, resolve)
    target = _target(context, body)
    level = _joined(context, body.get("fromClause", []), target, scope, resolve)
    _assigned(context, body.get("targetList", []), target)
    expression(context, [node["ResTarget"].get("val") for node in body.get("targetList", [])], level, resolve)
    expression(context, body.get("whereClause"), level, resolve)
    return _returning(context, body, target, level, resolve)


def delete(context: Context, body: Node, scope: Scope, resolve: Resolve) -> Output:
    """Look up the names of a DeleteStmt; the columns of its RETURNING."""
    scope = with_clause(context, body, scope, resolve)
    target = _target(context, body)
    level = _joined(context, body.get("usingClause", []), target, scope, resolve)
    expression(context, body.get("whereClause"), level, resolve)
    return _returning(context, body, target, level, resolve)


def _joined(context: Context, nodes: list[Node], target: Entry, scope: Scope, resolve: Resolve) -> Scope:
    """The target, and what FROM or USING brings; those items cannot refer to the target, not even LATERAL ones."""
    others = Scope(parent=scope)
    for node in nodes:
        others = others.with_entries(*from_item(context, node, others, resolve))
    return Scope((target, *others.entries), scope)


def merge(context: Context, body: Node, scope: Scope, resolve: Resolve) -> Output:
    """Look up the names of a MergeStmt; the columns of its RETURNING."""
    scope = with_clause(context, body, scope, resolve)
    target = _target(context, body)
    source = from_item(context, body.get("sourceRelation", {}), Scope(parent=scope), resolve)
    level = Scope((target, *source), scope)
    expression(context, body.get("joinCondition"), level, resolve)
    for _, clause in items(body.get("mergeWhenClauses")):
        expression(context, clause.get("condition"), level, resolve)
        _assigned(context, clause.get("targetList", []), target)
        expression(context, [node["ResTarget"].get("val") for node in clause.get("targetList", [])], level, resolve)
        expression(context, clause.get("values"), level, resolve)
    nodes = body.get("returningClause", {}).get("exprs", body.get("returningList", []))
    return target_list(context, nodes, level, resolve)
