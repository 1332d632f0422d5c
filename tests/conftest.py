"""Fixtures for the whole project: one Postgres for each test process, and fresh databases in it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from eventlive_db.plans.coverage import COVERAGE_SETTINGS
from eventlive_db.resources import sql_dir
from eventlive_db.server import KINDS, TEST_SETTINGS, Server, open_server
from tests.support.database import EventliveDatabase, Furnish
from tests.support.server import busy

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parent.parent

# The same examples in each run, and none judged by the clock of a busy machine.
settings.register_profile("eventlive", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("eventlive")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--pg-kind`` and ``--sql-coverage``."""
    parser.addoption(
        "--pg-kind",
        choices=KINDS,
        default=None,
        help="where the tests' Postgres comes from (default: EVENTLIVE_POSTGRES, else the first there is)",
    )
    parser.addoption(
        "--sql-coverage",
        type=Path,
        default=None,
        metavar="DIR",
        help="have the tests' Postgres log each statement, and keep its logs in DIR (see make coverage)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Judge the plans on the same kind of Postgres; let signals do what they usually do.

    What a shell starts in the background ignores SIGINT and SIGQUIT, and so would each program that a test starts to
    end it so.
    """
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    if config.option.plan_kind is None:
        config.option.plan_kind = config.getoption("--pg-kind")


LONG = {
    ROOT / "tests" / name
    for name in (
        "plans/eventlive/plans.toml",
        "test_docs.py",
        "plans/test_plugin.py",
        "cli/test_plans.py",
        "server/test_life.py",
        "server/test_access.py",
        "server/test_cli.py",
        "client/loops/test_herd.py",
    )
}
"""Files of many tests that take long all the same."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several workers, begin with what would be waited for at the end: what is long, and files of few tests."""
    if hasattr(config, "workerinput"):
        tests = Counter(item.path for item in items)
        items.sort(key=lambda item: (item.path not in LONG, tests[item.path]))


@pytest.fixture(scope="session")
def pg_server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """The Postgres of this test process; with pytest-xdist each worker has its own cluster."""
    logs: Path | None = pytestconfig.getoption("--sql-coverage")
    configured = {**TEST_SETTINGS, **(COVERAGE_SETTINGS if logs else {})}
    kind = pytestconfig.getoption("--pg-kind")
    with open_server(kind=kind, settings=configured) as opened, busy(opened) as server:
        if logs and server.log is None:
            pytest.exit("--sql-coverage reads the server's log: take --pg-kind installed or embedded", returncode=2)
        yield server
        if logs and server.log:
            # Copied, for the log goes with the server.
            logs.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(server.log, logs / f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}.log")


@pytest.fixture
def make_database(pg_server: Server) -> Iterator[Callable[..., str]]:
    """Make a database and get its DSN: ``make_database()`` an empty one, ``make_database(name)`` a copy.

    Dropped after the test, whoever is connected. A session fixture that installs the schema once in a
    template database (``pg_server.create_database``) gives the name to copy.
    """
    made: list[str] = []

    def make(template: str | None = None) -> str:
        # Not from the random module, which pytest-randomly seeds the same in each worker.
        name = f"test_{secrets.token_hex(8)}"
        dsn = pg_server.create_database(name, template)
        made.append(name)
        return dsn

    yield make
    for name in made:
        pg_server.drop_database(name)


@pytest.fixture
def empty_database(make_database: Callable[..., str]) -> str:
    """DSN of a fresh database with nothing in it."""
    return make_database()


@pytest.fixture(scope="session")
def schema_template(pg_server: Server) -> Iterator[str]:
    """The name of a database that holds the declared schema and nothing else; copy it, never connect to it."""
    name = f"test_template_{secrets.token_hex(8)}"
    with psycopg.connect(pg_server.create_database(name)) as connection:
        for path in sorted(sql_dir().glob("*/*.sql")):
            connection.execute(path.read_bytes())
    yield name
    pg_server.drop_database(name)


@pytest.fixture
def open_copy(make_database: Callable[..., str]) -> Iterator[Callable[[str], EventliveDatabase]]:
    """Copy a database for this test alone: ``open_copy(template)``."""
    with ExitStack() as stack:

        def open_one(template: str) -> EventliveDatabase:
            database = EventliveDatabase(make_database(template))
            stack.callback(database.close)
            return database

        yield open_one


@pytest.fixture
def db(open_copy: Callable[[str], EventliveDatabase], schema_template: str) -> EventliveDatabase:
    """A database with the schema in it, for this test alone."""
    return open_copy(schema_template)


@pytest.fixture(scope="module")
def furnish(pg_server: Server, schema_template: str) -> Iterator[Furnish]:
    """Fill a database once for the tests of a module, which copy it: ``furnish(fill)``, the name of the database."""
    with ExitStack() as stack:

        def make(fill: Callable[[EventliveDatabase], object]) -> str:
            name = f"test_furnished_{secrets.token_hex(8)}"
            stack.callback(pg_server.drop_database, name)
            database = EventliveDatabase(pg_server.create_database(name, schema_template))
            try:
                fill(database)
            finally:
                database.close()
            return name

        yield make
