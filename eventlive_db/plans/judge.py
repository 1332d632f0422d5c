"""Hold a measured call against its budget, and say whose fault it is where it does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from eventlive_db.plans.budget import Budget, allowed_lock, matches, stronger
from eventlive_db.plans.frames import Place
from eventlive_db.plans.model import Executions, Measurement, PlanMode, Run, Violation

WAL_BYTES_SLACK = 16
"""Bytes by which WAL records differ between runs of the same work, for alignment."""


def judge(case: str, measurements: tuple[Measurement, ...], budget: Budget) -> tuple[Violation, ...]:
    """Hold what was measured against a budget.

    Args:
        case: Name of the case, for the violations.
        measurements: One for each size, smallest first.
        budget: What is allowed.

    Returns:
        What does not fit, each thing once: with the plan mode and the size at which it is first seen.
    """
    found: dict[tuple[str, Place | None, str], Violation] = {}
    for measurement in measurements:
        for mode, run in measurement.runs.items():
            for violation in judge_run(case, run, budget):
                key = violation.token, violation.place, violation.statement
                found.setdefault(key, replace(violation, mode=mode, rows=measurement.rows))
        for violation in _hot(case, measurement, budget):
            found.setdefault((violation.token, None, violation.problem), replace(violation, rows=measurement.rows))
    for violation in _growth(case, measurements, budget):
        found.setdefault((violation.token, violation.place, ""), violation)
    return tuple(found.values())


def judge_run(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    """What of one run does not fit; growth and HOT updates are not seen here."""
    yield from _totals(case, run, budget)
    yield from _repeats(case, run, budget)
    yield from _scans(case, run, budget)
    yield from _touches(case, run, budget)
    yield from _locks(case, run, budget)
    yield from _burned(case, run, budget)
    yield from _subtransactions(case, run, budget)
    yield from _function_calls(case, run, budget)


def _blamed(violation: Violation, executions: Executions | None) -> Violation:
    if executions is None:
        return violation
    return replace(violation, place=executions.first.place, statement=executions.first.text)


def _dearest(run: Run, figure: Callable[[Executions], int]) -> Executions | None:
    return max(run.executions, key=figure, default=None)


def _totals(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    count = len(run.table_statements)
    if budget.statements is not None and count > budget.statements:
        listed = "; ".join(f"{e.count} x {e.first.place}" for e in run.executions)
        repeated = _dearest(run, lambda e: e.count)
        last = repeated if repeated and repeated.count > 1 else run.executions[-1]
        yield _blamed(
            Violation(
                "budget.statements",
                case,
                f"{count} statements touch tables, {budget.statements} allowed ({listed})",
                "a statement was added, or one now runs in a loop, in a trigger or for each row of a policy",
            ),
            last,
        )
    totals: tuple[tuple[str, int, int | None, Callable[[Executions], int], str, str], ...] = (
        (
            "buffers",
            run.buffers,
            budget.buffers,
            lambda e: e.buffers,
            "shared blocks touched",
            "an index is gone or no longer fits the condition, or the table is bloated",
        ),
        (
            "rows_read",
            run.rows_read,
            budget.rows_read,
            lambda e: e.rows_read,
            "rows looked at",
            "a condition is applied as a filter instead of by an index, or a limit is gone",
        ),
        (
            "wal_records",
            run.wal_records,
            budget.wal_records,
            lambda e: e.wal_records,
            "WAL records written",
            "an index on a column that the statement changes ends heap-only updates, or a write was added",
        ),
        (
            "wal_bytes",
            run.wal_bytes,
            None if budget.wal_bytes is None else budget.wal_bytes + WAL_BYTES_SLACK,
            lambda e: e.wal_bytes,
            "bytes of WAL written",
            "rows became wider, or an index on a column that the statement changes was added",
        ),
        (
            "temp_blocks",
            run.temp_blocks,
            budget.temp_blocks,
            lambda e: e.first.temp_blocks,
            "blocks of temporary files",
            "a sort or hash no longer fits work_mem",
        ),
    )
    for name, measured, allowed, figure, what, cause in totals:
        if allowed is not None and measured > allowed:
            limit = getattr(budget, name)
            yield _blamed(
                Violation(f"budget.{name}", case, f"{measured} {what}, {limit} allowed", cause), _dearest(run, figure)
            )


def _repeats(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    if budget.repeats is None:
        return
    for executions in run.executions:
        if executions.count > budget.repeats:
            yield _blamed(
                Violation(
                    "budget.repeats",
                    case,
                    f"the same statement ran {executions.count} times, {budget.repeats} allowed",
                    "it runs in a loop, or once for each row that a query, policy or trigger handles (N+1)",
                ),
                executions,
            )


def _scans(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    if budget.seq_scans is None:
        return
    for executions in run.executions:
        for table in executions.first.sequential_scans:
            if not matches(table, budget.seq_scans):
                conditions = [
                    f"{kind} {text}"
                    for node in executions.first.node.walk()
                    if node.is_sequential and node.relation == table
                    for kind, text in node.conditions
                ]
                condition = f" with {'; '.join(conditions)}" if conditions else ""
                yield _blamed(
                    Violation(
                        "budget.seq_scans",
                        case,
                        f"{table} is read from end to end{condition}",
                        "no index fits the condition (dropped, invalid, another type or an expression on the column),"
                        " or the planner thinks the table tiny",
                    ),
                    executions,
                )


def _touches(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    for executions in run.executions:
        for table in executions.first.relations:
            if matches(table, budget.never_touches):
                problem = f"{table} is touched, and must never be"
                token = "budget.never_touches"
            elif budget.only_touches is not None and not matches(table, budget.only_touches):
                allowed = ", ".join(budget.only_touches) or "no table"
                problem = f"{table} is touched; allowed: {allowed}"
                token = "budget.only_touches"
            else:
                continue
            yield _blamed(
                Violation(token, case, problem, "a look-up, a foreign key, a trigger or a policy was added"),
                executions,
            )


def _locks(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    if budget.locks is None:
        return
    for table, mode in run.locks.items():
        if table == "advisory":
            allowed = budget.locks.get("advisory", "")
            if allowed and not stronger(mode, allowed):
                continue
        else:
            allowed = allowed_lock(table, budget.locks)
            if not stronger(mode, allowed):
                continue
        culprit = next((e for e in reversed(run.executions) if table in e.first.relations), None)
        yield _blamed(
            Violation(
                "budget.locks",
                case,
                f"{mode} is held on {table} at the end, {allowed or 'no such lock'} allowed",
                "a write, a locking clause (FOR UPDATE), LOCK TABLE or an advisory lock was added",
            ),
            culprit,
        )


def _burned(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    if budget.xids is not None and run.xids is not None and run.xids > budget.xids:
        yield _blamed(
            Violation(
                "budget.xids",
                case,
                f"{run.xids} transaction ids assigned, {budget.xids} allowed",
                "a write, a row lock, or a write inside an exception block was added",
            ),
            _dearest(run, lambda e: e.wal_records),
        )
    taken = sum(run.sequences.values())
    if budget.sequences is not None and taken > budget.sequences:
        named = ", ".join(f"{name} {count}" for name, count in run.sequences.items())
        yield Violation(
            "budget.sequences",
            case,
            f"{taken} sequence values taken, {budget.sequences} allowed ({named})",
            "an INSERT evaluates its defaults before ON CONFLICT decides, so a repeat burns a value too",
        )


def _subtransactions(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    for name, places, allowed, what, cause in (
        (
            "subtransactions",
            run.subtransactions,
            budget.subtransactions,
            "subtransactions begun",
            "an exception block was added, or a function that has one is called more often",
        ),
        (
            "aborted_subtransactions",
            run.aborted,
            budget.aborted_subtransactions,
            "subtransactions rolled back",
            "an exception block caught an error: what failed is hidden from the caller",
        ),
    ):
        if allowed is not None and len(places) > allowed:
            yield Violation(f"budget.{name}", case, f"{len(places)} {what}, {allowed} allowed", cause, places[-1])


def _function_calls(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    if budget.function_calls is None:
        return
    for name, count in run.function_calls.items():
        if count > budget.function_calls:
            yield Violation(
                "budget.function_calls",
                case,
                f"{name} was called {count} times, {budget.function_calls} allowed",
                "it is evaluated for each row: in a policy or condition, write (select f()) to have it once",
                Place(name),
            )


def _hot(case: str, measurement: Measurement, budget: Budget) -> Iterator[Violation]:
    if budget.hot is None:
        return
    for table, updates in measurement.updates.items():
        if updates.ratio < budget.hot:
            yield Violation(
                "budget.hot",
                case,
                f"{updates.hot} of {updates.total} updates of {table} were heap-only ({updates.ratio:.1%}),"
                f" {budget.hot:.1%} at least",
                "an index on a column that the update changes, or no room in the page (fillfactor, long transactions)",
            )


def _growth(case: str, measurements: tuple[Measurement, ...], budget: Budget) -> Iterator[Violation]:
    if budget.growth is None or len(measurements) < 2:
        return
    small, large = measurements[0], measurements[-1]
    modes: list[PlanMode] = [mode for mode in small.runs if mode in large.runs]
    for mode in modes:
        growth = large.runs[mode].buffers - small.runs[mode].buffers
        if growth > budget.growth:
            yield _blamed(
                Violation(
                    "budget.growth",
                    case,
                    f"{large.runs[mode].buffers} shared blocks at {large.rows:,} rows and"
                    f" {small.runs[mode].buffers} at {small.rows:,}: {growth} more, {budget.growth} allowed",
                    "work that grows with the table: a scan, or an index range that is read whole",
                    mode=mode,
                    rows=large.rows,
                ),
                _dearest(large.runs[mode], lambda e: e.buffers),
            )
            return
