"""A running Postgres, wherever it came from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from eventlive_db.server import conninfo
from eventlive_db.server.choice import Kind


def _still_running() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Server:
    """A running Postgres with an administrative connection.

    Attributes:
        kind: Where it came from: ``dsn``, ``container``, ``installed`` or ``embedded``.
        version_num: ``server_version_num``, such as 150020 or 180006.
        admin_dsn: Connection string as the administrator, by the quickest way (a local one's Unix socket).
        admin_tcp_dsn: The same over TCP with a password, for programs that cannot use a Unix socket.
        bindir: Directory of its programs, where they are on this machine.
        log: Its log file, where there is one.
        ended: Call it to learn why the server ended: None while it runs, and for kinds not started here.
    """

    kind: Kind
    version_num: int
    admin_dsn: str = field(repr=False)
    admin_tcp_dsn: str = field(repr=False)
    bindir: Path | None = None
    log: Path | None = None
    ended: Callable[[], str | None] = field(default=_still_running, repr=False)

    def dsn(self, dbname: str | None = None) -> str:
        """Connection string for psycopg, psql and all that use libpq.

        Args:
            dbname: Database; default ``postgres``, or what an explicit DSN names.
        """
        return conninfo.with_database(self.admin_dsn, dbname) if dbname else self.admin_dsn

    def tcp_dsn(self, dbname: str | None = None) -> str:
        """Connection string over TCP, with the password: for PostgREST and for drivers without libpq."""
        return conninfo.with_database(self.admin_tcp_dsn, dbname) if dbname else self.admin_tcp_dsn

    def environment(self, dbname: str | None = None) -> dict[str, str]:
        """``EVENTLIVE_DSN`` and libpq's PGHOST, PGPORT and so on, which lead another program here by TCP."""
        dsn = self.tcp_dsn(dbname)
        return {"EVENTLIVE_DSN": dsn, **conninfo.environment(dsn)}

    def psql_command(self, dbname: str | None = None) -> str:
        """What a person types into a shell to look inside."""
        own = self.bindir / "psql" if self.bindir else None
        psql = str(own) if own and own.exists() and shutil.which("psql") is None else "psql"
        return conninfo.psql_command(self.dsn(dbname), psql)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database.

        Args:
            name: Its name, taken literally.
            template: Database to copy; nobody may be connected to it. Default: a new empty one, in UTF-8 and
                with the C locale whatever the server's default is, for the same order and plans anywhere.

        Returns:
            Its connection string, as ``dsn(name)``.

        Raises:
            psycopg.Error: The server refused.
        """
        statement = sql.SQL("create database {} template {}").format(
            sql.Identifier(name), sql.Identifier(template or "template0")
        )
        if template is None:
            statement += sql.SQL(" encoding 'UTF8' locale_provider libc lc_collate 'C' lc_ctype 'C'")
        if self.kind != "dsn":
            # Faster than by the log where fsync is off. It forces checkpoints: not on somebody else's server.
            statement += sql.SQL(" strategy file_copy")
        self._run(statement)
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, ending the connections to it.

        Raises:
            psycopg.Error: The server refused.
        """
        self._run(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            connection.execute(statement)
