"""Names in an expression: columns, fields, functions and the sub-selects in it."""

from __future__ import annotations

from collections.abc import Callable

from eventlive_db.lint.sql.catalog import Function
from eventlive_db.lint.sql.context import Context, is_hole, is_system_column, listing, suggestion
from eventlive_db.lint.sql.names import find_type
from eventlive_db.lint.sql.resolve_types import type_named
from eventlive_db.lint.sql.scope import Entry, Output, Scope, Variable
from eventlive_db.lint.sql.tree import Node, strings, type_name, unwrap

Resolve = Callable[[Context, Node, Scope | None], Output]


def expression(context: Context, node: object, scope: Scope, resolve: Resolve) -> str:
    """Look up the names of an expression.

    Args:
        context: The text it stands in.
        node: The expression, or a list or part of one.
        scope: What its names may mean.
        resolve: Resolves the sub-selects in it.

    Returns:
        The name of its type where that is a row type, or may be; else empty.
    """
    if isinstance(node, list):
        for member in node:
            expression(context, member, scope, resolve)
        return ""
    if not isinstance(node, dict) or not node:
        return ""
    kind, body = unwrap(node)
    if not kind[:1].isupper() or not isinstance(body, dict):
        for value in node.values():
            expression(context, value, scope, resolve)
        return ""
    return _tagged(context, kind, body, scope, resolve)


def _tagged(context: Context, kind: str, body: Node, scope: Scope, resolve: Resolve) -> str:  # noqa: PLR0911  # one for each kind of node
    if kind == "ColumnRef":
        return column(context, body, scope)
    if kind == "FuncCall":
        return call(context, body, scope, resolve)
    if kind == "SubLink":
        expression(context, body.get("testexpr"), scope, resolve)
        output = resolve(context, body.get("subselect", {}), Scope(parent=scope))
        single = body.get("subLinkType") == "EXPR_SUBLINK" and output is not None and len(output) == 1
        return output[0][1] if single and output else ""
    if kind == "A_Indirection":
        return _indirection(context, body, scope, resolve)
    if kind == "TypeCast":
        expression(context, body.get("arg"), scope, resolve)
        type_named(context, body.get("typeName", {}))
        return find_type(context.catalog, type_name(body.get("typeName", {})), context.path)
    if kind == "NamedArgExpr":
        return expression(context, body.get("arg"), scope, resolve)
    if kind in {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}:
        resolve(context, {kind: body}, Scope(parent=scope))
        return ""
    if kind in {"TypeName", "RangeVar"}:
        return ""
    for value in body.values():
        expression(context, value, scope, resolve)
    return ""


def column(context: Context, body: Node, scope: Scope) -> str:
    """Look up a column, field, variable or whole row; its type where that is known."""
    fields = body.get("fields", [])
    names, star = strings(fields), "A_Star" in (fields[-1] if fields else {})
    if not names or any(is_hole(name) for name in names):
        return ""
    if star:
        _qualified(context, body, names, "", scope)
        return ""
    if len(names) == 1:
        return _bare(context, body, names[0], scope)
    return _qualified(context, body, names[:-1], names[-1], scope)


def _bare(context: Context, body: Node, name: str, scope: Scope) -> str:
    seen: list[list[Entry]] = []
    for level in scope.levels():
        visible = [entry for entry in level.entries if not entry.hidden]
        for entry in visible:
            if entry.columns is None:
                return ""
            if name in entry.columns:
                return entry.columns[name]
        if visible:
            seen.append(visible)
    entry_of_name = scope.entry(name)
    if entry_of_name is not None:
        return entry_of_name.relation
    if name in context.variables.named:
        return context.variables.named[name].type
    if is_system_column(name) and seen:
        return ""
    _missing(context, body, name, seen)
    return ""


