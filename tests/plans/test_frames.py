"""The CONTEXT of a server message is read as a call stack, and its places are found in the sources."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.plans.capture import capture
from eventlive_db.plans.frames import Frame, Place, parse_context, place_of
from eventlive_db.plans.sources import read_sources
from eventlive_db.server import Server

CALLER = "PL/pgSQL function app.f(integer,text) line 7 at SQL statement"
PLPGSQL = Frame("plpgsql", "app.f(integer,text)", 7, "at SQL statement")


@pytest.mark.parametrize(
    ("context", "frames"),
    [
        (None, ()),
        ("", ()),
        (CALLER, (PLPGSQL,)),
        (
            "PL/pgSQL function app.f() line 12 at FOR over SELECT rows",
            (Frame("plpgsql", "app.f()", 12, "at FOR over SELECT rows"),),
        ),
        (
            "PL/pgSQL function app.f() during function entry",
            (Frame("plpgsql", "app.f()", None, "during function entry"),),
        ),
        (
            "PL/pgSQL function app.f() line 3 during statement block local variable initialization",
            (Frame("plpgsql", "app.f()", 3, "during statement block local variable initialization"),),
        ),
        (
            "PL/pgSQL function app.f() while casting return value to function's return type",
            (Frame("plpgsql", "app.f()", None, "while casting return value to function's return type"),),
        ),
        ("PL/pgSQL function app.f()", (Frame("plpgsql", "app.f()"),)),
        (
            "PL/pgSQL function inline_code_block line 2 at PERFORM",
            (Frame("plpgsql", "inline_code_block", 2, "at PERFORM"),),
        ),
        ('SQL function "two" statement 2', (Frame("sql", "two", 2),)),
        ('SQL function "two" during startup', (Frame("sql", "two"),)),
        ('SQL function "two"', (Frame("sql", "two"),)),
        ('SQL statement "select 1"', (Frame("statement", "select 1"),)),
        ('SQL expression "v + (select 1)"', (Frame("expression", "v + (select 1)"),)),
        ('PL/pgSQL expression "v + (select 1)"', (Frame("expression", "v + (select 1)"),)),
        ('PL/pgSQL assignment "v := (select 1)"', (Frame("expression", "v := (select 1)"),)),
        ('SQL statement ""', (Frame("statement", ""),)),
        ('SQL statement "select "a" as "b""', (Frame("statement", 'select "a" as "b"'),)),
        ('SQL statement "select 1\n  from t"', (Frame("statement", "select 1\n  from t"),)),
        (
            'SQL statement "select "a"\n  from "T"\n where "b" = \'"\'"\n' + CALLER,
            (Frame("statement", 'select "a"\n  from "T"\n where "b" = \'"\''), PLPGSQL),
        ),
        (
            'COPY items, line 1\nSQL statement "copy items from stdin"\nwhile locking tuple (0,1) in relation "items"\n'
            + CALLER,
            (Frame("statement", "copy items from stdin"), PLPGSQL),
        ),
        (
            'SQL statement "update t\n   set a = 1"\nSQL function "g" statement 1\nSQL statement "SELECT g()"\n'
            + CALLER,
            (
                Frame("statement", "update t\n   set a = 1"),
                Frame("sql", "g", 1),
                Frame("statement", "SELECT g()"),
                PLPGSQL,
            ),
        ),
        ('SQL statement "never closed', (Frame("statement", "never closed"),)),
    ],
)
def test_a_context_is_read_frame_by_frame(context: str | None, frames: tuple[Frame, ...]) -> None:
    assert parse_context(context) == frames


_LINES = st.text(alphabet=st.sampled_from("abc \"'();$\t"), max_size=12)
_TEXTS = st.lists(_LINES, min_size=1, max_size=4).map("\n".join)
_FRAMES = st.one_of(
    st.builds(Frame, st.just("statement"), _TEXTS),
    st.builds(Frame, st.just("expression"), _TEXTS),
    st.builds(Frame, st.just("sql"), st.sampled_from(["f", "g h"]), st.integers(1, 9)),
    st.builds(
        Frame, st.just("plpgsql"), st.sampled_from(["app.f(integer)", "g()"]), st.integers(1, 99), st.just("at IF")
    ),
)


def _printed(frame: Frame) -> str:
    if frame.kind == "plpgsql":
        return f"PL/pgSQL function {frame.name} line {frame.line} {frame.at}"
    if frame.kind == "sql":
        return f'SQL function "{frame.name}" statement {frame.line}'
    return f'{"SQL statement" if frame.kind == "statement" else "SQL expression"} "{frame.name}"'


@given(st.lists(_FRAMES, max_size=6).map(tuple))
def test_what_is_printed_is_read_back_however_many_lines_and_quotes_a_statement_has(frames: tuple[Frame, ...]) -> None:
    assert parse_context("\n".join(map(_printed, frames))) == frames


def test_the_place_is_the_innermost_function() -> None:
    statement = Frame("statement", "select 1")
    assert place_of(()) == Place()
    assert place_of([statement]) == Place()
    assert place_of([statement, Frame("sql", "g", 2), PLPGSQL]) == Place("g")
    assert place_of([statement, PLPGSQL, Frame("sql", "g", 2)]) == Place("app.f(integer,text)", 7)
    assert str(place_of([PLPGSQL])) == "app.f line 7"
    assert str(place_of([Frame("sql", "g", 2)])) == "g"
    assert str(Place()) == "the call itself"


# --- As the server prints it ------------------------------------------------------------------------------------------

SCHEMA = """
create schema app;
create table app."T" (id int primary key, "b" text);
create function app.expressions(_i int) returns int language plpgsql as $$
declare
    v int := (select count(*) from app."T");
