"""Types: of columns, parameters and variables, and in casts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.sql_bench import ONLY_NAMES, SHOP, findings, place

HEAD = "create function shop.f() returns void language plpgsql as $$\ndeclare\n    "
TAIL = "\nbegin\n    null;\nend\n$$;"
BODY = "create function shop.f() returns void language plpgsql as $$\nbegin\n    "

# SQL with ^ before the word that means nothing, the rule, part of the message, and what it should have been.
TYPES = {
    "a variable": (f"{HEAD}v shop.^stat;{TAIL}", "resolve.type", "there is no type shop.stat", "state"),
    "an array": (f"{HEAD}v shop.^stat[] := '{{}}';{TAIL}", "resolve.type", "no type shop.stat", "state"),
    "a variable without a schema": (
        f"{HEAD}v constant ^state not null := 'new';{TAIL}",
        "resolve.type",
        "the type state is not in pg_catalog, pg_temp",
        "shop.state",
    ),
    "a row": (f"{HEAD}v shop.^order%rowtype;{TAIL}", "resolve.relation", "no table or view shop.order", "orders"),
    "the type of a column": (
        f"{HEAD}v shop.orders.^sum%type;{TAIL}",
        "resolve.column",
        "shop.orders has no column sum; it has order_id",
        "total",
    ),
    "the type of a column of a table": (
        f"{HEAD}v shop.^order.total%type;{TAIL}",
        "resolve.relation",
        "no table or view shop.order",
        "orders",
    ),
    "the type of a variable": (
        f"{HEAD}v_one int; v_two ^v_on%type;{TAIL}",
        "resolve.column",
        "there is no variable v_on here",
        "v_one",
    ),
    "a cast": ("select o.total::shop.^stat from shop.orders o;", "resolve.type", "no type shop.stat", "state"),
    "cast as": ("select cast(null as shop.^stat[]);", "resolve.type", "there is no type shop.stat", "state"),
    "a cast in a body": (f"{BODY}perform null::shop.^stat;\nend\n$$;", "resolve.type", "no type shop.stat", "state"),
    "a cast in a value": (f"{HEAD}v text := null::shop.^stat;{TAIL}", "resolve.type", "no type shop.stat", "state"),
    "columns of a function": (
        "select x.a from json_to_recordset('[]') as x (a shop.^stat);",
        "resolve.type",
        "no type shop.stat",
        "state",
    ),
    "a parameter": (
        "create function shop.f(_a shop.^stat) returns int language sql return 1;",
        "resolve.type",
        "no type shop.stat",
        "state",
    ),
    "a parameter of plpgsql": (
        "create function shop.f(_a shop.^stat) returns int language plpgsql as $$ begin return 1; end $$;",
        "resolve.type",
        "no type shop.stat",
        "state",
    ),
    "a parameter of the type of a column": (
        "create function shop.f(_a shop.orders.^sum%type) returns int language sql return 1;",
        "resolve.column",
        "shop.orders has no column sum",
        "total",
    ),
    "a result": (
        "create function shop.f() returns setof shop.^stat language sql return null;",
        "resolve.type",
        "no type shop.stat",
        "state",
    ),
    "a column of a result": (
        "create function shop.f() returns table (a shop.^stat) language sql return null;",
        "resolve.type",
        "no type shop.stat",
        "state",
    ),
    "a column": ("create table shop.t (a int, b shop.^stat);", "resolve.type", "no type shop.stat", "state"),
    "a column that is added": ("alter table shop.orders add b shop.^stat;", "resolve.type", "shop.stat", "state"),
    "another type for a column": (
        "alter table shop.orders alter total type shop.^stat using null;",
        "resolve.type",
        "no type shop.stat",
        "state",
    ),
    "a field": ("create type shop.t as (a shop.^stat);", "resolve.type", "no type shop.stat", "state"),
    "a domain": ("create domain shop.d as shop.^stat;", "resolve.type", "no type shop.stat", "state"),
}


@pytest.mark.parametrize(("bad", "rule", "message", "name"), TYPES.values(), ids=list(TYPES))
def test_a_type_that_is_not_there_is_found_at_its_word(
    tmp_path: Path, bad: str, rule: str, message: str, name: str
) -> None:
    faulty = f"select 1;\n{bad.replace('^', '')}\n"
    files = {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty}
    (found,) = findings(tmp_path, files)
    assert (found.line, found.column, found.rule) == (*place(faulty, bad), rule)
    assert message in found.message
    start, _, rest = bad.partition("^")
    word = rest[: found.end_column - found.column]
    good = f"{start}{name}{rest.removeprefix(word)}\n"
    assert findings(tmp_path, {"sql/2.sql": good}) == []


HARMLESS = {
    "types of postgres": (
        f"{HEAD}a int; b double precision; c timestamp (3) with time zone; d character varying(10); e bit varying(3);"
        " f interval day to second; g numeric(10, 2)[]; h bigint[3][]; i text array; j record; k refcursor;"
        ' l pg_catalog.int4; m regclass; n pg_lsn; o _text; p int4multirange; q "char"; r national character;'
        f" s time without time zone; t jsonb default '{{}}'; u xid8 := null; v decimal; w dec(4); x float(3);{TAIL}"
    ),
    "serial columns": "create table shop.t (a serial, b bigserial, c smallserial, d serial8);",
    "types of other schemas": f"{HEAD}a auth.level; b auth.users%rowtype; c auth.users.id%type; d auth.l[];{TAIL}",
    "rows": f"{HEAD}a shop.orders; b shop.orders[]; c shop.paid%rowtype; e shop.paid.paid_total%type;{TAIL}",
    "names in quotes": (
        'create type shop."Kind" as enum (\'a\'); create table shop."T" ("C" shop."Kind");'
        f'{HEAD}a shop."Kind"; b shop."T"."C"%type; c shop."T"%rowtype; d "shop"."Kind"[];{TAIL}'
    ),
    "other variables": (
        "create function shop.f(_id bigint, _row shop.orders) returns void language plpgsql as $$\n<<outside>>\n"
        "declare\n    a _id%type; b a%type; c _row.total%type; d f._id%type; e outside.a%type; f int := 1;\n"
        "begin\n    null;\nend\n$$;"
    ),
    "a multirange of a range": (
        "create type shop.span as range (subtype = int4); create table shop.t (a shop.span, b shop.span_multirange);"
    ),
    "a domain over a type that comes later": (
        "create table shop.t (a shop.later); create domain shop.later as shop.last; create domain shop.last as int;"
    ),
    "a base type": (
        "create type shop.base; create function shop.base_in(cstring) returns shop.base language c as 'x';"
        " create function shop.base_out(shop.base) returns cstring language c as 'x';"
        " create type shop.base (input = shop.base_in, output = shop.base_out);"
    ),
    "the type of a temporary table": (
        f"{BODY}create temp table seen (a int);\n    perform null::seen, null::pg_temp.seen;\nend\n$$;"
    ),
    "a type that a block makes": (
        "do $$ begin create type shop.made as enum ('a'); exception when duplicate_object then null; end $$;"
        " create table shop.t (a shop.made);"
    ),
    "a comment within": f"{HEAD}a /* what */ shop.orders -- it is\n        := null;{TAIL}",
    "a variable of psql": 'create table shop.t (a :type, b :"schema".kind); select null:::"t", null::shop.:t;',
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=list(HARMLESS))
def test_a_type_that_is_there_or_cannot_be_known_is_no_fault(tmp_path: Path, text: str) -> None:
    assert findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": text}) == []


def test_a_type_in_public_is_looked_up_without_its_schema(tmp_path: Path) -> None:
    toml = "[rules]\nobject = false\nbody = false\n"
    made = "create type kind as enum ('a');\ncreate table t (a kind, b {});\n"
    good = ("kind", "citext", "vector(3)", "int[]", "t", "geometry(point, 4326)")
    for name in good:
        assert findings(tmp_path, {"lint.toml": toml, "sql/1.sql": made.format(name)}) == []
    (found,) = findings(tmp_path, {"sql/1.sql": made.format("kinds")})
    assert (found.line, found.column, found.rule) == (2, 27, "resolve.type")
    assert (found.message, found.advice) == ("there is no type kinds", "did you mean kind?")
    extension = "create extension measures;\n"
    assert findings(tmp_path, {"sql/1.sql": extension + made.format("kinds")}) == []


def test_a_migration_knows_the_types_as_of_its_step(tmp_path: Path) -> None:
    first = "create schema shop; create type shop.a as enum ('x'); create function shop.f(_a shop.a) {0};\n"
    first = first.format("returns int language plpgsql as $$ declare v shop.a; begin return 1; end $$")
    files = {"lint.toml": ONLY_NAMES, "migrations/1_a.up.sql": first}
    good = "drop function shop.f(shop.a); drop type shop.a; create type shop.b as enum ('y');\n"
    assert findings(tmp_path, {**files, "migrations/2_b.up.sql": good}) == []
    (found,) = findings(tmp_path, {"migrations/2_b.up.sql": f"{good}create table shop.t (c shop.a);\n"})
    assert (found.file, found.line, found.column, found.rule) == ("migrations/2_b.up.sql", 2, 29, "resolve.type")
