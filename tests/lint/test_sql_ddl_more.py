"""Names in the rarer DDL: rules, publications, statistics, sequences, aggregates, operators, upkeep of tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.sql_bench import ONLY_NAMES, SHOP, findings, place

MORE = """
create materialized view shop.sums as select sum(o.total) as total from shop.orders o;
create sequence shop.numbers;
create function shop.add(_a numeric, _b numeric) returns numeric language sql return _a + _b;
create function shop.on_ddl() returns event_trigger language plpgsql as $$ begin null; end $$;
"""

# A statement with ^ before the word that means nothing, part of the message, and the fixed statement.
STATEMENTS = {
    "the table of a rule": (
        "create rule r as on insert to shop.^order do instead nothing;",
        "there is no table or view shop.order",
        "create rule r as on insert to shop.orders do instead nothing;",
    ),
    "the row of a rule": (
        "create rule r as on update to shop.orders do also select new.^sum;",
        "shop.orders has no column sum",
        "create rule r as on update to shop.orders do also select new.total, old.total;",
    ),
    "the condition of a rule": (
        "create rule r as on update to shop.orders where old.^sum > 1 do instead nothing;",
        "shop.orders has no column sum",
        "create rule r as on update to shop.orders where old.total > new.total do instead nothing;",
    ),
    "what a rule does": (
        "create rule r as on insert to shop.paid do instead (delete from shop.orders where ^id = 1; select 2);",
        "shop.orders has no column id",
        "create rule r as on insert to shop.paid do instead (delete from shop.orders where order_id = 1; select 2);",
    ),
    "the table of a publication": (
        "create publication p for table shop.orders, shop.^order;",
        "there is no table or view shop.order",
        "create publication p for table shop.orders, shop.customers;",
    ),
    "a column of a publication": (
        "create publication p for table shop.orders (order_id, ^sum);",
        "shop.orders has no column sum",
        "create publication p for table shop.orders (order_id, total), tables in schema shop;",
    ),
    "the condition of a publication": (
        "alter publication p add table shop.orders where (^sum > 1);",
        "has no column sum",
        "alter publication p add table shop.orders where (total > 1);",
    ),
    "a column of statistics": (
        "create statistics shop.sum (ndistinct) on ^sum, state from shop.orders;",
        "shop.orders has no column sum",
        "create statistics shop.sum (ndistinct) on total, state from shop.orders;",
    ),
    "an expression of statistics": (
        "create statistics on (^sum + 1), state from shop.orders;",
        "shop.orders has no column sum",
        "create statistics on (total + 1), state from shop.orders;",
    ),
    "the table of statistics": (
        "create statistics s on total, state from shop.^order;",
        "there is no table or view shop.order",
        "create statistics s on total, state from shop.orders;",
    ),
    "refresh": (
        "refresh materialized view concurrently shop.^sum;",
        "there is no table or view shop.sum",
        "refresh materialized view concurrently shop.sums;",
    ),
    "analyze": ("analyze shop.orders (^sum);", "shop.orders has no column sum", "analyze shop.orders (total);"),
    "vacuum": ("vacuum (analyze) shop.^order;", "there is no table or view shop.order", "vacuum shop.orders; vacuum;"),
    "cluster": ("cluster shop.^order;", "there is no table or view shop.order", "cluster shop.orders; cluster;"),
    "reindex": (
        "reindex table concurrently shop.^order;",
        "there is no table or view shop.order",
        "reindex table shop.orders; reindex index shop.orders_pkey; reindex schema shop;",
    ),
    "the owner of a new sequence": (
        "create sequence shop.more owned by shop.orders.^id;",
        "shop.orders has no column id",
        "create sequence shop.more as bigint owned by shop.orders.order_id;",
    ),
    "the owner of a sequence": (
        "alter sequence shop.numbers owned by shop.^order.order_id;",
        "there is no table or view shop.order",
        "alter sequence shop.numbers owned by shop.orders.order_id; alter sequence shop.numbers owned by none;",
    ),
    "the function of an aggregate": (
        "create aggregate shop.total (numeric) (sfunc = shop.^ad, stype = numeric);",
        "there is no function shop.ad",
        "create aggregate shop.total (numeric) (sfunc = shop.add, stype = numeric, initcond = '0');",
    ),
    "the state of an aggregate": (
        "create aggregate shop.total (numeric) (sfunc = shop.add, stype = shop.^stat);",
        "there is no type shop.stat",
        "create aggregate shop.total (shop.state) (sfunc = int4pl, stype = shop.state, combinefunc = shop.add);",
    ),
    "the argument of an aggregate": (
        "create aggregate shop.total (shop.^stat) (sfunc = shop.add, stype = numeric);",
        "there is no type shop.stat",
        "create aggregate shop.total (*) (sfunc = int8inc, stype = int8);",
    ),
    "the function of an operator": (
        "create operator shop.+ (function = shop.^ad, leftarg = numeric, rightarg = numeric);",
        "there is no function shop.ad",
        "create operator shop.+ (procedure = shop.add, leftarg = numeric, rightarg = numeric, commutator = +);",
    ),
    "the type of an operator": (
        "create operator shop.+ (function = shop.add, leftarg = shop.^stat, rightarg = numeric);",
        "there is no type shop.stat",
        "create operator shop.+ (function = shop.add, leftarg = shop.state, restrict = eqsel, join = eqjoinsel);",
    ),
    "the function of an event trigger": (
        "create event trigger e on ddl_command_end execute function shop.^on_dd();",
        "there is no function shop.on_dd",
        "create event trigger e on ddl_command_end execute function shop.on_ddl();",
    ),
    "a cast": (
        "create cast (shop.state as numeric) with function shop.^ad(shop.state);",
        "there is no function shop.ad",
        "create cast (shop.state as numeric) with inout;",
    ),
    "a view made with its schema": (
        "create schema more create view v as select o.^sum from shop.orders o;",
        "shop.orders has no column sum",
        (
            "create schema more create table t (a int) create view v as select t.a from t;"
            " select v.a from more.v; comment on column more.t.a is 'x';"
        ),
    ),
    "a table made with its schema": (
        "create schema more create table t (a int, b shop.^stat);",
        "there is no type shop.stat",
        "create schema more create table t (a int, b shop.state) create index on t (a) grant select on t to public;",
    ),
    "what is read of a view made with its schema": (
        "create schema more create view v as select 1 as a; select v.^b from more.v;",
        "more.v has no column b; it has a",
        "create schema more create view v as select 1 as a; select v.a from more.v;",
    ),
}


@pytest.mark.parametrize(("bad", "message", "good"), STATEMENTS.values(), ids=list(STATEMENTS))
def test_a_name_that_means_nothing_is_found_at_its_word(tmp_path: Path, bad: str, message: str, good: str) -> None:
    faulty = f"select 1;\n\n{bad.replace('^', '')}\n"
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP + MORE, "sql/2.sql": faulty})
    assert (found.line, found.column) == place(faulty, bad)
    assert message in found.message
    assert findings(tmp_path, {"sql/2.sql": good}) == []


HARMLESS = {
    "other schemas": (
        "create publication p for table auth.users (id); refresh materialized view auth.m; analyze auth.users (id);"
        " create statistics s on a, b from auth.users; create event trigger e on sql_drop execute function ext.f();"
        " create aggregate shop.a (int) (sfunc = auth.f, stype = auth.t); reindex index auth.i; cluster auth.t;"
        " create sequence shop.s owned by auth.users.id; create rule r as on delete to auth.users do instead nothing;"
    ),
    "everything": "create publication p for all tables; vacuum (full, analyze); analyze; reindex database;",
    "a notification of a rule": "create rule r as on insert to shop.orders do also notify orders;",
    "the row of a rule in a sub-select": (
        "create rule r as on insert to shop.paid do instead insert into shop.orders (order_id, customer_id)"
        " select new.order_id, c.customer_id from shop.customers c where c.customer_id = new.order_id"
        " returning order_id, total;"
    ),
    "a range": "create type shop.span as range (subtype = numeric, subtype_diff = float8mi, multirange_type_name = s);",
    "a schema of somebody": "create schema authorization somebody; create schema if not exists shop;",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=list(HARMLESS))
def test_what_is_there_or_cannot_be_known_is_no_fault(tmp_path: Path, text: str) -> None:
    assert findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP + MORE, "sql/2.sql": text}) == []
