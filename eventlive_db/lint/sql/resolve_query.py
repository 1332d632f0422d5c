"""Names in a SELECT: WITH, FROM, the list of its columns, and the clauses after it."""

from __future__ import annotations

from eventlive_db.lint.sql.context import Context
from eventlive_db.lint.sql.resolve_expression import Resolve, expression
from eventlive_db.lint.sql.resolve_from import from_item
from eventlive_db.lint.sql.scope import Entry, Output, Scope, as_columns, renamed
from eventlive_db.lint.sql.tree import Node, items, strings, type_name, unwrap


def select(context: Context, body: Node, scope: Scope, resolve: Resolve) -> Output:
    """Look up the names of a SelectStmt.

    Args:
        context: The text it stands in.
        body: Of the SelectStmt.
        scope: Of the query around it, with the CTEs that are known there.
        resolve: Resolves the statements in it.

    Returns:
        Its columns.
    """
    scope = with_clause(context, body, scope, resolve)
    if body.get("op", "SETOP_NONE") != "SETOP_NONE":
        return _set_operation(context, body, scope, resolve)
    if "valuesLists" in body:
        return _values(context, body, scope, resolve)
    level = Scope(parent=scope)
    for node in body.get("fromClause", []):
        level = level.with_entries(*from_item(context, node, level, resolve))
    output = target_list(context, body.get("targetList", []), level, resolve)
    for key in ("whereClause", "havingClause", "windowClause", "limitOffset", "limitCount"):
        expression(context, body.get(key), level, resolve)
    for key in ("groupClause", "sortClause", "distinctClause"):
        _by_output(context, body.get(key, []), level, output, resolve)
    for _, locking in items(body.get("lockingClause")):
        for _, locked in items(locking.get("lockedRels")):
            if level.entry(locked.get("relname", "")) is None:
                name = locked.get("relname", "")
                context.fault("resolve.alias", locked, f"{name} is no table of this query", "", name)
    return output


def with_clause(context: Context, body: Node, scope: Scope, resolve: Resolve) -> Scope:
    """The scope with the CTEs that a statement defines."""
    clause = body.get("withClause")
    if not clause:
        return scope
    ctes: dict[str, Output] = {}
    inner = Scope(parent=scope, ctes=ctes)
    for _, cte in items(clause.get("ctes")):
        name, names, query = cte.get("ctename", ""), strings(cte.get("aliascolnames")), cte.get("ctequery", {})
        if clause.get("recursive"):
            ctes[name] = None
            kind, statement = unwrap(query)
            if kind == "SelectStmt" and "larg" in statement:
                quiet = Context(context.catalog, context.path, context.snippet, context.variables)
                first = {
                    **statement["larg"],
                    **({"withClause": statement["withClause"]} if "withClause" in statement else {}),
                }
                ctes[name] = renamed(select(quiet, first, inner, resolve), names)
        output = renamed(resolve(context, query, inner), names)
        extra = [cte.get(key, {}).get(field) for key, field in _GENERATED]
        if output is not None:
            output = [*output, *((column, "") for column in extra if column)]
        ctes[name] = output
    return inner


_GENERATED = (
    ("search_clause", "search_seq_column"),
    ("cycle_clause", "cycle_mark_column"),
    ("cycle_clause", "cycle_path_column"),
)


def _set_operation(context: Context, body: Node, scope: Scope, resolve: Resolve) -> Output:
    left = select(context, body.get("larg", {}), scope, resolve)
    select(context, body.get("rarg", {}), scope, resolve)
    level = Scope((Entry("", as_columns(left)),), scope)
    _by_output(context, body.get("sortClause", []), level, left, resolve)
    for key in ("limitOffset", "limitCount"):
        expression(context, body.get(key), scope, resolve)
    return left


def _values(context: Context, body: Node, scope: Scope, resolve: Resolve) -> Output:
    rows = body["valuesLists"]
    expression(context, rows, scope, resolve)
    width = len(unwrap(rows[0])[1].get("items", []))
    return [(f"column{number + 1}", "") for number in range(width)]


