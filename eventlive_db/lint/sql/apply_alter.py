"""What ``alter ...`` and ``drop ...`` do to a catalog."""

from __future__ import annotations

from dataclasses import replace

from eventlive_db.lint.sql.apply_create import add_constraint, column_type, makes_sequence
from eventlive_db.lint.sql.apply_rename import rename_attached, rename_type
from eventlive_db.lint.sql.catalog import Catalog, Origin, Relation
from eventlive_db.lint.sql.names import object_key
from eventlive_db.lint.sql.tree import Node, items, range_name, unwrap

Path = tuple[str, ...]


def alter_object(catalog: Catalog, path: Path, origin: Origin, body: Node) -> None:
    """``alter table`` and its like for views and composite types."""
    relation = catalog.relation(range_name(body.get("relation", {})), path)
    if relation is None:
        return
    for _, command in items(body.get("cmds")):
        relation = _alter(catalog, path, origin, relation, command)
    catalog.relations[relation.name] = relation


def _alter(  # noqa: PLR0912  # one branch for each form of the statement
    catalog: Catalog, path: Path, origin: Origin, relation: Relation, command: Node
) -> Relation:
    kind, name = command.get("subtype", ""), command.get("name", "")
    _, definition = unwrap(command.get("def"))
    columns = dict(relation.columns) if relation.columns is not None else None
    constraints = dict(relation.constraints)
    if kind == "AT_AddColumn":
        added = definition.get("colname", "")
        if columns is not None:
            columns[added] = column_type(catalog, path, definition)
        if makes_sequence(definition):
            sequence = f"{relation.name}_{added}_seq"
            catalog.relations[sequence] = Relation(sequence, "sequence", None, origin, relation.name)
        for _, constraint in items(definition.get("constraints")):
            add_constraint(constraints, constraint)
    elif kind == "AT_DropColumn" and columns is not None:
        columns.pop(name, None)
    elif kind == "AT_AlterColumnType" and columns is not None and name in columns:
        columns[name] = column_type(catalog, path, definition)
    elif kind == "AT_AddConstraint":
        add_constraint(constraints, definition)
    elif kind == "AT_ValidateConstraint" and name in constraints:
        constraints[name] = constraints[name].removesuffix(" not valid")
    elif kind == "AT_DropConstraint":
        constraints.pop(name, None)
    elif kind in {"AT_EnableRowSecurity", "AT_DisableRowSecurity"}:
        relation = replace(relation, row_security=kind == "AT_EnableRowSecurity")
    elif kind == "AT_AttachPartition":
        child = catalog.relation(range_name(definition.get("name", {})), path)
        if child:
            catalog.relations[child.name] = replace(child, parent=relation.name)
    elif kind == "AT_DetachPartition":
        child = catalog.relation(range_name(definition.get("name", {})), path)
        if child:
            catalog.relations[child.name] = replace(child, parent="")
    return replace(relation, columns=columns, constraints=constraints)


def drop_objects(catalog: Catalog, path: Path, body: Node) -> None:
    """``drop ...``; what cannot exist without a table goes with it."""
    for node in body.get("objects", []):
        key = object_key(catalog, path, body.get("removeType", ""), node)
        if key:
            _drop(catalog, *key, cascade=body.get("behavior") == "DROP_CASCADE")


def _drop(catalog: Catalog, kind: str, name: str, *, cascade: bool) -> None:
    if kind == "schema":
        catalog.schemas.pop(name, None)
        if cascade:
            _drop_contents(catalog, f"{name}.")
    elif kind in {"table", "view", "sequence"}:
        _drop_relation(catalog, name)
    elif kind == "type":
        catalog.types.pop(name, None)
        catalog.relations.pop(name, None)
    elif kind == "function":
        bare = name.partition("(")[0]
        kept = tuple(f for f in catalog.functions.get(bare, ()) if f.title != name)
        catalog.functions[bare] = kept
        if not kept:
            del catalog.functions[bare]
        catalog.closed.pop(name, None)
    elif kind == "index":
        catalog.indexes.pop(name, None)
    elif kind in {"trigger", "policy"}:
        short, _, table = name.partition(" on ")
        (catalog.triggers if kind == "trigger" else catalog.policies).pop((table, short), None)
    catalog.comments.discard((kind, name))


def _drop_contents(catalog: Catalog, prefix: str) -> None:
    for name in [n for n in catalog.relations if n.startswith(prefix)]:
        _drop_relation(catalog, name)
    for name in [n for n in catalog.functions if n.startswith(prefix)]:
        del catalog.functions[name]
    for name in [n for n in catalog.types if n.startswith(prefix)]:
        del catalog.types[name]


