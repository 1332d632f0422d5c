"""A database with the schema in it for each test, copied from a template that is built once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from eventlive_db.resources import sql_dir
from eventlive_db.server import Server
from tests.support.database import EventliveDatabase


@pytest.fixture(scope="session")
def schema_template(pg_server: Server) -> str:
    """The name of a database that holds the declared schema and nothing else."""
    dsn = pg_server.create_database("eventlive_template")
    with psycopg.connect(dsn) as connection:
        for path in sorted(sql_dir().glob("*/*.sql")):
            connection.execute(path.read_bytes())
    return "eventlive_template"


@pytest.fixture
def db(make_database: Callable[..., str], schema_template: str) -> Iterator[EventliveDatabase]:
    """A database of its own for this test."""
    database = EventliveDatabase(make_database(schema_template))
    yield database
    database.close()
