"""Functions that take arguments of any type are compiled with types that fit."""

from __future__ import annotations

import pytest

from tests.lint.db_bench import PATH, App

POLYMORPHIC = "create function app.any_{n}({arguments}) returns {returns} language plpgsql {path} as $$ {body} $$"


def plant_polymorphic(app: App, *functions: tuple[str, str, str]) -> None:
    """Make functions, each of arguments, a type that it returns, and a body."""
    for number, (arguments, returns, body) in enumerate(functions):
        app.admin.execute(
            POLYMORPHIC.format(n=number, arguments=arguments, returns=returns, path=PATH, body=body).encode()
        )


@pytest.mark.parametrize(
    ("arguments", "body", "message"),
    [
        ("_x anyelement", "begin perform id from eventlive.registrations; end", 'column "id" does not exist (42703)'),
        ("_x anyarray", "begin perform from app.nothing where _x is null; end", '"app.nothing" does not exist (42P01)'),
        ("_x anyenum", "begin perform app.nothing(_x); end", "function app.nothing("),
        ("_x anycompatiblerange", "begin perform nowhere.f(_x); end", 'schema "nowhere" does not exist (3F000)'),
        # What does not fit the type that is tried first hides nothing.
        (
            "_x anyelement",
            "begin perform from eventlive.webinars w where w.slug = _x and w.gone = 1; end",
            "column w.gone does not exist (42703)",
        ),
        (
            "_x anynonarray, _y anyelement",
            "declare v _x%type; begin v := _x; perform gone from eventlive.jobs where _x = v; end",
            'column "gone" does not exist (42703)',
        ),
    ],
    ids=["column", "table", "function", "schema", "hidden", "type-of-argument"],
)
def test_a_function_of_any_type_is_compiled_with_types_that_fit(
    app: App, arguments: str, body: str, message: str
) -> None:
    plant_polymorphic(app, (arguments, "void", body))
    [finding] = app.broken()
    assert message in finding.sentence
    assert finding.level == "error"


def test_a_body_in_sql_of_any_type_is_compiled_too(app: App) -> None:
    app.admin.execute("set check_function_bodies = off")
    definition = "create function app.first(anyarray) returns anyelement language sql {} as $$ select $1[1]{} $$"
    app.admin.execute(definition.format(PATH, "").encode())
    assert app.broken() == []
    app.admin.execute(definition.replace("create", "create or replace").format(PATH, " from app.nothing").encode())
    assert ['relation "app.nothing" does not exist' in finding.sentence for finding in app.broken()] == [True]


def test_what_hangs_on_the_type_of_an_argument_is_no_finding(app: App) -> None:
    app.admin.execute("create type app.pair as (a int, b int)")
    app.admin.execute(f"create function app.of_text(text) returns text language plpgsql {PATH} as 'begin end'")
    app.admin.execute(f"create function app.of_pair(app.pair) returns text language plpgsql {PATH} as 'begin end'")
    plant_polymorphic(
        app,
        ("_x anyelement", "anyelement", "declare v _x%type; begin v := _x + 1; return v; end"),
        ("_x anyelement", "text", "begin return _x || 'a'; end"),
        ("_x anyelement", "text", "begin return app.of_text(_x); end"),
        ("_x anyelement", "text", "begin return app.of_pair(_x); end"),
        ("_x anyelement", "timestamptz", "begin return date_trunc('day', _x); end"),
        ("_x anyelement", "int", "begin return (_x).a; end"),
        ("_x anyelement", "int", "begin return _x.a; end"),
        ("_x anyelement", "text", "begin return _x ->> 'key'; end"),
        ("_x anyarray", "int", "begin return cardinality(_x) + array_position(_x, _x[1]); end"),
        ("_x anyrange", "boolean", "begin return isempty(_x) or lower(_x) = upper(_x); end"),
        ("_x anymultirange", "boolean", "begin return isempty(_x); end"),
        ("_x anyenum", "anyenum", "begin return enum_first(_x); end"),
        ("_x anycompatible, _y anycompatiblearray", "int", "begin return array_position(_y, _x); end"),
        ("_x anycompatiblenonarray, out _y anycompatible", "anycompatible", "begin _y := coalesce(_y, _x); end"),
        ("variadic _x anyarray", "int", "begin return array_length(_x, 1); end"),
    )
    assert app.broken() == []
