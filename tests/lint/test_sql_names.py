"""Every name that a query has means something, or the linter says what there is instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.sql_bench import ONLY_NAMES, SHOP, findings, place

ORDERS = "order_id, customer_id, state, total, placed_at"

# What it is about: a query with one fault (^ before the faulty word), its rule, a part of the message, the fixed form.
QUERIES = {
    "a column": (
        "select ^id from shop.orders",
        "resolve.column",
        f"shop.orders has no column id; it has {ORDERS}",
        "select order_id from shop.orders",
    ),
    "a column behind an alias": (
        "select o.^totl from shop.orders o",
        "resolve.column",
        "shop.orders has no column totl",
        "select o.total from shop.orders o",
    ),
    "an alias": (
        "select ^p.total from shop.orders o",
        "resolve.alias",
        "p is no table of this query; it has o",
        "select o.total from shop.orders o",
    ),
    "the name of a table that has an alias": (
        "select ^orders.total from shop.orders o",
        "resolve.alias",
        "orders is no table of this query",
        "select orders.total from shop.orders",
    ),
    "a table with its schema in front of the column": (
        "select shop.orders.^sum from shop.orders",
        "resolve.column",
        "shop.orders has no column sum",
        "select shop.orders.total from shop.orders",
    ),
    "a relation": (
        "select 1 from shop.^order",
        "resolve.relation",
        "there is no table or view shop.order",
        "select 1 from shop.orders",
    ),
    "a column of a view": (
        "select p.^total from shop.paid p",
        "resolve.column",
        "shop.paid has no column total; it has order_id, paid_total",
        "select p.paid_total from shop.paid p",
    ),
    "the name of what is joined by": (
        "select x.customer_id, x.^total from shop.orders o join shop.customers c using (customer_id) as x",
        "resolve.column",
        "x has no column total; it has customer_id",
        "select x.customer_id, x.*, total from shop.orders o join shop.customers c using (customer_id) as x",
    ),
    "several tables": (
        "select ^nickname from shop.orders o join shop.customers c on c.customer_id = o.customer_id",
        "resolve.column",
        "none of shop.orders, shop.customers has a column nickname",
        "select email from shop.orders o join shop.customers c on c.customer_id = o.customer_id",
    ),
    "a condition": (
        "select o.total from shop.orders o where o.^paid",
        "resolve.column",
        "has no column paid",
        "select o.total from shop.orders o where o.state = 'paid'",
    ),
    "group by and having": (
        "select o.state from shop.orders o group by o.state having max(o.^amount) > 1",
        "resolve.column",
        "has no column amount",
        "select o.state from shop.orders o group by o.state having max(o.total) > 1",
    ),
    "order by a column of the result": (
        "select o.total as sum from shop.orders o order by ^summ",
        "resolve.column",
        "has no column summ",
        "select o.total as sum from shop.orders o order by sum",
    ),
    "order by behind a union": (
        "select o.total as sum from shop.orders o union all select 1 order by ^total",
        "resolve.column",
        "has no column total",
        "select o.total as sum from shop.orders o union all select 1 order by sum",
    ),
    "the second arm of a union": (
        "select o.total from shop.orders o union select c.^total from shop.customers c",
        "resolve.column",
        "shop.customers has no column total",
        "select o.total from shop.orders o union select c.customer_id from shop.customers c",
    ),
    "a CTE": (
        "with sums as (select o.total as sum from shop.orders o) select s.^total from sums s",
        "resolve.column",
        "s has no column total; it has sum",
        "with sums as (select o.total as sum from shop.orders o) select s.sum from sums s",
    ),
    "a CTE with a list of names": (
        "with sums (a, b) as (select o.total, o.state from shop.orders o) select ^total from sums",
        "resolve.column",
        "it has a, b",
        "with sums (a, b) as (select o.total, o.state from shop.orders o) select a, b from sums",
    ),
    "a recursive CTE": (
        "with recursive n (i) as (select 1 union all select n.^j + 1 from n where n.i < 9) select n.i from n",
        "resolve.column",
        "n has no column j; it has i",
        "with recursive n (i) as (select 1 union all select n.i + 1 from n where n.i < 9) select n.i from n",
    ),
    "a CTE that writes": (
        "with gone as (delete from shop.orders o returning o.order_id) select g.^total from gone g",
        "resolve.column",
        "g has no column total; it has order_id",
        "with gone as (delete from shop.orders o returning o.order_id) select g.order_id from gone g",
    ),
    "a CTE of the query around it": (
        "with s as (select 1 as one) select (select s.^two from s)",
        "resolve.column",
        "s has no column two",
        "with s as (select 1 as one) select (select s.one from s)",
    ),
    "a sub-select": (
        "select x.^total from (select o.total as sum from shop.orders o) x",
        "resolve.column",
        "x has no column total; it has sum",
        "select x.sum from (select o.total as sum from shop.orders o) x",
    ),
    "a star of a sub-select": (
        "select x.^sum from (select o.* from shop.orders o) x",
        "resolve.column",
        f"x has no column sum; it has {ORDERS}",
        "select x.total from (select o.* from shop.orders o) x",
    ),
    "a correlated sub-select": (
        "select 1 from shop.orders o where exists (select from shop.customers c where c.customer_id = o.^cust)",
        "resolve.column",
        "shop.orders has no column cust",
        "select 1 from shop.orders o where exists (select from shop.customers c where c.customer_id = o.customer_id)",
    ),
    "a sub-select that looks sideways without lateral": (
        "select 1 from shop.orders o, (select ^o.total) x",
        "resolve.alias",
        "o is no table of this query",
        "select 1 from shop.orders o, lateral (select o.total) x",
    ),
    "lateral": (
        "select x.t from shop.orders o cross join lateral (select o.^sum as t) x",
        "resolve.column",
        "shop.orders has no column sum",
        "select x.t from shop.orders o cross join lateral (select o.total as t) x",
    ),
    "a join by a column of one side alone": (
        "select 1 from shop.orders o join shop.customers c using (^email)",
        "resolve.column",
        "shop.orders has no column email to join by",
        "select 1 from shop.orders o join shop.customers c using (customer_id)",
    ),
    "a condition of a join": (
        "select 1 from shop.orders o left join shop.customers c on c.^cust = o.customer_id",
        "resolve.column",
        "shop.customers has no column cust",
        "select 1 from shop.orders o left join shop.customers c on c.customer_id = o.customer_id",
    ),
    "a function in from": (
        "select l.^total from shop.latest(3) l",
        "resolve.column",
        "l has no column total; it has order_id, placed_at",
        "select l.placed_at from shop.latest(3) l",
    ),
    "a function that returns rows of a table": (
        "select o.^sum from shop.orders_of(1) o",
        "resolve.column",
        f"it has {ORDERS}",
        "select o.total from shop.orders_of(1) o",
    ),
    "unnest with ordinality": (
        "select u.^n from unnest(array[1]) with ordinality as u (value, position)",
        "resolve.column",
        "u has no column n; it has value, position",
        "select u.position from unnest(array[1]) with ordinality as u (value, position)",
    ),
    "a list of columns of a record": (
        "select r.^b from jsonb_to_recordset('[]') as r (a text)",
        "resolve.column",
        "r has no column b; it has a",
        "select r.a from jsonb_to_recordset('[]') as r (a text)",
    ),
    "a field of a row type": (
        "select (c.home).^sum from shop.customers c",
        "resolve.column",
        "shop.money has no column sum; it has amount, currency",
        "select (c.home).amount from shop.customers c",
    ),
    "a field of a whole row": (
        "select (o).^sum from shop.orders o",
        "resolve.column",
        "shop.orders has no column sum",
        "select (o).total from shop.orders o",
    ),
    "values": (
        "select v.^c from (values (1, 2)) as v (a, b)",
        "resolve.column",
        "v has no column c; it has a, b",
        "select v.b from (values (1, 2)) as v (a, b)",
    ),
    "for update of": (
        "select 1 from shop.orders o for update of ^x",
        "resolve.alias",
        "x is no table of this query",
        "select 1 from shop.orders o for update of o",
    ),
    "system columns": (
        "select o.^xmid from shop.orders o",
        "resolve.column",
        "has no column xmid",
        "select o.xmin, ctid, tableoid::regclass from shop.orders o",
    ),
    "the columns of an insert": (
        "insert into shop.orders (order_id, ^customer) values (1, 2)",
        "resolve.column",
        "shop.orders has no column customer",
        "insert into shop.orders (order_id, customer_id) values (1, 2)",
    ),
    "what conflicts": (
        "insert into shop.orders (order_id) values (1) on conflict (^id) do nothing",
        "resolve.column",
        "shop.orders has no column id",
        "insert into shop.orders (order_id) values (1) on conflict (order_id) do nothing",
    ),
    "what a conflict sets": (
        "insert into shop.orders as o (order_id) values (1) on conflict (order_id) do update set ^sum = 1",
        "resolve.column",
        "shop.orders has no column sum",
        "insert into shop.orders as o (order_id) values (1) on conflict (order_id) do update set total = o.total",
    ),
    "excluded": (
        "insert into shop.orders (order_id) values (1) on conflict (order_id) do update set total = excluded.^sum",
        "resolve.column",
        "excluded has no column sum",
        "insert into shop.orders (order_id) values (1) on conflict (order_id) do update set total = excluded.total",
    ),
    "returning": (
        "insert into shop.orders (order_id) values (1) returning ^id",
        "resolve.column",
        "shop.orders has no column id",
        "insert into shop.orders (order_id) values (1) returning order_id, old.total, new.total",
    ),
    "what an update sets": (
        "update shop.orders o set ^sum = 1",
        "resolve.column",
        "shop.orders has no column sum",
        "update shop.orders o set (total, state) = (select 1, 'paid')",
    ),
    "what an update reads beside": (
        "update shop.orders o set total = c.^total from shop.customers c where c.customer_id = o.customer_id",
        "resolve.column",
        "shop.customers has no column total",
        "update shop.orders o set total = 0 from shop.customers c where c.customer_id = o.customer_id",
    ),
    "delete using": (
        "delete from shop.orders o using shop.customers c where c.customer_id = o.^cust",
        "resolve.column",
        "shop.orders has no column cust",
        "delete from shop.orders o using shop.customers c where c.customer_id = o.customer_id",
    ),
    "merge": (
        (
            "merge into shop.orders o using shop.customers c on c.customer_id = o.customer_id "
            "when matched then update set ^sum = 1"
        ),
        "resolve.column",
        "shop.orders has no column sum",
        (
            "merge into shop.orders o using shop.customers c on c.customer_id = o.customer_id "
            "when matched then update set total = 1 when not matched then insert (order_id) values (c.customer_id)"
        ),
    ),
    "a function": (
        "select shop.^total_off(1)",
        "resolve.function",
        "there is no function shop.total_off",
        "select shop.total_of(1)",
    ),
    "too many arguments": (
        "select shop.^total_of(1, null, 2)",
        "resolve.argument",
        "shop.total_of cannot be called with these 3 arguments; it is shop.total_of(_customer_id, _since default)",
        "select shop.total_of(1, null)",
    ),
    "too few arguments": (
        "select shop.^total_of()",
        "resolve.argument",
        "cannot be called with these 0 arguments",
        "select shop.total_of(_since => null, _customer_id => 1)",
    ),
    "a named argument": (
        "select shop.total_of(1, ^since => null)",
        "resolve.argument",
        "shop.total_of has no parameter since",
        "select shop.total_of(1, _since => null)",
    ),
    "a window": (
        "select sum(o.total) over (partition by o.^cust) from shop.orders o",
        "resolve.column",
        "has no column cust",
        "select sum(o.total) over w from shop.orders o window w as (partition by o.customer_id)",
    ),
}

NOT_KNOWN = [
    "select c.anything, whatever from pg_catalog.pg_class c",
    "select x.anything from elsewhere.things x",
    "select elsewhere.call(1, b => 2)",
    "select r.a from jsonb_populate_record(null::shop.orders, '{}') r",
    "select anything from pg_stat_statements",
    "select j.* from json_table('{}', '$' columns (a text path '$.a')) j",
    "select x.anything from elsewhere.rows_of(1) x, shop.orders o where anything = o.total",
    "select (elsewhere.row_of(1)).anything",
    "select now(), current_user, o from shop.orders o",
    "select t.total from shop.orders t natural join shop.customers",
    "select distinct on (o.state) o.state, o.total from shop.orders o order by o.state, 2",
    "select o.state as s, count(*) from shop.orders o group by s",
    "select x from generate_series(1, 3) x where x > 1",
    "select a.b from (select 1, 2) a (b)",
    "table shop.orders",
    "select u.total from shop.orders o join lateral unnest(array[o]) u on true",
    "explain select total from shop.orders",
    "call elsewhere.do_it(1)",
]


def in_body(query: str) -> str:
    """A file with a function whose body is that query, in the middle of others."""
    return f"""create function shop.tested()
