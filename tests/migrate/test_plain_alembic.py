"""Plain alembic, from a checkout, does what the command line does."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest

from eventlive_db.migrate import Options, script, status, upgrade
from eventlive_db.resources import migrations_dir
from tests.migrate.conftest import whole_catalog

CHECKOUT = migrations_dir().parent

pytestmark = pytest.mark.skipif(not (CHECKOUT / "alembic.ini").is_file(), reason="not a checkout")


def alembic(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_up_and_down_by_environment_and_by_argument(empty_database: str) -> None:
    before = whole_catalog(empty_database)
    done = alembic("upgrade", "head", EVENTLIVE_DSN=empty_database)
    assert done.returncode == 0, done.stderr
    assert status(empty_database).up_to_date
    done = alembic("-x", f"dsn={empty_database}", "downgrade", "base")
    assert done.returncode == 0, done.stderr
    assert whole_catalog(empty_database) == before


def test_the_script_is_the_same(empty_database: str) -> None:
    done = alembic("-x", "api_schema=front", "upgrade", "head", "--sql")
    assert done.returncode == 0, done.stderr
    assert done.stdout == script(Options(api_schema="front"))


def test_asking_where_it_is_changes_nothing(empty_database: str) -> None:
    before = whole_catalog(empty_database)
    assert alembic("current", EVENTLIVE_DSN=empty_database).returncode == 0
    assert whole_catalog(empty_database) == before


def test_stamping_writes_the_revision(empty_database: str) -> None:
    upgrade(Options(empty_database))
    assert alembic("stamp", "0004", EVENTLIVE_DSN=empty_database).returncode == 0
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("select version_num from eventlive.alembic_version").fetchall() == [("0004",)]
