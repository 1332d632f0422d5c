"""pg_cron, which is there only for a Postgres that is installed."""

from __future__ import annotations

import os

import psycopg
import pytest

from eventlive_db.server import Server

REQUIRED = "EVENTLIVE_PG_CRON_REQUIRED"
"""Where this variable is set, an installed Postgres without pg_cron fails the tests; else they are skipped."""


def require_pg_cron(server: Server) -> None:
    """Go on where pg_cron can be loaded; else skip, or fail."""
    if server.kind != "installed":
        pytest.skip("pg_cron is there only for a Postgres that is installed: take --pg-kind installed")
    with psycopg.connect(server.dsn("postgres")) as connection:
        if connection.execute("select from pg_available_extensions where name = 'pg_cron'").fetchall():
            return
        version = connection.info.server_version // 10000
    missing = f"pg_cron is missing; on Debian 'apt-get install postgresql-{version}-cron' gets it"
    if os.environ.get(REQUIRED):
        pytest.fail(missing)
    pytest.skip(missing)
