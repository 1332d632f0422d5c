"""A report as JSON, for programs. Fields are only ever added; else ``format_version`` rises."""

from __future__ import annotations

from typing import Any

from eventlive_db.plans.frames import Place
from eventlive_db.plans.model import Measurement, Run
from eventlive_db.plans.report.tree import Branch, branches
from eventlive_db.plans.verdict import CaseReport, Report, Violation

FORMAT_VERSION = 1


def to_dict(report: Report, *, plans: bool = False) -> dict[str, Any]:
    """A report, ready for :func:`json.dumps`.

    ==================  =================================================================================
    ``format_version``  1
    ``suite``           its name
    ``server_version``  such as ``18.6``
    ``passed``          whether everything holds
    ``violations``      all of them, those of the cases too; see below
    ``cases``           a list: ``name``, ``call`` (SQL), ``passed``, ``measurements``, ``violations``,
                        ``changes`` and ``notes`` (sentences), ``snapshot`` and ``snapshot_before`` (text
                        or null)
    ==================  =================================================================================

    A measurement has ``rows`` (the size; 0: not filled), ``raised`` (tables whose row count was only told to the
    planner), ``buffers`` (of the dearer mode), ``updates`` (by table: ``total``, ``hot``, ``hot_ratio``) and
    ``runs``: by plan mode what :func:`run_to_dict` gives, without its ``format_version``.

    A violation has ``token``, ``case``, ``problem``, ``cause``, ``function``, ``line``, ``mode``, ``rows``,
    ``statement``, ``file`` and ``file_line``; what is not known is null, or empty where it is a text.

    Args:
        report: The judged suite.
        plans: Add the plan of each statement, as EXPLAIN gives it; without it the answer is some tenth of the size.
    """
    return {
        "format_version": FORMAT_VERSION,
        "suite": report.suite,
        "server_version": report.server_version,
        "passed": report.passed,
        "violations": [_violation(v) for v in report.all_violations],
        "cases": [_case(case, plans) for case in report.cases],
    }


def run_to_dict(run: Run, *, plans: bool = False) -> dict[str, Any]:
    """One call, ready for :func:`json.dumps`.

    ===================  ================================================================================
    ``format_version``   1
    ``table_statements`` how many statements touched a table
    ``buffers``          shared blocks touched; likewise ``temp_blocks``, ``wal_records``, ``wal_bytes``,
                         ``wal_fpi`` and ``rows_read``
    ``locks``            strongest table lock at the end, by table
    ``xids``             transaction ids assigned, or null
    ``sequences``        values taken, by sequence
    ``subtransactions``  where they were begun: a list of ``function`` and ``line``
    ``aborted``          where they were rolled back, likewise
    ``function_calls``   how often, by function
    ``statements``       what the client sent, and what deferred triggers ran after it
    ===================  ================================================================================

    A statement has ``query`` (on one line), ``function`` and ``line`` (null for what the client sent),
    ``called_by`` (functions between it and the statement around it, a list of ``function`` and ``line``),
    ``foreign_key_check``, ``executions`` (equal ones inside one statement are put together, and the figures are
    their sums), ``rows``, ``rows_read``, ``buffers``, ``wal_records``, ``wal_bytes``, the same three with ``own_``
    (without the statements inside), ``relations``, ``indexes``, ``sequential_scans``, ``statements`` (those that ran
    inside it) and, if asked for, ``plan``.

    Args:
        run: The call.
        plans: Add the plan of each statement's first execution, as EXPLAIN gives it.
    """
    return {"format_version": FORMAT_VERSION, **_run(run, plans)}


def _case(case: CaseReport, plans: bool) -> dict[str, Any]:
    return {
        "name": case.name,
        "call": case.call,
        "passed": case.passed,
        "measurements": [_measurement(m, plans) for m in case.measurements],
        "violations": [_violation(v) for v in case.violations],
        "changes": list(case.changes),
        "notes": list(case.notes),
        "snapshot": case.snapshot,
        "snapshot_before": case.snapshot_before,
    }


def _measurement(measurement: Measurement, plans: bool) -> dict[str, Any]:
    return {
        "rows": measurement.rows,
        "raised": list(measurement.raised),
        "buffers": measurement.buffers if measurement.runs else None,
        "updates": {
            table: {"total": u.total, "hot": u.hot, "hot_ratio": u.ratio} for table, u in measurement.updates.items()
        },
        "runs": {mode: _run(run, plans) for mode, run in measurement.runs.items()},
    }


def _run(run: Run, plans: bool) -> dict[str, Any]:
    return {
        "table_statements": len(run.table_statements),
        "buffers": run.buffers,
        "temp_blocks": run.temp_blocks,
        "wal_records": run.wal_records,
        "wal_bytes": run.wal_bytes,
        "wal_fpi": run.wal_fpi,
        "rows_read": run.rows_read,
        "locks": dict(run.locks),
        "xids": run.xids,
        "sequences": dict(run.sequences),
        "subtransactions": [_place(p) for p in run.subtransactions],
        "aborted": [_place(p) for p in run.aborted],
        "function_calls": dict(run.function_calls),
        "statements": [_statement(b, plans) for b in branches(run, collapse_over=1)],
    }


def _statement(branch: Branch, plans: bool) -> dict[str, Any]:
    statement = branch.statement
    told: dict[str, Any] = {
        "query": statement.text,
        **_place(statement.place),
        "called_by": [_place(p) for p in branch.callers],
        "foreign_key_check": statement.is_foreign_key_check,
        "executions": branch.executions,
        "rows": branch.rows,
        "rows_read": branch.rows_read,
        "buffers": branch.buffers,
        "own_buffers": branch.own_buffers,
        "wal_records": branch.wal_records,
        "own_wal_records": branch.own_wal_records,
        "wal_bytes": branch.wal_bytes,
        "own_wal_bytes": branch.own_wal_bytes,
        "relations": list(statement.relations),
        "indexes": list(statement.indexes),
        "sequential_scans": list(statement.sequential_scans),
        "statements": [_statement(child, plans) for child in branch.children],
    }
    if plans:
        told["plan"] = statement.plan
    return told


def _violation(violation: Violation) -> dict[str, Any]:
    return {
        "token": violation.token,
        "case": violation.case,
        "problem": violation.problem,
        "cause": violation.cause,
        **_place(violation.place),
        "mode": violation.mode,
        "rows": violation.rows or None,
        "statement": violation.statement,
        "file": violation.file,
        "file_line": violation.file_line or None,
    }


def _place(place: Place | None) -> dict[str, Any]:
    if place is None or not place.function:
        return {"function": None, "line": None}
    return {"function": place.function, "line": place.line}
