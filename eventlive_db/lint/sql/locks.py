"""Which lock each statement takes on which table, and whether it reads or rewrites all of it: Postgres 15 to 18.

Sources: the manual, "Explicit Locking" and the notes of ALTER TABLE, and AlterTableGetLockLevel in tablecmds.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eventlive_db.lint.sql.alter_facts import ALTERATIONS, DEFAULT_ALTERATION, column_effects, constraint_effect
from eventlive_db.lint.sql.catalog import Catalog
from eventlive_db.lint.sql.names import parts_of, relations_in
from eventlive_db.lint.sql.scripts import ParsedStatement
from eventlive_db.lint.sql.tree import Node, items, option, range_name, unwrap, walk

STRENGTH = (
    "",
    "AccessShare",
    "RowShare",
    "RowExclusive",
    "ShareUpdateExclusive",
    "Share",
    "ShareRowExclusive",
    "Exclusive",
    "AccessExclusive",
)
"""The locks, weakest first; LOCK TABLE numbers them so."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What a statement does to one relation.

    Attributes:
        relation: Its qualified name.
        lock: One of :data:`STRENGTH`; empty for none.
        effect: ``rewrites``, ``scans``, ``builds an index`` or empty.
        why: What brings the effect, such as ``volatile default``.
    """

    relation: str
    lock: str
    effect: str = ""
    why: str = ""


def facts(catalog: Catalog, statement: ParsedStatement) -> list[Fact]:
    """What a statement locks.

    Args:
        catalog: As it is before the statement.
        statement: With its path.
    """
    return list(_of_kind(_Reader(catalog, statement.path), statement.kind, statement.body))


class _Reader:
    def __init__(self, catalog: Catalog, path: tuple[str, ...]) -> None:
        self.catalog = catalog
        self.path = path

    def name(self, target: Node) -> str:
        relation = self.catalog.relation(range_name(target), self.path)
        return relation.name if relation else ".".join(range_name(target))

    def named(self, parts: list[str]) -> str:
        relation = self.catalog.relation(tuple(parts), self.path)
        return relation.name if relation else ".".join(parts[-2:])

    def table_of_index(self, parts: list[str]) -> str:
        for name in self.catalog.candidates(tuple(parts), self.path):
            if name in self.catalog.indexes:
                return self.catalog.indexes[name].table
        return ".".join(parts[-2:])


def _of_kind(reader: _Reader, kind: str, body: Node) -> Iterator[Fact]:
    if kind in _SIMPLE:
        key, lock, effect = _SIMPLE[kind]
        yield Fact(reader.name(body.get(key, {})), lock, effect)
    elif kind == "AlterTableStmt":
        yield from _alter(reader, body)
    elif kind == "CreateStmt":
        yield from _create(reader, body)
    elif kind == "IndexStmt":
        concurrent = bool(body.get("concurrent"))
        lock = "ShareUpdateExclusive" if concurrent else "Share"
        yield Fact(
            reader.name(body.get("relation", {})), lock, "scans", "concurrently" if concurrent else "builds an index"
        )
    elif kind == "DropStmt":
        yield from _drop(reader, body)
    elif kind == "RenameStmt":
        is_index = body.get("renameType") == "OBJECT_INDEX"
        if "relation" in body:
            yield Fact(reader.name(body["relation"]), "ShareUpdateExclusive" if is_index else "AccessExclusive")
    elif kind == "CommentStmt":
        yield from _comment(reader, body)
    elif kind in {"TruncateStmt", "LockStmt"}:
        lock = STRENGTH[body.get("mode", 8)] if kind == "LockStmt" else "AccessExclusive"
        for _, target in items(body.get("relations")):
            yield Fact(reader.name(target), lock)
    elif kind in {"VacuumStmt", "ReindexStmt", "RefreshMatViewStmt"}:
        yield from _maintenance(reader, kind, body)
    else:
        yield from _query(reader, kind, body)


# Kind of statement: where its table stands, the lock, the effect.
_SIMPLE = {
    "CreateTrigStmt": ("relation", "ShareRowExclusive", ""),
    "CreatePolicyStmt": ("table", "AccessExclusive", ""),
    "AlterPolicyStmt": ("table", "AccessExclusive", ""),
    "RuleStmt": ("relation", "AccessExclusive", ""),
    "ClusterStmt": ("relation", "AccessExclusive", "rewrites"),
    "AlterObjectSchemaStmt": ("relation", "AccessExclusive", ""),
    "AlterSeqStmt": ("sequence", "ShareRowExclusive", ""),
}


def _alter(reader: _Reader, body: Node) -> Iterator[Fact]:
    table = reader.name(body.get("relation", {}))
    if body.get("objtype") not in {None, "OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_MATVIEW", "OBJECT_VIEW"}:
        yield Fact(table, "AccessExclusive")
        return
    for _, command in items(body.get("cmds")):
        subtype = command.get("subtype", "")
        lock, effect, why = ALTERATIONS.get(subtype, DEFAULT_ALTERATION)
        kind, definition = unwrap(command.get("def"))
        if subtype == "AT_AddConstraint":
            lock, effect, why = constraint_effect(definition)
        elif subtype == "AT_AddColumn":
            effect, why = column_effects(reader.catalog, reader.path, definition)
        elif subtype == "AT_SetNotNull" and _is_proven(reader, table, command.get("name", "")):
            effect, why = "", "a validated check proves it"
        elif subtype == "AT_AlterColumnType":
            effect, why = _type_change(reader, table, command.get("name", ""), definition)
        elif subtype == "AT_DetachPartition" and definition.get("concurrent"):
            lock = "ShareUpdateExclusive"
        yield Fact(table, lock, effect, why)
        yield from _others(reader, subtype, kind, definition)


def _is_proven(reader: _Reader, table: str, column: str) -> bool:
    relation = reader.catalog.relations.get(table)
    return relation is not None and f"not_null {column}" in relation.constraints.values()


def _type_change(reader: _Reader, table: str, column: str, definition: Node) -> tuple[str, str]:
    from eventlive_db.lint.sql.apply_create import column_type

    relation = reader.catalog.relations.get(table)
    old = (relation.columns or {}).get(column, "") if relation else ""
    new = column_type(reader.catalog, reader.path, definition)
    unbounded = not definition.get("typeName", {}).get("typmods")
    if (old, new) in {
        ("varchar", "text"),
        ("varchar", "varchar"),
        ("numeric", "numeric"),
        ("cidr", "inet"),
    } and unbounded:
        return "", "the values stay as they are"
    return "rewrites", f"{old or 'its type'} to {new}"


def _others(reader: _Reader, subtype: str, kind: str, definition: Node) -> Iterator[Fact]:
    """The tables beside the one that is altered."""
    if subtype == "AT_AttachPartition" and "name" in definition:
        yield Fact(reader.name(definition["name"]), "AccessExclusive", "scans", "its rows must fit")
    constraints = [definition] if kind == "Constraint" else [c for _, c in items(definition.get("constraints"))]
    for constraint in constraints:
        if "pktable" in constraint:
            yield Fact(reader.name(constraint["pktable"]), "ShareRowExclusive")


def _create(reader: _Reader, body: Node) -> Iterator[Fact]:
    for _, parent in items(body.get("inhRelations")):
        yield Fact(reader.name(parent), "AccessExclusive" if "partbound" in body else "ShareUpdateExclusive")
    for kind, constraint in walk(body.get("tableElts", [])):
        if (
            kind == "Constraint"
            and "pktable" in constraint
            and range_name(constraint["pktable"]) != range_name(body["relation"])
        ):
            yield Fact(reader.name(constraint["pktable"]), "ShareRowExclusive")


def _drop(reader: _Reader, body: Node) -> Iterator[Fact]:
    kind = body.get("removeType", "")
    for node in body.get("objects", []):
        parts = parts_of(node)
        if kind in {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW"}:
            yield Fact(reader.named(parts), "AccessExclusive")
        elif kind == "OBJECT_INDEX":
            yield Fact(
                reader.table_of_index(parts), "ShareUpdateExclusive" if body.get("concurrent") else "AccessExclusive"
            )
        elif kind in {"OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE"}:
            yield Fact(reader.named(parts[:-1]), "AccessExclusive")


def _comment(reader: _Reader, body: Node) -> Iterator[Fact]:
    kind, parts = body.get("objtype", ""), parts_of(body.get("object"))
    if kind == "OBJECT_COLUMN":
        yield Fact(reader.named(parts[:-1]), "ShareUpdateExclusive")
    elif kind in {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW"}:
        yield Fact(reader.named(parts), "ShareUpdateExclusive")
    elif kind in {"OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_TABCONSTRAINT"}:
        yield Fact(reader.named(parts[:-1]), "AccessShare")


def _maintenance(reader: _Reader, kind: str, body: Node) -> Iterator[Fact]:
    concurrent = bool(body.get("concurrent") or option(body, "concurrently", "params"))
    if kind == "RefreshMatViewStmt":
        lock = "Exclusive" if concurrent else "AccessExclusive"
        yield Fact(reader.name(body.get("relation", {})), lock, "rewrites")
    elif kind == "ReindexStmt":
        if "relation" in body:
            yield Fact(
                reader.name(body["relation"]), "ShareUpdateExclusive" if concurrent else "AccessExclusive", "scans"
            )
    else:
        full = option(body, "full") is not None
        for _, entry in items(body.get("rels")):
            lock = "AccessExclusive" if full else "ShareUpdateExclusive"
            yield Fact(reader.name(entry.get("relation", {})), lock, "rewrites" if full else "scans")


_DML = {
    "InsertStmt": "RowExclusive",
    "UpdateStmt": "RowExclusive",
    "DeleteStmt": "RowExclusive",
    "MergeStmt": "RowExclusive",
}


def _query(reader: _Reader, kind: str, body: Node) -> Iterator[Fact]:
    node = {kind: body}
    written = {reader.name(b.get("relation", {})) for k, b in walk(node) if k in _DML}
    for table in sorted(written):
        yield Fact(table, "RowExclusive")
    if kind in {*_DML, "SelectStmt", "ViewStmt", "CreateTableAsStmt", "CopyStmt"}:
        locking = any(k == "LockingClause" for k, _ in walk(node))
        for table in sorted(relations_in(reader.catalog, reader.path, node) - written):
            yield Fact(table, "RowShare" if locking else "AccessShare")
    if kind == "CopyStmt" and body.get("is_from"):
        yield Fact(reader.name(body.get("relation", {})), "RowExclusive")
