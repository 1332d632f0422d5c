"""A Postgres of these tests' own, which writes its log in all three formats at once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg import sql

from eventlive_db.resources import sql_dir
from eventlive_db.server import TEST_SETTINGS, Server, open_server
from eventlive_db.server.account import server_account
from eventlive_db.server.rundir import base_directory
from tests.support.own_server import wait_for

PREFIX = "%m [%p] %q%u@%d/%a "
LOGGING = {
    "logging_collector": "on",
    "log_destination": "stderr,csvlog,jsonlog",
    "log_filename": "first.log",
    "log_line_prefix": PREFIX,
    "log_rotation_age": "0",
    "log_rotation_size": "0",
    "deadlock_timeout": "20ms",
}
DATABASE = "logged"


@dataclass(frozen=True)
class Logged:
    """A server that logs.

    Attributes:
        server: The server.
        log: Its log directory.
    """

    server: Server = field(repr=False)
    log: Path

    @property
    def dsn(self) -> str:
        """The database with the schema in it."""
        return self.server.dsn(DATABASE)

    @contextmanager
    def set(self, **settings: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """Other server settings for a while, and a connection that has them."""
        before = self._changed(settings)
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for name, value in settings.items():
                _wait(connection, name, value)
            yield connection
            self._changed(before)
            for name, value in before.items():
                _wait(connection, name, value)

    @contextmanager
    def elsewhere(self) -> Iterator[str]:
        """Log into files of another name for a while; gives the name without its suffix."""
        stem = f"other_{secrets.token_hex(4)}"
        self.move_to(f"{stem}.log")
        yield stem
        self.move_to(LOGGING["log_filename"])

    def move_to(self, name: str) -> None:
        """Have the server log into files of this name; returns when it does."""
        _alter(self.server, {"log_filename": name})
        names = self.log.parent / "current_logfiles"
        wanted = f"jsonlog log/{Path(name).with_suffix('.json')}\n"
        wait_for(f"the log {name}", lambda: names.exists() and wanted in names.read_text())

    def _changed(self, settings: Mapping[str, str]) -> dict[str, str]:
        with psycopg.connect(self.server.dsn()) as admin:
            rows = {name: admin.execute("select current_setting(%s)", [name]).fetchone() for name in settings}
        _alter(self.server, settings)
        return {name: str(row[0]) for name, row in rows.items() if row}


def _wait(connection: psycopg.Connection[tuple[object, ...]], name: str, value: str) -> None:
    said = sql.SQL("show {}").format(sql.Identifier(name))
    wait_for(f"{name} = {value}", lambda: connection.execute(said).fetchone() == (value,))


def _alter(server: Server, settings: Mapping[str, str]) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        for name, value in settings.items():
            # A list setting takes its elements apart only outside of quotes.
            literal = sql.SQL(value) if "," in value and "%" not in value else sql.Literal(value)
            admin.execute(sql.SQL("alter system set {} = {}").format(sql.Identifier(name), literal))
        admin.execute("select pg_reload_conf()")


@pytest.fixture(scope="session")
def logged(pytestconfig: pytest.Config) -> Iterator[Logged]:
    """The server; each test reads what was added since it began."""
    kind = pytestconfig.getoption("--pg-kind")
    if kind == "container":
        pytest.skip("its logs are inside the container")
    with TemporaryDirectory(prefix="eventlive-logs-", dir=base_directory(server_account())) as home:
        Path(home).chmod(0o711)
        # A setting of the command line could not be changed by alter system; what is logged where the launcher forbids.
        settings = {name: value for name, value in TEST_SETTINGS.items() if name != "log_timezone"}
        data = Path(home) / "cluster"
        with open_server(kind=kind, data=data, settings=settings) as server:
            _alter(server, LOGGING)
        with open_server(kind=kind, data=data, settings=settings) as server:
            with psycopg.connect(server.create_database(DATABASE)) as connection:
                for path in sorted(sql_dir().glob("*/*.sql")):
                    connection.execute(path.read_bytes())
            yield Logged(server, Path(home) / "cluster" / "data" / "log")