def _by_output(context: Context, nodes: list[Node], level: Scope, output: Output, resolve: Resolve) -> None:
    """GROUP BY, ORDER BY and DISTINCT ON take the names of the result's columns too, where they stand alone."""
    names = {name for name, _ in output or ()}
    for node in nodes:
        kind, body = unwrap(node)
        inner = unwrap(body.get("node"))[1] if kind == "SortBy" else body
        alone = strings(inner.get("fields")) if "fields" in inner else []
        if len(alone) == 1 and (output is None or alone[0] in names):
            continue
        expression(context, node, level, resolve)


def target_list(context: Context, nodes: list[Node], level: Scope, resolve: Resolve) -> Output:
    """Look up what a SELECT or RETURNING gives, and say which columns that makes."""
    output: Output = []
    for _, target in items(nodes):
        value = target.get("val", {})
        type_of = expression(context, value, level, resolve)
        kind, body = unwrap(value)
        if _is_star(kind, body):
            several = _star(context, kind, body, level, type_of)
            output = None if several is None or output is None else [*output, *several]
        elif output is not None:
            output.append((target.get("name") or output_name(value), type_of))
    return output


def _is_star(kind: str, body: Node) -> bool:
    parts = body.get("fields" if kind == "ColumnRef" else "indirection", [])
    return kind in {"ColumnRef", "A_Indirection"} and bool(parts) and "A_Star" in parts[-1]


def _star(context: Context, kind: str, body: Node, level: Scope, type_of: str) -> Output:
    if kind == "A_Indirection":
        found = context.columns_of(type_of)
        return list(found[1].items()) if found else None
    owner = strings(body.get("fields"))
    if not owner:
        entries = [entry for entry in level.entries if not entry.hidden]
    else:
        entry = level.entry(owner[-1])
        if entry is None:
            variable = context.variables.named.get(owner[-1])
            found = context.columns_of(variable.type) if variable else None
            return list(found[1].items()) if found else None
        entries = [entry]
    output: list[tuple[str, str]] = []
    for entry in entries:
        if entry.columns is None:
            return None
        output.extend(entry.columns.items())
    return output


def output_name(node: Node) -> str:  # noqa: PLR0911  # one for each kind of node
    """The name that Postgres gives to a column of a result (FigureColname in parse_target.c)."""
    kind, body = unwrap(node)
    if kind == "ColumnRef":
        return (strings(body.get("fields")) or [""])[-1]
    if kind == "A_Indirection":
        return (strings(body.get("indirection")) or [""])[-1] or output_name(body.get("arg", {}))
    if kind == "FuncCall":
        return (strings(body.get("funcname")) or [""])[-1]
    if kind == "TypeCast":
        inner = output_name(body.get("arg", {}))
        return (
            inner if inner != "?column?" else type_name(body.get("typeName", {})).rpartition(".")[2].removesuffix("[]")
        )
    if kind == "CollateClause":
        return output_name(body.get("arg", {}))
    if kind == "CaseExpr":
        inner = output_name(body.get("defresult", {}))
        return inner if inner != "?column?" else "case"
    if kind == "SubLink":
        return _sublink_name(body)
    if kind == "A_Expr" and body.get("kind") == "AEXPR_NULLIF":
        return "nullif"
    if kind == "MinMaxExpr":
        return "least" if body.get("op") == "IS_LEAST" else "greatest"
    if kind == "SQLValueFunction":
        return str(body.get("op", "")).removeprefix("SVFOP_").removesuffix("_N").lower()
    return {"CoalesceExpr": "coalesce", "A_ArrayExpr": "array", "RowExpr": "row", "GroupingFunc": "grouping"}.get(
        kind, "?column?"
    )


def _sublink_name(body: Node) -> str:
    kind = body.get("subLinkType")
    if kind == "EXISTS_SUBLINK":
        return "exists"
    if kind == "ARRAY_SUBLINK":
        return "array"
    targets = unwrap(body.get("subselect"))[1].get("targetList", [])
    if kind == "EXPR_SUBLINK" and targets:
        _, first = unwrap(targets[0])
        return first.get("name") or output_name(first.get("val", {}))
    return "?column?"
