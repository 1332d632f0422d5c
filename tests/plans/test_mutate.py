"""Mutation testing of budgets: a good budget kills every fault, and a slack one lets it survive, by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from eventlive_db.plans.arena import Arena, build_arena
from eventlive_db.plans.budget import Budget
from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.mutate import OPERATORS, MutantReport, MutationReport, mutate, render, to_dict
from eventlive_db.plans.mutate.text import begin_of_body, compares_column, declared, is_condition, masked, scalar_calls
from eventlive_db.plans.suite import NamedMutation, Suite, load_suite
from eventlive_db.server import Server

pytestmark = pytest.mark.heavy

SCHEMA = r"""
do $$ begin
    if not exists (select from pg_roles where rolname = 'shop_customer') then create role shop_customer; end if;
end $$;
create schema shop;
grant usage on schema shop to shop_customer;

create table shop.cart (
    cart_id int primary key,
    customer text not null,
    seen_at timestamptz not null default now(),
    note text
) with (fillfactor = 50);
create index cart_customer_idx on shop.cart (customer);
create index cart_note_idx on shop.cart (note);  -- nobody needs it
create table shop.line (
    cart_id int not null,
    item text not null,
    code text unique,  -- read by nobody
    constraint line_once unique (cart_id, item)
);
create table shop.news (news_id int primary key);
create table shop.secret (owner text);

create function shop.me() returns text language plpgsql stable as $$
begin
    return current_setting('shop.me', true);
end $$;

alter table shop.cart enable row level security;
create policy cart_own on shop.cart to shop_customer using (customer = (select shop.me()));
grant select on shop.cart to shop_customer;
create view shop.carts with (security_invoker = true) as
    select c.cart_id, c.customer from shop.cart c
     where c.note is distinct from (select shop.me()) and (select length(shop.me())) > 0;
grant select on shop.carts to shop_customer;
alter table shop.secret enable row level security;
create policy secret_own on shop.secret to shop_customer using (owner = (select shop.me()));
create function shop.look() returns bigint language plpgsql security definer as $$
begin
    return (select count(*) from shop.secret);
end $$;

create function shop.visit(_cart_id int) returns timestamptz language plpgsql security definer as $visit$
<<outer_block>>
declare
    v_at timestamptz := clock_timestamp();  -- begin of a visit
    v_text text := 'begin';
begin
    update shop.cart c set seen_at = v_at where c.cart_id = _cart_id;
    return v_at;
end $visit$;

create function shop.add(_cart_id int, _item text) returns void language plpgsql as $$
begin
    insert into shop.line (cart_id, item) values (_cart_id, _item)
    on conflict (cart_id, item) do nothing;
end $$;

create function shop.customer_of(_cart_id int) returns text language plpgsql stable security definer as $$
declare
    v_customer text;
begin
    select c.customer into v_customer from shop.cart c where c.cart_id = _cart_id;
    if v_customer = _cart_id::text then
        return null;
    end if;
    return v_customer;
end $$;
"""

SEED = """
insert into shop.cart (cart_id, customer) select i, 'customer ' || i % 50 from generate_series(1, 2000) i;
insert into shop.line (cart_id, item) select i, 'tea' from generate_series(1, 500) i;
"""

CASES = """
[database]
schema = "schema.sql"
seed = "seed.sql"

[identity.customer]
role = "shop_customer"
settings = { "shop.me" = "customer 7" }

[budget]
statements = 1
subtransactions = 0
sequences = 0
xids = 0
locks = {}

[[case]]
name = "visit"
call = "select shop.visit(1999)"
budget = { buffers = 20, wal_records = 10, hot = 0.9, xids = 1, locks = { cart = "RowExclusive" } }

[[case]]
name = "add"
call = "select shop.add(7, 'tea')"
budget = { buffers = 12, wal_records = 0, locks = { line = "RowExclusive" } }

[[case]]
name = "customer"
call = "select shop.customer_of(1999)"
budget = { buffers = 6 }

[[case]]
name = "carts"
call = "select * from shop.carts"
as = "customer"
budget = { rows_read = 40, function_calls = 3 }

[[case]]
name = "look"
call = "select shop.look()"
budget = { buffers = 2 }

[[mutation]]
name = "a visit reads the news"
function = "shop.visit"
replace = "    return v_at;"
with = "    perform from shop.news;\\n    return v_at;"
cases = ["visit"]

