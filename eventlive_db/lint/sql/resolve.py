"""Resolves the names in one statement: the door to the other ``resolve_*`` modules."""

from __future__ import annotations

from eventlive_db.lint.sql.catalog import Catalog
from eventlive_db.lint.sql.context import Context
from eventlive_db.lint.sql.resolve_dml import delete, insert, merge, update
from eventlive_db.lint.sql.resolve_expression import call, expression
from eventlive_db.lint.sql.resolve_query import select
from eventlive_db.lint.sql.scope import Output, Scope
from eventlive_db.lint.sql.text import Snippet, SourceFile
from eventlive_db.lint.sql.tree import Node, items, range_name, unwrap

_NOWHERE = SourceFile("", "")
_READ_WRITE = {"InsertStmt": insert, "UpdateStmt": update, "DeleteStmt": delete, "MergeStmt": merge}
_WRAPPED = ("ExplainStmt", "PrepareStmt", "DeclareCursorStmt", "CopyStmt", "ReturnStmt")

QUERY_KINDS = frozenset({"SelectStmt", *_READ_WRITE, *_WRAPPED, "CallStmt", "LockStmt", "TruncateStmt"})
"""Statements that ``resolve`` knows."""


def resolve(context: Context, node: Node, scope: Scope | None = None) -> Output:
    """Look up every name of a query; faults are added to the context.

    Args:
        context: The text it stands in.
        node: A statement, as ``{kind: body}``.
        scope: What is around it.

    Returns:
        The columns of its result.
    """
    kind, body = unwrap(node)
    scope = scope or Scope()
    if kind == "SelectStmt":
        return select(context, body, scope, resolve)
    if kind in _READ_WRITE:
        return _READ_WRITE[kind](context, body, scope, resolve)
    if kind == "CallStmt":
        call(context, body.get("funccall", {}), scope, resolve)
    elif kind == "ReturnStmt":
        type_of = expression(context, body.get("returnval", {}), scope, resolve)
        return [("", type_of)]
    elif kind in {"LockStmt", "TruncateStmt"}:
        for _, relation in items(body.get("relations")):
            context.find_relation(range_name(relation), relation)
    elif kind == "CopyStmt" and "relation" in body:
        _copy(context, body)
    # What a body creates stands for itself; in a script resolve_ddl looks at it.
    elif kind in {*_WRAPPED, "CreateTableAsStmt", "ViewStmt"} and "query" in body:
        return resolve(context, body["query"], scope)
    return None


def _copy(context: Context, body: Node) -> None:
    target = body["relation"]
    relation = context.find_relation(range_name(target), target)
    if relation is None or relation.columns is None:
        return
    for _, column in items(body.get("attlist")):
        name = column.get("sval", "")
        if name not in relation.columns:
            context.missing_column(target, name, relation.name, relation.columns)


def query_columns(catalog: Catalog, path: tuple[str, ...], query: Node) -> Output:
    """The columns of a query, faulty or not."""
    return resolve(Context(catalog, path, Snippet(_NOWHERE, "", range(0))), query)
