"""A plan as indented lines, close to what EXPLAIN prints, with what ran instead of what was estimated."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from eventlive_db.plans.model import Statement
from eventlive_db.plans.nodes import Node
from eventlive_db.plans.report.text import one_line, plural, printable

_WRITING = {"Insert", "Update", "Delete", "Merge"}


def plan_lines(node: Node, depth: int = 0) -> Iterator[str]:
    """A line for each node, its conditions and sort keys below it; two spaces for each level."""
    indent = "  " * depth
    ran = _ran(node)
    yield f"{indent}{title(node)} ({ran})" if ran else f"{indent}{title(node)}"
    for kind, condition in node.conditions:
        yield f"{indent}    {kind}: {one_line(condition)}"
    if node.keys:
        yield f"{indent}    Key: {', '.join(one_line(key) for key in node.keys)}"
    for child in node.children:
        yield from plan_lines(child, depth + 1)


def title(node: Node) -> str:
    """Type, index and table of a node, such as ``Index Scan using item_pkey on app.item i``."""
    name = node.type
    if node.join and node.join != "Inner":
        name = f"{name.removesuffix(' Join')} {node.join} Join"
    parts = [f"{node.role}: {name}" if node.role else name]
    if node.index:
        parts.append(f"using {node.index}" if node.relation else f"on {node.index}")
    if node.relation:
        parts.append(f"on {node.relation}")
        if node.alias and node.alias != node.relation:
            parts.append(node.alias)
    if node.conflict:
        by = f" ({', '.join(node.arbiters)})" if node.arbiters else ""
        parts.append(f"on conflict do {node.conflict.lower()}{by}")
    return one_line(" ".join(parts))


def _ran(node: Node) -> str:
    if not node.ran:
        return "never ran"
    # What writes gives no rows unless it is asked to return them.
    parts = [] if node.type in _WRITING and not node.rows else [plural(node.rows, "row")]
    if node.removed:
        parts.append(f"{node.removed} thrown away")
    if node.loops > 1:
        parts.append(f"{node.loops} loops")
    return ", ".join(parts)


def query_lines(statement: Statement) -> list[str]:
    """The query as it was written, without empty lines and without the indentation that all of it has."""
    if not statement.query:
        return [one_line(statement.text)]
    lines = [line.expandtabs(4).rstrip() for line in printable(statement.query).split("\n") if line.strip()]
    if not lines:
        return [""]
    # The first line of a statement inside a function stands where the function has it, the others are indented.
    further = textwrap.dedent("\n".join(lines[1:])).split("\n") if lines[1:] else []
    return [lines[0].lstrip(), *further]
