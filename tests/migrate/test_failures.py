"""A step that fails, or whose installer dies, leaves nothing behind."""

from __future__ import annotations

import shutil
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlive_db.migrate import MigrateError, Options, StatementError, runner, session, status, upgrade
from eventlive_db.resources import migrations_dir
from tests.migrate.conftest import People, connected, run, whole_catalog
from tests.support.actors import wait_until_blocked

GATE = 4711


@pytest.fixture
def own_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations that a test may change."""
    copy = tmp_path / "migrations"
    shutil.copytree(migrations_dir(), copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(runner, "migrations_dir", lambda: copy)
    return copy


def add_to(migrations: Path, revision: str, statement: str) -> None:
    (path,) = (migrations / "versions").glob(f"{revision}_*.up.sql")
    path.write_text(path.read_text() + statement)


@pytest.mark.parametrize("revision", ["0001", "0003", "0005"])
def test_a_step_that_fails_at_its_end_leaves_the_database_as_before_it(
    own_migrations: Path, make_database: Callable[..., str], revision: str
) -> None:
    reference, dsn = make_database(), make_database()
    if revision != "0001":
        upgrade(Options(reference), f"{int(revision) - 1:04}")
    add_to(own_migrations, revision, "\nselect 1 / 0;\n")
    with pytest.raises(StatementError) as caught:
        upgrade(Options(dsn))
    assert caught.value.sqlstate == "22012"
    assert caught.value.statement == "select 1 / 0"
    assert caught.value.file.startswith(revision)
    assert "22012: division by zero" in str(caught.value)
    assert f"{caught.value.file}, line {caught.value.line}: select 1 / 0" in str(caught.value)
    assert whole_catalog(dsn) == whole_catalog(reference)
    assert status(dsn).current == status(reference).current


@pytest.mark.parametrize("revision", ["0001", "0003"])
def test_after_an_installer_was_killed_the_next_one_finishes(
    own_migrations: Path, make_database: Callable[..., str], revision: str
) -> None:
    reference, dsn = make_database(), make_database()
    upgrade(Options(reference))
    add_to(own_migrations, revision, f"\nselect pg_advisory_lock({GATE});\n")
    failures: list[str] = []

    def install() -> None:
        try:
            upgrade(Options(dsn))
        except MigrateError as error:
            failures.append(str(error))

    with connected(dsn) as admin:
        admin.execute("select pg_advisory_lock(%s)", [GATE])
        installer = threading.Thread(target=install)
        installer.start()
        pid = None
        while pid is None:
            assert installer.is_alive()
            row = admin.execute(
                "select l.pid from pg_locks l join pg_database d on d.oid = l.database"
                " where d.datname = current_database() and l.locktype = 'advisory' and not l.granted"
            ).fetchone()
            pid = row[0] if row else None
        wait_until_blocked(admin, pid)
        admin.execute("select pg_terminate_backend(%s)", [pid])
        installer.join()
        admin.execute("select pg_advisory_unlock(%s)", [GATE])
    (failure,) = failures
    assert "57P01" in failure
    assert f"at {revision}_" in failure
    assert status(dsn).current == (None if revision == "0001" else f"{int(revision) - 1:04}")

    upgrade(Options(dsn))
    assert whole_catalog(dsn) == whole_catalog(reference)


def test_an_object_in_the_way_is_named_and_kept(people: People, make_database: Callable[..., str]) -> None:
    dsn = make_database()
    run(dsn, "create view public.webinars as select 1 as theirs")
    with pytest.raises(StatementError, match='relation "webinars" already exists') as caught:
        upgrade(Options(dsn, "public", people.name("boss")))
    assert caught.value.sqlstate == "42P07"
    assert ("view public.webinars", "column theirs") in whole_catalog(dsn).entries
    assert ("table eventlive.webinars", "owner") in whole_catalog(dsn).entries


def test_a_step_does_not_wait_for_a_busy_table_for_ever(own_migrations: Path, empty_database: str) -> None:
    upgrade(Options(empty_database), "0002")
    (path,) = (own_migrations / "versions").glob("0003_*.up.sql")
    path.write_text(path.read_text().replace("'5s'", "'10ms'"))
    with connected(empty_database) as busy, busy.transaction():
        busy.execute("lock table eventlive.webinars in row exclusive mode")
        with pytest.raises(StatementError, match="Try again at a quieter time") as caught:
            upgrade(Options(empty_database))
    assert caught.value.sqlstate == "55P03"
    assert status(empty_database).current == "0002"


def test_a_migration_without_its_sql_is_refused(own_migrations: Path, empty_database: str) -> None:
    (path,) = (own_migrations / "versions").glob("0002_*.up.sql")
    path.unlink()
    with pytest.raises(MigrateError, match=r"0002_tables\.up\.sql is missing"):
        upgrade(Options(empty_database))
    assert status(empty_database).current == "0001"


def test_a_server_that_does_not_answer_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(MigrateError, match="cannot connect") as caught:
        upgrade(Options(f"host={tmp_path} dbname=x password=secret"))
    assert "secret" not in str(caught.value)


def test_a_server_that_is_too_old_is_refused(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "OLDEST_SERVER", 990000)
    with pytest.raises(MigrateError, match="Postgres 99 or newer is needed"):
        upgrade(Options(empty_database))


def test_no_dsn_is_no_guess() -> None:
    with pytest.raises(MigrateError, match="Give --dsn"):
        upgrade(Options())


@pytest.mark.parametrize(
    "dsn", ["postgresql://u:top-secret@[bad/x", "postgresql://u:top-secret%PW@h/x", "x=top-secret"]
)
def test_a_connection_string_that_cannot_be_read_is_not_repeated(dsn: str) -> None:
    with pytest.raises(MigrateError, match="cannot read this") as caught:
        session.connect(dsn)
    told = "".join(traceback.format_exception(caught.value))
    assert "top-secret" not in "\n".join(line for line in told.splitlines() if not line.startswith("    "))
