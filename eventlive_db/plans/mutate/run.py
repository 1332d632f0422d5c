"""Break a suite's database in one way after the other, and see which budget notices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace

from eventlive_db.plans.arena import Arena
from eventlive_db.plans.case import Case
from eventlive_db.plans.mutate.bench import Bench, refuse, trace_cases
from eventlive_db.plans.mutate.catalog import read_catalog
from eventlive_db.plans.mutate.indexes import drop_index, index_written_column
from eventlive_db.plans.mutate.insertions import assign_xid, insertions
from eventlive_db.plans.mutate.model import Mutant, MutantReport, MutationReport, Trace
from eventlive_db.plans.mutate.named import named
from eventlive_db.plans.mutate.rewrites import defeat_index, helper_per_row, update_on_conflict
from eventlive_db.plans.mutate.trial import Trial
from eventlive_db.plans.suite import Suite

Progress = Callable[[MutantReport], None]


def mutate(
    suite: Suite, arena: Arena, cases: Iterable[Case] | None = None, progress: Progress = lambda _: None
) -> MutationReport:
    """Test the budgets of a suite.

    Every fault is put into a copy of the smallest stage, and the cases that touch what is broken are called, with
    generic plans and then with custom ones, until one of them is rejected by its budget. Snapshots do not count: they
    reject whatever differs.

    Args:
        suite: What.
        arena: Its databases.
        cases: Those that may reject a fault; None for all.
        progress: Told of each fault when it has been tried.

    Raises:
        SuiteError: A case does not pass with nothing broken (``baseline_fails``), or a mutation that the suite names
            does not fit the function (``invalid_mutation``).
        CaptureUnavailableError: auto_explain cannot be loaded.
    """
    chosen = suite.cases if cases is None else tuple(cases)
    reports: list[MutantReport] = []
    with ExitStack() as stack:
        bench = stack.enter_context(closing(Bench(arena, arena.stages[0])))
        traces = trace_cases(bench, chosen)
        workshop = _Workshop(arena, {case.name: case for case in chosen}, bench, traces, stack)
        for mutant in mutants_of(suite, bench, chosen, traces):
            report = workshop.report(mutant)
            progress(report)
            reports.append(report)
    return MutationReport(suite.name, arena.version, tuple(reports))


def mutants_of(suite: Suite, bench: Bench, cases: tuple[Case, ...], traces: Mapping[str, Trace]) -> tuple[Mutant, ...]:
    """Every fault that can be put into a database, and that one of the cases could see.

    Raises:
        SuiteError: A mutation that the suite names does not fit the function.
    """
    recorded = bench.copy().connection("generic")
    catalog = read_catalog(recorded[0], traces)
    return (
        *drop_index(catalog),
        *index_written_column(catalog, recorded, cases),
        *insertions(catalog),
        *assign_xid(catalog, cases),
        *update_on_conflict(catalog),
        *helper_per_row(catalog),
        *defeat_index(catalog),
        *named(catalog, suite.mutations, cases),
    )


@dataclass(slots=True)
class _Workshop:
    """Where faults are tried: at the smallest size, and some over repeated calls or at a larger size too.

    Whatever rejects a fault there is first seen to accept the database with nothing broken.
    """

    arena: Arena
    cases: Mapping[str, Case]
    bench: Bench
    traces: Mapping[str, Trace]
    stack: ExitStack
    _larger: Bench | None = None
    _larger_traces: dict[str, Trace] = field(default_factory=dict)
    _hot: set[str] = field(default_factory=set)

    def report(self, mutant: Mutant) -> MutantReport:
        """Try one fault."""
        trial = Trial(mutant, self.traces, self.cases)
        if mutant.not_counted:
            return trial.report("not_counted", sentence=mutant.not_counted)
        report = trial.run(self.bench)
        if report is None and mutant.hot:
            report = self._repeatedly(trial)
        if report is None and mutant.larger:
            report = self._at_larger_size(mutant)
        return report or trial.survived()

    def _repeatedly(self, trial: Trial) -> MutantReport | None:
        for name in trial.mutant.cases:
            if name not in self._hot:
                found = self.bench.hot_violations(self.cases[name], self.traces[name])
                refuse([f"{name}: {v.token}: {v.problem}" for v in found], self.bench.stage)
                self._hot.add(name)
        return trial.run_hot(self.bench)

    def _at_larger_size(self, mutant: Mutant) -> MutantReport | None:
        names = tuple(name for name in mutant.cases if self.cases[name].scaled)
        if len(self.arena.stages) < 2 or not names:
            return None
        if self._larger is None:
            self._larger = self.stack.enter_context(closing(Bench(self.arena, self.arena.stages[1])))
        unknown = tuple(self.cases[name] for name in names if name not in self._larger_traces)
        self._larger_traces |= trace_cases(self._larger, unknown)
        return Trial(replace(mutant, cases=names), self._larger_traces, self.cases).run(self._larger)
