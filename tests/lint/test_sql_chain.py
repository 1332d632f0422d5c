"""Branches of migrations that a later one merges are all looked at."""

from __future__ import annotations

from pathlib import Path

from tests.lint.sql_bench import findings

TOML = """
migrations = ["versions"]
search_path = ["public"]
schemas = ["shop"]

[rules]
migration = false
object = false
"""


def step(revision: str, before: str, sql: str) -> str:
    """A file of alembic."""
    return (
        f'"""A step."""\n\nfrom alembic import op\n\nrevision = "{revision}"\ndown_revision = {before}\n\n\n'
        f'def upgrade() -> None:\n    op.execute("{sql}")\n\n\ndef downgrade() -> None:\n    pass\n'
    )


FILES = {
    "lint.toml": TOML,
    "versions/a.py": step("a", "None", "create schema shop"),
    "versions/b.py": step("b", '"a"', "create table shop.one (id int)"),
    "versions/c.py": step("c", '"a"', "create table shop.two (id int)"),
    "versions/d.py": step("d", '("b", "c")', "select o.id, t.id from shop.one o, shop.two t"),
    "versions/e.py": step("e", '"d"', "select t.wrong from shop.two t"),
}


def test_branches_that_meet_again_are_one_chain(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, FILES)
    assert (found.file, found.rule) == ("versions/e.py", "resolve.column")
    assert "has no column wrong" in found.message


def test_migrations_that_come_after_each_other_in_a_circle_are_told(tmp_path: Path) -> None:
    files = FILES | {"versions/a.py": step("a", '"e"', "create schema shop")}

    found = findings(tmp_path, files | {"lint.toml": FILES["lint.toml"].replace("migration = false\n", "")})
    assert [f.message.count(" comes after ") for f in found if f.rule == "migration.chain"] == [4]
