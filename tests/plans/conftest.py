"""Fixtures for the tests of the plan guard: as a stranger's project uses it, and for what a server logs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from eventlive_db.server import Server, open_server
from tests.plans.coverage_bench import SETTINGS, TABLES, Shop
from tests.plans.plugin_project import VARIABLES, Project, databases


@pytest.fixture
def project(pytester: pytest.Pytester, pg_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project with the schema of the example; whatever happens in it, no database stays."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    before = databases(pg_server)
    yield Project(pytester, pg_server)
    assert databases(pg_server) == before


@pytest.fixture(scope="module")
def logging_server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """A server whose log tells what ran."""
    with open_server(kind=pytestconfig.getoption("--pg-kind"), settings=SETTINGS) as server:
        if server.log is None:
            pytest.skip("the log of this server cannot be read")
        yield server


@pytest.fixture
def shop(logging_server: Server, tmp_path: Path) -> Iterator[Shop]:
    """A database with two tables and no function yet."""
    name = f"shop_{secrets.token_hex(8)}"
    assert logging_server.log
    with psycopg.connect(logging_server.create_database(name), autocommit=True) as connection:
        connection.execute(TABLES.encode())
        yield Shop(connection, tmp_path / "shop.sql", logging_server.log)
    logging_server.drop_database(name)
