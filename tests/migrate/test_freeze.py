"""Writing the first migrations from the declared schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlive_db.migrate import MigrateError
from eventlive_db.migrate.freeze import freeze
from eventlive_db.migrate.undo import undo_statements


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    sql, migrations = tmp_path / "sql", tmp_path / "migrations"
    (sql / "00_roles").mkdir(parents=True)
    (sql / "10_tables").mkdir()
    (migrations / "versions").mkdir(parents=True)
    (migrations / "parts").mkdir()
    (sql / "00_roles" / "10.sql").write_text("create schema eventlive;\nset local role eventlive_owner;\n")
    (sql / "10_tables" / "10.sql").write_text("create table eventlive.a (b int);\n")
    return sql, migrations


def test_freezing_again_gives_the_same_files(places: tuple[Path, Path]) -> None:
    sql, migrations = places
    first = {path.name: path.read_text() for path in freeze(sql, migrations)}
    assert {path.name: path.read_text() for path in freeze(sql, migrations)} == first
    assert len(first) == 6


def test_a_folder_that_went_takes_its_migration_along(places: tuple[Path, Path]) -> None:
    sql, migrations = places
    freeze(sql, migrations)
    (sql / "10_tables" / "10.sql").unlink()
    freeze(sql, migrations)
    assert sorted(path.stem for path in (migrations / "versions").glob("*.py")) == ["0001_roles_and_schemas"]


def test_released_files_are_not_written_again(places: tuple[Path, Path]) -> None:
    sql, migrations = places
    freeze(sql, migrations, final=True)
    with pytest.raises(MigrateError, match="is released; write a new migration"):
        freeze(sql, migrations)


def test_a_folder_that_no_migration_takes_is_refused(places: tuple[Path, Path]) -> None:
    sql, migrations = places
    (sql / "90_more").mkdir()
    (sql / "90_more" / "a.sql").write_text("select 1;")
    with pytest.raises(MigrateError, match="no migration takes sql/90_more"):
        freeze(sql, migrations)


def test_what_was_made_last_is_dropped_first() -> None:
    script = """
        create table eventlive.a (b int);
        create index a_b on eventlive.a (b);
        create table eventlive.p partition of eventlive.a default;
        insert into eventlive.a values (1);
        insert into eventlive.other values (1);
        create function eventlive.f(_a text default 'x') returns int language sql begin atomic select 1; end;
        comment on function eventlive.f(text) is 'x';
        create trigger t before insert on eventlive.other for each row execute function eventlive.g();
        create view eventlive_api.v as select 1;
    """
    assert undo_statements([script]) == [
        "drop view eventlive_api.v;",
        "drop trigger t on eventlive.other;",
        "drop function eventlive.f(text);",
        "delete from eventlive.other;",
        "drop table eventlive.a;",
    ]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("do $$ begin end $$;", "cannot tell how to undo"),
        ("alter table eventlive.other add c int;", "cannot tell how to undo"),
        ("create function eventlive.f() returns int language sql return 1;", "has no 'comment on function'"),
    ],
)
def test_what_cannot_be_undone_by_rule_is_refused(script: str, problem: str) -> None:
    with pytest.raises(MigrateError, match=problem):
        undo_statements([script])
