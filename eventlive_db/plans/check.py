"""Judge the cases of a suite: measure, hold against the budget, compare with the snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from eventlive_db.plans.arena import Arena, Stage
from eventlive_db.plans.budget import Budget, matches
from eventlive_db.plans.case import Case
from eventlive_db.plans.difference import Change, differences
from eventlive_db.plans.errors import CallFailedError, SuiteError
from eventlive_db.plans.frames import Place
from eventlive_db.plans.guards import environment_violations, run_violations, steady_run
from eventlive_db.plans.judge import judge
from eventlive_db.plans.measure import measure_both, measure_updates
from eventlive_db.plans.model import Measurement, Updates
from eventlive_db.plans.snapshot import parse, render, take
from eventlive_db.plans.sources import Sources, read_sources
from eventlive_db.plans.store import SnapshotStore
from eventlive_db.plans.suite import Suite
from eventlive_db.plans.ties import MARGIN, Tie, find_ties
from eventlive_db.plans.verdict import CaseReport, Report, Violation

_WRITE_NEW = "eventlive-db plans update --new-only (pytest --plan-update-new-only)"


@dataclass(frozen=True, slots=True)
class Options:
    """How strictly a suite is judged.

    Attributes:
        snapshots: Whether plans are compared with those on disk.
        complete: Whether a snapshot that is missing, or that no case uses, fails; as it should in CI.
        margin: How close, as a share of the cheaper one, the costs of two indexes are a tie.
    """

    snapshots: bool = True
    complete: bool = False
    margin: float = MARGIN


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges cases in the databases of an arena.

    Attributes:
        arena: The databases.
        store: Snapshots on disk; None to compare with none.
        sources: Where functions are written.
        folder: What the files of violations are told relative to.
        options: How strictly.
    """

    arena: Arena
    store: SnapshotStore | None
    sources: Sources
    folder: Path
    options: Options = Options()

    def judge(self, case: Case) -> CaseReport:
        """Measure and judge one case.

        Returns:
            The report; a call that fails is a violation of it, ``call.failed``.

        Raises:
            SuiteError: A budget names a table that does not exist.
            CaptureUnavailableError: auto_explain cannot be loaded.
        """
        stages = self.arena.stages if case.scaled else self.arena.stages[:1]
        try:
            measured = [self._measure(stage, case) for stage in stages]
            updates = self._updates(case)
        except CallFailedError as error:
            return CaseReport(case.name, case.call, violations=(Violation("call.failed", case.name, str(error)),))
        measurements = tuple(m.measurement for m in measured)
        measurements = (replace(measurements[0], updates=updates), *measurements[1:])
        violations = [v for m in measured for v in m.violations]
        violations += self._environment(case, measurements[-1], stages[-1])
        violations += judge(case.name, measurements, case.budget)
        violations += _idle(case, updates)
        violations += [tie.violation(case.name) for tie in measured[0].ties if not tie.accepted(case.budget.ties)]
        report = CaseReport(case.name, case.call, measurements, tuple(_once(violations)), notes=_notes(case, measured))
        if case.snapshot and self.store is not None:
            report = self._compare(report, case)
        return replace(report, violations=tuple(self._located(v) for v in report.violations))

    def _measure(self, stage: Stage, case: Case) -> _Measured:
        # In a copy of its own: calls are rolled back, but their dead rows stay, and what comes before them does too.
        with self.arena.copy(stage) as dsn:
            runs = measure_both(dsn, case)
            steady = {mode: steady_run(repeated) for mode, repeated in runs.items()}
            ties = find_ties(dsn, case, steady["generic"], self.options.margin) if stage is self.arena.stages[0] else ()
        violations = [
            replace(v, rows=stage.rows)
            for mode, repeated in runs.items()
            for v in run_violations(
                case.name, mode, repeated, limits_errors=case.budget.aborted_subtransactions is not None
            )
        ]
        return _Measured(Measurement(steady, stage.rows, stage.raised), tuple(violations), ties)

    def _updates(self, case: Case) -> dict[str, Updates]:
        if case.budget.hot is None:
            return {}
        with self.arena.copy(self.arena.stages[0]) as dsn:
            return measure_updates(dsn, case)

    def _environment(self, case: Case, measurement: Measurement, stage: Stage) -> Iterator[Violation]:
        touched = {table for run in measurement.runs.values() for table in run.relations}
        with psycopg.connect(stage.dsn, autocommit=True) as connection:
            check_tables(connection, case.name, case.budget)
            yield from environment_violations(connection, case.name, touched, stage.analyzed_rows)

    def _compare(self, report: CaseReport, case: Case) -> CaseReport:
        assert self.store is not None  # noqa: S101  # the caller looked
        snapshot = take(report.measurements[-1].runs)
        before = self.store.read(case.name)
        report = replace(report, snapshot=render(snapshot), snapshot_before=before)
        if before is None:
            if not self.options.complete:
                note = f"no snapshot for Postgres {self.arena.major} yet; {_WRITE_NEW} writes it"
                return replace(report, notes=(*report.notes, note))
            missing = Violation(
                "snapshot.missing",
                case.name,
                f"there is no snapshot for Postgres {self.arena.major}",
                f"the case is new: write it with {_WRITE_NEW}, review it and commit it",
            )
            return replace(report, violations=(*report.violations, missing))
        changes = differences(parse(before), snapshot)
        violations = tuple(
            Violation(f"snapshot.{c.kind}", case.name, c.sentence, place=Place(c.function), statement=c.statement)
            for c in changes
        )
        explained = tuple(_explained(v, changes) for v in report.violations)
        return replace(report, changes=tuple(c.sentence for c in changes), violations=(*explained, *violations))

    def _located(self, violation: Violation) -> Violation:
        found = self.sources.find(violation.place) if violation.place else None
        if found is None or violation.file:
            return violation
        file, line = found
        return replace(violation, file=relative(file, self.folder), file_line=line)


