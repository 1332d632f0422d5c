"""Cases of a suite file as tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from eventlive_db.plans.case import Case
from eventlive_db.plans.check import unused_snapshots
from eventlive_db.plans.errors import PlansError
from eventlive_db.plans.pytest_plugin import session_of
from eventlive_db.plans.pytest_plugin.failure import PlanFailure, properties
from eventlive_db.plans.pytest_plugin.progress import NOTE
from eventlive_db.plans.suite import Suite, load_suite
from eventlive_db.plans.update import remove_unused
from eventlive_db.plans.verdict import CaseReport
from eventlive_db.server import ServerError


class SuiteFile(pytest.File):
    """A suite file."""

    def collect(self) -> Iterable[pytest.Item]:
        """One test for each case, and one for the snapshots."""
        try:
            suite = load_suite(self.path)
        except PlansError as error:
            raise self.CollectError(str(error)) from error
        if not suite.cases:
            msg = f"{self.path} has no case: write [[case]] with a name, a call and a budget"
            raise self.CollectError(msg)
        # With --dist loadfile, or loadgroup where pytest is older than 9.2, one process builds the databases and judges
        # all of the suite in them.
        group = pytest.mark.xdist_group(f"plans:{self.path}")
        items: list[pytest.Item] = [
            CaseItem.from_parent(self, name=case.name, suite=suite, case=case) for case in suite.cases
        ]
        name = "snapshots" if all(case.name != "snapshots" for case in suite.cases) else "snapshots (files)"
        items.append(SnapshotsItem.from_parent(self, name=name, suite=suite))
        for item in items:
            item.add_marker(group)
        return items


class _Item(pytest.Item):
    def __init__(self, *, suite: Suite, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.suite = suite

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The sentences alone, without a traceback through this plugin."""
        if isinstance(excinfo.value, PlanFailure | PlansError | ServerError | psycopg.Error):
            return str(excinfo.value).strip()
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
        session = session_of(self.config)
        report = session.judge(self.suite, self.case)
        self.user_properties.extend(properties(report, updating=bool(session.update)))
        if not report.passed:
            raise PlanFailure(report)


class SnapshotsItem(_Item):
    """That each snapshot on disk belongs to a case."""

    def runtest(self) -> None:
        """Look, and remove what is unused where the run updates."""
        session = session_of(self.config)
        store = session.store(self.suite.snapshots)
        if session.update == "all":
            removed = remove_unused(self.suite, store)
            self.user_properties.extend(
                (NOTE, f"snapshots: removed {path.name}, which belongs to no case") for path in removed
            )
        unused = unused_snapshots(self.suite, store) if session.options.complete else ()
        if unused:
            raise PlanFailure(CaseReport("snapshots", "", violations=unused))
