"""Each class of change happens to a real plan, and is told in its sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, get_args

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.plans.difference import Change, Kind, differences, plan_changes
from eventlive_db.plans.nodes import Node
from eventlive_db.plans.snapshot import Snapshot, render
from eventlive_db.server import Server
from tests.plans import plans_bench
from tests.plans.plans_bench import Bench
from tests.plans.plans_made_up import PLANS, SNAPSHOTS, STATEMENTS

ORDERS = "select o.total into r from shop.orders o where o.customer_id = _id;"
CUSTOMERS = "select c.city into r from shop.customers c where c.id = _id;"
BOTH = (
    "select o.total, c.city into r from shop.orders o join shop.customers c on c.id = o.customer_id where o.total < 50;"
)
NEW_CUSTOMER = "insert into shop.customers as c values (_id, 'x', 'y') on conflict (id) do"


@pytest.fixture(scope="module")
def shop(pg_server: Server) -> Iterator[psycopg.Connection[Any]]:
    with plans_bench.shop(pg_server) as connection:
        yield connection


@pytest.fixture
def bench(shop: psycopg.Connection[Any]) -> Iterator[Bench]:
    with plans_bench.bench(shop) as bench:
        yield bench


def told(before: Snapshot, after: Snapshot) -> dict[str, str]:
    """Sentences by class; no class twice."""
    changes = differences(before, after)
    assert len({change.kind for change in changes}) == len(changes), changes
    return {change.kind: change.sentence for change in changes}


def edited(sentences: dict[str, str]) -> dict[str, str]:
    """The changes of a plan whose statement was edited, which is told first."""
    assert next(iter(sentences)) == "statement_changed"
    return {kind: sentence for kind, sentence in sentences.items() if kind != "statement_changed"}


def test_equal_plans_are_no_change(bench: Bench) -> None:
    bench.define(ORDERS + CUSTOMERS)
    assert differences(bench.take(), bench.take()) == ()


def test_a_table_that_lost_its_index_is_told_with_function_table_and_index(bench: Bench) -> None:
    bench.define(ORDERS)
    before = bench.take()
    bench.do("drop index shop.orders_customer_idx")
    sentence = (
        "shop.f: shop.orders (o) is read from end to end (Seq Scan),"
        " before by the index orders_customer_idx (Index Scan)"
    )
    text = "select o.total from shop.orders o where o.customer_id = _id"
    assert differences(before, bench.take()) == (Change("index_to_sequential", sentence, "shop.f", text),)


def test_a_table_that_got_an_index_is_told(bench: Bench) -> None:
    bench.define("select o.id into r from shop.orders o where o.total = _id;")
    bench.do("set local random_page_cost = 1.1")
    before = bench.take()
    bench.do("create index orders_total_idx on shop.orders (total, state, id)", "set local enable_indexonlyscan = off")
    assert told(before, bench.take()) == {
        "sequential_to_index": "shop.f: shop.orders (o) is read by the index orders_total_idx (Index Scan),"
        " before from end to end (Seq Scan)"
    }


def test_another_index_is_told_with_both_names(bench: Bench) -> None:
    bench.define(ORDERS)
    before = bench.take()
    bench.do("drop index shop.orders_customer_idx", "create index orders_pair_idx on shop.orders (customer_id, state)")
    assert told(before, bench.take()) == {
        "other_index": "shop.f: shop.orders (o) is read by the index orders_pair_idx,"
        " before by the index orders_customer_idx"
    }


def test_an_index_condition_that_became_a_filter_is_told_though_the_index_has_the_same_name(bench: Bench) -> None:
    bench.define("select o.total into r from shop.orders o where o.customer_id = _id and o.state = 'open';")
    bench.do("drop index shop.orders_customer_idx", "create index orders_x on shop.orders (customer_id, state)")
    before = bench.take()
    bench.do("drop index shop.orders_x", "create index orders_x on shop.orders (customer_id)")
    assert told(before, bench.take()) == {
        "condition_became_filter": "shop.f: on shop.orders (o), o.state = 'open'::text is a filter,"
        " before a condition of the index orders_x: rows are read and thrown away"
    }


def test_a_filter_that_became_an_index_condition_is_told(bench: Bench) -> None:
    bench.define("select o.total into r from shop.orders o where o.customer_id = _id and o.state = 'open';")
    bench.do("drop index shop.orders_customer_idx", "create index orders_x on shop.orders (customer_id)")
    before = bench.take()
    bench.do("drop index shop.orders_x", "create index orders_x on shop.orders (customer_id, state)")
    assert told(before, bench.take()) == {
        "condition_changed": "shop.f: on shop.orders (o), o.state = 'open'::text is used as a condition of the index"
        " orders_x, before as a filter"
    }


def test_another_index_that_serves_a_condition_less_is_told_too(bench: Bench) -> None:
    bench.define("select o.total into r from shop.orders o where o.customer_id = _id and o.state = 'open';")
    bench.do("drop index shop.orders_customer_idx", "create index orders_pair_idx on shop.orders (customer_id, state)")
    before = bench.take()
    bench.do("drop index shop.orders_pair_idx", "create index orders_customer_idx on shop.orders (customer_id)")
    assert set(told(before, bench.take())) == {"other_index", "condition_became_filter"}


def test_an_index_only_scan_that_was_lost_is_told(bench: Bench) -> None:
    bench.define("select o.customer_id into r from shop.orders o where o.customer_id = _id;")
    before = bench.take()
    bench.do("set local enable_indexonlyscan = off")
    assert told(before, bench.take()) == {
        "index_only_lost": "shop.f: shop.orders (o) is not read from the index orders_customer_idx alone,"
        " its rows are fetched too (Index Scan, before Index Only Scan)"
    }


def test_a_bitmap_scan_of_the_same_index_is_told(bench: Bench) -> None:
    bench.define(ORDERS)
    before = bench.take()
    bench.do("set local enable_bitmapscan = on", "set local enable_indexscan = off")
    assert told(before, bench.take()) == {
        "scan_changed": "shop.f: shop.orders (o) is read by the index orders_customer_idx in another way"
        " (Bitmap Heap Scan, before Index Scan)"
    }


def test_a_bitmap_of_two_indexes_names_both(bench: Bench) -> None:
    bench.define("select o.total into r from shop.orders o where o.customer_id = _id or o.id = _id;")
    bench.do("set local enable_bitmapscan = on")
    before = bench.take()
    bench.do("drop index shop.orders_customer_idx")
    assert told(before, bench.take()) == {
        "index_to_sequential": "shop.f: shop.orders (o) is read from end to end (Seq Scan),"
        " before by the indexes orders_customer_idx and orders_pkey (Bitmap Heap Scan)"
    }


def test_another_method_of_joining_is_told_without_what_follows_from_it(bench: Bench) -> None:
    bench.define(BOTH)
    bench.do("set local enable_hashjoin = off", "set local enable_mergejoin = off")
    before = bench.take()
    bench.do("set local enable_hashjoin = on", "set local enable_nestloop = off")
    assert told(before, bench.take()) == {
        "index_to_sequential": "shop.f: shop.customers (c) is read from end to end (Seq Scan),"
        " before by the index customers_pkey (Index Scan)",
        "join_changed": "shop.f: shop.orders (o) and shop.customers (c) are joined by Hash Join (Inner),"
        " before by Nested Loop (Inner)",
    }


def test_another_type_of_join_is_told(bench: Bench) -> None:
    bench.do("set local enable_nestloop = off", "set local enable_mergejoin = off")
    bench.define("perform c.city from shop.orders o join shop.customers c on c.id = o.customer_id;")
    before = bench.take()
    bench.define("perform c.city from shop.orders o left join shop.customers c on c.id = o.customer_id;")
    assert edited(told(before, bench.take())) == {
        "join_changed": "shop.f: shop.orders (o) and shop.customers (c) are joined by Hash Join (Left),"
        " before by Hash Join (Inner)"
    }


@pytest.mark.parametrize(
    ("old", "new", "orders"),
    [
        (
            "from shop.orders o cross join shop.customers c where o.id = _id and c.id = _id",
            "from shop.customers c cross join shop.orders o where o.id = _id and c.id = _id",
            ("shop.customers (c), shop.orders (o)", "shop.orders (o), shop.customers (c)"),
        ),
        (
            "from shop.orders o join shop.customers c on c.id = customer_id join shop.customers d on d.id = total{one}",
            "from shop.orders o join shop.customers d on d.id = total join shop.customers c on c.id = customer_id{one}",
            (
                "shop.orders (o), shop.customers (d), shop.customers (c)",
                "shop.orders (o), shop.customers (c), shop.customers (d)",
            ),
        ),
    ],
)
def test_another_order_of_joining_is_told(bench: Bench, old: str, new: str, orders: tuple[str, str]) -> None:
    bench.do("set local join_collapse_limit = 1; set local enable_hashjoin = off; set local enable_mergejoin = off")
    bench.define(f"perform o.total, c.city {old.format(one=' where o.id = _id')};")
    before = bench.take()
    bench.define(f"perform o.total, c.city {new.format(one=' where o.id = _id')};")
    assert edited(told(before, bench.take())) == {
        "join_order_changed": f"shop.f: the tables are joined in the order {orders[0]}, before {orders[1]}"
    }


def test_a_sort_that_came_or_went_is_told_with_its_keys(bench: Bench) -> None:
    bench.define("perform o.total from shop.orders o where o.customer_id = _id order by o.state desc, o.id;")
    bench.do(
        "drop index shop.orders_customer_idx", "create index orders_x on shop.orders (customer_id, state desc, id)"
    )
    sorted_by_index = bench.take()
    bench.do("drop index shop.orders_x", "create index orders_x on shop.orders (customer_id)")
    sorted_apart = bench.take()
    assert told(sorted_by_index, sorted_apart) == {
        "sort_added": "shop.f: the rows of shop.orders (o) are sorted by o.state DESC, o.id (Sort),"
        " before they were not"
    }
    assert told(sorted_apart, sorted_by_index) == {
        "sort_gone": "shop.f: the rows of shop.orders (o) are not sorted, before they were by o.state DESC, o.id (Sort)"
    }


def test_other_keys_of_a_sort_are_told(bench: Bench) -> None:
    bench.define("perform o.total from shop.orders o where o.customer_id = _id order by o.state;")
    before = bench.take()
    bench.define("perform o.total from shop.orders o where o.customer_id = _id order by o.total;")
    assert edited(told(before, bench.take())) == {
        "sort_changed": "shop.f: the rows of shop.orders (o) are sorted by o.total (Sort), before by o.state (Sort)"
    }


def test_a_condition_that_was_edited_is_told(bench: Bench) -> None:
    bench.define("select o.total into r from shop.orders o where o.customer_id = _id and o.state = 'open';")
    before = bench.take()
    bench.define("select o.total into r from shop.orders o where o.customer_id = _id and o.state <> 'paid';")
    assert told(before, bench.take()) == {
        "statement_changed": "shop.f: a statement was edited:"
        " select o.total from shop.orders o where o.customer_id = _id and o.state <> 'p...",
        "condition_changed": "shop.f: the condition on shop.orders (o) is o.state <> 'paid'::text,"
        " before o.state = 'open'::text",
    }


def test_a_statement_that_was_lengthened_is_the_same_one_edited(bench: Bench) -> None:
    bench.define(CUSTOMERS)
    before = bench.take()
    more = "exists (select from shop.orders o where o.customer_id = c.id and o.state = 'open' and o.total > 0)"
    bench.define(CUSTOMERS.replace(";", f" and {more};"))
    assert {"statement_changed", "join_changed"} <= {change.kind for change in differences(before, bench.take())}


def test_do_nothing_that_became_do_update_is_told(bench: Bench) -> None:
    bench.define(f"{NEW_CUSTOMER} nothing;")
    before = bench.take()
    bench.define(f"{NEW_CUSTOMER} update set city = 'z';")
    assert edited(told(before, bench.take())) == {
        "conflict_changed": "shop.f: a conflict in shop.customers ends in DO UPDATE, before in DO NOTHING"
    }


def test_another_index_that_decides_a_conflict_is_told(bench: Bench) -> None:
    bench.define(f"{NEW_CUSTOMER} nothing;")
    before = bench.take()
    bench.do(
        "alter table shop.customers drop constraint customers_pkey",
        "create unique index customers_new on shop.customers (id)",
    )
    assert told(before, bench.take()) == {
        "conflict_changed": "shop.f: a conflict in shop.customers is decided by the index customers_new,"
        " before by the index customers_pkey"
    }


def test_a_subquery_that_ran_once_and_runs_for_each_row_is_told(bench: Bench) -> None:
    query = "perform c.city from shop.customers c where c.city < (select max(o.state) from shop.orders o where"
    bench.define(f"{query} o.customer_id = _id);")
    before = bench.take()
    bench.define(f"{query} o.customer_id = c.id);")
    assert edited(told(before, bench.take())) == {
        "subplan_changed": "shop.f: the subquery on shop.orders runs for each row (SubPlan), before once (InitPlan)",
        "condition_changed": "shop.f: the condition on shop.orders (o) is o.customer_id = c.id,"
        " before o.customer_id = $1",
    }


def test_a_policy_whose_function_is_called_for_each_row_is_told(bench: Bench) -> None:
    bench.do(
        "create role bench",
        "grant usage on schema shop to bench",
        "grant select on shop.customers to bench",
        "alter table shop.customers enable row level security",
        "create policy members on shop.customers using ((select shop.is_member()))",
    )
    bench.define("perform from shop.customers c where c.city = 'x';")
    before = bench.take(role="bench")
    bench.do("alter policy members on shop.customers using (shop.is_member())")
    assert told(before, bench.take(role="bench")) == {
        "subplan_changed": "shop.f: shop.is_member() is called for each row of shop.customers (c) (in its filter),"
        " before once (InitPlan)"
    }


def test_a_statement_that_came_to_run_in_a_loop_is_told_with_both_counts(bench: Bench) -> None:
    bench.define(ORDERS, name="g")
    bench.define("perform shop.g(_id);")
    once = bench.take()
    bench.define("for i in 1..5 loop perform shop.g(_id); end loop;")
    often = bench.take()
    query = "select o.total from shop.orders o where o.customer_id = _id"
    assert told(once, often) == {"repeated": f"shop.g: the same statement now runs 5 times, before 1 time: {query}"}
    assert told(often, once) == {
        "repeated_less": f"shop.g: the same statement now runs 1 time, before 5 times: {query}"
    }


def test_a_statement_that_came_or_went_is_told(bench: Bench) -> None:
    bench.define(ORDERS)
    one = bench.take()
    bench.define(f"{ORDERS} for i in 1..3 loop {CUSTOMERS} end loop;")
    two = bench.take()
    query = "select c.city from shop.customers c where c.id = _id"
    assert told(one, two) == {
        "statement_added": f"shop.f: a statement on shop.customers is new and runs 3 times: {query}"
    }
    assert told(two, one) == {"statement_gone": f"shop.f: a statement on shop.customers is gone: {query}"}


def test_statements_that_run_in_another_order_are_told(bench: Bench) -> None:
    bench.define(ORDERS + CUSTOMERS)
    before = bench.take()
    bench.define(CUSTOMERS + ORDERS)
    assert told(before, bench.take()) == {
        "order_changed": "shop.f: the statements run in another order, before this one came earlier:"
        " select o.total from shop.orders o where o.customer_id = _id"
    }


def test_a_custom_plan_that_came_to_differ_from_the_generic_one_is_told(bench: Bench) -> None:
    bench.do("create index orders_state_idx on shop.orders (state)", "set local enable_seqscan = off")
    bench.define("perform o.total from shop.orders o where o.state = _state;", arguments="_state text")
    alike = bench.take("select shop.f('paid')")
    bench.do(
        "set local enable_seqscan = on", "set local random_page_cost = 1.1", "set local cpu_index_tuple_cost = 0.015"
    )
    apart = bench.take("select shop.f('paid')")
    assert told(alike, apart) == {
        "mode_differs": "shop.f: the custom plan differs from the generic one, before it did not:"
        " shop.orders (o) is read from end to end (Seq Scan), with the generic plan by the index orders_state_idx"
        " (Index Scan)"
    }
    assert told(apart, alike) == {
        "mode_agrees": "shop.f: the custom plan is like the generic one again:"
        " SELECT o.total from shop.orders o where o.state = _state"
    }


def test_a_custom_plan_that_changed_alone_is_told_as_such(bench: Bench) -> None:
    bench.do("create index orders_state_idx on shop.orders (state)", "set local random_page_cost = 1.1")
    bench.do("set local cpu_index_tuple_cost = 0.015")
    bench.define("perform o.total from shop.orders o where o.state = _state;", arguments="_state text")
    before = bench.take("select shop.f('paid')")
    statement = before.statements[0]
    assert statement.custom is not None
    assert statement.custom.plan is not None
    other = replace(statement.custom, plan=replace(statement.custom.plan, type="Parallel Seq Scan"))
    after = Snapshot((replace(statement, custom=other),))
    assert told(before, after) == {
        "scan_changed": "shop.f: with the custom plan, shop.orders (o) is read in another way"
        " (Parallel Seq Scan, before Seq Scan)"
    }


def test_variables_that_were_declared_change_nothing_but_the_numbers_of_parameters(bench: Bench) -> None:
    query = "select o.total into r from shop.orders o where o.customer_id = v;"
    bench.define(query, declare="v int := _id;")
    before = bench.take()
    bench.define(query, declare="w int; v int := _id;")
    assert told(before, bench.take()) == {
        "parameters_renumbered": "shop.f: the plan is the same, but for the numbers of its parameters ($n)"
    }


def test_the_body_of_a_begin_atomic_function_is_recognised_without_its_text(bench: Bench) -> None:
    bench.do(
        "create function shop.h(_id int) returns bigint language sql begin atomic"
        " select count(*) from shop.orders o where o.customer_id = _id;"
        " select count(*) from shop.orders o where o.id = _id; end"
    )
    before = bench.take("select shop.h(7)")
    assert [statement.generic.executions for statement in before.statements] == [1, 1]
    bench.do("drop index shop.orders_customer_idx")
    assert told(before, bench.take("select shop.h(7)")) == {
        "index_to_sequential": "h: shop.orders (o) is read from end to end (Seq Scan),"
        " before by the index orders_customer_idx (Index Only Scan)"
    }


def test_many_partitions_are_told_in_three_sentences(bench: Bench) -> None:
    for year in (2022, 2023, 2024):
        span = f"from ('{year}-01-01') to ('{year + 1}-01-01')"
        bench.connection.execute(f"create table shop.events_{year} partition of shop.events for values {span}".encode())
    bench.define("perform from shop.events e where e.what = _id::text;")
    before = bench.take()
    bench.do("create index events_what_idx on shop.events (what)", "set local enable_seqscan = off")
    sentences = [change.sentence for change in differences(before, bench.take())]
    assert len(sentences) == 3
    assert "shop.events_2020 (e_1) is read by the index events_2020_what_idx" in sentences[0]
    assert sentences[2].endswith("(and 2 more like it)")


def test_a_step_without_a_class_of_its_own_is_told_as_a_change_of_the_plan(bench: Bench) -> None:
    bench.define("perform o.total, count(*) from shop.orders o group by o.total;")
    bench.do("create index orders_total_idx on shop.orders (total)", "set local enable_indexonlyscan = off")
    bench.do("set local enable_sort = off", "set local enable_indexscan = off")
    before = bench.take()
    bench.do("set local enable_hashagg = off", "set local enable_sort = on")
    assert told(before, bench.take())["plan_changed"] == (
        "shop.f: a step of the plan is Group Aggregate by o.total, before it was Hash Aggregate by o.total"
    )


def test_a_table_that_is_no_longer_read_is_told(bench: Bench) -> None:
    bench.define("perform o.total from shop.orders o, shop.customers c where o.id = _id and c.id = _id;")
    before = bench.take()
    bench.define("perform o.total from shop.orders o where o.id = _id;")
    kinds = [(c.kind, c.sentence) for c in differences(before, bench.take())]
    assert (
        "plan_changed",
        "shop.f: shop.customers (c) is not read, before it was (Index Only Scan by the index customers_pkey)",
    ) in kinds


@given(SNAPSHOTS, SNAPSHOTS)
def test_no_difference_is_missed_and_none_is_invented(before: Snapshot, after: Snapshot) -> None:
    changes = differences(before, after)
    assert bool(changes) == (render(before) != render(after))
    assert {change.kind for change in changes} <= set(get_args(Kind))
    assert differences(before, before) == ()


@given(STATEMENTS, STATEMENTS, st.integers(0, 2))
def test_no_difference_of_one_statement_is_missed(one: Any, other: Any, place: int) -> None:
    generic = (other.generic, one.generic, one.generic)[place]
    custom = (one.custom, other.custom, one.custom)[place]
    text = (one.text, one.text, other.text)[place]
    changed = replace(one, generic=generic, custom=custom, text=text)
    before, after = Snapshot((one,)), Snapshot((changed,))
    assert bool(differences(before, after)) == (render(before) != render(after))


@given(PLANS, PLANS, st.sampled_from([field.name for field in fields(Node)]))
def test_no_difference_of_one_attribute_of_a_plan_is_missed(plan: Node, other: Node, attribute: str) -> None:
    changed = replace(plan, **{attribute: getattr(other, attribute)})
    deep, deep_changed = (Node("Limit", children=(inner,)) for inner in (plan, changed))
    assert bool(plan_changes(plan, changed)) == (plan != changed)
    assert bool(plan_changes(deep, deep_changed)) == (plan != changed)


@given(st.lists(STATEMENTS, min_size=2, max_size=3).flatmap(lambda s: st.tuples(st.just(s), st.permutations(s))))
def test_no_other_order_of_statements_is_missed(orders: tuple[list[Any], list[Any]]) -> None:
    before, after = (Snapshot(tuple(statements)) for statements in orders)
    assert bool(differences(before, after)) == (before != after)
