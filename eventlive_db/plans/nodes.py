"""A plan as EXPLAIN gives it in JSON, read into what a budget and a snapshot speak of.

Source: PostgreSQL manual, "Using EXPLAIN" and EXPLAIN (FORMAT JSON). What differs between versions 15 and 18 (rows as
floats, ``Disabled``, ``Index Searches``) is levelled here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_CONDITIONS = (
    "Index Cond",
    "Recheck Cond",
    "Hash Cond",
    "Merge Cond",
    "TID Cond",
    "Join Filter",
    "Filter",
    "One-Time Filter",
    "Order By",
    "Conflict Filter",
)

_READING = ("Scan",)


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a plan.

    Attributes:
        type: As EXPLAIN names it, such as ``Index Scan``; ``Update``, ``Insert``, ``Delete`` or ``Merge`` for a
            ModifyTable, ``Left Join``-like prefixes are in ``join``.
        relation: Table, as ``schema.name``; a function, CTE or subquery as EXPLAIN names it; or empty.
        alias: The name it has in the query, where that is another one.
        index: Index that is used, or empty.
        join: ``Inner``, ``Left``, ``Semi``, ``Anti``, … for joins; or empty.
        conditions: Pairs of what kind (``Index Cond``, ``Filter``, …) and the condition.
        keys: Columns or expressions of a Sort, Group or Unique, in order.
        conflict: ``NOTHING`` or ``UPDATE`` for an ``insert … on conflict``.
        arbiters: Indexes that decide a conflict.
        role: What the node is to its parent: ``InitPlan``, ``SubPlan`` with its name, or empty for the plain flow.
        loops: How often it ran.
        rows: Rows it gave, over all loops.
        removed: Rows it read and threw away, over all loops.
        children: Nodes below it, in order.
    """

    type: str
    relation: str = ""
    alias: str = ""
    index: str = ""
    join: str = ""
    conditions: tuple[tuple[str, str], ...] = ()
    keys: tuple[str, ...] = ()
    conflict: str = ""
    arbiters: tuple[str, ...] = ()
    role: str = ""
    loops: int = 0
    rows: int = 0
    removed: int = 0
    children: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def ran(self) -> bool:
        """Whether it was executed at all."""
        return self.loops > 0

    @property
    def reads_table(self) -> bool:
        """Whether it scans a table, by index or whole."""
        return bool(self.relation) and self.type.endswith(_READING) and "." in self.relation

    @property
    def is_sequential(self) -> bool:
        """Whether it reads a table without an index, from end to end or a part of it by position."""
        return self.type.removeprefix("Parallel ") in {"Seq Scan", "Sample Scan", "Tid Range Scan"}


def read_node(plan: Mapping[str, Any]) -> Node:
    """Read a ``Plan`` object of EXPLAIN's JSON, and all below it."""
    node_type = str(plan["Node Type"])
    if node_type == "ModifyTable":
        node_type = str(plan["Operation"])
    elif node_type == "Aggregate":
        node_type = {"Sorted": "Group Aggregate", "Hashed": "Hash Aggregate", "Mixed": "Mixed Aggregate"}.get(
            plan.get("Strategy", ""), "Aggregate"
        )
    if plan.get("Scan Direction") == "Backward":
        node_type += " Backward"
    if plan.get("Parallel Aware"):
        node_type = f"Parallel {node_type}"
    loops = int(plan.get("Actual Loops", 0))
    removed = sum(int(plan.get(f"Rows Removed by {what}", 0)) for what in ("Filter", "Join Filter", "Index Recheck"))
    relationship = plan.get("Parent Relationship", "")
    alias = str(plan.get("Alias", ""))
    return Node(
        type=node_type,
        relation=_relation(plan),
        alias="" if alias == plan.get("Relation Name") else alias,
        index=str(plan.get("Index Name", "")),
        join=str(plan.get("Join Type", "")),
        conditions=tuple((name, _text(plan[name])) for name in _CONDITIONS if name in plan),
        keys=tuple(str(key) for name in ("Sort Key", "Group Key") for key in plan.get(name, ())),
        conflict=str(plan.get("Conflict Resolution", "")),
        arbiters=tuple(plan.get("Conflict Arbiter Indexes", ())),
        role=str(plan.get("Subplan Name", relationship)) if relationship in {"InitPlan", "SubPlan"} else "",
        loops=loops,
        rows=round(float(plan.get("Actual Rows", 0)) * loops),
        removed=removed * loops,
        children=tuple(read_node(child) for child in plan.get("Plans", ())),
    )


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _relation(plan: Mapping[str, Any]) -> str:
    if "Relation Name" in plan:
        schema = plan.get("Schema")
        return f"{schema}.{plan['Relation Name']}" if schema else str(plan["Relation Name"])
    for key in ("CTE Name", "Function Name", "Tuplestore Name", "Table Function Name"):
        if key in plan:
            return str(plan[key])
    return ""
