"""Hold a measured call against its budget, at each size and in each plan mode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from eventlive_db.plans.budget import Budget
from eventlive_db.plans.ceilings import WAL_BYTES_SLACK, blamed, dearest, judge_run
from eventlive_db.plans.model import Executions, Measurement, PlanMode, Run
from eventlive_db.plans.verdict import Violation

__all__ = ["WAL_BYTES_SLACK", "judge", "judge_run"]

_OF_A_TABLE = {"budget.seq_scans", "budget.only_touches", "budget.never_touches", "budget.locks"}


def judge(case: str, measurements: tuple[Measurement, ...], budget: Budget) -> tuple[Violation, ...]:
    """Hold what was measured against a budget.

    Args:
        case: Name of the case, for the violations.
        measurements: One for each size, smallest first.
        budget: What is allowed.

    Returns:
        What does not fit, each thing once: with the plan mode and the size at which it is first seen.
    """
    found: dict[tuple[object, ...], Violation] = {}
    for measurement in measurements:
        for mode, run in measurement.runs.items():
            for violation in judge_run(case, run, budget):
                found.setdefault(_key(violation), replace(violation, mode=mode, rows=measurement.rows))
        for violation in _hot(case, measurement, budget):
            found.setdefault((*_key(violation), violation.problem), replace(violation, rows=measurement.rows))
    return (*found.values(), *_growth(case, measurements, budget))


def _key(violation: Violation) -> tuple[object, ...]:
    """What makes two violations the same thing, whatever the figures and conditions in the sentence are."""
    table = violation.problem.partition(" with ")[0] if violation.token in _OF_A_TABLE else ""
    return violation.token, violation.place, violation.statement, table


def _hot(case: str, measurement: Measurement, budget: Budget) -> Iterator[Violation]:
    if budget.hot is None:
        return
    for table, updates in measurement.updates.items():
        if updates.ratio < budget.hot:
            run = next(iter(measurement.runs.values()))
            yield blamed(
                Violation(
                    "budget.hot",
                    case,
                    f"{updates.hot} of {updates.total} updates of {table} were heap-only ({updates.ratio:.1%}),"
                    f" {budget.hot:.1%} at least",
                    "an index on a column that the update changes,"
                    " or no room in the page (fillfactor, long transactions)",
                ),
                next((e for e in run.executions if _updates(e, table)), None),
            )


def _updates(executions: Executions, table: str) -> bool:
    return any(n.relation == table and n.type in {"Update", "Merge"} for n in executions.first.node.walk()) or any(
        n.relation == table and n.conflict == "UPDATE" for n in executions.first.node.walk()
    )


def _growth(case: str, measurements: tuple[Measurement, ...], budget: Budget) -> Iterator[Violation]:
    if budget.growth is None or len(measurements) < 2:
        return
    small, large = measurements[0], measurements[-1]
    modes: list[PlanMode] = [mode for mode in small.runs if mode in large.runs]
    for mode in modes:
        growth = large.runs[mode].buffers - small.runs[mode].buffers
        if growth > budget.growth:
            yield blamed(
                Violation(
                    "budget.growth",
                    case,
                    f"{large.runs[mode].buffers} shared blocks at {large.rows:,} rows and"
                    f" {small.runs[mode].buffers} at {small.rows:,}: {growth} more, {budget.growth} allowed",
                    "work that grows with the table: a scan, or an index range that is read whole",
                    mode=mode,
                    rows=large.rows,
                ),
                dearest(large.runs[mode], partial(_growth_of, small.runs[mode])),
            )
            return


def _growth_of(before: Run, executions: Executions) -> int:
    """By how much a statement costs more than it did before."""
    frames, text = executions.first.frames, executions.first.text
    same = (e.buffers for e in before.executions if e.first.frames == frames and e.first.text == text)
    return executions.buffers - next(same, 0)
