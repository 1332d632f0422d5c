"""Put one fault into a database, and see which case notices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from eventlive_db.plans.case import Case
from eventlive_db.plans.errors import CallFailedError
from eventlive_db.plans.guards import slack
from eventlive_db.plans.judge import WAL_BYTES_SLACK
from eventlive_db.plans.model import MODES, PlanMode, Run
from eventlive_db.plans.mutate.bench import Bench, StillbornError
from eventlive_db.plans.mutate.model import Mutant, MutantReport, Trace, Verdict
from eventlive_db.plans.verdict import Violation

_TOLD = 3

# What a budget can limit, and by how much it differs between runs of the same work.
_FIGURES: tuple[tuple[str, Callable[[Run], int], Callable[[Run], int]], ...] = (
    ("statements", lambda run: len(run.table_statements), lambda _: 0),
    ("repeats", lambda run: max((e.count for e in run.executions), default=0), lambda _: 0),
    ("rows_read", lambda run: run.rows_read, lambda _: 0),
    ("buffers", lambda run: run.buffers, slack),
    ("wal_records", lambda run: run.wal_records, lambda _: 1),
    ("wal_bytes", lambda run: run.wal_bytes, lambda run: WAL_BYTES_SLACK * (run.wal_records + 1)),
    ("temp_blocks", lambda run: run.temp_blocks, lambda _: 0),
    ("seq_scans", lambda run: sum(len(s.sequential_scans) for s in run.statements), lambda _: 0),
    ("only_touches", lambda run: len(run.relations), lambda _: 0),
    ("sequences", lambda run: sum(run.sequences.values()), lambda _: 0),
    ("subtransactions", lambda run: len(run.subtransactions), lambda _: 0),
    ("aborted_subtransactions", lambda run: len(run.aborted), lambda _: 0),
    ("function_calls", lambda run: max(run.function_calls.values(), default=0), lambda _: 0),
)


@dataclass(slots=True)
class Trial:
    """One fault, tried case after case until one rejects it.

    Attributes:
        mutant: The fault.
        traces: What the cases do without it.
        cases: By name.
        reached: Whether a call met the fault.
        failures: Why calls failed that the fault does not fit.
        differences: What it changed, within the budgets: each figure, told.
        dearer: Whether a call became dearer in anything that a budget can limit, WAL left out, which tidying adds to.
        locked: Whether a call held more or stronger locks.
    """

    mutant: Mutant
    traces: Mapping[str, Trace]
    cases: Mapping[str, Case]
    reached: bool = False
    failures: list[str] = field(default_factory=list)
    differences: dict[str, str] = field(default_factory=dict)
    dearer: bool = False
    locked: bool = False

    def run(self, bench: Bench) -> MutantReport | None:
        """Try it; None if no case rejects it."""
        try:
            for mode in MODES:
                waiting = [self.cases[name] for name in self.mutant.cases]
                while waiting:
                    copy = bench.copy(waiting[0])
                    with copy.broken(self.mutant):
                        while waiting and bench.copy(waiting[0]) is copy and not copy.worn:
                            if killed := self._call(bench, mode, waiting.pop(0)):
                                return killed
        except StillbornError as error:
            return self.report("stillborn", sentence=str(error))
        return None

    def run_hot(self, bench: Bench) -> MutantReport | None:
        """Try it with repeated calls that are committed, and count heap-only updates."""
        for name in self.mutant.cases:
            for violation in bench.hot_violations(self.cases[name], self.traces[name], self.mutant.sql):
                return self._killed(violation, None, bench.stage.rows)
        return None

    def _call(self, bench: Bench, mode: PlanMode, case: Case) -> MutantReport | None:
        try:
            tried = bench.attempt(case, mode)
        except CallFailedError as error:
            if self.mutant.failure_kills:
                violation = Violation("call.failed", case.name, f"the call fails: {_cause(error)}")
                return self._killed(violation, mode, bench.stage.rows)
            self.failures.append(_cause(error))
            return None
        if self.mutant.marker and not any(self.mutant.marker in s.text for s in tried.run.statements):
            return None
        self.reached = True
        if tried.violations:
            return self._killed(tried.violations[0], mode, bench.stage.rows)
        self._compare(case, mode, tried.run)
        return None

    def _killed(self, violation: Violation, mode: PlanMode | None, rows: int) -> MutantReport:
        return replace(
            self.report("killed", sentence=violation.problem),
            case=violation.case,
            token=violation.token,
            mode=mode,
            rows=rows,
        )

    def _compare(self, case: Case, mode: PlanMode, run: Run) -> None:
        before = self.traces[case.name].runs[mode]
        for what, figure, margin in _FIGURES:
            was, now = figure(before), figure(run)
            if now > was + margin(before):
                self.dearer |= not what.startswith("wal")
                self._tell(case, what, f"{was} to {now}")
        # Tables may be named after the time of the call, as partitions are: only modes can be compared.
        gained = Counter(run.locks.values()) - Counter(before.locks.values())
        if gained:
            self.dearer = self.locked = True
            self._tell(case, "locks", f"gain {', '.join(sorted(gained.elements()))}")

    def _tell(self, case: Case, what: str, difference: str) -> None:
        allowed = getattr(case.budget, what)
        limit = "no limit" if allowed is None else f"allowed: {allowed or 'none'}"
        self.differences.setdefault(what, f"{what} of {case.name!r} {difference}, {limit}")

    def survived(self) -> MutantReport:
        """The report where no case rejects it."""
        mutant = self.mutant
        if not self.reached and self.failures:
            return self.report("stillborn", sentence=f"the fault fits no call: {self.failures[0]}")
        if not self.reached and mutant.marker:
            return self.report("not_counted", sentence="no case runs that statement")
        if mutant.cheap and not self.dearer:
            return self.report(
                "not_counted",
                sentence="no call becomes notably dearer: with the rows that there are, another index finds the same",
            )
        if mutant.held and not self.locked:
            return self.report("not_counted", sentence=mutant.held)
        told = "; ".join(list(self.differences.values())[:_TOLD])
        seen = f"seen, and allowed: {told}" if told else "no figure changes"
        return self.report("survived", sentence=f"{mutant.advice} ({seen})")

    def report(self, verdict: Verdict, sentence: str = "") -> MutantReport:
        """A report of this fault."""
        return MutantReport(operator=self.mutant.operator, name=self.mutant.name, verdict=verdict, sentence=sentence)


def _cause(error: CallFailedError) -> str:
    return str(error.__cause__ or error).strip().partition("\n")[0]
