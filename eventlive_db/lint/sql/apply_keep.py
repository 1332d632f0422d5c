"""What there is at one time or another: statements are applied, and what they take away stays."""

from __future__ import annotations

from dataclasses import replace

from eventlive_db.lint.sql.apply import Session, apply
from eventlive_db.lint.sql.catalog import Catalog, Relation
from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node

_TAKES_AWAY = frozenset({"RenameStmt", "AlterObjectSchemaStmt", "AlterTableStmt", "DoStmt"})
_BY_NAME = ("schemas", "types", "triggers", "policies", "indexes")


def keep(catalog: Catalog, session: Session, statement: Snippet, kind: str, body: Node) -> None:
    """Do to the catalog what a statement does to a database, except that nothing goes."""
    if kind == "DropStmt":
        return
    before = catalog.copy() if kind in _TAKES_AWAY else None
    apply(catalog, session, statement, kind, body)
    if before:
        add_all(catalog, before)


def add_all(catalog: Catalog, other: Catalog) -> None:
    """Put into a catalog what it lacks of another."""
    for name in _BY_NAME:
        setattr(catalog, name, {**getattr(other, name), **getattr(catalog, name)})
    for name, functions in other.functions.items():
        known = {function.signature: function for function in (*functions, *catalog.functions.get(name, ()))}
        catalog.functions[name] = tuple(known.values())
    for name, relation in other.relations.items():
        catalog.relations[name] = _both(relation, catalog.relations.get(name, relation))


def _both(one: Relation, other: Relation) -> Relation:
    if one is other or one.columns is None or other.columns is None:
        return replace(other, columns=None) if one.columns is None else other
    return replace(other, columns={**one.columns, **other.columns})
