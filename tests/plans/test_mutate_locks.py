"""Mutation testing of budgets of locks: a lock that every call holds anyway is not counted, any other one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from eventlive_db.plans.arena import Arena, build_arena
from eventlive_db.plans.budget import Budget
from eventlive_db.plans.mutate import MutantReport, MutationReport, mutate, render
from eventlive_db.plans.suite import Suite
from eventlive_db.server import Server
from tests.plans.plans_court import case, write_suite

SCHEMA = """
create schema shop;
create table shop.ledger (ledger_id int primary key, total int not null);
create table shop.visit (visit_id int primary key) partition by range (visit_id);
create table shop.visit_1 partition of shop.visit for values from (0) to (1000);
create table shop.visit_2 partition of shop.visit for values from (1000) to (2000);

create function shop.wipe(_id int) returns void language plpgsql as $$
begin
    lock table shop.ledger in access exclusive mode;
    delete from shop.ledger l where l.ledger_id = _id;
end $$;

create function shop.book(_id int) returns void language plpgsql as $$
begin
    update shop.ledger l set total = l.total + 1 where l.ledger_id = _id;
end $$;

create function shop.audit(_alone boolean) returns void language plpgsql as $$
begin
    if _alone then
        lock table shop.ledger in access exclusive mode;
    end if;
    perform from shop.ledger l where l.ledger_id = 7;
end $$;

create function shop.forget(_id int) returns void language plpgsql as $$
begin
    lock table only shop.visit in access exclusive mode;
    lock table only shop.visit_1 in access exclusive mode;
    delete from shop.visit_1 v where v.visit_id = _id;
end $$;
"""

SEED = """
insert into shop.ledger (ledger_id, total) select i, i from generate_series(1, 100) i;
insert into shop.visit (visit_id) select i from generate_series(1, 1999) i;
"""

# What each case holds, and nothing more.
CASES = (
    case("select shop.wipe(7)", name="wipe", budget={"locks": {"ledger": "AccessExclusive"}}),
    case("select shop.book(7)", name="book", budget={"locks": {"ledger": "RowExclusive"}}),
    case("select shop.audit(true)", name="audit alone", budget={"locks": {"ledger": "AccessExclusive"}}),
    case("select shop.audit(false)", name="audit", budget={"locks": {}}),
    case(
        "select shop.forget(7)", name="forget", budget={"locks": dict.fromkeys(("visit", "visit_1"), "AccessExclusive")}
    ),
)

HELD = "shop.wipe locks the table shop.ledger"

# Faults that a budget of locks can reject: the function, the case that gains a lock by it, and why it does.
REJECTED = {
    "shop.book locks the table shop.ledger": "book",  # it holds a weaker one
    "shop.audit locks the table shop.ledger": "audit",  # one call of two holds it
    "shop.forget locks the table shop.visit": "forget",  # it holds that of the table and not of each partition
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    return write_suite(tmp_path_factory.mktemp("locks"), SCHEMA, seed=SEED, cases=CASES)


@pytest.fixture(scope="module")
def arena(pg_server: Server, suite: Suite) -> Iterator[Arena]:
    with build_arena(pg_server, suite) as built:
        yield built


@pytest.fixture(scope="module")
def tight(suite: Suite, arena: Arena) -> MutationReport:
    return mutate(suite, arena)


@pytest.fixture(scope="module")
def slack(suite: Suite, arena: Arena) -> MutationReport:
    return mutate(replace(suite, cases=tuple(replace(c, budget=Budget()) for c in suite.cases)), arena)


def fault(report: MutationReport, name: str) -> MutantReport:
    [mutant] = [m for m in report.mutants if m.operator == "take_lock" and m.name == name]
    return mutant


def test_a_lock_that_each_call_holds_anyway_is_not_counted(tight: MutationReport, slack: MutationReport) -> None:
    for report in (tight, slack):
        told = fault(report, HELD)

        assert (told.verdict, told.sentence) == (
            "not_counted",
            "each call that runs it locks shop.ledger as strongly anyway",
        )
        listed = render(report).partition("Not counted, which no budget could reject:")[2]
        assert f"  take_lock: {HELD}\n      {told.sentence}" in listed


@pytest.mark.parametrize(("name", "seen_by"), REJECTED.items())
def test_a_lock_that_a_call_gains_survives_a_slack_budget(slack: MutationReport, name: str, seen_by: str) -> None:
    told = fault(slack, name)

    assert told.verdict == "survived"
    assert f"locks of '{seen_by}' gain ShareRowExclusive, no limit" in told.sentence


@pytest.mark.parametrize(("name", "seen_by"), REJECTED.items())
def test_a_lock_that_a_call_gains_is_rejected_by_its_budget(tight: MutationReport, name: str, seen_by: str) -> None:
    told = fault(tight, name)

    assert (told.verdict, told.case, told.token) == ("killed", seen_by, "budget.locks")
    assert "ShareRowExclusive is held on" in told.sentence
