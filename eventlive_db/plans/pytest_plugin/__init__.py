"""The pytest plugin: suites in ``plans.toml`` are collected, and tests may use the fixture ``plan_guard``.

Loaded by its entry point wherever the package is installed. It imports and starts nothing before it is needed.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from eventlive_db.plans.pytest_plugin.progress import ANNOTATIONS, Progress

if TYPE_CHECKING:
    from eventlive_db.plans.pytest_plugin.fixture import PlanGuard
    from eventlive_db.plans.session import Session

_SESSION: pytest.StashKey[Session] = pytest.StashKey()
_PROGRESS: pytest.StashKey[Progress] = pytest.StashKey()

# A project may have a plans.toml of another kind.
_SUITE = re.compile(r"^\s*\[+\s*(?:suite|database|scale|budget|identit|cases?\b|mutation)", re.MULTILINE)


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
    group.addoption("--plan-incomplete", action="store_false", dest="plan_complete", help="do not, even there")
    group.addoption(
        "--plan-dsn", default=os.environ.get("PLAN_GUARD_DSN"), help="a server, as superuser (PLAN_GUARD_DSN)"
    )
    group.addoption("--plan-kind", default=None, help="where a server comes from: container, installed or embedded")
    group.addoption("--plan-table", action="store_true", help="print what each case cost")


def pytest_configure(config: pytest.Config) -> None:
    """Follow the run."""
    config.addinivalue_line("markers", "xdist_group(name): cases of one suite, which one process judges")
    progress = Progress(config)
    config.stash[_PROGRESS] = progress
    config.pluginmanager.register(progress, "plan_guard_progress")


def session_of(config: pytest.Config) -> Session:
    """The server and databases of this run, opened when they are first needed and closed when pytest ends."""
    from eventlive_db.plans.check import Options
    from eventlive_db.plans.session import Session

    if _SESSION not in config.stash:
        session = Session(
            dsn=config.getoption("plan_dsn"),
            kind=config.getoption("plan_kind"),
            options=Options(complete=bool(config.getoption("plan_complete"))),
            update=_update(config),
        )
        config.stash[_SESSION] = session
        # By default SIGTERM ends Python where it stands, and the databases would stay.
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _interrupt)
        # Not before: the fixtures of an interrupted run end when the session finishes.
        config.add_cleanup(partial(_close, session))
    return config.stash[_SESSION]


def _interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _close(session: Session) -> None:
    """Drop the databases; that the server is gone is no failure of the tests."""
    import psycopg

    try:
        session.close()
    except psycopg.Error as error:
        sys.stderr.write(f"plan guard: databases could not be dropped: {str(error).strip()}\n")


def _update(config: pytest.Config) -> str:
    return "all" if config.getoption("plan_update") else "new" if config.getoption("plan_update_new_only") else ""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect ``plans.toml`` and ``*.plans.toml`` that are suites."""
    if file_path.name != "plans.toml" and not file_path.name.endswith(".plans.toml"):
        return None
    try:
        if not _SUITE.search(file_path.read_text(encoding="utf-8", errors="replace")):
            return None
    except OSError:
        pass  # told when it is collected
    from eventlive_db.plans.pytest_plugin.items import SuiteFile

    return SuiteFile.from_parent(parent, path=file_path)


@pytest.fixture(scope="session")
def plan_guard_schema() -> object:
    """What ``plan_guard`` measures in: paths of SQL files, or a function that is given the DSN of an empty database.

    Override it in ``conftest.py``. Paths are relative to pytest's root directory.
    """
    pytest.fail(
        "plan_guard needs a schema: define in conftest.py a session fixture plan_guard_schema that returns the paths of"
        " SQL files, or a function that builds the schema and is given a DSN",
        pytrace=False,
    )


@pytest.fixture
def plan_guard(request: pytest.FixtureRequest, plan_guard_schema: Any) -> Iterator[PlanGuard]:
    """Hold calls against budgets, each in a fresh copy of the schema. See ``PlanGuard.check``."""
    from eventlive_db.plans.errors import PlansError
    from eventlive_db.plans.pytest_plugin.fixture import PlanGuard, schema_suite

    problem = ""
    try:
        suite = schema_suite(plan_guard_schema, request.config.rootpath)
    except PlansError as error:
        problem = str(error)
    if problem:
        pytest.fail(problem, pytrace=False)
    # Two classes of a module may have a test of one name. Not the node's id: pytest-xdist appends the group to it.
    classes = [node.name for node in request.node.listchain() if isinstance(node, pytest.Class)]
    test = "::".join([*classes, request.node.name])
    with PlanGuard(session_of(request.config), suite, request.path, test) as guard:
        yield guard
    request.config.stash[_PROGRESS].used.update(map(str, guard.used))
    request.node.user_properties.extend(guard.properties)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the annotations of a failure, which are printed where each begins a line."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if _true("GITHUB_ACTIONS") and type(error).__name__ == "PlanFailure":
        from eventlive_db.plans.pytest_plugin.failure import PlanFailure

        if isinstance(error, PlanFailure):
            report.__dict__[ANNOTATIONS] = error.annotations()
    return report


def _true(variable: str) -> bool:
    return os.environ.get(variable, "").lower() not in {"", "0", "false", "no"}
