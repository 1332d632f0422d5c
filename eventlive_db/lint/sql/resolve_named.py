"""Objects that a statement names as such: what is dropped, renamed, altered, granted or commented on."""

from __future__ import annotations

import re
from collections.abc import Iterable

from eventlive_db.lint.sql.catalog import Catalog
from eventlive_db.lint.sql.context import Context, is_hole, listing, suggestion
from eventlive_db.lint.sql.names import find_function, parts_of
from eventlive_db.lint.sql.tree import Node, items, range_name, strings, unwrap

_FUNCTIONS = frozenset({"OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE"})
_RELATIONS = frozenset({"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"})
_TYPES = frozenset({"OBJECT_TYPE", "OBJECT_DOMAIN"})
# Indexes that come with a constraint bear its name.
_OF_CONSTRAINT = re.compile(r"_(?:pkey|key|excl)\d*$")


def comment(context: Context, before: Catalog, body: Node) -> None:
    """``comment on``, ``security label on`` and ``alter ... owner to``."""
    kind = str(body.get("objtype") or body.get("objectType") or "")
    # Tables and their columns are what is left of them; other objects may go in the files that make them.
    is_relation = kind == "OBJECT_COLUMN" or kind in _RELATIONS
    _object(context if is_relation else context.on(before), kind, body.get("object"))


def drop(context: Context, before: Catalog, body: Node) -> None:
    """``drop ...``; what may be missing is not looked up."""
    if body.get("missing_ok"):
        return
    earlier = context.on(before)
    for node in body.get("objects", []):
        _object(earlier, str(body.get("removeType", "")), node, is_dropped=True)


def rename(context: Context, before: Catalog, body: Node) -> None:
    """``alter ... rename to`` and ``alter ... set schema``."""
    if body.get("missing_ok"):
        return
    kind = str(body.get("renameType") or body.get("objectType") or "")
    earlier = context.on(before)
    if "relation" not in body:
        _object(earlier, kind, body.get("object"))
        return
    target, name = body["relation"], body.get("subname", "")
    if kind in {"OBJECT_TRIGGER", "OBJECT_POLICY"}:
        _attached(earlier, kind, [*range_name(target), name])
    elif kind in {"OBJECT_COLUMN", "OBJECT_ATTRIBUTE"}:
        relation = earlier.find_relation(range_name(target), target)
        if relation and relation.columns is not None and name not in relation.columns:
            place = context.snippet.char_index(target.get("location", 0))
            earlier.missing_column({}, name, relation.name, relation.columns, place)
    else:
        relation_of_any_kind(earlier, kind, target)


def relation_of_any_kind(context: Context, kind: str, target: Node) -> None:
    """A table, view, index or sequence: ``alter table`` takes each of them."""
    name = range_name(target)
    if any(n in context.catalog.indexes for n in context.catalog.candidates(name, context.path)):
        return
    if kind in {"OBJECT_INDEX", "OBJECT_SEQUENCE"}:
        _kept_by_name(context, kind, list(name))
    else:
        context.find_relation(name, target)


def altered(context: Context, before: Catalog, body: Node) -> None:
    """``alter function``, ``alter type ... add value``, ``alter domain`` and ``alter sequence``."""
    context = context.on(before)
    if "func" in body:
        function_named(context, body["func"])
    elif "typeName" in body:
        _kept_by_name(context, "OBJECT_TYPE", strings(body["typeName"]))
    elif "sequence" in body and not body.get("missing_ok"):
        relation_of_any_kind(context, "OBJECT_SEQUENCE", body["sequence"])


def altered_policy(context: Context, before: Catalog, body: Node) -> None:
    """The policy that ``alter policy`` names."""
    _attached(context.on(before), "OBJECT_POLICY", [*range_name(body.get("table", {})), body.get("policy_name", "")])


