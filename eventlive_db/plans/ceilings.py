"""Hold one run of a call against its ceilings, and say which statement is to blame where it does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from eventlive_db.plans.budget import Budget, allowed_lock, matches, stronger
from eventlive_db.plans.frames import Place
from eventlive_db.plans.model import Executions, Run
from eventlive_db.plans.verdict import Violation

WAL_BYTES_SLACK = 16
"""Bytes by which WAL records differ between runs of the same work, for alignment."""

_WRITES = {"Insert", "Update", "Delete", "Merge"}


def judge_run(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    """What of one run does not fit; growth and HOT updates are not seen here."""
    yield from _totals(case, run, budget)
    yield from _repeats(case, run, budget)
    yield from _scans(case, run, budget)
    yield from _touches(case, run, budget)
    yield from _touched_unseen(case, run, budget)
    yield from _locks(case, run, budget)
    yield from _burned(case, run, budget)
    yield from _subtransactions(case, run, budget)
    yield from _function_calls(case, run, budget)


def blamed(violation: Violation, executions: Executions | None) -> Violation:
    """The violation with the place and text of a statement, if there is one to blame."""
    if executions is None:
        return violation
    return replace(violation, place=executions.first.place, statement=executions.first.text)


def dearest(run: Run, figure: Callable[[Executions], int]) -> Executions | None:
    """The statement of which a figure is largest; None where none touches a table."""
    return max(run.executions, key=figure, default=None)


def _totals(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    count = len(run.table_statements)
    if budget.statements is not None and count > budget.statements:
        listed = "; ".join(f"{e.count} x {e.first.place}" for e in run.executions)
        repeated = dearest(run, lambda e: e.count)
        last = repeated if repeated and repeated.count > 1 else run.executions[-1]
        yield blamed(
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
            lambda e: e.temp_blocks,
            "blocks of temporary files",
            "a sort or hash no longer fits work_mem",
        ),
    )
    for name, measured, allowed, figure, what, cause in totals:
        if allowed is not None and measured > allowed:
            limit = getattr(budget, name)
            yield blamed(
                Violation(f"budget.{name}", case, f"{measured} {what}, {limit} allowed", cause), dearest(run, figure)
            )


def _repeats(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    if budget.repeats is None:
        return
    for executions in run.executions:
        if executions.count > budget.repeats:
            yield blamed(
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
        for table in executions.sequential_scans:
            if not matches(table, budget.seq_scans):
                conditions = [
                    f"{kind} {text}"
                    for node in executions.first.node.walk()
                    if node.is_sequential and node.relation == table
                    for kind, text in node.conditions
                ]
                condition = f" with {'; '.join(conditions)}" if conditions else ""
                yield blamed(
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
            yield blamed(
                Violation(token, case, problem, "a look-up, a foreign key, a trigger or a policy was added"),
                executions,
            )


def _touched_unseen(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    """Tables that are locked for writing by what is no statement with a plan, such as TRUNCATE."""
    seen = {table for executions in run.executions for table in executions.first.relations}
    for table, mode in run.locks.items():
        if table in seen or table == "advisory" or not stronger(mode, "AccessShare"):
            continue
        forbidden = matches(table, budget.never_touches)
        if forbidden or (budget.only_touches is not None and not matches(table, budget.only_touches)):
            token = "budget.never_touches" if forbidden else "budget.only_touches"
            yield Violation(
                token,
                case,
                f"{table} is locked ({mode}) by a command without a plan, and may not be touched",
                "TRUNCATE, LOCK TABLE or another command was added",
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
        culprit = next((e for e in run.executions if takes(e, table) == mode), None)
        yield blamed(
            Violation(
                "budget.locks",
                case,
                f"{mode} is held on {table} at the end, {allowed or 'no such lock'} allowed",
                "a write, a locking clause (FOR UPDATE), LOCK TABLE or an advisory lock was added",
            ),
            culprit,
        )


def takes(executions: Executions, table: str) -> str:
    """The lock that a statement takes on a table; explicit LOCK TABLE is none that a plan tells of."""
    nodes = list(executions.first.node.walk())
    if any(node.relation == table and node.type in _WRITES for node in nodes):
        return "RowExclusive"
    if table not in executions.first.relations:
        return ""
    return "RowShare" if any(node.type == "LockRows" for node in nodes) else "AccessShare"


def _burned(case: str, run: Run, budget: Budget) -> Iterator[Violation]:
    if budget.xids is not None and run.xids is not None and run.xids > budget.xids:
        yield blamed(
            Violation(
                "budget.xids",
                case,
                f"{run.xids} transaction ids assigned, {budget.xids} allowed",
                "a write, a row lock, or a write inside an exception block was added",
            ),
            dearest(run, lambda e: e.wal_records),
        )
    taken = sum(run.sequences.values())
    if budget.sequences is not None and taken > budget.sequences:
        named = ", ".join(f"{name} {count}" for name, count in run.sequences.items())
        inserts = [e for e in run.executions if any(node.type in {"Insert", "Merge"} for node in e.first.node.walk())]
        yield blamed(
            Violation(
                "budget.sequences",
                case,
                f"{taken} sequence values taken, {budget.sequences} allowed ({named})",
                "an INSERT evaluates its defaults before ON CONFLICT decides, so a repeat burns a value too",
            ),
            inserts[0] if len(inserts) == 1 else None,
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
