"""What a snapshot holds of real plans, and that its text is read back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given

from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.nodes import Node
from eventlive_db.plans.snapshot import TEXT_LIMIT, Planned, PlannedStatement, Snapshot, parse, render, take
from eventlive_db.server import Server
from tests.plans import plans_bench
from tests.plans.plans_bench import Bench
from tests.plans.plans_made_up import SNAPSHOTS

TOKEN = "8d5f0c5e-7d2f-4b36-9f0e-1f6f3a1d9c11"


@pytest.fixture(scope="module")
def shop(pg_server: Server) -> Iterator[psycopg.Connection[Any]]:
    with plans_bench.shop(pg_server) as connection:
        yield connection


@pytest.fixture
def bench(shop: psycopg.Connection[Any]) -> Iterator[Bench]:
    with plans_bench.bench(shop) as bench:
        yield bench


def test_a_snapshot_reads_like_explain_and_shows_values_as_parameters(bench: Bench) -> None:
    bench.define(
        """select o.total -- what 'they' owe
             into r
             from shop.orders o join shop.customers c on c.id = o.customer_id
            where o.customer_id = _id
            order by o.total desc, o.id;
           insert into shop.customers as c values (_id, 'x', 'y') on conflict (id) do update set city = 'z';"""
    )
    bench.do("set local enable_hashjoin = off", "set local enable_mergejoin = off")
    assert render(bench.take()) == (
        """\
shop.f
  select o.total from shop.orders o join shop.customers c on c.id = o.customer_id where o.customer_id = _id order by \
o.total desc, o.id
  -> Sort
     Key: o.total DESC
     Key: o.id
     -> Nested Loop (Inner)
        -> Index Only Scan using customers_pkey on shop.customers as c
           Index Cond: (c.id = $1)
        -> Index Scan using orders_customer_idx on shop.orders as o
           Index Cond: (o.customer_id = $1)

shop.f
  insert into shop.customers as c values (_id, 'x', 'y') on conflict (id) do update set city = 'z'
  -> Insert on shop.customers as c
     On Conflict: UPDATE
     Arbiter: customers_pkey
     -> Result
"""
    )


def test_two_snapshots_of_one_call_are_the_same_text(bench: Bench) -> None:
    bench.define(
        "perform from shop.customers c where c.id in (select o.customer_id from shop.orders o where o.id < _id);"
    )
    assert render(bench.take("select shop.f(7)")) == render(bench.take("select shop.f(8)"))


def test_a_custom_plan_is_shown_where_it_differs_and_without_values(bench: Bench) -> None:
    bench.do("create index orders_state_idx on shop.orders (state)", "set local random_page_cost = 1.1")
    bench.do("set local cpu_index_tuple_cost = 0.015")
    bench.define("select o.total into r from shop.orders o where o.state = _state;", arguments="_state text")
    assert render(bench.take("select shop.f('paid')")) == (
        """\
shop.f
  select o.total from shop.orders o where o.state = _state
  -> Index Scan using orders_state_idx on shop.orders as o
     Index Cond: (o.state = $1)
  custom plan:
  -> Seq Scan on shop.orders as o
     Filter: (o.state = ?)
