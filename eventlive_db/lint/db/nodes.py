"""Expression trees as the catalog stores them (``pg_node_tree``), read as far as a lint needs.

Their text is made by ``outfuncs.c``: ``{KIND :field value ...}``, lists in parentheses, and a backslash before a
character that would mean something else. Fields come and go with versions; kinds and nesting have stayed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(r"[{}()]|(?:\\.|[^\s{}()\\])+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a tree.

    Attributes:
        kind: Such as ``FUNCEXPR``.
        values: The plain values of its fields; of a field with several, the first.
        children: The nodes in its fields, those in lists included.
    """

    kind: str
    values: dict[str, str] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def read_tree(text: str) -> Node:
    """Read a tree.

    Args:
        text: A ``pg_node_tree`` as text.

    Raises:
        ValueError: It is no such tree.
    """
    root = Node("LIST")
    open_nodes = [root]
    tokens = _TOKEN.finditer(text)
    name = ""
    for match in tokens:
        token = match[0]
        if token == "{":
            node = Node(next(tokens)[0])
            open_nodes[-1].children.append(node)
            open_nodes.append(node)
        elif token == "}":
            if len(open_nodes) == 1:
                break
            open_nodes.pop()
        elif token.startswith(":"):
            name = token[1:]
        elif token not in {"(", ")"}:
            open_nodes[-1].values.setdefault(name, token)
    if open_nodes != [root] or not root.children:
        msg = "this is no node tree"
        raise ValueError(msg)
    return root if len(root.children) > 1 else root.children[0]


def row_variables(node: Node, depth: int = 0) -> Iterator[Node]:
    """The columns of the row that a policy judges: variables of the outermost level, however deep they stand.

    Args:
        node: Where to look.
        depth: How many queries enclose it.
    """
    if node.kind == "VAR" and int(node.values["varlevelsup"]) == depth:
        yield node
    inner = depth + (node.kind == "QUERY")
    for child in node.children:
        yield from row_variables(child, inner)


def per_row_calls(node: Node, depth: int = 0) -> Iterator[tuple[int, bool]]:
    """Functions that are called for each row: their oids, and whether their arguments depend on the row.

    A sub-select that does not depend on the row runs once, and so do the functions in it.
    """
    if node.kind == "SUBLINK" and not any(row_variables(node, depth)):
        return
    if node.kind == "FUNCEXPR":
        yield int(node.values["funcid"]), any(row_variables(node, depth))
    inner = depth + (node.kind == "QUERY")
    for child in node.children:
        yield from per_row_calls(child, inner)
