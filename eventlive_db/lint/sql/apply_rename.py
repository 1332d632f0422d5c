"""New names for types, and for what belongs to a table: they are written in other places too."""

from __future__ import annotations

from dataclasses import replace

from eventlive_db.lint.sql.catalog import Attached, Catalog
from eventlive_db.lint.sql.tree import ARRAY, Node, range_name


def rename_type(catalog: Catalog, old: str, new: str) -> None:
    """Give a type another name, wherever a column or parameter is of it."""
    if old in catalog.types:
        catalog.types[new] = catalog.types.pop(old)
    if old in catalog.relations:
        catalog.relations[new] = replace(catalog.relations.pop(old), name=new)
    names = {old: new, old + ARRAY: new + ARRAY}
    for name, relation in catalog.relations.items():
        if any(type_of in names for type_of in (relation.columns or {}).values()):
            columns = {column: names.get(type_of, type_of) for column, type_of in (relation.columns or {}).items()}
            catalog.relations[name] = replace(relation, columns=columns)
    for name, functions in catalog.functions.items():
        catalog.functions[name] = tuple(
            replace(
                function,
                parameters=tuple(replace(p, type=names.get(p.type, p.type)) for p in function.parameters),
                returns=names.get(function.returns, function.returns),
            )
            for function in functions
        )


def rename_attached(catalog: Catalog, path: tuple[str, ...], kind: str, body: Node) -> None:
    """Give a trigger, policy or constraint another name."""
    relation = catalog.relation(range_name(body.get("relation", {})), path)
    if relation is None:
        return
    old, new = body.get("subname", ""), body.get("newname", "")
    if kind == "OBJECT_TABCONSTRAINT":
        constraints = {new if name == old else name: what for name, what in relation.constraints.items()}
        catalog.relations[relation.name] = replace(relation, constraints=constraints)
        return
    attached: dict[tuple[str, str], Attached] = catalog.triggers if kind == "OBJECT_TRIGGER" else catalog.policies
    if (relation.name, old) in attached:
        attached[relation.name, new] = replace(attached.pop((relation.name, old)), name=new)
