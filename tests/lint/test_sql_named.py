"""Objects that are dropped, renamed, altered, granted or commented on, in the files of a declared schema."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.sql_bench import ONLY_NAMES, SHOP, findings, place

MORE = """
create type shop.size as enum ('s', 'l');
create domain shop.code as text;
create sequence shop.numbers;
create index orders_total on shop.orders (total);
create function shop.checked() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger guard before insert on shop.orders for each row execute function shop.checked();
create policy own on shop.orders using (true);
create function shop.part(_of shop.orders.total%type, _size shop.size) returns int language sql return 1;
"""

# A statement with ^ before the name that means nothing, the rule, part of the message, and the name that exists.
STATEMENTS = {
    "drop table": ("drop table shop.^ordrs;", "resolve.relation", "no table or view shop.ordrs", "orders"),
    "drop view": ("drop view shop.^payed;", "resolve.relation", "no table or view shop.payed", "paid"),
    "drop function": (
        "drop function shop.^total_off(bigint, timestamptz);",
        "resolve.function",
        "there is no function shop.total_off",
        "total_of",
    ),
    "drop index": ("drop index shop.^orders_sum;", "resolve.object", "no index shop.orders_sum", "orders_total"),
    "drop sequence": ("drop sequence shop.^number;", "resolve.object", "no sequence shop.number", "numbers"),
    "drop type": ("drop type shop.^sizes;", "resolve.object", "no type shop.sizes", "size"),
    "drop domain": ("drop domain shop.^codes;", "resolve.object", "no domain shop.codes", "code"),
    "drop trigger": ("drop trigger ^gard on shop.orders;", "resolve.object", "no trigger gard; it has guard", "guard"),
    "drop policy": ("drop policy ^mine on shop.orders;", "resolve.object", "no policy mine; it has own", "own"),
    "drop column": (
        "alter table shop.orders drop column ^sum;",
        "resolve.column",
        "shop.orders has no column sum; it has order_id",
        "total",
    ),
    "rename a table": ("alter table shop.^ordrs rename to o;", "resolve.relation", "shop.ordrs", "orders"),
    "rename a column": (
        "alter table shop.orders rename column ^sum to s;",
        "resolve.column",
        "shop.orders has no column sum",
        "state",
    ),
    "rename a function": (
        "alter function shop.^checkd() rename to c;",
        "resolve.function",
        "there is no function shop.checkd",
        "checked",
    ),
    "rename a type": ("alter type shop.^sizes rename to s;", "resolve.object", "no type shop.sizes", "size"),
    "rename an index": (
        "alter index shop.^orders_sum rename to i;",
        "resolve.object",
        "shop.orders_sum",
        "orders_total",
    ),
    "rename a sequence": ("alter sequence shop.^number rename to n;", "resolve.object", "shop.number", "numbers"),
    "rename a trigger": ("alter trigger ^gard on shop.orders rename to g;", "resolve.object", "trigger gard", "guard"),
    "rename a policy": ("alter policy ^mine on shop.orders rename to m;", "resolve.object", "policy mine", "own"),
    "rename a field of a type": (
        "alter type shop.money rename attribute ^sum to s;",
        "resolve.column",
        "shop.money has no column sum",
        "amount",
    ),
    "another schema for a table": ("alter table shop.^ordrs set schema public;", "resolve.relation", "ordrs", "orders"),
    "another schema for a type": ("alter type shop.^sizes set schema public;", "resolve.object", "sizes", "size"),
    "another owner": ("alter table shop.^ordrs owner to me;", "resolve.relation", "shop.ordrs", "orders"),
    "another owner of a function": (
        "alter function shop.^checkd() owner to me;",
        "resolve.function",
        "no function shop.checkd",
        "checked",
    ),
    "a setting of a function": (
        "alter function shop.^checkd() set search_path = '';",
        "resolve.function",
        "no function shop.checkd",
        "checked",
    ),
    "a value of a type": ("alter type shop.^sizes add value 'm';", "resolve.object", "no type shop.sizes", "size"),
    "a check of a domain": ("alter domain shop.^codes drop not null;", "resolve.object", "no type shop.codes", "code"),
    "a sequence": ("alter sequence shop.^number restart;", "resolve.object", "no sequence shop.number", "numbers"),
    "a policy": ("alter policy ^mine on shop.orders using (false);", "resolve.object", "no policy mine", "own"),
    "a comment on a type": ("comment on type shop.^sizes is 'x';", "resolve.object", "no type shop.sizes", "size"),
    "a comment on an index": (
        "comment on index shop.^orders_sum is 'x';",
        "resolve.object",
        "no index",
        "orders_total",
    ),
    "a grant on a sequence": ("grant usage on sequence shop.^number to public;", "resolve.object", "number", "numbers"),
    "a grant on a type": ("grant usage on type shop.^sizes to public;", "resolve.object", "no type shop.sizes", "size"),
}


@pytest.mark.parametrize(("bad", "rule", "message", "name"), STATEMENTS.values(), ids=list(STATEMENTS))
def test_an_object_that_is_not_there_is_found_at_its_word(
    tmp_path: Path, bad: str, rule: str, message: str, name: str
) -> None:
    faulty = f"select 1;\n{bad.replace('^', '')}\n"
    files = {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP + MORE, "sql/2.sql": faulty}
    (found,) = findings(tmp_path, files)
    assert (found.line, found.column, found.rule) == (*place(faulty, bad), rule)
    assert message in found.message
    wrong = bad.partition("^")[2].replace("(", " ").replace(";", " ").split()[0]
    # What the other file says of an object that goes is another matter.
    assert findings(tmp_path, {"sql/2.sql": faulty.replace(wrong, name, 1)}, "sql/2.sql") == []


HARMLESS = {
    "what may be missing": (
        "drop table if exists shop.a; drop function if exists shop.a(); drop index if exists shop.a;"
        " drop type if exists shop.a; drop trigger if exists a on shop.orders; drop policy if exists a on shop.orders;"
        " alter table if exists shop.a rename to b; alter table shop.orders drop column if exists a;"
        " alter sequence if exists shop.a restart; drop sequence if exists shop.a;"
    ),
    "what goes in a later file": "drop view shop.paid; drop function shop.latest(integer);",
    "a name that was new for a while": (
        "alter table shop.orders rename to o; alter table shop.o rename to orders;"
        " alter type shop.size rename to s; alter type shop.s rename to size;"
        " alter trigger guard on shop.orders rename to g; alter trigger g on shop.orders rename to guard;"
    ),
    "a function whose parameter is of the type of a column": "drop function shop.part(numeric, shop.size);",
    "what goes after it was altered": (
        "create policy a on shop.orders using (true); alter policy a on shop.orders to public;"
        " alter policy a on shop.orders rename to b; drop policy b on shop.orders;"
        " create procedure shop.p(inout a int) language plpgsql as $$ begin a := 1; end $$;"
        " alter procedure shop.p(int) owner to x; comment on procedure shop.p(int) is 'x'; drop procedure shop.p(int);"
        " create aggregate shop.s(int) (sfunc = int4pl, stype = int); comment on aggregate shop.s(int) is 'x';"
        " grant execute on function shop.s(int) to public; drop aggregate shop.s(int);"
    ),
    "a function that had other parameters before": (
        "drop function shop.latest; create function shop.latest(text) returns int language sql return 1;"
    ),
    "an index of a constraint": (
        "alter index shop.orders_pkey rename to o; alter table shop.orders cluster on orders_pkey;"
        " comment on index shop.customers_pkey is 'x';"
    ),
    "the sequence of an identity": "alter sequence shop.customers_customer_id_seq restart;",
    "a schema that no file creates": (
        "drop table auth.users; drop type auth.level; comment on function auth.uid() is 'x'; drop index auth.i;"
        " alter sequence auth.s restart; drop schema auth;"
    ),
    "a function of postgres": "revoke execute on function pg_sleep(double precision) from public;",
    "an array of a type": "create function shop.many(shop.size[]) returns int language sql return 1;"
    " drop function shop.many(shop.size[]);",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=list(HARMLESS))
def test_what_is_or_was_there_or_cannot_be_known_is_no_fault(tmp_path: Path, text: str) -> None:
    assert findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP + MORE, "sql/2.sql": text}) == []


def test_objects_in_public_are_looked_up_without_their_schema(tmp_path: Path) -> None:
    toml = "[rules]\nobject = false\n"
    made = "create schema public; create table a (b int); create index i on a (b); create type t as enum ('x');\n"
    good = "drop index i; drop type t; drop table a;\n"
    assert findings(tmp_path, {"lint.toml": toml, "sql/1.sql": made, "sql/2.sql": good}, "sql/2.sql") == []
    bad = "drop index ii; drop type tt; drop table aa; drop function f(int);\n"
    found = findings(tmp_path, {"sql/2.sql": bad})
    assert [f.column for f in found] == [place(bad, f"^{name}")[1] for name in ("ii;", "tt;", "aa;", "f(")]
    assert findings(tmp_path, {"sql/1.sql": f"{made}create extension citext;\n", "sql/2.sql": bad}) == []


def test_a_type_that_a_migration_renames_is_known_by_its_new_name(tmp_path: Path) -> None:
    first = (
        "create schema shop; create type shop.a as enum ('x'); create table shop.t (c shop.a);\n"
        "create function shop.f(_a shop.a) returns int language sql return 1;\n"
        "create policy p on shop.t using (true);\n"
    )
    second = (
        "alter type shop.a rename to b; alter policy p on shop.t rename to q;\n"
        "drop function shop.f(shop.{0}); drop policy {1} on shop.t; drop table shop.t; drop type shop.{0};\n"
    )
    files = {"lint.toml": ONLY_NAMES, "migrations/1_a.up.sql": first}
    assert findings(tmp_path, {**files, "migrations/2_b.up.sql": second.format("b", "q")}) == []
    found = findings(tmp_path, {"migrations/2_b.up.sql": second.format("a", "p")})
    assert [f.rule for f in found] == ["resolve.function", "resolve.object", "resolve.object"]