def _object(context: Context, kind: str, node: Node | None, *, is_dropped: bool = False) -> None:
    parts = parts_of(node)
    if kind in _FUNCTIONS:
        function_named(context, unwrap(node)[1], is_dropped=is_dropped)
    elif any(is_hole(part) for part in parts):
        return
    elif kind == "OBJECT_COLUMN" and len(parts) > 1:
        relation = context.find_relation(tuple(parts[:-1]), {})
        if relation and relation.columns is not None and parts[-1] not in relation.columns:
            context.missing_column({}, parts[-1], relation.name, relation.columns)
    elif kind in _RELATIONS:
        context.find_relation(tuple(parts), {})
    elif kind in {"OBJECT_POLICY", "OBJECT_TRIGGER"} and len(parts) > 1:
        _attached(context, kind, parts)
    elif kind in {"OBJECT_INDEX", "OBJECT_SEQUENCE", *_TYPES}:
        _kept_by_name(context, kind, parts)


def _attached(context: Context, kind: str, parts: list[str]) -> None:
    relation = context.find_relation(tuple(parts[:-1]), {})
    if relation is None:
        return
    attached = context.catalog.policies if kind == "OBJECT_POLICY" else context.catalog.triggers
    names = [name for table, name in attached if table == relation.name]
    if parts[-1] not in names and not is_hole(parts[-1]):
        what = kind.removeprefix("OBJECT_").lower()
        message = f"{relation.name} has no {what} {parts[-1]}; it has {listing(names)}"
        context.fault("resolve.object", {}, message, suggestion(parts[-1], names), parts[-1])


def _kept_by_name(context: Context, kind: str, parts: list[str]) -> None:
    """An index, sequence or type."""
    catalog = context.catalog
    if kind == "OBJECT_INDEX":
        known: Iterable[str] = catalog.indexes
        if _is_of_constraint(catalog, parts[-1]):
            return
    elif kind == "OBJECT_SEQUENCE":
        known = [name for name, relation in catalog.relations.items() if relation.kind == "sequence"]
    else:
        known = {**catalog.types, **catalog.relations}
    if any(name in known for name in catalog.candidates(tuple(parts), context.path)):
        return
    if context.is_surely_missing(tuple(parts)):
        what, full = kind.removeprefix("OBJECT_").lower(), ".".join(parts[-2:])
        context.fault("resolve.object", {}, f"there is no {what} {full}", suggestion(full, known), parts[-1])


def _is_of_constraint(catalog: Catalog, name: str) -> bool:
    """Whether an index may have come with a constraint, or with the index of a partitioned table."""
    if _OF_CONSTRAINT.search(name):
        return True
    return any(
        name in relation.constraints or (relation.parent and name.startswith(relation.name.rpartition(".")[2]))
        for relation in catalog.relations.values()
    )


def function_named(context: Context, body: Node, *, is_dropped: bool = False) -> None:
    """A function by name and types."""
    catalog, name = context.catalog, tuple(strings(body.get("objname")))
    if find_function(catalog, context.path, body) or any(is_hole(part) for part in name):
        return
    # One that is granted or altered without its schema may be of Postgres.
    if not context.is_surely_missing(name) or (len(name) < 2 and not is_dropped):
        return
    full = ".".join(name[-2:])
    found = catalog.overloads(name, context.path)
    if found and is_dropped and body.get("args_unspecified"):
        return  # the others of its name may have come later, or have gone
    if found:
        message = f"{full} has other parameters: {'; '.join(f.title for f in found)}"
        context.fault("resolve.function", {}, message, "", name[-1])
    else:
        schemas = (name[-2],) if len(name) > 1 else context.path
        bare = [f.partition(".")[2] for f in catalog.functions if f.partition(".")[0] in schemas]
        context.fault("resolve.function", {}, f"there is no function {full}", suggestion(name[-1], bare), name[-1])


def grant(context: Context, before: Catalog, body: Node) -> None:
    """``grant`` and ``revoke``."""
    if body.get("targtype") != "ACL_TARGET_OBJECT":
        return
    kind, earlier = body.get("objtype"), context.on(before)
    for node_kind, target in items(body.get("objects")):
        if kind in _FUNCTIONS:
            function_named(earlier, target)
        elif kind == "OBJECT_SEQUENCE":
            relation_of_any_kind(earlier, kind, target)
        elif kind in _TYPES:
            _object(earlier, kind, {node_kind: target})
        elif kind == "OBJECT_TABLE":
            relation = context.find_relation(range_name(target), target)
            columns = relation.columns if relation else None
            for _, privilege in items(body.get("privileges")):
                for name in strings(privilege.get("cols")):
                    if relation and columns is not None and name not in columns:
                        context.missing_column({}, name, relation.name, columns)
