"""Cutting a script into statements."""

from __future__ import annotations

import pytest

from eventlive_db.migrate.build import declared_files
from eventlive_db.migrate.sqltext import split_statements


def texts(script: str) -> list[str]:
    return [statement.text for statement in split_statements(script)]


@pytest.mark.parametrize(
    "statement",
    [
        "select 'a;b', \"c;d\"",
        "select 'it''s;'",
        r"select e'\';'",
        "select $$a;b$$, $x$ $$ ; $x$",
        "select 1 /* a; /* b; */ ; */ + 2",
        "select 1 -- ; none\n + 2",
        "create rule r as on insert to t do (select 1; select 2)",
        "create function f() returns int language sql begin atomic select case when true then 1 end; select 2; end",
        'create table t ("end" int, at int)',
    ],
)
def test_semicolons_inside_a_statement_do_not_end_it(statement: str) -> None:
    assert texts(f"{statement};\n{statement};") == [statement, statement]


def test_a_statement_knows_the_line_it_begins_in() -> None:
    script = "-- a\n\n-- b\nselect 1;\n\n\nselect\n2;"
    assert [statement.line for statement in split_statements(script)] == [4, 7]


def test_words_end_at_the_first_bracket() -> None:
    (statement,) = split_statements("CREATE Table a.b (c int);")
    assert statement.words == ("create", "table", "a", "b")


def test_comments_alone_are_no_statement() -> None:
    assert texts("-- a\n/* b */ ;;\n") == []


@pytest.mark.parametrize("script", ["select 1", "select 'a;", "select $$a;", "select 1 /* ;", "select (1;"])
def test_a_script_that_breaks_off_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match="no end"):
        texts(script)


def test_every_declared_file_ends_with_its_last_statement() -> None:
    for file, text in declared_files():
        assert texts(text), file
