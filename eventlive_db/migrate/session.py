"""The connection of an installer: how it waits for other installers, and what it finds out first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from eventlive_db.migrate.errors import MigrateError, describe
from eventlive_db.migrate.render import Names
from eventlive_db.migrate.trust import HINT, SAFE_SEARCH_PATH, check_own_tables

LOCK_KEY = int.from_bytes(b"eventliv")
"""Session-level advisory lock that every installer of a database holds while it works."""

OLDEST_SERVER = 150000
"""Views run as their caller (``security_invoker``) since then."""

VERSION_TABLE = "alembic_version"
PRIVATE_SCHEMA = "eventlive"

_RECORDED = """
select i.api_schema, i.owner, pg_catalog.pg_get_userbyid(c.relowner)::text
  from eventlive.installation i
  join pg_catalog.pg_class c on c.oid = i.tableoid
"""


def connect(dsn: str | None) -> psycopg.Connection[Any]:
    """Connect as an installer.

    Args:
        dsn: libpq connection string or URI.

    Raises:
        MigrateError: There is no DSN, nothing answers there, or the server is too old.
    """
    if dsn is None:
        msg = "which database? Give --dsn (with alembic: -x dsn=...), or set EVENTLIVE_DSN"
        raise MigrateError(msg)
    try:
        connection = psycopg.connect(dsn, fallback_application_name="eventlive-db migrate")
    except psycopg.ProgrammingError:
        # libpq repeats what it could not read, password and all.
        msg = "cannot connect: libpq cannot read this connection string; look for quotes, brackets and percent signs"
        raise MigrateError(msg) from None
    except psycopg.Error as error:
        msg = f"cannot connect: {describe(error)}"
        raise MigrateError(msg) from error
    if connection.info.server_version < OLDEST_SERVER:
        connection.close()
        msg = f"Postgres {OLDEST_SERVER // 10000} or newer is needed, this server is older; upgrade it first"
        raise MigrateError(msg)
    return connection


def connect_to_install(dsn: str | None) -> psycopg.Connection[Any]:
    """The same for a session that is ours alone: all of it sees nothing but the system's functions and operators."""
    connection = connect(dsn)
    connection.execute(f"set search_path = {SAFE_SEARCH_PATH}".encode())
    connection.commit()
    return connection


@contextmanager
def installer_lock(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Be the only installer of this database. Others wait, as long as it takes.

    Args:
        connection: One that goes to the server itself; a pooler that shares sessions would share the lock.
    """
    connection.execute("select set_config(s, '0', false) from unnest(array['statement_timeout', 'lock_timeout']) as s")
    connection.commit()
    connection.execute("select pg_advisory_lock(%s)", [LOCK_KEY])
    connection.commit()
    try:
        yield
    finally:
        if not connection.closed and not connection.broken:
            connection.rollback()
            connection.execute("select pg_advisory_unlock(%s)", [LOCK_KEY])
            connection.commit()


def recorded_names(connection: psycopg.Connection[Any]) -> Names | None:
    """The names this database was installed with; None where it was not installed.

    Raises:
        MigrateError: The record is not one that this package has made.
    """
    with connection.transaction():
        if "installation" not in check_own_tables(connection, "read"):
            return None
        row = connection.execute(_RECORDED).fetchone()
    if row is None:
        return None
    api_schema, owner, belongs_to = row
    if owner != belongs_to:
        # Migrations act as the recorded owner on what the other one may have prepared.
        msg = f"table eventlive.installation, owned by {belongs_to}, says that {owner} owns everything\nhint: {HINT}"
        raise MigrateError(msg)
    return Names(api_schema, owner)


def shares_api_schema(connection: psycopg.Connection[Any]) -> bool:
    """Whether the exposed schema was there before the installation, and may hold what is not ours."""
    with connection.transaction():
        if "installation" not in check_own_tables(connection, "read"):
            return False
        row = connection.execute("select i.api_schema_existed from eventlive.installation i").fetchone()
    return bool(row and row[0])


def current_revision(connection: psycopg.Connection[Any]) -> str | None:
    """The revision in the version table; None where there is none.

    Raises:
        MigrateError: The table is not one that this package has made.
    """
    with connection.transaction():
        if VERSION_TABLE not in check_own_tables(connection, "read"):
            return None
        row = connection.execute("select v.version_num from eventlive.alembic_version v").fetchone()
    return str(row[0]) if row else None
