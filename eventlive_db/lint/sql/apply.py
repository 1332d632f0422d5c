"""What each DDL statement does to a catalog. It judges nothing: what is missing is simply not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from eventlive_db.lint.sql.apply_alter import alter_object, drop_objects, rename_object
from eventlive_db.lint.sql.apply_create import CREATORS
from eventlive_db.lint.sql.catalog import Catalog, Origin
from eventlive_db.lint.sql.names import object_key
from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node, items, option, strings, unwrap


@dataclass(slots=True)
class Session:
    """What statements before have set.

    Attributes:
        path: The schemas in which unqualified names are looked up.
        default: What ``reset search_path`` goes back to.
        step: Number of the migration; 0 for a declared schema.
    """

    path: tuple[str, ...]
    default: tuple[str, ...]
    step: int = 0


def path_of(values: tuple[str, ...]) -> tuple[str, ...]:
    """The schemas of a search_path; the session's own user is nobody's here."""
    return tuple(
        part for value in values for part in (v.strip() for v in value.split(",")) if part and part != '"$user"'
    )


def apply(catalog: Catalog, session: Session, statement: Snippet, kind: str, body: Node) -> None:
    """Do to the catalog what a statement does to a database.

    Args:
        catalog: Is changed.
        session: Is changed by ``set search_path``.
        statement: The text.
        kind: Of the statement, such as ``CreateStmt``.
        body: Of the statement.
    """
    creator = CREATORS.get(kind)
    if creator:
        creator(catalog, session.path, Origin(statement, 0, session.step), body)
    elif kind in _OTHERS:
        _OTHERS[kind](catalog, session, body, statement)
    elif kind == "AlterTableStmt":
        alter_object(catalog, session.path, Origin(statement, 0, session.step), body)
    elif kind == "DropStmt":
        drop_objects(catalog, session.path, body)
    elif kind in {"RenameStmt", "AlterObjectSchemaStmt"}:
        rename_object(catalog, session.path, body)


def _set(_catalog: Catalog, session: Session, body: Node, _statement: Snippet) -> None:
    if body.get("name") != "search_path" and body.get("kind") != "VAR_RESET_ALL":
        return
    if body.get("kind") == "VAR_SET_VALUE":
        session.path = path_of(tuple(setting_values(body)))
    else:
        session.path = session.default


def setting_values(body: Node) -> list[str]:
    """The values of a VariableSetStmt as text."""
    values: list[str] = []
    for argument in body.get("args", []):
        kind, value = unwrap(argument)
        if kind == "TypeCast":
            kind, value = unwrap(value.get("arg"))
        if kind == "A_Const":
            inner: Node = next((v for k, v in value.items() if k in {"sval", "ival", "fval", "boolval"}), {})
            values.append(str(next(iter(inner.values()), "")))
    return values


def _comment(catalog: Catalog, session: Session, body: Node, _statement: Snippet) -> None:
    key = object_key(catalog, session.path, body.get("objtype", ""), body.get("object"))
    if key and body.get("comment"):
        catalog.comments.add(key)


def _grant(catalog: Catalog, session: Session, body: Node, statement: Snippet) -> None:
    if body.get("objtype") not in {"OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE"}:
        return
    privileges = {p.get("priv_name", "") for _, p in items(body.get("privileges"))}
    public = any(role.get("roletype") == "ROLESPEC_PUBLIC" for _, role in items(body.get("grantees")))
    if not public or (privileges and "execute" not in privileges):
        return
    if body.get("targtype") == "ACL_TARGET_ALL_IN_SCHEMA":
        schemas = set(strings(body.get("objects")))
        titles = [f.title for f in catalog.all_functions() if f.name.partition(".")[0] in schemas]
    else:
        keys = [object_key(catalog, session.path, body["objtype"], node) for node in body.get("objects", [])]
        titles = [key[1] for key in keys if key]
    for title in titles:
        if body.get("is_grant"):
            catalog.closed.pop(title, None)
        else:
            catalog.closed[title] = statement.source.name


def _alter_function(catalog: Catalog, session: Session, body: Node, _statement: Snippet) -> None:
    key = object_key(catalog, session.path, body.get("objtype", ""), {"ObjectWithArgs": body.get("func", {})})
    if not key:
        return
    name = key[1].partition("(")[0]
    changed = []
    for function in catalog.functions.get(name, ()):
        new = function
        if function.title == key[1]:
            settings = dict(function.settings)
            for _, action in items(body.get("actions")):
                if action.get("defname") == "security":
                    new = replace(new, definer=_truth(action))
                elif action.get("defname") == "set":
                    setting = action.get("arg", {}).get("VariableSetStmt", {})
                    if setting.get("kind") == "VAR_RESET_ALL":
                        settings.clear()
                    elif setting.get("kind") == "VAR_SET_VALUE":
                        settings[setting.get("name", "")] = tuple(setting_values(setting))
                    else:
                        settings.pop(setting.get("name", ""), None)
            new = replace(new, settings=settings)
        changed.append(new)
    catalog.functions[name] = tuple(changed)


def _truth(action: Node) -> bool:
    return bool(action.get("arg", {}).get("Boolean", {}).get("boolval", False))


def _create_extension(catalog: Catalog, session: Session, body: Node, _statement: Snippet) -> None:
    # What an extension makes is not known: of the schema it goes to, less can be said.
    schema = option(body, "schema")
    target = schema.get("arg", {}).get("String", {}).get("sval", "") if schema else next(iter(session.path), "")
    if target:
        catalog.external = (*catalog.external, f"{target}.*")


def _select_into(catalog: Catalog, session: Session, body: Node, statement: Snippet) -> None:
    into = body.get("intoClause", {}).get("rel")
    if into:
        CREATORS["CreateTableAsStmt"](
            catalog,
            session.path,
            Origin(statement, 0, session.step),
            {"query": {"SelectStmt": body}, "into": {"rel": into}},
        )


def _do(catalog: Catalog, session: Session, body: Node, statement: Snippet) -> None:
    """What a DO block says outright; whether it comes to it is not asked."""
    from eventlive_db.lint.sql.functions import parse_do  # it reads search paths, as this does

    for query in parse_do(statement, body).queries:
        kind, inner = unwrap(query.node)
        if kind != "SelectStmt":
            apply(catalog, session, query.snippet, kind, inner)


_OTHERS: dict[str, Callable[[Catalog, Session, Node, Snippet], None]] = {
    "VariableSetStmt": _set,
    "CommentStmt": _comment,
    "GrantStmt": _grant,
    "AlterFunctionStmt": _alter_function,
    "CreateExtensionStmt": _create_extension,
    "SelectStmt": _select_into,
    "DoStmt": _do,
}
