"""A Postgres of a test's own, which can be stopped, killed and started again at the same address."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from eventlive_db.resources import sql_dir
from eventlive_db.server import TEST_SETTINGS, Server, open_server
from eventlive_db.server.account import server_account
from eventlive_db.server.launcher import free_port
from eventlive_db.server.rundir import base_directory
from tests.support.database import EventliveDatabase

DATABASE = "own"
_FAR_S = 60.0

# A standby is made of it, too.
_SETTINGS = {**TEST_SETTINGS, "wal_level": "replica", "max_connections": "40", "max_prepared_transactions": "4"}


def wait_for(what: str, holds: Callable[[], bool]) -> None:
    """Return when something holds; fail where it never does."""
    deadline = time.monotonic() + _FAR_S
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.005)


class OwnServer:
    """One cluster, and the server that runs on it or does not.

    Args:
        kind: ``installed`` or ``embedded``.
        home: Directory for the cluster.
    """

    def __init__(self, kind: str, home: Path) -> None:
        self._kind = kind
        self._home = home
        self._port = free_port()
        self._opened: AbstractContextManager[Server] | None = None
        self._server: Server | None = None

    @property
    def dsn(self) -> str:
        """The database with the schema in it; the same whenever the server runs."""
        assert self._server is not None
        return self._server.tcp_dsn(DATABASE)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._home / "data"

    def start(self, **settings: str) -> None:
        """Start it; returns when it takes connections."""
        opened = open_server(kind=self._kind, data=self._home, port=self._port, settings={**_SETTINGS, **settings})
        self._server = opened.__enter__()
        self._opened = opened

    def stop(self) -> None:
        """Stop it fast, if it runs."""
        opened, self._opened = self._opened, None
        if opened:
            opened.__exit__(None, None, None)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the postmaster."""
        os.kill(int((self.data / "postmaster.pid").read_text("ascii").splitlines()[0]), number)

    def end(self, number: signal.Signals) -> None:
        """End it by a signal to the postmaster: SIGINT stops fast, SIGQUIT at once, SIGKILL asks nobody."""
        server = self._server
        assert server is not None
        self.kill(number)
        wait_for("the end of the server", lambda: server.ended() is not None)
        self.stop()

    def prepare(self) -> None:
        """Make the database."""
        assert self._server is not None
        with psycopg.connect(self._server.create_database(DATABASE)) as connection:
            for path in sorted(sql_dir().glob("*/*.sql")):
                connection.execute(path.read_bytes())

    @contextmanager
    def database(self) -> Iterator[EventliveDatabase]:
        """The superuser's view of it."""
        with closing(EventliveDatabase(self.dsn)) as database:
            yield database


@contextmanager
def own_server(kind: str) -> Iterator[OwnServer]:
    """A server with the schema in a database.

    Args:
        kind: ``installed`` or ``embedded``.
    """
    # Not pytest's directory, which is closed to whoever runs Postgres for root.
    with TemporaryDirectory(prefix="eventlive-own-", dir=base_directory(server_account())) as home:
        server = OwnServer(kind, Path(home) / "cluster")
        Path(home).chmod(0o711)
        try:
            server.start()
            server.prepare()
            yield server
        finally:
            server.stop()