def _drop_relation(catalog: Catalog, name: str) -> None:
    catalog.relations.pop(name, None)
    for dependent in [r.name for r in catalog.relations.values() if r.parent == name]:
        _drop_relation(catalog, dependent)
    catalog.indexes = {n: i for n, i in catalog.indexes.items() if i.table != name}
    catalog.triggers = {k: t for k, t in catalog.triggers.items() if t.table != name}
    catalog.policies = {k: p for k, p in catalog.policies.items() if p.table != name}
    catalog.comments = {
        (kind, full)
        for kind, full in catalog.comments
        if full != name and not full.startswith(f"{name}.") and not full.endswith(f" on {name}")
    }


def rename_object(catalog: Catalog, path: Path, body: Node) -> None:
    """``alter ... rename to`` and ``alter ... set schema``."""
    kind = str(body.get("renameType") or body.get("objectType") or "")
    if kind in {"OBJECT_COLUMN", "OBJECT_ATTRIBUTE"}:
        relation = catalog.relation(range_name(body.get("relation", {})), path)
        if relation and relation.columns is not None:
            old, new = body.get("subname", ""), body.get("newname", "")
            columns = {new if name == old else name: t for name, t in relation.columns.items()}
            catalog.relations[relation.name] = replace(relation, columns=columns)
        return
    if kind == "OBJECT_SCHEMA":
        _rename_schema(catalog, body.get("subname", ""), body.get("newname", ""))
        return
    if kind in {"OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER", "OBJECT_POLICY"}:
        rename_attached(catalog, path, kind, body)
        return
    if "relation" in body and kind != "OBJECT_ATTRIBUTE":
        relation = catalog.relation(range_name(body["relation"]), path)
        name = relation.name if relation else ".".join(range_name(body["relation"]))
        _rename_relation(catalog, name, _new_name(name, body))
        return
    key = object_key(catalog, path, kind, body.get("object"))
    if key and key[0] == "type":
        rename_type(catalog, key[1], _new_name(key[1], body))
    elif key and key[0] in {"table", "view", "sequence", "index"}:
        _rename_relation(catalog, key[1], _new_name(key[1], body))
    elif key and key[0] == "function":
        name = key[1].partition("(")[0]
        moved = [f for f in catalog.functions.get(name, ()) if f.title == key[1]]
        catalog.functions[name] = tuple(f for f in catalog.functions.get(name, ()) if f.title != key[1])
        new = _new_name(name, body)
        catalog.functions[new] = (*catalog.functions.get(new, ()), *(replace(f, name=new) for f in moved))


def _new_name(name: str, body: Node) -> str:
    schema, _, bare = name.rpartition(".")
    return f"{body['newschema']}.{bare}" if "newschema" in body else f"{schema}.{body.get('newname', bare)}"


def _rename_relation(catalog: Catalog, old: str, new: str) -> None:
    if old in catalog.indexes:
        catalog.indexes[new] = replace(catalog.indexes.pop(old), name=new)
        return
    relation = catalog.relations.pop(old, None)
    if relation is None:
        return
    catalog.relations[new] = replace(relation, name=new)
    catalog.indexes = {n: replace(i, table=new) if i.table == old else i for n, i in catalog.indexes.items()}
    for name in ("triggers", "policies"):
        attached = getattr(catalog, name)
        setattr(
            catalog,
            name,
            {
                ((new, a.name) if a.table == old else k): (replace(a, table=new) if a.table == old else a)
                for k, a in attached.items()
            },
        )
    catalog.comments = {
        (
            kind,
            new + full[len(old) :]
            if full == old or full.startswith(f"{old}.")
            else full.replace(f" on {old}", f" on {new}"),
        )
        for kind, full in catalog.comments
    }


def _rename_schema(catalog: Catalog, old: str, new: str) -> None:
    if old in catalog.schemas:
        catalog.schemas[new] = catalog.schemas.pop(old)
    for name in [n for n in catalog.relations if n.startswith(f"{old}.")]:
        _rename_relation(catalog, name, new + name[len(old) :])
    for name in [n for n in catalog.types if n.startswith(f"{old}.")]:
        rename_type(catalog, name, new + name[len(old) :])
    for name in [n for n in catalog.functions if n.startswith(f"{old}.")]:
        moved = new + name[len(old) :]
        catalog.functions[moved] = tuple(replace(f, name=moved) for f in catalog.functions.pop(name))
