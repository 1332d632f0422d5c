"""Ceilings hold against statements that were made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.plans.budget import Budget
from eventlive_db.plans.ceilings import WAL_BYTES_SLACK
from eventlive_db.plans.frames import Frame, Place
from eventlive_db.plans.judge import judge
from eventlive_db.plans.model import Measurement, Run, Statement, Updates
from eventlive_db.plans.nodes import Node
from eventlive_db.plans.verdict import Violation


def _statement(line: int, table: str, kind: str = "Seq Scan", **figures: Any) -> Statement:
    node = Node(kind, relation=table, loops=1, rows=5)
    frames = (Frame("statement", f"q{line}"), Frame("plpgsql", "app.f()", line, "at SQL statement"))
    return Statement(f"q{line}", frames, node, {}, depth=1, **figures)


_STATEMENTS = (
    _statement(3, "app.jobs", buffers=4, own_buffers=4),
    _statement(4, "app.owners", buffers=7, own_buffers=7, temp_blocks=3),
    _statement(4, "app.owners", buffers=7, own_buffers=7, temp_blocks=3),
    _statement(5, "app.rows", "Update", wal_records=6, own_wal_records=6, wal_bytes=500, own_wal_bytes=500),
    Statement("select f()", (), Node("Result"), {}, buffers=20, temp_blocks=6, wal_records=6, wal_bytes=500),
)
_RUN = Run(
    _STATEMENTS,
    locks={"app.jobs": "AccessShare", "app.owners": "AccessShare", "app.rows": "RowExclusive"},
    xids=2,
    sequences={"app.s": 3},
    subtransactions=(Place("app.f()", 6), Place("app.f()", 7)),
    aborted=(Place("app.f()", 7),),
    function_calls={"app.f": 1, "app.me": 4},
)
_LARGE = replace(_RUN, statements=(*_STATEMENTS[:-1], replace(_STATEMENTS[-1], buffers=31)))
_SMALL = Measurement({"generic": _RUN, "custom": _RUN}, 10, updates={"app.rows": Updates(100, 60)})
MEASUREMENTS = (_SMALL, Measurement({"generic": _LARGE, "custom": _LARGE}, 1000))
MEASURED: dict[str, int | float] = {
    "statements": 4,
    "repeats": 2,
    "rows_read": 15,
    "buffers": 31,
    "temp_blocks": 6,
    "wal_records": 6,
    "wal_bytes": 500,
    "xids": 2,
    "sequences": 3,
    "subtransactions": 2,
    "aborted_subtransactions": 1,
    "function_calls": 4,
    "growth": 11,
}
CEILINGS = st.fixed_dictionaries({}, optional={name: st.integers(0, int(n) + 20) for name, n in MEASURED.items()})


def _judged(ceilings: Mapping[str, Any]) -> tuple[Violation, ...]:
    return judge("c", MEASUREMENTS, Budget.from_mapping(ceilings))


@given(CEILINGS, st.sampled_from(sorted(MEASURED)), st.integers(1, 1000))
def test_raising_a_ceiling_never_adds_a_violation(ceilings: dict[str, int], name: str, by: int) -> None:
    before = {v.token for v in _judged(ceilings)}
    raised = {**ceilings, name: ceilings[name] + by} if name in ceilings else ceilings
    assert {v.token for v in _judged(raised)} <= before


@given(CEILINGS)
def test_a_ceiling_below_what_was_measured_gives_its_token_and_no_other_does(ceilings: dict[str, int]) -> None:
    spare = {"wal_bytes": WAL_BYTES_SLACK}
    broken = {f"budget.{name}" for name, n in ceilings.items() if MEASURED[name] > n + spare.get(name, 0)}
    assert {v.token for v in _judged(ceilings)} == broken


@given(st.floats(0, 1))
def test_a_share_of_hot_updates_is_a_floor(share: float) -> None:
    assert [v.token for v in _judged({"hot": share})] == (["budget.hot"] if share > 0.6 else [])


@given(st.sets(st.sampled_from(["app.jobs", "app.owners", "app.rows"])))
def test_tables_are_judged_one_by_one(allowed: set[str]) -> None:
    others = {"app.jobs", "app.owners", "app.rows"} - allowed
    touched = {v.problem.partition(" ")[0] for v in _judged({"only_touches": sorted(allowed)})}
    assert touched == others
    never = {v.problem.partition(" ")[0] for v in _judged({"never_touches": sorted(allowed)})}
    assert never == allowed
    scans = {v.problem.partition(" ")[0] for v in _judged({"seq_scans": sorted(allowed)})}
    assert scans == others - {"app.rows"}


@given(
    st.sampled_from(["app.rows", "rows", "*"]), st.sampled_from(["AccessShare", "RowShare", "RowExclusive", "Share"])
)
def test_a_lock_is_refused_where_it_is_stronger_than_what_is_allowed(pattern: str, mode: str) -> None:
    refused = [v.token for v in _judged({"locks": {pattern: mode}})]
    assert refused == (["budget.locks"] if mode in {"AccessShare", "RowShare"} else [])


def test_the_statement_that_grew_is_blamed_and_not_the_one_that_was_always_dear() -> None:
    grown = replace(_STATEMENTS[0], buffers=6, own_buffers=6)
    large = replace(_LARGE, statements=(grown, *_LARGE.statements[1:]))
    (violation,) = judge("c", (_SMALL, Measurement({"generic": large}, 1000)), Budget(growth=2))
    assert violation.place == Place("app.f()", 3)


def test_a_scan_that_only_a_later_execution_makes_is_seen() -> None:
    by_index = replace(_STATEMENTS[1], node=replace(_STATEMENTS[1].node, type="Index Scan", index="i"))
    run = replace(_RUN, statements=(by_index, *_STATEMENTS[1:]))
    (violation,) = judge("c", (Measurement({"generic": run}),), Budget(seq_scans=("rows",)))
    assert violation.problem == "app.owners is read from end to end"