begin
    v := (select count(*)
            from app."T"
           where "b" = '"'
    );
    if exists (
        select from app."T"
    ) then
        return 1;
    end if;
    return (select count(*) from "app"."T");
end $$;
"""


@pytest.fixture
def app(pg_server: Server) -> Iterator[psycopg.Connection[Any]]:
    name = f"test_frames_{secrets.token_hex(8)}"
    with psycopg.connect(pg_server.create_database(name), autocommit=True) as connection:
        connection.execute(SCHEMA)
        yield connection
    pg_server.drop_database(name)


def test_expressions_of_plpgsql_are_told_at_their_lines_on_each_version(app: psycopg.Connection[Any]) -> None:
    with capture(app) as statements:
        app.execute("select app.expressions(1)")
        app.execute('do $$ begin\n perform from\n "app"."T"; end $$')
    assert [(str(s.place), s.frames[0].kind if s.frames else "") for s in statements] == [
        ("app.expressions line 3", "expression"),
        ("app.expressions line 5", "expression"),
        ("app.expressions line 9", "expression"),
        ("app.expressions line 14", "expression"),
        ("the call itself", ""),
        ("inline_code_block line 2", "statement"),
    ]
    for statement in statements:
        if statement.frames:
            assert statement.frames[0].name == statement.query, "to the last quote"


# --- Sources ----------------------------------------------------------------------------------------------------------

FILE = """-- create function app.commented() returns int
create function app.first(_a int default 1)
returns int
language plpgsql
as $body$
begin
    return 1;
end
$body$;
    CREATE OR REPLACE FUNCTION "app"."second" () returns int return 1;
create or replace procedure third() language sql
begin atomic
    select 1;
end;
create function app.fourth() returns int language sql as 'select 1;
select 2';
create function other.fourth() returns int language sql as $$ select 1 $$;
create function app.fifth() returns int as $$ select 1 $$ language sql;
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (Place("app.first(integer)", 1), 5),
        (Place("app.first(integer)", 3), 7),
        (Place("first(integer)", 3), 7),
        (Place("app.first"), 5),
        (Place('app."first"(integer)', 2), 6),
        (Place("app.second"), 10),
        (Place("second"), 10),
        (Place("third"), 12),
        (Place("public.third"), 12),
        (Place("app.fourth"), 15),
        (Place("other.fourth"), 17),
        (Place("fifth"), 18),
        (Place("fourth"), None),  # of which schema?
        (Place("other.fifth"), None),
        (Place("app.commented"), None),
        (Place("app.missing", 3), None),
        (Place(), None),
    ],
)
def test_a_place_is_found_in_the_file_where_its_function_is_written(
    tmp_path: Path, place: Place, line: int | None
) -> None:
    path = tmp_path / "functions.sql"
    path.write_text(FILE)
    assert read_sources([path]).find(place) == (None if line is None else (path, line))


def test_of_two_files_that_write_a_function_the_last_one_counts(tmp_path: Path) -> None:
    one, two = tmp_path / "one.sql", tmp_path / "two.sql"
    one.write_text("create function app.f() returns int language sql as $$ select 1 $$;")
    two.write_text("\n\ncreate or replace function app.f() returns int language sql as $$ select 2 $$;")
    assert read_sources([one, two]).find(Place("app.f")) == (two, 3)
