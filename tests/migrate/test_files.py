"""The files in ``migrations/versions``, without a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlive_db.migrate import revisions
from eventlive_db.migrate.sqltext import split_statements
from eventlive_db.resources import migrations_dir

VERSIONS = migrations_dir() / "versions"
MODULES = sorted(VERSIONS.glob("*.py"))
SCRIPTS = [path.with_suffix(f".{way}.sql") for path in MODULES for way in ("up", "down")]


def statements(path: Path) -> list[str]:
    return [statement.text for statement in split_statements(path.read_text(encoding="utf-8"))]


def test_the_history_is_one_line_numbered_without_gaps() -> None:
    assert revisions() == [f"{number:04}" for number in range(1, len(MODULES) + 1)]
    assert [path.name[:4] for path in MODULES] == revisions()


def test_there_is_no_script_that_no_migration_runs() -> None:
    assert sorted(VERSIONS.glob("*.sql")) == sorted(SCRIPTS)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_limits_its_wait_for_locks_before_anything_else(path: Path) -> None:
    assert statements(path)[0].endswith("set local lock_timeout = '5s'")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_ends_with_the_notification_as_the_migrating_role(path: Path) -> None:
    *_, last = statements(path)
    assert last == "notify pgrst, 'reload schema'"
    text = path.read_text(encoding="utf-8")
    assert text.rindex("reset role;") > text.rindex("set local role eventlive_owner;")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_controls_no_transaction_and_drops_nothing_it_does_not_name(path: Path) -> None:
    for statement in split_statements(path.read_text(encoding="utf-8")):
        assert statement.words[0] not in {"begin", "commit", "rollback", "start", "end"}, statement.text
        assert not (statement.words[0] == "drop" and "cascade" in statement.words), statement.text
        assert "concurrently" not in statement.words, statement.text


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_plain_ascii_without_psql_commands(path: Path) -> None:
    text = path.read_text(encoding="ascii")
    assert not any(line.startswith("\\") for line in text.splitlines())
