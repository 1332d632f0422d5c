"""Snapshots that hypothesis makes up: odd names, deep plans, anything in a text."""

from __future__ import annotations

from hypothesis import strategies as st

from eventlive_db.plans.nodes import Node
from eventlive_db.plans.snapshot import Planned, PlannedStatement, Snapshot

NAMES = st.sampled_from(["", "app.a", "app.b", "b_1", "*VALUES*", 'odd "name', "of all", "\u00e9"]) | st.text(
    max_size=5
)
TYPES = st.sampled_from(
    [
        *("Seq Scan", "Index Scan", "Index Only Scan", "Parallel Seq Scan", "Bitmap Heap Scan", "Bitmap Index Scan"),
        *("Nested Loop", "Hash Join", "Hash", "Sort", "Aggregate", "Append", "Gather", "Insert", "Result", "weird (x)"),
    ]
)
CONDITIONS = st.sampled_from(
    [
        "(a.id = $1)",
        "((a.id = $1) AND (a.n < 5))",
        "app.is_member(a.id)",
        "(hashed SubPlan 1)",
        "(a.kind ~ '\\u{5c} \\d) AND ('::text)",
        " ) odd ((",
        "",
    ]
)
KINDS = st.sampled_from(["Index Cond", "Filter", "Recheck Cond", "Join Filter", "One-Time Filter", "Key", "x: y", ""])
ROLES = st.sampled_from(["", "", "", "InitPlan 1 (returns $0)", "SubPlan 1", "CTE w", "odd] role"])


def _nodes(children: st.SearchStrategy[tuple[Node, ...]]) -> st.SearchStrategy[Node]:
    return st.builds(
        Node,
        type=TYPES,
        relation=NAMES,
        alias=NAMES,
        index=NAMES,
        join=st.sampled_from(["", "Inner", "Left", "Right Semi"]),
        conditions=st.lists(st.tuples(KINDS, CONDITIONS | st.text(max_size=8)), max_size=2).map(tuple),
        keys=st.lists(st.sampled_from(["a.n", "a.n DESC", "(count(*))"]), max_size=2).map(tuple),
        conflict=st.sampled_from(["", "NOTHING", "UPDATE"]),
        arbiters=st.lists(NAMES, max_size=2).map(tuple),
        role=ROLES,
        loops=st.just(0),
        rows=st.just(0),
        removed=st.just(0),
        children=children,
    )


PLANS = st.recursive(_nodes(st.just(())), lambda inner: _nodes(st.lists(inner, max_size=2).map(tuple)), max_leaves=5)
PLANNED = st.builds(Planned, executions=st.integers(0, 3), plan=st.none() | PLANS)
STATEMENTS = st.builds(
    PlannedStatement,
    function=st.sampled_from(["", "app.f", "app.g", "(the call)"]),
    text=st.sampled_from(["select 1 from app.a", "select 2 from app.a", "<on app.a>", ""]) | st.text(max_size=8),
    generic=PLANNED,
    custom=st.none() | PLANNED,
)
SNAPSHOTS = st.builds(Snapshot, st.lists(STATEMENTS, max_size=3).map(tuple))