def relative(file: Path, folder: Path) -> str:
    """A file's path as a person in that folder would write it."""
    file, folder = file.resolve(), folder.resolve()
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.as_posix()


def check(
    suite: Suite,
    arena: Arena,
    options: Options = Options(),
    cases: Iterable[Case] | None = None,
    progress: Callable[[CaseReport], None] = lambda _: None,
) -> Report:
    """Judge a suite.

    Args:
        suite: What.
        arena: Its databases.
        options: How strictly.
        cases: Those to be judged; None for all. A snapshot that none uses is looked for only if it is all.
        progress: Told of each case when it is judged.

    Raises:
        SuiteError: The suite names something that does not exist.
        CaptureUnavailableError: auto_explain cannot be loaded.
    """
    store = SnapshotStore(suite.snapshots, arena.major) if options.snapshots else None
    judge = Judge(arena, store, read_sources(suite.sources), Path.cwd(), options)
    reports = []
    for case in suite.cases if cases is None else cases:
        report = judge.judge(case)
        progress(report)
        reports.append(report)
    unused = unused_snapshots(suite, store) if store and options.complete and cases is None else ()
    return Report(suite.name, arena.version, tuple(reports), unused)


def unused_snapshots(suite: Suite, store: SnapshotStore) -> tuple[Violation, ...]:
    """A violation for each snapshot on disk that belongs to no case."""
    return tuple(
        Violation(
            "snapshot.unused",
            "",
            f"{relative(path, Path.cwd())} belongs to no case",
            "the case was renamed or removed: delete the file, or run --plan-update",
        )
        for path in store.unused(case.name for case in suite.cases if case.snapshot)
    )


def check_tables(connection: psycopg.Connection[tuple[object, ...]], case: str, budget: Budget) -> None:
    """See that each table that a budget names exists: a misspelt one in ``never_touches`` would always hold.

    Raises:
        SuiteError: One does not.
    """
    rows = connection.execute(
        "select n.nspname || '.' || c.relname from pg_catalog.pg_class c"
        " join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'm', 'f')"
    ).fetchall()
    tables = [str(name) for (name,) in rows]
    for key, pattern in budget.tables:
        if not any(matches(table, [pattern]) for table in tables):
            msg = f"case {case!r}: budget {key} names {pattern!r}, and there is no such table"
            raise SuiteError(msg, "Write it as table or schema.table", token="unknown_table")


@dataclass(frozen=True, slots=True)
class _Measured:
    """What one size gave."""

    measurement: Measurement
    violations: tuple[Violation, ...]
    ties: tuple[Tie, ...]


def _notes(case: Case, measured: Iterable[_Measured]) -> tuple[str, ...]:
    raised = [
        f"at {m.measurement.rows:,} rows only the planner was told of: {', '.join(m.measurement.raised)}"
        for m in measured
        if m.measurement.raised
    ]
    ties = [
        f"tie accepted on {tie.scan.relation}: {' = '.join(sorted((tie.scan.index, tie.runner_up)))}"
        for m in measured
        for tie in m.ties
        if tie.accepted(case.budget.ties)
    ]
    return tuple(dict.fromkeys([*raised, *ties]))


def _idle(case: Case, updates: dict[str, Updates]) -> Iterator[Violation]:
    if case.budget.hot is not None and max((u.total for u in updates.values()), default=0) < case.repeat:
        told = ", ".join(f"{table} {u.total}" for table, u in updates.items()) or "none"
        yield Violation(
            "guard.idle",
            case.name,
            f"{case.repeat} calls were to show heap-only updates, and fewer updated a row ({told})",
            "only the first call has something to do; put what makes the next one write into before",
        )


def _explained(violation: Violation, changes: Iterable[Change]) -> Violation:
    """A violation whose likely cause is what changed in the plans of that function since the snapshot."""
    known = [c.sentence for c in changes if violation.place is None or c.function == violation.place.name]
    return replace(violation, cause="; ".join(known)) if known else violation


def _once(violations: Iterable[Violation]) -> Iterator[Violation]:
    seen: set[tuple[str, Place | None, str]] = set()
    for violation in violations:
        is_guard = violation.token.startswith("guard.")
        key = violation.token, violation.place, "" if is_guard and violation.mode else violation.problem
        if key not in seen:
            seen.add(key)
            yield violation