"""
    )


@pytest.mark.parametrize(
    ("arguments", "condition", "call"),
    [
        ("_token uuid", "c.token = _token", f"'{TOKEN}'"),
        ("_token uuid", "c.token = any (array[_token, _token])", f"'{TOKEN}'"),
        ("_at timestamptz", "now() > _at - 3 * interval '1 second'", "'2024-05-06 07:08:09+00'"),
        ("_at timestamp", "c.email > (_at + interval '1 day')::text", "'2024-05-06 07:08:09'"),
        ("_n numeric", "c.id > _n * 2 - -1.5 and c.id < 5e3", "-12.5"),
        ("_n bigint", "c.id between _n and _n + 2 or c.id = 9", "17"),
        ("_e text", "lower(c.email) = lower(_e) and c.city <> 'it''s (x) AND y'", "'a''b'"),
        ("_e varchar(9)", "c.email = _e || '-x'", "'abc'"),
        ("_n int", "c.id = coalesce(_n, 5) and c.city like 'a\\_b%'", "3"),
        ("_n int", "c.city = (_n * 5 % 3)::text and c.token is null and c.email = 'x'", "12"),
    ],
)
def test_a_custom_plan_that_differs_in_its_values_alone_is_not_shown(
    bench: Bench, arguments: str, condition: str, call: str
) -> None:
    bench.define(f"select c.city into r from shop.customers c where {condition};", arguments=arguments)
    runs = bench.run(f"select shop.f({call})")
    assert runs["generic"].table_statements[0].node != runs["custom"].table_statements[0].node
    snapshot = take(runs)
    assert snapshot.statements[0].custom is None
    assert "$1" in render(snapshot)
    assert TOKEN not in render(snapshot)


def test_a_boolean_value_that_makes_another_condition_is_shown_rather_than_passed_over(bench: Bench) -> None:
    bench.define("perform from shop.customers c where (c.city > 'x') = _b;", arguments="_b boolean")
    text = render(bench.take("select shop.f(false)"))
    assert "Filter: ((c.city > 'x'::text) = $1)" in text
    assert "custom plan:\n  -> Seq Scan on shop.customers as c\n     Filter: (c.city <= ?)" in text


def test_the_values_of_the_call_itself_are_left_out(bench: Bench) -> None:
    text = render(
        bench.take(
            f"select c.id, -7 from shop.customers c where c.token = '{TOKEN}' and now() > '2024-05-06'"
            " and c.id = any ('{1,2}') and c.city = E'it\\'s' and (c.id < 8.5) is not true"
        )
    )
    assert text.startswith(
        "(the call)\n  select c.id, -? from shop.customers c where c.token = ? and now() > ?"
        " and c.id = any (?) and c.city = ? and (c.id < ?) is not true\n"
    )
    assert "c.token = ?" in text.split("\n", 2)[2]
    assert not any(value in text for value in (TOKEN, "2024", "{1,2}", "8.5", "it's", "it\\'"))


def test_ids_and_times_are_left_out_of_a_generic_plan_too(bench: Bench) -> None:
    bench.define(f"perform from shop.customers where token = '{TOKEN}' and now() > '2024-05-06' and city = 'x';")
    text = render(bench.take())
    assert "SELECT from shop.customers where token = ? and now() > ? and city = 'x'" in text
    assert TOKEN not in text
    assert "2024" not in text


def test_a_statement_made_with_execute_is_one_whatever_its_values_are(bench: Bench) -> None:
    bench.define("for i in 1..3 loop execute format('select from shop.orders where id = %s', i); end loop;")
    (statement,) = bench.take().statements
    assert (statement.text, statement.generic.executions) == ("select from shop.orders where id = ?", 3)
    assert render(Snapshot((statement,))).startswith("shop.f (3 times)\n")


def test_line_numbers_and_comments_are_left_out(bench: Bench) -> None:
    bench.define("select o.total into r from shop.orders o where o.id = _id;")
    before = bench.take()
    bench.define(
        "\n\n-- moved\nselect o.total /* don't */ into r\n -- and 'this\n from shop.orders o\n where o.id = _id;"
    )
    assert bench.take() == before


def test_only_statements_that_touch_a_table_are_kept_in_the_order_they_ended(bench: Bench) -> None:
    bench.define("select o.total into r from shop.orders o where o.id = _id;", name="g")
    bench.define("perform 1; update shop.customers set city = 'x' where id = _id; perform shop.g(_id); perform now();")
    snapshot = bench.take()
    assert [(s.function, s.text[:6]) for s in snapshot.statements] == [("shop.f", "update"), ("shop.g", "select")]
    bench.define("perform now();")
    assert render(bench.take()) == "(no statement touches a table)\n"


def test_a_long_query_is_shortened(bench: Bench) -> None:
    bench.define(f"perform {'o.total + ' * 30} 1 from shop.orders o where o.id = _id;")
    (statement,) = bench.take().statements
    assert len(statement.text) <= TEXT_LIMIT
    assert statement.text.endswith("...")


def test_partitions_are_shown(bench: Bench) -> None:
    bench.define("perform from shop.events e where e.what = _id::text;")
    assert render(bench.take()) == (
        """\
