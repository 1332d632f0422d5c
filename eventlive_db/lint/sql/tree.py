"""Reading PostgreSQL's parse tree as it comes out of the parser: dictionaries of one key, which is the kind of node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Node = dict[str, Any]

ARRAY = "[]"


def unwrap(node: Node | None) -> tuple[str, Node]:
    """Kind and body of ``{kind: body}``; an empty kind for an empty node."""
    if not node:
        return "", {}
    kind, body = next(iter(node.items()))
    return kind, body


def items(nodes: list[Node] | None) -> Iterator[tuple[str, Node]]:
    """Kind and body of each node of a list."""
    for node in nodes or ():
        yield unwrap(node)


def strings(nodes: list[Node] | None) -> list[str]:
    """The words of a list of String nodes."""
    return [body.get("sval", "") for kind, body in items(nodes) if kind == "String"]


def list_items(node: Node | None) -> list[Node]:
    """The members of a List node."""
    kind, body = unwrap(node)
    members: list[Node] = body.get("items", []) if kind == "List" else []
    return members


def walk(node: object) -> Iterator[tuple[str, Node]]:
    """Every tagged node at or below one, parents first."""
    waiting: list[tuple[str, object]] = [("", node)]
    while waiting:
        kind, current = waiting.pop()
        if isinstance(current, list):
            waiting.extend(("", member) for member in reversed(current))
        elif isinstance(current, dict):
            if kind:
                yield kind, current
            below = [(key if key[:1].isupper() else "", value) for key, value in current.items()]
            waiting.extend(entry for entry in reversed(below) if isinstance(entry[1], dict | list))


def location(body: Node) -> int | None:
    """The byte where a node begins; None where the parser does not say."""
    found = body.get("location", 0)
    return found if isinstance(found, int) and found >= 0 else None


def range_name(body: Node) -> tuple[str, ...]:
    """The name of a RangeVar: schema, where there is one, and relation."""
    parts = (body.get("schemaname", ""), body.get("relname", ""))
    return tuple(part for part in parts if part)


def type_name(body: Node) -> str:
    """A TypeName as ``text``, ``app.kind`` or ``uuid[]``, without pg_catalog and without its length."""
    names = strings(body.get("names"))
    if names[:1] == ["pg_catalog"]:
        names = names[1:]
    return ".".join(names) + (ARRAY if body.get("arrayBounds") else "")


def option(body: Node, name: str, key: str = "options") -> Node | None:
    """The DefElem of that name."""
    for kind, element in items(body.get(key)):
        if kind == "DefElem" and element.get("defname") == name:
            return element
    return None


def constant(node: Node | None) -> str | None:
    """The text of a string constant; None for anything else."""
    kind, body = unwrap(node)
    if kind == "A_Const" and "sval" in body:
        return str(body["sval"].get("sval", ""))
    if kind == "TypeCast":
        return constant(body.get("arg"))
    if kind == "String":
        return str(body.get("sval", ""))
    return None
