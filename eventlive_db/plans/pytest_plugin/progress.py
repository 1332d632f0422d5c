"""What a run of the tests tells at its end, and which snapshots it used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from eventlive_db.plans.pytest_plugin.unused import unused_files

ROW = "plan_guard"
"""Name of the user property that carries a case's figures to the terminal and to JUnit."""

NOTE = "plan_guard_note"
"""Name of the user property that carries what else a reader should know."""

ANNOTATIONS = "plan_guard_annotations"
"""Name of the attribute of a test's report that holds its annotations."""

_UNWRITTEN = "no snapshot for Postgres"
_TOLD = (": changed: ", ": snapshot written: ", "snapshots: removed ")


class Progress:
    """Follows a run, here or in the workers of pytest-xdist; a plugin of its own.

    Attributes:
        used: Snapshots that a test's ``plan_guard`` was compared with.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.used: set[str] = set()
        self._modules: set[Path] = set()
        self._partial: set[Path] = set()
        self._told: dict[tuple[str, str, str], None] = {}
        self._annotations: list[str] = []
        self._unused: list[str] = []

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Remember of which modules not all tests are run."""
        self._partial.update(item.path for item in items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a test says."""
        file = report.nodeid.partition("::")[0]
        module = self.config.rootpath / file
        self._modules.add(module)
        if report.outcome != "passed":
            self._partial.add(module)
        # Each property comes with each report of the test that follows.
        self._told |= {(report.nodeid, n, str(told)): None for n, told in report.user_properties if n in (ROW, NOTE)}
        self._annotations += getattr(report, ANNOTATIONS, ())

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ARG002  # the name is the hook's
        """Take what a worker used."""
        output = getattr(node, "workeroutput", {}).get("plan_guard", {})
        self.used.update(output.get("used", ()))
        self._partial.update(map(Path, output.get("partial", ())))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Give what was used to the process that collects it; there, look for snapshots that no test used."""
        yield
        output = getattr(self.config, "workeroutput", None)
        if output is not None:
            output["plan_guard"] = {"used": sorted(self.used), "partial": sorted(map(str, self._partial))}
        elif session.exitstatus == pytest.ExitCode.OK:
            self._look_for_unused(session)

    def _look_for_unused(self, session: pytest.Session) -> None:
        update, complete = self.config.getoption("plan_update"), self.config.getoption("plan_complete")
        chosen = self.config.getoption("lf", False) or any("::" in argument for argument in self.config.args)
        if chosen or not (update or complete):
            return
        for path in unused_files(self._modules - self._partial, {Path(path) for path in self.used}):
            told = path.relative_to(self.config.rootpath) if path.is_relative_to(self.config.rootpath) else path
            if update:
                path.unlink()
                self._unused.append(f"removed {told}, which belongs to no test")
            else:
                self._unused.append(f"snapshot.unused: {told} belongs to no test: delete it, or run --plan-update")
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what the cases cost, what was written, and the snapshots that belong to no test."""
        if self._told and self.config.getoption("plan_table"):
            terminalreporter.section("plan guard")
            for line in self._rows():
                terminalreporter.line(line)
        notes = [told for _, name, told in self._told if name == NOTE]
        for told in notes:
            if any(kind in told for kind in _TOLD):
                terminalreporter.line(f"plan guard: {told}")
        unwritten = sum(_UNWRITTEN in told for told in notes)
        if unwritten:
            plans = "1 case has no snapshot" if unwritten == 1 else f"{unwritten} cases have no snapshot"
            terminalreporter.line(f"plan guard: {plans} yet; --plan-update-new-only writes what is missing")
        for told in self._unused:
            terminalreporter.line(f"plan guard: {told}", red=told.startswith("snapshot."))
        for annotation in self._annotations:
            terminalreporter.ensure_newline()
            terminalreporter.line(annotation)

    def _rows(self) -> Iterator[str]:
        by_file: dict[str, list[str]] = defaultdict(list)
        for nodeid, name, told in self._told:
            if name == ROW:
                by_file[nodeid.partition("::")[0]].append(told)
        for file in sorted(by_file):
            yield file
            yield from (f"  {told}" for told in by_file[file])
