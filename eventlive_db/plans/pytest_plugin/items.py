"""Cases of a suite file as tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from eventlive_db.plans.case import Case
from eventlive_db.plans.check import unused_snapshots
from eventlive_db.plans.errors import PlansError
from eventlive_db.plans.model import CaseReport, Report, Run
from eventlive_db.plans.pytest_plugin import ROW, session_of
from eventlive_db.plans.report.annotations import annotations as annotated
from eventlive_db.plans.suite import Suite, load_suite
from eventlive_db.plans.update import remove_unused


class PlanFailure(AssertionError):  # noqa: N818  # pytest calls a failed assertion a failure
    """A budget, guard or snapshot does not hold.

    Attributes:
        report: The case.
    """

    def __init__(self, report: CaseReport) -> None:
        self.report = report
        super().__init__(_failure_text(report))


def _failure_text(report: CaseReport) -> str:
    count = len(report.violations)
    lines = [f"{report.name}: {count} {'thing does' if count == 1 else 'things do'} not hold"]
    for violation in report.violations:
        lines += [f"  {'  ' if i else ''}{line}" for i, line in enumerate(violation.sentences())]
    if os.environ.get("GITHUB_ACTIONS") == "true":
        lines += annotated(Report("", "", (report,)))
    return "\n".join(lines)


def figures_line(report: CaseReport) -> str:
    """What a case cost, in a line: one figure for each size where they differ."""
    runs = [m.runs["generic"] for m in report.measurements]
    if not runs:
        return "not measured"

    def told(figure: Callable[[Run], int], what: str) -> str:
        values = [figure(run) for run in runs]
        return f"{' / '.join(str(v) for v in (values if len(set(values)) > 1 else values[:1]))} {what}"

    return ", ".join(
        (
            told(lambda r: len(r.table_statements), "statements"),
            told(lambda r: r.buffers, "buffers"),
            told(lambda r: r.rows_read, "rows read"),
            told(lambda r: r.wal_records, "WAL records"),
        )
    )


class SuiteFile(pytest.File):
    """A suite file."""

    def collect(self) -> Iterable[pytest.Item]:
        """One test for each case, and one for the snapshots."""
        try:
            suite = load_suite(self.path)
        except PlansError as error:
            raise self.CollectError(str(error)) from error
        # One process builds the databases, and judges all of the suite in them.
        group = pytest.mark.xdist_group(f"plans:{self.path}")
        items: list[pytest.Item] = [
            CaseItem.from_parent(self, name=case.name, suite=suite, case=case) for case in suite.cases
        ]
        items.append(SnapshotsItem.from_parent(self, name="snapshots", suite=suite))
        for item in items:
            item.add_marker(group)
        return items


class _Item(pytest.Item):
    def __init__(self, *, suite: Suite, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.suite = suite

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The sentences alone, without a traceback through this plugin."""
        if isinstance(excinfo.value, PlanFailure | PlansError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The suite file and the name."""
        return self.path, None, self.name


class CaseItem(_Item):
    """A case."""

    def __init__(self, *, case: Case, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case

    def runtest(self) -> None:
        """Judge it."""
        report = session_of(self.config).judge(self.suite, self.case)
        self.user_properties.append((ROW, f"{self.case.name}: {figures_line(report)}"))
        for note in report.notes:
            self.user_properties.append(("plan_guard_note", f"{self.case.name}: {note}"))
        if not report.passed:
            raise PlanFailure(report)


class SnapshotsItem(_Item):
    """That each snapshot on disk belongs to a case."""

    def runtest(self) -> None:
        """Look, and remove what is unused where the run updates."""
        session = session_of(self.config)
        store = session.store(self.suite)
        if session.update == "all":
            remove_unused(self.suite, store)
        unused = unused_snapshots(self.suite, store) if session.options.complete else ()
        if unused:
            raise PlanFailure(CaseReport("snapshots", "", violations=unused))
