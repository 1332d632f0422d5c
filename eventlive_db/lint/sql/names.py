"""Which object a name in a statement means."""

from __future__ import annotations

from collections.abc import Sequence

from eventlive_db.lint.sql.catalog import Catalog
from eventlive_db.lint.sql.tree import Node, items, list_items, range_name, strings, type_name, unwrap, walk

_FUNCTIONS = frozenset({"OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_AGGREGATE"})
_ON_TABLE = {
    "OBJECT_TRIGGER": "trigger",
    "OBJECT_POLICY": "policy",
    "OBJECT_TABCONSTRAINT": "constraint",
    "OBJECT_RULE": "rule",
}
_RELATIONS = {
    "OBJECT_TABLE": "table",
    "OBJECT_VIEW": "view",
    "OBJECT_MATVIEW": "view",
    "OBJECT_FOREIGN_TABLE": "table",
    "OBJECT_SEQUENCE": "sequence",
    "OBJECT_INDEX": "index",
}


def qualify(name: Sequence[str], path: Sequence[str]) -> str:
    """The name of a new object: in the first schema of the path where none is written."""
    if len(name) > 1:
        return ".".join(name[-2:])
    schema = next((s for s in path if s != "pg_catalog"), "public")
    return f"{schema}.{name[0]}" if name else ""


def find_type(catalog: Catalog, name: str, path: Sequence[str]) -> str:
    """A type's name with its schema, where it is one of ours."""
    bare = name.removesuffix("[]")
    for candidate in catalog.candidates(tuple(bare.split(".")), path):
        if candidate in catalog.relations or candidate in catalog.types:
            return candidate + name[len(bare) :]
    return name


def parameter_type(catalog: Catalog, path: Sequence[str], body: Node) -> str:
    """The type of a parameter; of ``table.column%type``, that of the column as it is then."""
    name = type_name(body)
    if not body.get("pct_type"):
        return find_type(catalog, name, path)
    *table, column = strings(body.get("names")) or [""]
    relation = catalog.relation(tuple(table), path) if table else None
    return (relation.columns or {}).get(column, name) if relation else name


def argument_types(catalog: Catalog, path: Sequence[str], body: Node) -> tuple[str, ...] | None:
    """The input types of an ObjectWithArgs; None where it gives none."""
    if body.get("args_unspecified"):
        return None
    found = [
        parameter_type(catalog, path, parameter.get("argType", {}))
        for _, parameter in items(body.get("objfuncargs"))
        if parameter.get("mode") not in {"FUNC_PARAM_OUT", "FUNC_PARAM_TABLE"}
    ]
    if not body.get("objfuncargs"):
        found = [type_name(t) for _, t in items(body.get("objargs"))]
    return tuple(find_type(catalog, name, path) for name in found)


def find_function(catalog: Catalog, path: Sequence[str], body: Node) -> str | None:
    """The title of the function that an ObjectWithArgs means; None where there is none."""
    name, types = tuple(strings(body.get("objname"))), argument_types(catalog, path, body)
    found = catalog.overloads(name, path)
    if types is None:
        return found[0].title if len(found) == 1 else None
    return next((f.title for f in found if f.signature == types), None)


def parts_of(node: Node | None) -> list[str]:
    """The words of a name that is a list, a type or a single word."""
    kind, body = unwrap(node)
    if kind == "List":
        return strings(list_items(node))
    if kind == "TypeName":
        return strings(body.get("names"))
    return [body.get("sval", "")] if kind == "String" else []


def object_key(catalog: Catalog, path: Sequence[str], kind: str, node: Node | None) -> tuple[str, str] | None:  # noqa: PLR0911  # one for each kind of node
    """Kind and full name of what ``comment on``, ``grant`` or ``drop`` names.

    Returns:
        Such as ``("column", "app.orders.id")``; None for kinds that are not looked at, and for functions that are not
        there.
    """
    if kind in _FUNCTIONS:
        title = find_function(catalog, path, unwrap(node)[1])
        return ("function", title) if title else None
    parts = parts_of(node)
    if not parts:
        return None
    if kind == "OBJECT_SCHEMA":
        return "schema", parts[0]
    if kind == "OBJECT_COLUMN":
        return "column", f"{_existing(catalog, parts[:-1], path)}.{parts[-1]}"
    if kind in _ON_TABLE:
        return _ON_TABLE[kind], f"{parts[-1]} on {_existing(catalog, parts[:-1], path)}"
    if kind in {"OBJECT_TYPE", "OBJECT_DOMAIN"}:
        return "type", find_type(catalog, ".".join(parts[-2:]), path)
    if kind in _RELATIONS:
        return _RELATIONS[kind], _existing(catalog, parts, path)
    return None


def _existing(catalog: Catalog, parts: Sequence[str], path: Sequence[str]) -> str:
    """The qualified name of what exists, else of what would be made."""
    for name in catalog.candidates(tuple(parts), path):
        if name in catalog.relations or name in catalog.indexes:
            return name
    return qualify(parts, path)


def relations_in(catalog: Catalog, path: Sequence[str], node: Node) -> set[str]:
    """The relations of the catalog that a query names anywhere."""
    named = {range_name(body) for kind, body in walk(node) if kind == "RangeVar"}
    found = (catalog.relation(name, path) for name in named)
    return {relation.name for relation in found if relation}