[[mutation]]
name = "no index by customer"
sql = "drop index shop.cart_customer_idx"
cases = ["carts"]
"""

NEEDLESS = "the index shop.cart_note_idx of shop.cart is gone"


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "schema.sql").write_text(SCHEMA)
    (folder / "seed.sql").write_text(SEED)
    (folder / "plans.toml").write_text(CASES)
    return load_suite(folder / "plans.toml")


@pytest.fixture(scope="module")
def arena(pg_server: Server, suite: Suite) -> Iterator[Arena]:
    with build_arena(pg_server, suite) as built:
        yield built
    with psycopg.connect(pg_server.dsn(), autocommit=True) as connection:
        connection.execute("drop role shop_customer")


@pytest.fixture(scope="module")
def good(suite: Suite, arena: Arena) -> MutationReport:
    return mutate(suite, arena)


@pytest.fixture(scope="module")
def slack(suite: Suite, arena: Arena) -> MutationReport:
    """The same faults under budgets that allow everything; two that make an operator look at a case stay."""
    cases = tuple(replace(c, budget=Budget(hot=0.0 if c.budget.hot else None)) for c in suite.cases)
    return mutate(replace(suite, cases=cases), arena)


def of(report: MutationReport, operator: str, verdict: str) -> list[MutantReport]:
    return [m for m in report.mutants if m.operator == operator and m.verdict == verdict]


KILLED_BY = {
    "drop_index": "budget.buffers",
    "index_written_column": "budget.hot",
    "add_lookup": "budget.statements",
    "swallow_error": "budget.subtransactions",
    "take_lock": "budget.locks",
    "burn_sequence": "budget.sequences",
    "assign_xid": "budget.xids",
    "update_on_conflict": "budget.wal_records",
    "helper_per_row": "budget.function_calls",
    "defeat_index": "budget.buffers",
    "named": "budget.statements",
}


def test_every_operator_has_an_example_here() -> None:
    assert list(KILLED_BY) == list(OPERATORS)


@pytest.mark.parametrize(("operator", "token"), KILLED_BY.items())
def test_a_good_budget_kills_the_fault(good: MutationReport, operator: str, token: str) -> None:
    killed = of(good, operator, "killed")

    assert token in {m.token for m in killed}
    assert all(m.case and m.sentence for m in killed)


def test_nothing_survives_good_budgets_but_an_index_that_nobody_needs(good: MutationReport) -> None:
    assert [m.name for m in good.survivors] == [NEEDLESS]
    assert good.survivors[0].sentence.startswith("no case uses it: add one that does, or drop the index")
    assert 90 < good.score < 100


# A fault of assign_xid exists only where a budget says xids = 0, which is what rejects it.
@pytest.mark.parametrize("operator", [name for name in OPERATORS if name != "assign_xid"])
def test_a_slack_budget_lets_the_fault_survive_and_the_report_names_it(slack: MutationReport, operator: str) -> None:
    survived = of(slack, operator, "survived")

    assert survived
    for mutant in survived:
        assert mutant.sentence
        assert f"  {operator}: {mutant.name}\n      {mutant.sentence}" in render(slack)


def test_without_a_budget_of_transaction_ids_none_is_taken(slack: MutationReport) -> None:
    assert not [m for m in slack.mutants if m.operator == "assign_xid"]


def test_a_survivor_says_what_was_seen_and_allowed(slack: MutationReport) -> None:
    [visit] = [m for m in of(slack, "named", "survived") if m.name == "a visit reads the news"]

    assert "tighten the budget" in visit.sentence
    assert "statements of 'visit' 1 to 2, no limit" in visit.sentence


def test_a_call_that_fails_without_an_index_has_noticed(slack: MutationReport) -> None:
    [once] = [m for m in slack.mutants if "shop.line_once" in m.name]

    assert (once.verdict, once.token, once.case) == ("killed", "call.failed", "add")
    assert "ON CONFLICT" in once.sentence


def test_an_index_that_serves_its_constraint_only_is_not_counted(good: MutationReport) -> None:
    [code] = [m for m in good.mutants if "shop.line_code_key" in m.name]

    assert code.verdict == "not_counted"
    assert "serves its constraint only" in code.sentence
    assert code.name in render(good)


def test_a_policy_that_nobody_can_come_under_is_not_counted(good: MutationReport) -> None:
    [secret] = [m for m in good.mutants if "secret_own" in m.name]

    assert (secret.verdict, secret.sentence) == ("not_counted", "nobody that the policy is for may use the table")


def test_a_helper_that_is_compared_with_no_column_is_not_counted(good: MutationReport) -> None:
    [length] = [m for m in good.mutants if "length(shop.me())" in m.name]

    assert length.verdict == "not_counted"
    assert "once a statement anyway" in length.sentence


def test_a_statement_that_no_call_may_run_is_stillborn(good: MutationReport) -> None:
    lookups = [m for m in of(good, "add_lookup", "stillborn") if m.name.startswith("shop.me reads a row of")]

    assert "the fault fits no call: permission denied for table line" in {m.sentence for m in lookups}


def test_only_conditions_are_hidden_from_indexes(good: MutationReport) -> None:
    hidden = [m.name for m in good.mutants if m.operator == "defeat_index"]

    assert hidden == [
        "shop.customer_of line 5 hides c.cart_id from every index",
        "shop.visit line 7 hides c.cart_id from every index",
    ]


def test_a_function_that_may_not_lock_is_not_asked_to(good: MutationReport) -> None:
    locking = [m.name for m in good.mutants if m.operator == "take_lock" and "locks the table" in m.name]

    assert [name.split()[0] for name in locking] == ["shop.add", "shop.look", "shop.visit"]


def test_a_fault_that_breaks_nothing_survives(suite: Suite, arena: Arena) -> None:
    nothing = NamedMutation("nothing is broken", sql="select 1")
    report = mutate(replace(suite, mutations=(nothing,)), arena)

    [mutant] = [m for m in report.mutants if m.operator == "named"]
    assert mutant.verdict == "survived"
    assert "no figure changes" in mutant.sentence


def test_a_mutation_that_is_no_sql_is_stillborn_and_not_counted(suite: Suite, arena: Arena) -> None:
    wrong = NamedMutation("a mutation that is no SQL", sql="alter tabel shop.cart", cases=("visit",))
    report = mutate(replace(suite, mutations=(wrong,)), arena, [suite.case("visit")])

    [mutant] = [m for m in report.mutants if m.operator == "named"]
    assert mutant.verdict == "stillborn"
    assert "syntax error" in mutant.sentence
    assert "Stillborn, which could not be tried:" in render(report)
    assert report.score == pytest.approx(100 * len(report.of("killed")) / len(report.of("killed") + report.survivors))


@pytest.mark.parametrize(
    ("mutation", "problem"),
    [
        (NamedMutation("x", function="shop.visit", old="return v_then;"), "the text to replace is not in shop.visit"),
        (NamedMutation("x", function="shop.visits", old="return"), "there is no function 'shop.visits'"),
    ],
)
def test_a_mutation_that_does_not_fit_is_refused(
    suite: Suite, arena: Arena, mutation: NamedMutation, problem: str
) -> None:
    with pytest.raises(SuiteError, match=problem) as refused:
        mutate(replace(suite, mutations=(mutation,)), arena, [suite.case("visit")])

    assert refused.value.token == "invalid_mutation"
    assert refused.value.advice


def test_a_suite_that_does_not_pass_is_not_tested(suite: Suite, arena: Arena) -> None:
    visit = suite.case("visit")
    broken = replace(visit, budget=replace(visit.budget, statements=0))

    with pytest.raises(SuiteError, match=r"visit: budget\.statements: 1 statements touch tables, 0 allowed") as refused:
        mutate(suite, arena, [broken])

    assert refused.value.token == "baseline_fails"


def test_a_call_that_fails_unbroken_is_told(suite: Suite, arena: Arena) -> None:
    broken = replace(suite.case("visit"), call="select shop.visit('x')")

    with pytest.raises(SuiteError, match="invalid input syntax") as refused:
        mutate(suite, arena, [broken])

    assert refused.value.token == "baseline_fails"


def test_only_chosen_cases_judge_and_each_fault_is_told_when_it_was_tried(suite: Suite, arena: Arena) -> None:
    told: list[MutantReport] = []
    report = mutate(suite, arena, [suite.case("add")], told.append)

    assert tuple(told) == report.mutants
    assert {m.case for m in report.of("killed")} == {"add"}
    assert report.score == 100
    assert not [m for m in report.mutants if m.operator == "named"]


def test_the_stage_itself_is_never_broken(arena: Arena, good: MutationReport) -> None:
    with psycopg.connect(arena.stages[0].dsn) as connection:
        row = connection.execute(
            "select (select bool_and(indisvalid) from pg_index), to_regnamespace('plans_mutant') is null,"
            " (select prosrc from pg_proc where proname = 'visit') not like '%news%'"
        ).fetchone()

    assert row == (True, True, True)


def test_a_fault_that_shows_at_a_larger_size_only_is_tried_there(pg_server: Server, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(
        "create table item (id int primary key, owner int); create index on item (owner)"
    )
    (tmp_path / "fill.sql").write_text(
        "insert into item select i, i from generate_series("
        "current_setting('plans.rows_before')::int + 1, current_setting('plans.rows')::int) i"
    )
    (tmp_path / "plans.toml").write_text("""
        [database]
        schema = "schema.sql"
        [scale]
        sizes = [500, 20_000]
        fill = "fill.sql"
        [[case]]
        name = "own items"
        call = "select id from item where owner = 7"
        scaled = true
        budget = { buffers = 12 }
        [[mutation]]
        name = "no index by owner"
        sql = "drop index item_owner_idx"
    """)
    scaled = load_suite(tmp_path / "plans.toml")
    with build_arena(pg_server, scaled) as built:
        report = mutate(scaled, built)

    assert [m.name for m in report.survivors] == ["the index public.item_owner_idx of public.item is gone"]
    [named] = of(report, "named", "killed")
    assert (named.rows, named.token, named.mode) == (20_000, "budget.buffers", "generic")


def test_a_report_is_json_and_its_score_is_never_rounded_up() -> None:
    killed = [MutantReport(operator="named", name=f"{i}", verdict="killed") for i in range(9999)]
    survivor = MutantReport(operator="named", name="the one", verdict="survived", sentence="tighten it")
    report = MutationReport("shop", "18.1", (*killed, survivor))

    assert "Score: 99.9 % (9999 of 10000 killed)" in render(report)
    told = json.loads(json.dumps(to_dict(report)))
    assert told["counts"] == {"killed": 9999, "survived": 1, "not_counted": 0, "stillborn": 0}
    assert told["mutants"][-1]["name"] == "the one"


def test_without_anything_to_break_the_score_is_nothing() -> None:
    report = MutationReport("shop", "18.1", ())

    assert report.score == 0
    assert "Nothing was found" in render(report)


BODY = """
<<l>>
declare
    v_a int := 1; /* begin /* begin */ */
    v_begin text := E'it\\'s -- begin' || $q$ begin $q$;  -- begin
