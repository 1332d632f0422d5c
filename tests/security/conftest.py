"""What the tests of security share: databases installed by the migrations, plain and under generous defaults."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventlive_db.migrate import Options, upgrade
from eventlive_db.server import Server
from tests.security.secrets_of_others import Secrets, fill
from tests.support.cast import Cast
from tests.support.database import EventliveDatabase

CLIENTS = "anon, authenticated, service_role"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--privileges-update``."""
    parser.addoption(
        "--privileges-update", action="store_true", help="write tests/security/privileges.txt anew; then read its diff"
    )


def _run(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def nobody(pg_server: Server) -> Iterator[str]:
    """A role that owns nothing and was granted nothing."""
    name = f"nobody_{secrets.token_hex(6)}"
    _run(pg_server.dsn(), f"create role {name} nologin")
    yield name
    _run(pg_server.dsn(), f"drop role {name}")


@pytest.fixture(scope="session")
def plain_template(pg_server: Server) -> Iterator[str]:
    """The name of a database that was migrated by a superuser; copy it, never connect to it."""
    name = f"plain_{secrets.token_hex(8)}"
    upgrade(Options(pg_server.create_database(name)))
    yield name
    pg_server.drop_database(name)


@pytest.fixture(scope="session")
def generous_template(pg_server: Server, plain_template: str) -> Iterator[str]:
    """The same, migrated by an ordinary role where whatever is created is granted to clients, as on Supabase."""
    name, migrator = (f"generous_{secrets.token_hex(8)}", f"migrator_{secrets.token_hex(6)}")
    dsn = pg_server.create_database(name)
    password = conninfo_to_dict(dsn).get("password") or secrets.token_hex(16)
    _run(
        dsn,
        f"create role {migrator} login createrole password '{password}'",
        f"grant eventlive_owner to {migrator}",  # the plain template has made it
        f'alter database "{name}" owner to {migrator}',
        f"grant usage on schema public to {CLIENTS}",
        *(
            f"alter default privileges for role {creator} {where} grant all on {kind} to {CLIENTS}"
            for creator in (migrator, "eventlive_owner")
            for where in ("", "in schema public")
            for kind in ("tables", "functions", "sequences")
        ),
    )
    upgrade(Options(make_conninfo(dsn, user=migrator, password=password)))
    yield name
    pg_server.drop_database(name)
    _run(pg_server.dsn(), f"drop role {migrator}")


@pytest.fixture(scope="session")
def whole_scene(pg_server: Server, schema_template: str) -> Iterator[tuple[Cast, Secrets]]:
    """Two webinars full of things to find, for tests that leave no trace."""
    name = f"secrets_{secrets.token_hex(8)}"
    database = EventliveDatabase(pg_server.create_database(name, schema_template))
    yield fill(database)
    database.close()
    pg_server.drop_database(name)


@pytest.fixture
def broken_scene(db: EventliveDatabase) -> tuple[Cast, Secrets]:
    """The same, for a test that plants a fault."""
    return fill(db)