returns void
language sql
as $$
    select 1;
    {query};
    select 2;
$$;
"""


@pytest.mark.parametrize(("bad", "rule", "message", "good"), QUERIES.values(), ids=list(QUERIES))
def test_a_name_that_means_nothing_is_found_at_its_word(
    tmp_path: Path, bad: str, rule: str, message: str, good: str
) -> None:
    faulty = in_body(bad.replace("^", ""))
    found = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert [(f.file, f.line, f.column, f.rule) for f in found] == [("sql/2.sql", *place(faulty, bad), rule)]
    assert message in found[0].message
    assert found[0].object == "shop.tested"
    assert findings(tmp_path, {"sql/2.sql": in_body(good)}) == []


@pytest.mark.parametrize("query", NOT_KNOWN)
def test_what_cannot_be_known_is_no_fault(tmp_path: Path, query: str) -> None:
    assert findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": in_body(query)}) == []


def test_the_advice_names_the_nearest_that_exists(tmp_path: Path) -> None:
    faulty = in_body("select o.totl from shop.orders o")
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert found.advice == "did you mean total?"
    assert str(found).startswith("sql/2.sql:6:14: resolve.column: shop.orders has no column totl; it has order_id,")


def test_a_file_with_letters_beyond_ascii_is_found_at_the_right_column(tmp_path: Path) -> None:
    faulty = in_body("select 'Grüße', /* für später */ o.zahl from shop.orders o")
    (found,) = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": faulty})
    assert (found.line, found.column) == place(faulty, "o.^zahl")


def test_what_is_no_sql_is_found_and_hides_nothing_else(tmp_path: Path) -> None:
    text = "select 1;\n\nselec 2;\n\nselect id from shop.orders;\n"
    found = findings(tmp_path, {"lint.toml": ONLY_NAMES, "sql/1.sql": SHOP, "sql/2.sql": text})
    assert [(f.line, f.column, f.rule) for f in found] == [(3, 1, "parse.syntax"), (5, 8, "resolve.column")]