def _missing(context: Context, body: Node, name: str, seen: list[list[Entry]]) -> None:
    """Say that no table of the query has a column, nor, where it is part of another, any of that one."""
    known = [c for level in seen for entry in level for c in entry.columns or ()]
    near = suggestion(name, [*known, *context.variables.named])
    if not seen and context.is_part:
        return
    if not seen:
        context.fault("resolve.column", body, f"there is no column or variable {name} here", near, name)
    else:
        nearest, *around = seen
        titles = list(dict.fromkeys(entry.title for entry in nearest))
        others = [entry.title for level in around for entry in level if entry.title not in titles]
        message = f"none of {listing(titles)} has a column {name}"
        if len(nearest) == 1:
            message = f"{titles[0]} has no column {name}; it has {listing(nearest[0].columns or ())}"
        if others:
            message += f"; nor has {listing(dict.fromkeys(others))}"
        context.fault("resolve.column", body, message, near, name)


def _qualified(context: Context, body: Node, owner: list[str], name: str, scope: Scope) -> str:
    entry = _owner(owner, scope)
    if entry is not None:
        if entry.columns is None or not name:
            return entry.relation if not name else ""
        if name in entry.columns:
            return entry.columns[name]
        if not is_system_column(name) and not _is_computed(context, name):
            context.missing_column(body, name, entry.title, entry.columns)
        return ""
    variables = context.variables
    if owner[0] in variables.qualifiers and (len(owner) > 1 or name in variables.named or not name):
        owner = owner[1:]
    if not owner:
        return variables.named[name].type if name in variables.named else ""
    if owner[0] in variables.named:
        return _field(context, body, variables.named[owner[0]], owner[0], name)
    if owner[0] not in variables.qualifiers:
        _unknown_owner(context, body, owner, scope)
    return ""


def _owner(owner: list[str], scope: Scope) -> Entry | None:
    found = scope.entry(owner[-1])
    if found is None or len(owner) == 1:
        return found
    return found if found.relation in {"", ".".join(owner[-2:])} else None


def _is_computed(context: Context, name: str) -> bool:
    """Whether ``t.name`` may be the call ``name(t)``."""
    return any(f.rpartition(".")[2] == name for f in context.catalog.functions)


def _field(context: Context, body: Node, variable: Variable, title: str, name: str) -> str:
    found = context.columns_of(variable.type)
    owner, fields = found if found else (variable.title or title, variable.fields)
    if fields is None or not name:
        return ""
    if name in fields:
        return fields[name]
    message = f"{title}, which is of {owner}, has no field {name}; it has {listing(fields)}"
    context.fault("resolve.column", body, message, suggestion(name, fields), name)
    return ""


def _unknown_owner(context: Context, body: Node, owner: list[str], scope: Scope) -> None:
    aliases = [e.alias for level in scope.levels() for e in level.entries if e.alias]
    if not aliases and context.is_part:
        return
    advice = suggestion(owner[-1], aliases)
    known = listing(dict.fromkeys(aliases))
    message = f"{'.'.join(owner)} is no table of this query; it has {known}"
    context.fault("resolve.alias", body, message, advice, owner[0])


def _indirection(context: Context, body: Node, scope: Scope, resolve: Resolve) -> str:
    type_of = expression(context, body.get("arg"), scope, resolve)
    for node in body.get("indirection", []):
        kind, part = unwrap(node)
        if kind == "A_Indices":
            expression(context, [part.get("lidx"), part.get("uidx")], scope, resolve)
            type_of = type_of.removesuffix("[]") if not part.get("is_slice") else type_of
            continue
        found = context.columns_of(type_of)
        if kind != "String" or found is None:
            return type_of if kind == "A_Star" else ""
        owner, columns = found
        name = part.get("sval", "")
        if name not in columns:
            _, inner = unwrap(body.get("arg"))
            context.missing_column(inner, name, owner, columns)
            return ""
        type_of = columns[name]
    return type_of


