"""Works out the drops that undo a script of the declared schema. Part of freezing; nothing at run time uses it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from eventlive_db.migrate.errors import MigrateError
from eventlive_db.migrate.sqltext import Statement, split_statements

_NAME = r"[a-z_][\w.]*"
_COMMENT_ON_FUNCTION = re.compile(
    rf"comment\s+on\s+(?P<kind>function|procedure)\s+(?P<name>{_NAME})\s*\((?P<types>[^)]*)\)"
)
_CREATE = re.compile(
    rf"create\s+(?:or\s+replace\s+)?(?:unique\s+)?"
    rf"(?P<kind>function|procedure|table|view|index|trigger|policy|type|domain|sequence)\s+(?P<name>{_NAME})"
)
_ON = re.compile(rf"\bon\s+(?P<table>{_NAME})")
_FILL = re.compile(rf"insert\s+into\s+(?P<table>{_NAME})")
_ALTER = re.compile(rf"alter\s+table\s+(?P<table>{_NAME})")
_COMMENTS = re.compile(r"\A(?:\s*--[^\n]*\n)*\s*")

# Undone with the object they are about.
_PART_OF_SOMETHING = {("comment", "on"), ("revoke",), ("grant",)}
# Only where roles and schemas are made; undone by hand.
_PREPARATION = {("do",), ("set", "local", "role"), ("create", "schema"), ("alter", "schema")}


def undo_statements(scripts: Iterable[str], *, prepares: bool = False) -> list[str]:
    """Drops for everything that the scripts make, the last first, without CASCADE.

    Args:
        scripts: The files of one step, in the order they are run.
        prepares: Whether they make roles and schemas too, which is undone by hand.

    Raises:
        MigrateError: A statement is of a kind that this does not know how to undo.
    """
    passed = _PART_OF_SOMETHING | _PREPARATION if prepares else _PART_OF_SOMETHING
    drops: list[str] = []
    tables: set[str] = set()
    for script in scripts:
        types = {
            (found["kind"], found["name"]): " ".join(found["types"].split())
            for found in _COMMENT_ON_FUNCTION.finditer(script)
        }
        for statement in split_statements(script):
            if any(statement.words[: len(words)] == words for words in passed):
                continue
            drop = _undo(statement, types, tables)
            if drop and drop not in drops:
                drops.append(drop)
    return drops[::-1]


def _undo(statement: Statement, types: dict[tuple[str, str], str], tables: set[str]) -> str | None:
    text = _COMMENTS.sub("", statement.text)
    if filled := _FILL.match(text):
        return None if filled["table"] in tables else f"delete from {filled['table']};"  # noqa: S608  # no input
    if (altered := _ALTER.match(text)) and altered["table"] in tables:
        return None
    created = _CREATE.match(text)
    if created is None:
        msg = f"cannot tell how to undo: {text.splitlines()[0]}"
        raise MigrateError(msg)
    return _drop(created["kind"], created["name"], text, types, tables)


def _drop(kind: str, name: str, text: str, types: dict[tuple[str, str], str], tables: set[str]) -> str | None:
    if kind in {"function", "procedure"}:
        if (kind, name) not in types:
            msg = f"{name} has no 'comment on {kind}' in its file, which tells its parameters"
            raise MigrateError(msg)
        return f"drop {kind} {name}({types[kind, name]});"
    if kind in {"trigger", "policy", "index"}:
        on = _ON.search(text)
        assert on is not None  # noqa: S101  # Postgres has built it
        if on["table"] in tables:
            return None
        if kind == "index":
            return f"drop index {on['table'].partition('.')[0]}.{name};"
        return f"drop {kind} {name} on {on['table']};"
    if kind == "table":
        tables.add(name)
        if re.search(rf"\bpartition\s+of\s+{_NAME}", text):
            return None
    return f"drop {kind} {name};"
