"""A database that is thrown away."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from eventlive_db.migrate import session
from eventlive_db.migrate.errors import MigrateError, describe


@contextmanager
def scratch_database(dsn: str) -> Iterator[str]:
    """A new empty database on the server of ``dsn``, dropped at the end.

    Args:
        dsn: Connection string of a role that may create databases.

    Returns:
        A context manager that gives its connection string.

    Raises:
        MigrateError: The role may not create one.
    """
    name = f"eventlive_scratch_{secrets.token_hex(6)}"
    with session.connect(dsn) as connection:
        connection.autocommit = True
        try:
            connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        except psycopg.Error as error:
            msg = f"cannot create a scratch database: {describe(error)}\n"
            msg += "Give an empty database of the same server with --scratch-dsn, or connect as a role with CREATEDB."
            raise MigrateError(msg) from error
        try:
            yield make_conninfo(dsn, dbname=name)
        finally:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