begin
    if v_a = 2 then
        return query select from t where (t.a = v_a or t.b = v_a);
    end if;
    update t set c = v_a from u where u.x = v_a returning t.c = v_a;
end"""


def test_comments_and_literals_are_not_code() -> None:
    code = masked(BODY)

    assert len(code) == len(BODY)
    assert "begin" not in code[: code.index("\nbegin")].replace("v_begin", "")
    assert BODY[: begin_of_body(BODY)].endswith("\nbegin")
    assert declared(BODY) == {"v_a", "v_begin"}
    assert begin_of_body("select 1") is None


def test_a_condition_is_told_from_an_assignment() -> None:
    code = masked(BODY)
    found = {text: is_condition(code, code.index(text)) for text in ("v_a = 2", "t.a = ", "t.b = ", "c = v_a", "u.x =")}

    assert found == {"v_a = 2": False, "t.a = ": True, "t.b = ": True, "c = v_a": False, "u.x =": True}
    assert not is_condition(code, code.rindex("t.c = "))


def test_scalar_calls_are_found_with_what_they_are_compared() -> None:
    text = "((( SELECT f(g('x)')) AS f) > 0) AND (a = ANY (( SELECT s.h() AS h)::int[])) AND (b = ( SELECT c FROM t)))"
    found = scalar_calls(text)

    assert [call for _, _, call in found] == ["f(g('x)'))", "s.h()"]
    assert [compares_column(text, start) for start, _, _ in found] == [False, True]