shop.f
  SELECT from shop.events e where e.what = _id::text
  -> Append
     -> Seq Scan on shop.events_2020 as e_1
        Filter: (e_1.what = ($1)::text)
     -> Seq Scan on shop.events_2021 as e_2
        Filter: (e_2.what = ($1)::text)
"""
    )


def test_parallel_steps_are_shown(bench: Bench) -> None:
    bench.do(
        "set local max_parallel_workers_per_gather = 2; set local parallel_setup_cost = 0",
        "set local parallel_tuple_cost = 0; set local min_parallel_table_scan_size = 0",
    )
    text = render(bench.take("select count(*) from shop.orders where state = 'x'", modes=("generic",)))
    assert "-> Gather\n" in text
    assert "-> Parallel Seq Scan on shop.orders\n" in text


def test_subqueries_keep_their_role(bench: Bench) -> None:
    bench.define(
        "perform from shop.customers c where c.city < (select max(state) from shop.orders)"
        " and c.id <> (select min(o.total) from shop.orders o where o.customer_id = c.id);"
    )
    text = render(bench.take())
    assert "[InitPlan " in text
    assert "[SubPlan " in text
    assert parse(text) == bench.take()


def test_a_temporary_schema_has_no_number(bench: Bench) -> None:
    bench.do("create temporary table basket (id int)")
    bench.define("perform from basket;")
    assert "-> Seq Scan on pg_temp.basket\n" in render(bench.take())


def test_a_call_measured_in_one_mode_has_plans_of_that_mode_alone(bench: Bench) -> None:
    bench.define("perform from shop.orders where id = _id;")
    (generic,) = bench.take(modes=("generic",)).statements
    (custom,) = bench.take(modes=("custom",)).statements
    assert generic.custom is None
    assert custom.generic == Planned(0)
    assert custom.custom is not None
    assert "shop.f (0 times)\n  SELECT from shop.orders where id = _id\n  custom plan:\n  ->" in render(
        Snapshot((custom,))
    )


@given(SNAPSHOTS)
def test_what_is_rendered_is_read_back_as_it_was(snapshot: Snapshot) -> None:
    text = render(snapshot)
    assert parse(text) == snapshot
    assert parse(f"# the case\n\n{text}") == snapshot
    assert text.isascii()
    assert text.endswith("\n")


GOOD = render(
    Snapshot(
        (
            PlannedStatement(
                "app.f",
                "select 1 from app.a",
                Planned(
                    2, Node("Sort", keys=("a.n",), children=(Node("Seq Scan", "app.a", conditions=(("Filter", "x"),)),))
                ),
                Planned(1, Node("Result")),
            ),
        )
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "# a case\n",
        "not a snapshot\n",
        '{"Plan": {}}',
        GOOD + "\n",
        GOOD.removesuffix("\n"),
        GOOD + GOOD,
        GOOD.replace("app.f (2 times)", "app.f (two times)"),
        GOOD.replace("app.f (2 times)", "app.f (02 times)"),
        GOOD.replace("     Key", "    Key"),
        GOOD.replace("     Key", "       Key"),
        GOOD.replace("     -> Seq", "  -> Seq"),
        GOOD.replace("-> Seq Scan", "-> seq scan"),
        GOOD.replace("Filter: x", "Filter x"),
        GOOD.replace("custom plan:", "custom:"),
        GOOD.replace("  select", "select"),
        GOOD.replace("     Key: a.n\n", "     Key: a.n\n\n"),
        GOOD.replace("\n", "\r\n"),
        "<<<<<<< ours\n" + GOOD,
        "\\u{110000}\n  x\n",
        "a\n  \\u{110000}\n",
        "a (" + "9" * 5000 + " times)\n  x\n",
    ],
)
def test_what_is_no_snapshot_is_refused_with_what_to_do(text: str) -> None:
    assert parse(GOOD).statements
    with pytest.raises(SuiteError, match=r"This is not a snapshot of plans: .*--plan-update") as error:
        parse(text)
    assert error.value.token == "invalid_snapshot"
