"""Every statement that runs inside a call is told at its line, inside what caused it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from eventlive_db.plans.capture import capture
from eventlive_db.plans.model import MODES, PlanMode
from eventlive_db.server import Server
from tests.plans.capture_bench import Bench, capture_bench, line, told


@pytest.fixture(scope="module")
def app(pg_server: Server) -> Iterator[Bench]:
    with capture_bench(pg_server) as built:
        yield built


@pytest.mark.parametrize("mode", MODES)
def test_each_statement_of_a_function_is_told_at_its_line(app: Bench, mode: PlanMode) -> None:
    assert told(app.run("select app.plain(7)", mode)) == [
        (1, f"app.plain line {line('plain', 'plain', 3)}", "select n from"),
        (1, f"app.plain line {line('plain update', 'plain')}", "update app.items set"),
        (0, "the call itself", "select app.plain(7)"),
    ]


def test_a_function_in_a_function_is_told_inside_the_statement_that_calls_it(app: Bench) -> None:
    update = f"app.plain line {line('plain update', 'plain')}"
    select = f"app.plain line {line('plain', 'plain', 3)}"
    assert told(app.run("select app.nested(7)")) == [
        (2, select, "select n from"),
        (2, update, "update app.items set"),
        (1, f"app.nested line {line('nested', 'nested')}", "SELECT app.plain(_id)"),
        (1, f"app.helper line {line('helper', 'helper')}", "(select owner from"),
        (1, select, "select n from"),
        (1, update, "update app.items set"),
        (0, "the call itself", "select app.nested(7)"),
    ]


def test_statements_of_a_sql_function_are_told_apart(app: Bench) -> None:
    run = app.run("select app.three()")
    assert [(s.depth, s.place.name, s.frames[:1] and s.frames[0].line) for s in run.statements] == [
        (1, "three", 1),
        (1, "three", 2),
        (1, "three", 3),
        (0, "", ()),
    ]
    assert [e.count for e in run.executions] == [1, 1, 1]
    assert [s.relations for s in run.table_statements] == [("app.log",), ("app.items",), ("app.items",)]


def test_a_begin_atomic_body_which_has_no_text_is_told_by_what_it_does(app: Bench) -> None:
    run = app.run("select app.atomic()")
    assert [(s.depth, s.text, s.query) for s in run.statements] == [
        (1, "<Insert app.log>", ""),
        (1, "<Aggregate app.items>", ""),
        (0, "select app.atomic()", "select app.atomic()"),
    ]
    assert {str(s.place) for s in run.table_statements} == {"atomic"}


@pytest.mark.parametrize("call", ["select app.many() limit 1", "select * from app.many() limit 1"])
def test_a_sql_function_that_is_not_read_to_its_end_is_told_inside_its_statement(app: Bench, call: str) -> None:
    assert told(app.run(call)) == [
        (1, "many", "select n from"),
        (0, "the call itself", " ".join(call.split()[:3])),
    ]


def test_sql_functions_that_are_left_unfinished_stay_with_the_statement_around_them(app: Bench) -> None:
    here = f"app.lazy line {line('lazy', 'lazy')}"
    below = f"app.lazy line {line('lazy', 'lazy') + 1}"
    assert told(app.run("select app.lazy()")) == [
        (2, "many", "select n from"),
        (1, here, "select (select app.many()"),
        (2, "many", "select n from"),
        (1, below, "select app.many() limit"),
        (0, "the call itself", "select app.lazy()"),
    ]


def test_execute_is_told_with_the_text_it_made(app: Bench) -> None:
    run = app.run("select app.dynamic('log')")
    first, second = (s for s in run.statements if s.depth == 1)
    assert first.text == 'select app.helper(7) from app.log as "limit 1"'
    assert first.place.line == line("dynamic", "dynamic", 1)
    assert second.text == "update app.items set n = 0 where id = $1"
    assert second.place.line == line("dynamic using", "dynamic")
    assert first.frames[0].name == first.query


def test_the_body_of_a_loop_is_beside_its_query_and_what_the_query_calls_is_inside_it(app: Bench) -> None:
    run = app.run("select app.loops()")
    assert [(s.depth, s.place.name, s.place.line) for s in run.statements] == [
        *[(1, "app.loops", line("loop body", "loops"))] * 25,
        *[(2, "app.helper", line("helper", "helper"))] * 25,
        (1, "app.loops", line("loop query", "loops")),
        (0, "", None),
    ]
    assert [(e.count, e.first.place.name) for e in run.executions] == [
        (25, "app.loops"),
        (25, "app.helper"),
        (1, "app.loops"),
    ]


def test_what_the_query_of_a_cursor_calls_is_inside_it(app: Bench) -> None:
    assert told(app.run("select app.cursor()")) == [
        *[(2, f"app.helper line {line('helper', 'helper')}", "(select owner from")] * 2,
        (1, f"app.cursor line {line('close', 'cursor')}", "select app.helper(id) as"),
        (0, "the call itself", "select app.cursor()"),
    ]


def test_a_recursive_function_is_told_level_by_level(app: Bench) -> None:
    run = app.run("select app.recursive(4)")
    select, call = line("recursive", "recursive"), line("recursive call", "recursive")
    assert [(s.depth, s.place.line) for s in run.statements] == [
        (1, select),
        (2, select),
        (3, select),
        (4, select),
        (3, call),
        (2, call),
        (1, call),
        (0, None),
    ]


def test_triggers_and_foreign_keys_are_told_inside_the_statement_that_fires_them(app: Bench) -> None:
    run = app.run("select app.noted()")
    noted = f"app.noted line {line('noted', 'noted')}"
    fired = [
        (2, f"app.before_row line {line('before row', 'before_row')}", "SELECT from app.items"),
        (2, noted, "SELECT 1 FROM"),
        (2, f"app.after_row line {line('after row', 'after_row')}", "update app.items set"),
        (2, f"app.after_statement line {line('after statement', 'after_statement')}", "insert into app.log"),
    ]
    assert sorted(told(run)[:7]) == sorted([fired[0]] * 2 + [fired[1]] * 2 + [fired[2]] * 2 + [fired[3]])
    assert told(run)[7:] == [
        (1, noted, "insert into app.notes"),
        (0, "the call itself", "select app.noted()"),
        *[
            (1, f"app.helper line {line('helper', 'helper')}", "(select owner from"),
            (0, f"app.at_commit line {line('at commit', 'at_commit')}", "SELECT app.helper(new.item)"),
        ]
        * 2,
    ]
    assert [s.is_foreign_key_check for s in run.statements].count(True) == 2
    # By the names of triggers; a foreign key's end with the number of an object.
    (insert,) = [s for s in run.statements if s.text.startswith("insert into app.notes")]
    assert {name: n for name, n in insert.triggers.items() if len(name) == 1} == {"a": 2, "b": 2, "c": 1}


def test_a_cascade_is_told_inside_the_delete_that_causes_it(app: Bench) -> None:
    run = app.run("delete from app.items where id = 8")
    assert told(run) == [
        (1, "the call itself", "DELETE FROM ONLY"),
        (0, "the call itself", "delete from app.items"),
    ]


def test_a_block_inside_a_function_is_told_with_the_line_of_the_block(app: Bench) -> None:
    run = app.run("select app.block()")
    assert told(run)[0] == (1, "inline_code_block line 3", "SELECT from app.items")


@pytest.mark.parametrize("relation", ["app.owned", "app.owned_view"])
def test_a_policy_and_its_helper_are_seen_under_the_role_that_they_are_for(app: Bench, relation: str) -> None:
    run = app.run(f"select count(*) from {relation}", role=True)
    helper = (1, f"app.me line {line('me', 'me')}", "select id from")
    assert set(told(run)[:-1]) == {helper}
    assert len(told(run)) >= 13, "once for each row"
    assert told(run)[-1][:2] == (0, "the call itself")
    assert set(run.relations) == {"app.items", "app.owned"}
    as_owner = app.run(f"select count(*) from {relation}")
    assert len(as_owner.statements) == 1, "no policy for the owner"


def test_what_a_caught_error_undoes_is_told_except_the_statement_that_failed(app: Bench) -> None:
    run = app.run("select app.caught()")
    assert told(run) == [
        (1, f"app.caught line {line('before the error', 'caught')}", "insert into app.log"),
        (1, f"app.fails line {line('fails', 'fails')}", "update app.items set"),
        (1, f"app.caught line {line('after the error', 'caught')}", "insert into app.log"),
        (0, "the call itself", "select app.caught()"),
    ]


def test_an_error_that_is_not_caught_leaves_a_connection_that_goes_on(app: Bench) -> None:
    with psycopg.connect(app.dsn, autocommit=True) as connection:
        with capture(connection) as statements, pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("select app.fails()")
        assert [s.text for s in statements] == ["update app.items set n = 9 where id = 9"]
        with capture(connection) as statements:
            connection.execute("select app.plain(1)")
        assert len(statements) == 3
