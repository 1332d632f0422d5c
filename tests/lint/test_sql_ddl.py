"""Names in DDL: what constraints, indexes, policies, triggers, comments and grants say exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.sql_bench import ONLY_NAMES, SHOP, findings, place

STATEMENTS = {
    "a check": (
        "create table shop.t (a int, constraint c check (^b > 1));",
        "shop.t has no column b; it has a",
        "create table shop.t (a int, constraint c check (a > 1));",
    ),
    "a key": (
        "create table shop.t (a int, primary key (^id));",
        "shop.t has no column id; it has a",
        "create table shop.t (a int, primary key (a));",
    ),
    "the column that a foreign key leads to": (
        "create table shop.t (a int references shop.orders (^id));",
        "shop.orders has no column id",
        "create table shop.t (a int references shop.orders (order_id));",
    ),
    "the table that a foreign key leads to": (
        "create table shop.t (a int references shop.^order (id));",
        "there is no table or view shop.order",
        "create table shop.t (a int references shop.orders);",
    ),
    "a foreign key of the table": (
        "create table shop.t (a int, foreign key (^b) references shop.orders (order_id));",
        "shop.t has no column b",
        "create table shop.t (a int, foreign key (a) references shop.orders (order_id));",
    ),
    "a default": (
        "create table shop.t (a numeric default shop.^total_off(1));",
        "there is no function shop.total_off",
        "create table shop.t (a numeric default shop.total_of(1));",
    ),
    "a generated column": (
        "create table shop.t (a int, b int generated always as (^c + 1) stored);",
        "shop.t has no column c",
        "create table shop.t (a int, b int generated always as (a + 1) stored);",
    ),
    "the key of partitions": (
        "create table shop.t (a int) partition by range (^b);",
        "shop.t has no column b",
        "create table shop.t (a int) partition by range (a);",
    ),
    "like": (
        "create table shop.t (like shop.orders, constraint c check (^sum > 1));",
        "shop.t has no column sum; it has order_id",
        "create table shop.t (like shop.orders, constraint c check (total > 1));",
    ),
    "a column of an index": (
        "create index i on shop.orders (^id);",
        "shop.orders has no column id",
        "create index i on shop.orders (order_id) include (total);",
    ),
    "an expression of an index": (
        "create index i on shop.customers (lower(^mail));",
        "shop.customers has no column mail",
        "create index i on shop.customers (lower(email));",
    ),
    "the predicate of an index": (
        "create index i on shop.orders (order_id) where ^paid;",
        "shop.orders has no column paid",
        "create index i on shop.orders (order_id) where state = 'paid';",
    ),
    "a policy": (
        "create policy p on shop.orders using (^user_id = 1);",
        "shop.orders has no column user_id",
        "create policy p on shop.orders using (customer_id = (select c.customer_id from shop.customers c));",
    ),
    "the check of a policy": (
        "create policy p on shop.orders with check (exists (select from shop.customers c where c.^cust = total));",
        "shop.customers has no column cust",
        "create policy p on shop.orders with check (exists (select from shop.customers c where c.email = 'a'));",
    ),
    "a view": (
        "create view shop.v as select o.^sum from shop.orders o;",
        "shop.orders has no column sum",
        "create view shop.v (s) as select o.total from shop.orders o;",
    ),
    "the condition of a trigger": (
        "create trigger t after update on shop.orders for each row when (new.^sum > 1) execute function shop.trg();",
        "shop.orders has no column sum",
        (
            "create trigger t after update on shop.orders for each row when (new.total > old.total) "
            "execute function shop.trg();"
        ),
    ),
    "the columns of a trigger": (
        "create trigger t after update of ^sum on shop.orders for each row execute function shop.trg();",
        "shop.orders has no column sum",
        "create trigger t after update of total on shop.orders for each row execute function shop.trg();",
    ),
    "the function of a trigger": (
        "create trigger t after update on shop.orders for each row execute function shop.^trigger();",
        "there is no function shop.trigger",
        "create trigger t after update on shop.orders for each row execute function shop.trg();",
    ),
    "a comment on a column": (
        "comment on column shop.orders.^sum is 'x';",
        "shop.orders has no column sum",
        "comment on column shop.orders.total is 'x';",
    ),
    "a comment on a function": (
        "comment on function shop.^total_of(text) is 'x';",
        "shop.total_of has other parameters: shop.total_of(int8, timestamptz)",
        "comment on function shop.total_of(bigint, timestamp with time zone) is 'x';",
    ),
    "a comment on a policy": (
        "comment on policy ^p on shop.orders is 'x';",
        "shop.orders has no policy p; it has none",
        "create policy p on shop.orders using (true); comment on policy p on shop.orders is 'x';",
    ),
    "a grant on columns": (
        "grant select (^sum) on shop.orders to public;",
        "shop.orders has no column sum",
        "grant select (total) on shop.orders to public;",
    ),
    "a grant on a function": (
        "grant execute on function shop.^total_of(bigint) to public;",
        "shop.total_of has other parameters",
        "grant execute on function shop.total_of(bigint, timestamptz) to public;",
    ),
    "a revoke on a table": (
        "revoke all on shop.^order from public;",
        "there is no table or view shop.order",
        "revoke all on shop.orders from public;",
    ),
    "a column that is altered": (
        "alter table shop.orders alter column ^sum set default 1;",
        "shop.orders has no column sum",
        "alter table shop.orders alter column total set default 1;",
    ),
    "a constraint that is added": (
        "alter table shop.orders add constraint c check (^sum > 1);",
        "shop.orders has no column sum",
        "alter table shop.orders add column sum int, add constraint c check (sum > 1);",
    ),
    "a domain": (
        "create domain shop.d as text check (^val <> '');",
        "has no column val; it has value",
        "create domain shop.d as text check (value <> '');",
    ),
    "a materialized view": (
        "create materialized view shop.m as select o.^sum from shop.orders o;",
        "shop.orders has no column sum",
        (
            "create materialized view shop.m as select o.total as s from shop.orders o;"
            " create view shop.v as select m.s from shop.m;"
        ),
    ),
    "a table to be truncated": (
        "truncate shop.^order;",
        "there is no table or view shop.order",
        "truncate shop.orders;",
    ),
}
TRIGGER = "create function shop.trg() returns trigger language plpgsql as $$ begin return new; end $$;\n"


@pytest.mark.parametrize(("bad", "message", "good"), STATEMENTS.values(), ids=list(STATEMENTS))
def test_a_name_that_means_nothing_is_found_at_its_word(tmp_path: Path, bad: str, message: str, good: str) -> None:
    faulty = f"select 1;\n\n{bad.replace('^', '')}\n\nselect 2;\n"
    files = {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP + TRIGGER, "sql/2.sql": faulty}
    found = findings(tmp_path, files)
    assert [(f.file, f.line, f.column) for f in found] == [("sql/2.sql", *place(faulty, bad))]
    assert message in found[0].message
    assert findings(tmp_path, {"sql/2.sql": good}) == []


def test_the_files_of_a_declared_schema_may_stand_in_any_order(tmp_path: Path) -> None:
    view = "create view shop.early as select p.paid_total from shop.paid p;\n"
    reader = "create function shop.reads() returns numeric language sql as $$ select e.{} from shop.early e $$;\n"
    files = {"lint.toml": ONLY_NAMES, "sql/9.sql": SHOP, "sql/1.sql": view}
    assert findings(tmp_path, {**files, "sql/0.sql": reader.format("paid_total")}) == []
    (found,) = findings(tmp_path, {"sql/0.sql": reader.format("total")})
    assert "shop.early has no column total; it has paid_total" in found.message


PUBLIC = """
create table orders (order_id int, total numeric);
create function total_of(_id int) returns numeric language sql as 'select total from orders where order_id = _id';
"""


def test_unqualified_names_are_looked_up_where_the_search_path_says(tmp_path: Path) -> None:
    toml = '[rules]\nobject = false\nquery = false\n"body.unqualified" = false\n'
    good = "create view v as select o.total, total_of(o.order_id) from orders o;\n"
    assert findings(tmp_path, {"lint.toml": toml, "sql/1.sql": PUBLIC, "sql/2.sql": good}) == []
    bad = "create view v as select o.sum, total_of(), nowhere(1) from orders o, customers c;\n"
    found = findings(tmp_path, {"sql/2.sql": bad})
    assert [(f.column, f.rule) for f in found] == [
        (27, "resolve.column"),
        (32, "resolve.argument"),
        (place(bad, "^customers")[1], "resolve.relation"),
    ]
    assert found[0].message == "public.orders has no column sum; it has order_id, total"
    assert found[2].message == "customers is not in public"


def test_a_path_that_does_not_reach_a_table_makes_its_bare_name_a_fault(tmp_path: Path) -> None:
    body = (
        "create function shop.f() returns void language plpgsql set search_path = pg_catalog, pg_temp as $$\n"
        "begin\n    perform 1 from orders;\nend\n$$;\n"
    )
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": body})
    assert (found.line, found.column, found.rule) == (3, 20, "resolve.relation")
    assert found.advice == "write shop.orders"


def test_the_search_path_of_a_function_counts_in_its_body(tmp_path: Path) -> None:
    body = (
        "create function shop.f() returns void language plpgsql set search_path = shop as $$\n"
        "begin\n    perform o.{} from orders o;\nend\n$$;\n"
    )
    assert findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": body.format("total")}) == []
    (found,) = findings(tmp_path, {"sql/2.sql": body.format("sum")})
    assert found.rule == "resolve.column"


def test_a_temporary_table_is_nobodys_fault(tmp_path: Path) -> None:
    toml = "[rules]\nobject = false\nquery = false\nbody = false\n"
    maker = (
        "create function make() returns void language plpgsql as $$\nbegin\n"
        "    create temp table seen as select order_id from orders;\n"
        "    perform s.order_id, {} from seen s;\nend\n$$;\n"
    )
    reader = "create function reads() returns void language sql as $$ insert into seen select order_id from {} $$;\n"
    files = {"lint.toml": toml, "sql/1.sql": PUBLIC}
    assert findings(tmp_path, {**files, "sql/2.sql": maker.format("1"), "sql/3.sql": reader.format("orders")}) == []
    (found,) = findings(tmp_path, {"sql/3.sql": reader.format("order_s")})
    assert found.rule == "resolve.relation"
    script = "create temp table t as select o.total from orders o;\nselect t.{} from t;\n"
    assert findings(tmp_path, {"sql/3.sql": script.format("total")}) == []
    (found,) = findings(tmp_path, {"sql/3.sql": script.format("sum")})
    assert found.message == "pg_temp.t has no column sum; it has total"


def test_a_function_of_postgres_that_has_the_name_of_ours_is_no_fault(tmp_path: Path) -> None:
    own = "create function shop.left(_order shop.orders) returns text language sql begin atomic select 'x'; end;\n"
    caller = "create function shop.c() returns text language sql as $$ select left('abc', 1) $$;\n"
    files = {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": own}
    assert findings(tmp_path, {**files, "sql/3.sql": caller}) == []
    (found,) = findings(tmp_path, {"sql/3.sql": caller.replace("left('abc', 1)", "total_of(1)")})
    assert (found.rule, found.advice) == ("resolve.function", "write shop.total_of")
