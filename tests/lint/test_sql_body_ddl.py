"""DDL in the bodies of functions and DO blocks, and the rows of cursors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.sql_bench import ONLY_NAMES, SHOP, findings, place

# A statement with ^ before the word that means nothing, part of the message, and the fixed statement.
STATEMENTS = {
    "an index": (
        "create index on shop.orders (^sum);",
        "shop.orders has no column sum",
        "create index on shop.orders (total);",
    ),
    "an index of a table": (
        "create index if not exists i on shop.^order (total);",
        "there is no table or view shop.order",
        "create index if not exists i on shop.orders (total);",
    ),
    "drop table": ("drop table shop.^order;", "there is no table or view shop.order", "drop table shop.orders;"),
    "drop function": (
        "drop function shop.^total(int);",
        "there is no function shop.total",
        "drop function if exists shop.total(int);",
    ),
    "alter table": (
        "alter table shop.orders alter column ^sum set default 1;",
        "shop.orders has no column sum",
        "alter table shop.orders alter column total set default 1;",
    ),
    "add column": (
        "alter table shop.^order add column a int;",
        "there is no table or view shop.order",
        "alter table shop.orders add column a int;",
    ),
    "rename": (
        "alter table shop.^order rename to o;",
        "there is no table or view shop.order",
        "alter table shop.orders rename to o; perform 1 from shop.o;",
    ),
    "a comment": (
        "comment on column shop.orders.^sum is 'x';",
        "shop.orders has no column sum",
        "comment on column shop.orders.total is 'x';",
    ),
    "a grant": ("grant select on shop.^order to public;", "shop.order", "grant select on shop.orders to public;"),
    "a foreign key": (
        "create table shop.t (a int references shop.^order);",
        "there is no table or view shop.order",
        "create table shop.t (a int references shop.orders); create index on shop.t (a); perform t.a from shop.t;",
    ),
    "a type": ("create type shop.t as (a shop.^stat);", "no type shop.stat", "create type shop.t as (a shop.state);"),
}
FORMS = {
    "plpgsql": "create function shop.f() returns void language plpgsql as $$\nbegin\n    {}\nend\n$$;\n",
    "a block": "do $$\nbegin\n    if true then\n        {}\n    end if;\nend\n$$;\n",
    "sql": "create function shop.f() returns void language sql as $$\n    {}\n$$;\n",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
@pytest.mark.parametrize(("bad", "message", "good"), STATEMENTS.values(), ids=list(STATEMENTS))
def test_a_name_that_means_nothing_is_found_at_its_word(
    tmp_path: Path, form: str, bad: str, message: str, good: str
) -> None:
    faulty = form.format(bad.replace("^", ""))
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert (found.line, found.column) == place(faulty, bad)
    assert message in found.message
    good = good.replace("perform", "select" if "language sql" in form else "perform")
    assert findings(tmp_path, {"sql/2.sql": form.format(good)}, "sql/2.sql") == []


HARMLESS = {
    "a temporary table": (
        "create temp table seen (a int) on commit drop; create index on seen (a); alter table seen add b int;"
        " create unique index i on pg_temp.seen (b); perform s.b from seen s; drop table seen;"
    ),
    "a table of its own": (
        "create table shop.t as select 1 as a; create index on shop.t (a); alter table shop.t add b int;"
        " insert into shop.t (a, b) values (1, 2); comment on column shop.t.b is 'x'; drop table shop.t;"
    ),
    "a column of its own": (
        "alter table shop.orders add column a int; update shop.orders set a = 1; create index on shop.orders (a);"
        " alter table shop.orders alter column a set not null, drop column a;"
    ),
    "tables that change places": (
        "create table shop.next (like shop.orders); alter table shop.orders rename to old;"
        " alter table shop.next rename to orders; drop table shop.old;"
    ),
    "what may be missing": "drop table if exists shop.t; alter table if exists shop.t add a int;",
    "other schemas": "create index on auth.users (id); drop table auth.users; alter table auth.users add a int;",
    "what is asked for first": (
        "if to_regclass('shop.t') is not null then alter table shop.t rename to u; drop index shop.i; end if;"
    ),
    "what the catalog is asked for": (
        "if exists (select from information_schema.tables t where t.table_name = 't') then drop table shop.t; end if;"
    ),
    "an error that is caught": "begin drop table shop.t; exception when undefined_table then null; end;",
    "a dynamic statement": "execute format('drop table shop.%I', 't');",
    "settings and roles": "set local lock_timeout = '1s'; reset role; notify x; listen y; analyze; set role none;",
}


@pytest.mark.parametrize("form", [FORMS["plpgsql"], FORMS["a block"]], ids=["plpgsql", "a block"])
@pytest.mark.parametrize("statement", HARMLESS.values(), ids=list(HARMLESS))
def test_what_is_there_or_cannot_be_known_is_no_fault(tmp_path: Path, form: str, statement: str) -> None:
    files = {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": form.format(statement)}
    assert findings(tmp_path, files, "sql/2.sql") == []


def test_a_block_of_a_migration_may_drop_what_is_there(tmp_path: Path) -> None:
    first = "create schema shop; create table shop.t (a int);\n"
    files = {"lint.toml": ONLY_NAMES, "migrations/1_a.up.sql": first}
    block = "do $$\nbegin\n    alter table shop.t drop column {};\n    drop table shop.{};\nend\n$$;\n"
    assert findings(tmp_path, {**files, "migrations/2_b.up.sql": block.format("a", "t")}) == []
    found = findings(tmp_path, {"migrations/2_b.up.sql": block.format("b", "u")})
    assert [(f.line, f.column) for f in found] == [(3, 36), (4, 21)]


CURSORS = {
    "a loop": (
        "cur cursor for select o.total, o.state from shop.orders o;",
        "for r in cur loop perform r.total, r.^sum; end loop;",
        "r, which is of its query, has no field sum; it has total, state",
        "for r in cur loop perform r.total, r.state; end loop;",
    ),
    "a cursor with parameters": (
        "cur cursor (p int) for select o.total from shop.orders o where o.order_id = p;",
        "for r in cur(1) loop perform r.^sum; end loop;",
        "has no field sum; it has total",
        "for r in cur(p => 1) loop perform r.total; end loop;",
    ),
    "fetch": (
        "cur cursor for select o.total from shop.orders o; v record;",
        "open cur; fetch cur into v; perform v.^sum; close cur;",
        "v, which is of its query, has no field sum; it has total",
        "open cur; fetch cur into v; perform v.total; close cur;",
    ),
    "two cursors": (
        "one cursor for select 1 as a; two cursor for select 2 as b;",
        "for r in one loop perform r.a; end loop; for r in two loop perform r.b, r.^c; end loop;",
        "has no field c; it has a, b",
        "for r in one loop perform r.a; end loop; for r in two loop perform r.b; end loop;",
    ),
}
UNKNOWN_CURSORS = {
    "a cursor variable": ("v record; c refcursor;", "open c for select 1 as a; fetch c into v; perform v.a, v.b;"),
    "a cursor and a dynamic query": (
        "cur cursor for select 1 as a; v record;",
        "open cur; fetch cur into v; execute 'select 1 as b' into v; perform v.b;",
    ),
    "a record of the name of a row": (
        "v shop.orders; cur cursor for select 1 as a;",
        "for v in cur loop perform v.a; end loop; perform v.total;",
    ),
    "several variables": ("cur cursor for select 1, 2; a int; b int;", "open cur; fetch cur into a, b; perform a, b;"),
    "a cursor over what is not known": (
        "cur cursor for select * from elsewhere.things;",
        "for r in cur loop perform r.a; end loop;",
    ),
    "moving": ("cur cursor for select 1 as a;", "open cur; move cur; move forward 2 from cur; close cur;"),
}
BODY = "create function shop.f() returns void language plpgsql as $$\ndeclare\n    {}\nbegin\n    {}\nend\n$$;\n"


@pytest.mark.parametrize(("declared", "bad", "message", "good"), CURSORS.values(), ids=list(CURSORS))
def test_a_row_of_a_cursor_has_the_fields_of_its_query(
    tmp_path: Path, declared: str, bad: str, message: str, good: str
) -> None:
    faulty = BODY.format(declared, bad.replace("^", ""))
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert (found.line, found.column) == place(faulty, bad)
    assert message in found.message
    assert findings(tmp_path, {"sql/2.sql": BODY.format(declared, good)}) == []


@pytest.mark.parametrize(("declared", "statement"), UNKNOWN_CURSORS.values(), ids=list(UNKNOWN_CURSORS))
def test_of_a_row_that_something_else_fills_nothing_is_known(tmp_path: Path, declared: str, statement: str) -> None:
    text = BODY.format(declared, statement)
    assert findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": text}) == []
