"""A server that writes its log in all three formats, and fresh databases on it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg import sql

from eventlive_db.resources import sql_dir
from eventlive_db.server import TEST_SETTINGS, Server, open_server
from eventlive_db.server.account import server_account
from eventlive_db.server.rundir import base_directory
from tests.support.database import EventliveDatabase
from tests.verify.stand import LoggedDatabase

_LOGGING = {
    "logging_collector": "on",
    "log_destination": "stderr,csvlog,jsonlog",
    "log_directory": "logs",
    "log_filename": "postgres.log",
}


@pytest.fixture(scope="session")
def logging_server(pg_server: Server) -> Iterator[Server]:
    """A server of its own, so that nobody else's errors are in its log."""
    if pg_server.kind not in {"installed", "embedded"}:
        pytest.skip("a server whose log can be read is started from programs of this machine")
    with TemporaryDirectory(prefix="eventlive-verify-", dir=base_directory(server_account())) as home:
        Path(home).chmod(0o711)
        # Where the log goes is the launcher's to choose at the start, and the cluster's own from then on.
        for settled in (False, True):
            opened = open_server(kind=pg_server.kind, data=Path(home) / "cluster", settings=TEST_SETTINGS)
            with opened as server, psycopg.connect(server.dsn(), autocommit=True) as admin:
                if settled:
                    admin.close()
                    yield server
                    return
                for name, value in _LOGGING.items():
                    admin.execute(sql.SQL("alter system set {} = {}").format(sql.Identifier(name), sql.Literal(value)))


@pytest.fixture(scope="session")
def logging_template(logging_server: Server) -> str:
    """A database there, with the schema in it."""
    name = f"test_template_{secrets.token_hex(8)}"
    with psycopg.connect(logging_server.create_database(name)) as connection:
        for path in sorted(sql_dir().glob("*/*.sql")):
            connection.execute(path.read_bytes())
    return name


@pytest.fixture
def logged(logging_server: Server, logging_template: str) -> Iterator[LoggedDatabase]:
    """A fresh database, and the log."""
    name = f"test_{secrets.token_hex(8)}"
    with closing(EventliveDatabase(logging_server.create_database(name, logging_template))) as database:
        folder = Path(str(database.value("show data_directory"))) / "logs"
        # Something to begin with: a log in which nothing is proves nothing.
        database.admin.execute("do $$ begin raise log 'the log is written'; end $$")
        yield LoggedDatabase(database, folder, datetime.now(UTC))
    logging_server.drop_database(name)
