"""Where faults are tried: copies of a stage, with a connection for each plan mode, and calls made on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from eventlive_db.plans.arena import Arena, Stage
from eventlive_db.plans.capture import Recording
from eventlive_db.plans.case import Case
from eventlive_db.plans.errors import CallFailedError, PlansError, SuiteError
from eventlive_db.plans.guards import steady_run
from eventlive_db.plans.judge import judge, judge_run
from eventlive_db.plans.measure import execute, measure_updates, measuring, prepare
from eventlive_db.plans.model import MODES, Measurement, PlanMode, Run
from eventlive_db.plans.mutate.catalog import bare_signatures
from eventlive_db.plans.mutate.model import Mutant, Trace
from eventlive_db.plans.verdict import Violation

WRITTEN_PER_COPY = 2_000
"""WAL records that calls may write in one copy: what is rolled back leaves dead rows, which make later calls dearer."""

WARMUPS = 1
"""Calls that are thrown away; in the copy of a database, only this connection's caches have to be filled."""

MEASURED = 3
"""Calls of which the cheapest one is judged, unless an earlier one fits."""


class StillbornError(PlansError):
    """A fault that cannot be put into the database."""


Recorded = tuple[psycopg.Connection[Any], Recording]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A case, called a few times.

    Attributes:
        run: The cheapest of the calls.
        violations: What of it does not fit its budget.
    """

    run: Run
    violations: tuple[Violation, ...]


@dataclass(slots=True)
class Copy:
    """A copy of a stage, with a connection for each plan mode; it can be broken and mended.

    Attributes:
        arena: Whose stage it is.
        stage: The database that is copied.
        written: WAL records that calls wrote in it.
    """

    arena: Arena
    stage: Stage
    written: int = 0
    _stack: ExitStack = field(default_factory=ExitStack)
    _dsn: str = ""
    _open: dict[PlanMode, Recorded] = field(default_factory=dict)

    @property
    def worn(self) -> bool:
        """Whether calls have left so much behind that it is to be made anew."""
        return self.written > WRITTEN_PER_COPY

    def connection(self, mode: PlanMode) -> Recorded:
        """The connection of that mode."""
        if not self._dsn:
            self._dsn = self._stack.enter_context(self.arena.copy(self.stage))
        if mode not in self._open:
            self._open[mode] = self._stack.enter_context(measuring(self._dsn, mode))
        return self._open[mode]

    @contextmanager
    def broken(self, mutant: Mutant) -> Iterator[None]:
        """Break it until the block ends.

        That is committed: inside a transaction calls cost more than they do (foreign keys of rows that it wrote itself
        are checked again, and nothing is pruned), and the transaction ids they take are not seen.

        Raises:
            StillbornError: It cannot be broken in that way.
        """
        connection, _ = self.connection("generic")
        try:
            connection.execute(mutant.sql.encode())
        except psycopg.DatabaseError as error:
            self.close()
            raise StillbornError(str(error).strip().partition("\n")[0]) from error
        mended = False
        try:
            yield
            if mutant.undo and not self.worn:
                connection.execute(mutant.undo.encode())
                mended = True
        finally:
            if not mended:
                self.close()

    def close(self) -> None:
        """Drop it; the next connection makes it anew."""
        self._stack.close()
        self._open.clear()
        self._dsn, self.written = "", 0


@dataclass(slots=True)
class Bench:
    """The copies of one stage; close them at the end.

    Attributes:
        arena: Whose stage it is.
        stage: The database that is copied.
    """

    arena: Arena
    stage: Stage
    _copies: dict[str, Copy] = field(default_factory=dict)

    def copy(self, case: Case | None = None) -> Copy:
        """Where a case is called: what comes before a call stays, and must not meet another case."""
        name = case.name if case is not None and case.before else ""
        return self._copies.setdefault(name, Copy(self.arena, self.stage))

    def close(self) -> None:
        """Drop the copies."""
        for copy in self._copies.values():
            copy.close()

    def attempt(self, case: Case, mode: PlanMode) -> Attempt:
        """Call a case, warmed up; and again before it is rejected, for a call may pay for tidying up after another one.

        Raises:
            CallFailedError: A call failed.
        """
        copy = self.copy(case)
        connection, recording = copy.connection(mode)
        connection.execute("discard plans")
        runs: list[Run] = []
        for number in range(WARMUPS + MEASURED):
            prepare(connection, case)
            runs.append(execute(connection, recording, case))
            copy.written += runs[-1].wal_records
            if number >= WARMUPS:
                steady = steady_run(tuple(runs[WARMUPS:]))
                violations = tuple(judge_run(case.name, steady, case.budget))
                if not violations:
                    break
        return Attempt(steady, violations)

    def hot_violations(self, case: Case, trace: Trace, sql: str = "") -> tuple[Violation, ...]:
        """What repeated calls that stay say of heap-only updates, in a copy of their own.

        Args:
            case: The call.
            trace: What it does while nothing is broken.
            sql: What is broken before.

        Raises:
            CallFailedError: A call failed.
        """
        with self.arena.copy(self.stage) as dsn:
            if sql:
                with psycopg.connect(dsn, autocommit=True) as connection:
                    connection.execute(sql.encode())
            updates = measure_updates(dsn, case)
        return judge(case.name, (Measurement(trace.runs, updates=updates),), case.budget)


def trace_cases(bench: Bench, cases: tuple[Case, ...]) -> dict[str, Trace]:
    """Call each case with nothing broken, in the very way in which broken ones are called.

    Raises:
        SuiteError: A case does not pass.
    """
    runs: dict[str, dict[PlanMode, Run]] = {case.name: {} for case in cases}
    problems: list[str] = []
    for mode in MODES:
        for case in cases:
            try:
                tried = bench.attempt(case, mode)
            except CallFailedError as error:
                problems.append(str(error))
                continue
            runs[case.name][mode] = tried.run
            if bench.copy(case).worn:
                bench.copy(case).close()
            problems += [f"{case.name}: {v.token}: {v.problem}" for v in tried.violations]
    refuse(problems, bench.stage)
    return {name: _trace(found) for name, found in runs.items()}


def refuse(problems: list[str], stage: Stage) -> None:
    """Refuse to break what is broken already.

    Raises:
        SuiteError: There are problems.
    """
    if problems:
        at = f" at {stage.rows:,} rows" if stage.rows else ""
        msg = f"with nothing broken, the suite does not pass{at}: {'; '.join(dict.fromkeys(problems))}"
        raise SuiteError(msg, "Mend that first; plans check tells more", token="baseline_fails")


def _trace(runs: Mapping[PlanMode, Run]) -> Trace:
    statements = [s for run in runs.values() for s in run.statements]
    nodes = [(s.relations, node) for s in statements for node in s.node.walk()]
    return Trace(
        runs=runs,
        relations=tuple(dict.fromkeys(r for s in statements for r in s.relations)),
        indexes=frozenset(
            (table, index)
            for tables, node in nodes
            for index in (*((node.index,) if node.index and node.ran else ()), *node.arbiters)
            for table in tables
        ),
        functions=frozenset(name for run in runs.values() for name in run.function_calls),
        texts=frozenset(s.text for s in statements),
        signatures=bare_signatures(frame.name for s in statements for frame in s.frames if frame.kind == "plpgsql"),
    )