def call(context: Context, body: Node, scope: Scope, resolve: Resolve) -> str:
    """Look up a function and what it is given; the name of the type it returns."""
    for key in ("args", "agg_order", "agg_filter", "over"):
        expression(context, body.get(key), scope, resolve)
    name = tuple(strings(body.get("funcname")))
    if not name or any(is_hole(part) for part in name):
        return ""
    found = context.catalog.overloads(name, context.path)
    if not found:
        _missing_function(context, body, name)
        return ""
    context.note_unqualified(name, body, found[0].name)
    fitting = [f for f in found if _fits(f, body)]
    if not fitting:
        _wrong_arguments(context, body, name, found)
    types = {f.returns for f in fitting or found}
    return types.pop() if len(types) == 1 else ""


def _missing_function(context: Context, body: Node, name: tuple[str, ...]) -> None:
    catalog = context.catalog
    if len(name) == 1:
        _unqualified_function(context, body, name[0])
        return
    full = ".".join(name[-2:])
    if (
        not catalog.is_declared(name[-2])
        or catalog.is_external(full)
        or full in catalog.relations
        or full in catalog.types
    ):
        return
    known = [f.partition(".")[2] for f in catalog.functions if f.startswith(f"{name[-2]}.")]
    message = f"there is no function {full}"
    context.fault("resolve.function", body, message, suggestion(name[-1], known), name[-1])


def _unqualified_function(context: Context, body: Node, name: str) -> None:
    """A function of ours that the path does not reach: the call fails, unless Postgres has one of that name."""
    elsewhere = sorted(f for f in context.catalog.functions if f.rpartition(".")[2] == name)
    if set(context.path) - {"pg_catalog", "pg_temp"}:
        return
    if any(_fits(function, body) for full in elsewhere for function in context.catalog.functions[full]):
        message = f"{name} is not in {', '.join(context.path)}"
        context.fault("resolve.function", body, message, f"write {elsewhere[0]}", name)


def _arguments(body: Node) -> tuple[int, list[str]]:
    names = [
        argument["NamedArgExpr"].get("name", "") for argument in body.get("args", []) if "NamedArgExpr" in argument
    ]
    return len(body.get("args", [])) - len(names), names


def _fits(function: Function, body: Node) -> bool:
    positional, named = _arguments(body)
    if any(
        is_hole(argument.get("ColumnRef", {}).get("fields", [{}])[0].get("String", {}).get("sval", ""))
        for argument in body.get("args", [])
    ):
        return True  # may stand for several
    inputs = function.parameters if function.kind == "procedure" else function.inputs
    variadic = any(p.mode == "variadic" for p in inputs)
    if body.get("agg_star") or (function.kind == "aggregate" and not inputs):
        return True
    if positional > len(inputs) and not variadic:
        return False
    rest = inputs[positional:]
    if not set(named) <= {p.name for p in rest}:
        return False
    if function.kind == "procedure":
        rest = [p for p in rest if p.mode not in {"out", "table"}]
    return all(p.has_default or p.name in named or p.mode == "variadic" for p in rest)


def _wrong_arguments(context: Context, body: Node, name: tuple[str, ...], found: list[Function]) -> None:
    positional, named = _arguments(body)
    known = {p.name for f in found for p in f.inputs}
    unknown = [argument for argument in named if argument not in known]
    word = name[-1]
    signatures = "; ".join(
        f"{f.name}({', '.join((p.name or p.type) + (' default' if p.has_default else '') for p in f.inputs)})"
        for f in found
    )
    if unknown:
        message = f"{found[0].name} has no parameter {unknown[0]}; it is {signatures}"
        context.fault("resolve.argument", body, message, suggestion(unknown[0], known), unknown[0])
        return
    count = positional + len(named)
    given = f"{count} argument{'' if count == 1 else 's'}"
    message = f"{found[0].name} cannot be called with these {given}; it is {signatures}"
    context.fault("resolve.argument", body, message, "", word)
