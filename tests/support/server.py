"""The Postgres of the tests, quicker at making and dropping a thousand databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import psycopg
from psycopg import sql

from eventlive_db.server import Server

_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyServer(Server):
    """Makes and drops its databases over one connection, which stays open.

    Attributes:
        admin: The connection.
    """

    admin: psycopg.Connection[Any] = field(repr=False)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, ending the connections to it.

        A connection that was closed is gone a moment later. Postgres looks again after a tenth of a second, and this
        after a thousandth; who does not go is left to Postgres.
        """
        users = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
        for _ in range(_STEPS):
            if not self.admin.execute(users, [name]).fetchall():
                break
            time.sleep(0.001)
        # In the body of a class with slots, super() without arguments would look in the wrong one.
        Server.drop_database(self, name)

    def _run(self, statement: sql.Composed) -> None:
        self.admin.execute(statement)


@contextmanager
def busy(server: Server) -> Iterator[BusyServer]:
    """The same server over one connection."""
    with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
        admin.prepare_threshold = None
        yield BusyServer(**{part.name: getattr(server, part.name) for part in fields(server)}, admin=admin)
