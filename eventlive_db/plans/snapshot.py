"""The plans inside one call as a small text that is kept under version control and reviewed as a diff.

A snapshot holds what the planner decided, and nothing that differs from run to run: no cost, rows, width or time, no
line numbers (they shift when a function is edited above), no values of the call. It belongs to one Postgres major:
another one plans, and prints, differently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from eventlive_db.plans.conditions import comparable, mask, one_line
from eventlive_db.plans.model import PlanMode, Run, Statement
from eventlive_db.plans.nodes import Node
from eventlive_db.plans.planned import TEXT_LIMIT, Planned, PlannedStatement, Snapshot
from eventlive_db.plans.snapshot_text import parse, render

__all__ = ["TEXT_LIMIT", "Planned", "PlannedStatement", "Snapshot", "parse", "render", "take"]

_TEMPORARY = re.compile(r"\bpg_temp_\d+\b")

_Spot = tuple[str, int | None, str]


def _groups(run: Run | None) -> dict[_Spot, list[Statement]]:
    groups: dict[_Spot, list[Statement]] = {}
    for statement in run.table_statements if run else ():
        frame = next((f for f in statement.frames if f.kind in {"plpgsql", "sql"}), None)
        spot = (frame.name if frame else "", frame.line if frame else None, _shown(statement))
        groups.setdefault(spot, []).append(statement)
    return groups


def _planned(group: list[Statement], *, every: bool) -> Planned:
    if not group:
        return Planned(0)
    first = group[0]
    return Planned(len(group), _stripped(first.node, every=every or _is_foreign(first)))


def _differ(generic: Planned, custom: Planned) -> bool:
    if generic.executions != custom.executions or generic.plan is None or custom.plan is None:
        return generic != custom
    return comparable(generic.plan) != comparable(custom.plan)


def take(runs: Mapping[PlanMode, Run]) -> Snapshot:
    """Take a snapshot of a measured call.

    A statement that runs several times is shown with the plan of its first time. Statements made with ``EXECUTE``
    that differ in nothing but their constants are one.

    Args:
        runs: The call in one or both plan modes.

    Returns:
        Its statements that touch a table, with the generic plan, and with the custom one where that differs.
    """
    generic, custom = _groups(runs.get("generic")), _groups(runs.get("custom"))
    statements = []
    for spot in dict.fromkeys((*generic, *custom)):
        planned = _planned(generic.get(spot, []), every=False)
        other = _planned(custom.get(spot, []), every=True)
        differs = "custom" in runs and _differ(planned, other)
        function = spot[0].partition("(")[0]
        statements.append(PlannedStatement(function, spot[2], planned, other if differs else None))
    return Snapshot(tuple(statements))


def _shown(statement: Statement) -> str:
    if statement.query:
        text = " ".join(mask(one_line(statement.query), every=_is_foreign(statement)).split())
    else:  # the body of a begin atomic function has no text
        text = f"<on {', '.join(sorted(statement.relations))}>"
    text = _TEMPORARY.sub("pg_temp", text)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 3].rstrip() + "..."


def _is_foreign(statement: Statement) -> bool:
    """Whether its text was put together outside of a function's source, so that its constants are values."""
    innermost = next((f for f in statement.frames if f.kind in {"plpgsql", "sql"}), None)
    return innermost is None or "EXECUTE" in innermost.at


def _stripped(node: Node, *, every: bool) -> Node:
    return replace(
        node,
        relation=_TEMPORARY.sub("pg_temp", node.relation),
        conditions=tuple((kind, mask(text, every=every)) for kind, text in node.conditions),
        keys=tuple(mask(key, every=every) for key in node.keys),
        loops=0,
        rows=0,
        removed=0,
        children=tuple(_stripped(child, every=every) for child in node.children),
    )
