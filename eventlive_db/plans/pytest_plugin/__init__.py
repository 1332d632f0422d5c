"""The pytest plugin: suites in ``plans.toml`` are collected, and tests may use the fixture ``plan_guard``.

Loaded by its entry point wherever the package is installed. It imports and starts nothing before it is needed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from eventlive_db.plans.pytest_plugin.fixture import PlanGuard, Template
    from eventlive_db.plans.session import Session

_SESSION: pytest.StashKey[Session] = pytest.StashKey()
_SUMMARY: pytest.StashKey[list[tuple[str, str]]] = pytest.StashKey()
_USED: pytest.StashKey[set[str]] = pytest.StashKey()

ROW = "plan_guard"
"""Name of the user property that carries a case's figures to the terminal and to JUnit."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("plan guard", "what calls cost inside their functions (eventlive-db)")
    group.addoption("--plan-update", action="store_true", help="write the snapshots of all plans, remove unused ones")
    group.addoption("--plan-update-new-only", action="store_true", help="write the snapshots that are missing")
    group.addoption(
        "--plan-complete",
        action="store_true",
        default=_true("CI"),
        help="fail where a snapshot is missing or unused (default where the variable CI is set)",
    )
    group.addoption(
        "--plan-dsn", default=os.environ.get("PLAN_GUARD_DSN"), help="a server, as superuser (PLAN_GUARD_DSN)"
    )
    group.addoption("--plan-kind", default=None, help="where a server comes from: container, installed or embedded")
    group.addoption("--plan-table", action="store_true", help="print what each case cost")


def pytest_configure(config: pytest.Config) -> None:
    """Prepare what the run collects."""
    config.stash[_SUMMARY] = []
    config.stash[_USED] = set()


def session_of(config: pytest.Config) -> Session:
    """The server and databases of this run, opened when they are first needed."""
    from eventlive_db.plans.check import Options
    from eventlive_db.plans.session import Session

    if _SESSION not in config.stash:
        update = "all" if config.getoption("plan_update") else "new" if config.getoption("plan_update_new_only") else ""
        config.stash[_SESSION] = Session(
            dsn=config.getoption("plan_dsn"),
            kind=config.getoption("plan_kind"),
            options=Options(complete=bool(config.getoption("plan_complete"))),
            update=update,
        )
    return config.stash[_SESSION]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect ``plans.toml`` and ``*.plans.toml``."""
    if file_path.name != "plans.toml" and not file_path.name.endswith(".plans.toml"):
        return None
    from eventlive_db.plans.pytest_plugin.items import SuiteFile

    return SuiteFile.from_parent(parent, path=file_path)


@pytest.fixture(scope="session")
def plan_guard_schema() -> object:
    """What ``plan_guard`` measures in: paths of SQL files, or a function that is given the DSN of an empty database.

    Override it in ``conftest.py``.
    """
    msg = (
        "plan_guard needs a schema: define in conftest.py a session fixture plan_guard_schema that returns the paths of"
        " SQL files, or a function that builds the schema and is given a DSN"
    )
    raise pytest.UsageError(msg)


@pytest.fixture(scope="session")
def _plan_guard_template(pytestconfig: pytest.Config, plan_guard_schema: Any) -> Iterator[Template]:
    from eventlive_db.plans.pytest_plugin.fixture import Template

    template = Template(session_of(pytestconfig), plan_guard_schema, pytestconfig.rootpath)
    yield template
    template.close()


@pytest.fixture
def plan_guard(request: pytest.FixtureRequest, _plan_guard_template: Template) -> Iterator[PlanGuard]:
    """Hold calls against budgets, each test in a fresh copy of the schema. See ``PlanGuard.check``."""
    from eventlive_db.plans.pytest_plugin.fixture import PlanGuard

    guard = PlanGuard(_plan_guard_template, request.path, request.node.name)
    yield guard
    guard.close()
    request.config.stash[_USED].update({str(path) for path in guard.used})
    for name, row in guard.rows:
        request.node.user_properties.append((ROW, f"{name}: {row}"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Drop the databases and stop the server; hand what was used to the process that collects it."""
    config = session.config
    if _SESSION in config.stash:
        config.stash[_SESSION].close()
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output["plan_guard_used"] = sorted(config.stash[_USED])
        return
    if config.getoption("plan_complete") and not _is_partial(config):
        from eventlive_db.plans.pytest_plugin.unused import unused_files

        unused = unused_files({Path(path) for path in config.stash[_USED]})
        for path in unused:
            config.stash[_SUMMARY].append(("unused", f"{path} belongs to no test: delete it"))
        if unused and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001  # the name is the hook's
    """Take what a worker of pytest-xdist used."""
    used = getattr(node, "workeroutput", {}).get("plan_guard_used", ())
    node.config.stash[_USED].update(used)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what the cases cost, and the snapshots that belong to no test."""
    rows = [
        str(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") in {"call", "teardown"}
        for name, value in report.user_properties
        if name == ROW
    ]
    if rows and config.getoption("plan_table"):
        terminalreporter.section("plan guard")
        for row in dict.fromkeys(rows):
            terminalreporter.line(row)
    for kind, line in config.stash[_SUMMARY]:
        terminalreporter.line(f"plan guard: {kind} snapshot: {line}", red=True)


def _is_partial(config: pytest.Config) -> bool:
    """Whether tests were left out, so that a snapshot which was not used may belong to one of them."""
    option = config.option
    chosen = any("::" in str(argument) for argument in config.args)
    return bool(
        chosen
        or option.keyword
        or option.markexpr
        or getattr(option, "lf", False)
        or getattr(option, "maxfail", 0)
        or getattr(option, "deselect", None)
        or option.collectonly
    )


def _true(variable: str) -> bool:
    return os.environ.get(variable, "").lower() not in {"", "0", "false", "no"}
