"""Databases for the lints of a live one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest

from eventlive_db.server import Server
from tests.lint.db_bench import App


@pytest.fixture(scope="module")
def shared_dsn(pg_server: Server, schema_template: str) -> Iterator[str]:
    """A database for what a file of tests plants, one after the other."""
    name = f"test_lint_{secrets.token_hex(8)}"
    yield pg_server.create_database(name, schema_template)
    pg_server.drop_database(name)


@pytest.fixture
def app(shared_dsn: str) -> Iterator[App]:
    """An empty schema for functions."""
    with psycopg.connect(shared_dsn, autocommit=True) as connection:
        connection.execute("create schema app")
        yield App(shared_dsn, connection)
        connection.execute("drop schema app cascade")
