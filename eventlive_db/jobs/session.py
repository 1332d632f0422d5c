"""Connections of the runner: one for each run, in a state that no default of the role can spoil."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict

from eventlive_db.jobs.errors import JobsError

_APPLICATION = "eventlive-db jobs"
# A machine that went away is noticed within a minute, not after the two hours of most systems.
_DEFAULTS: dict[str, str] = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
# Only those that this server knows: transaction_timeout came with 17.
_PREPARE = b"""
select pg_catalog.set_config(s.name, s.value, false)
  from (values
        ('statement_timeout', '0'),
        ('transaction_timeout', '0'),
        ('default_transaction_isolation', 'read committed'),
        ('default_transaction_read_only', 'off')
       ) as s (name, value)
 where pg_catalog.current_setting(s.name, true) is not null
"""


def check_dsn(dsn: str | None) -> str:
    """The DSN, if it is one.

    Raises:
        JobsError: There is none, or it cannot be read.
    """
    if not dsn:
        raise JobsError("which database?", "Give --dsn, or set EVENTLIVE_DSN", token="no_dsn")
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # Its message repeats the DSN, with the password.
        raise JobsError(
            "the DSN is neither a libpq connection string nor a URI",
            "It looks like postgresql://user@host/database",
            token="bad_dsn",
        ) from None
    return dsn


def connect(dsn: str, purpose: str = "", *, database: str | None = None) -> psycopg.Connection[Any]:
    """Connect in autocommit mode.

    Args:
        dsn: libpq connection string or URI.
        purpose: What for; it is in ``application_name``.
        database: Another database of the same server.

    Raises:
        psycopg.Error: It is not to be had.
    """
    given = conninfo_to_dict(dsn)
    options: dict[str, Any] = {name: value for name, value in _DEFAULTS.items() if name not in given}
    if database is not None:
        options["dbname"] = database
    return psycopg.connect(
        dsn,
        autocommit=True,
        prepare_threshold=None,
        application_name=f"{_APPLICATION} {purpose}".strip(),
        **options,
    )


def connect_for_run(dsn: str, name: str) -> psycopg.Connection[Any]:
    """Connect for a run of a job, which may take as long as it takes.

    The server looks every half second whether the runner is still there: a job whose runner was killed ends, and the
    next run need not wait for it.
    """
    connection = connect(dsn, name)
    try:
        connection.execute(_PREPARE)
        # Refused by a server on a system that cannot tell: there the run of a dead runner goes on to its end.
        with suppress(pg.InvalidParameterValue):
            connection.execute("set client_connection_check_interval = '500ms'")
    except psycopg.Error:
        connection.close()
        raise
    return connection


def read(connection: psycopg.Connection[Any], query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Rows of one query, in a short transaction that changes nothing."""
    with connection.transaction():
        connection.execute("set transaction read only")
        connection.execute("set local statement_timeout = '20s'")
        connection.execute("set local lock_timeout = '5s'")
        connection.execute("set local search_path = pg_catalog, pg_temp")
        return connection.execute(query.encode(), parameters).fetchall()
