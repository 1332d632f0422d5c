"""The functions of a database: which there are, and how pglast comes to read them."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from eventlive_db.functions import (
    ParserMissingError,
    UnreadableError,
    declared_names,
    defaults,
    parse_function,
    read_catalog,
    runs,
    split_signature,
    sql_statements,
    tokens,
)

FUNCTIONS = """
create schema app;
create extension hstore schema app;
create type app.size as enum ('small');
create table app.item (id int, size app.size);
create function app.take(_item app.item, _size app.size default 'small', out _left int) language plpgsql as $$
declare
    v_size constant app.size := _size;
    v_rows app.item[];
begin
    _left := _item.id;
    v_rows[1] := _item;
end $$;
create function app.one() returns int language sql begin atomic; select 1; end;
create procedure app."Do it"(_a timestamptz) language sql as 'select 1';
create aggregate app.total(int) (sfunc = int4pl, stype = int);
"""


def test_all_functions_in_plpgsql_and_sql_are_found_and_those_of_extensions_are_not(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute(FUNCTIONS)
        catalog = read_catalog(connection)
        oids = [oid for (oid,) in connection.execute("select 'app.take'::regproc::oid").fetchall()]
    assert [routine.signature for routine in catalog.routines] == [
        "app.Do it(timestamp with time zone)",
        "app.one()",
        "app.take(item,size)",
    ]
    assert catalog.scalar_types >= {"size"}
    do, one, take = catalog.routines
    assert (one.atomic is None, do.atomic) == (False, None)
    assert [take.oid] == oids
    tree = parse_function(take.header, take.source, catalog.scalar_types)
    assert tree["action"]["PLpgSQL_stmt_block"]["lineno"] == 5
    assert list(defaults(take.source)) == [(3, " _size")]


def test_a_body_that_is_no_plpgsql_is_refused() -> None:
    with pytest.raises(UnreadableError, match="syntax error"):
        parse_function("create function f() returns text", "begin begin end", frozenset())
    with pytest.raises(UnreadableError, match="syntax error"):
        sql_statements("selec 1")


def test_words_are_told_apart_by_the_grammar() -> None:
    body = "declare -- begin\n  größe int; declare_it text := 'declare x'; begin end"
    words = tokens(body)
    assert [body[words[n].start : words[n].end] for n in declared_names(words)] == ["größe", "declare_it"]
    assert tokens("select 'open") == []


def test_what_the_executor_runs_is_told_from_expressions_and_commands() -> None:
    assert [runs("select 1", 0), runs("x + 1", 2), runs("v := (select 1)", 3), runs("lock table t", 0)] == [
        True,
        False,
        True,
        None,
    ]
    assert sql_statements("select 1;\n\nlock table t;") == ((1, "select 1", True), (3, "lock table t", False))


def test_a_signature_as_the_server_prints_it_has_a_name_and_types_without_schemas() -> None:
    assert split_signature('app."Do it"(app.size,"S s".t[])') == ("app", "Do it", "size,t[]")
    assert split_signature("inline_code_block") == ("", "inline_code_block", "")


def test_the_parser_is_imported_by_whoever_parses_and_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import sys, eventlive_db.functions; sys.exit('pglast' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "pglast", None)
    with pytest.raises(ParserMissingError, match=r"pip install 'eventlive-db\[lint\]'") as caught:
        tokens("select 1")
    assert caught.value.token == "parser_missing"
