"""What budgets say of policies, locks and several tables, and of what breaks more than once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.frames import Place
from eventlive_db.server import Server
from tests.plans.budget_bench import SCHEMA, budget_bench
from tests.plans.plans_court import Court, case, line_of, tokens

POLICY = {
    "fault": "create policy p on app.secrets using (owner + 0 = app.me());",
    "fine": "create policy p on app.secrets using (owner + 0 = (select app.me()));",
}


@pytest.fixture(scope="module")
def app(pg_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with budget_bench(pg_server, tmp_path_factory.mktemp("budget")) as built:
        yield built


@pytest.mark.parametrize("kind", ["fault", "fine"])
def test_a_policy_that_calls_its_helper_for_each_row_is_refused_and_one_that_calls_it_once_is_not(
    app: Court, kind: str
) -> None:
    report = app.judge(
        case(
            "select count(*) from app.secrets",
            before=f"drop policy if exists p on app.secrets; {POLICY[kind]}",
            role="budget_reader",
            settings={"app.me": "3"},
            budget={"function_calls": 1},
        )
    )
    if kind == "fine":
        assert report.violations == ()
        return
    assert tokens(report) == ["budget.function_calls"]
    (violation,) = report.violations
    # Nine rows, and once more when it is planned.
    assert violation.problem == "app.me was called 10 times, 1 allowed"
    assert "write (select f()) to have it once" in violation.cause
    assert violation.place == Place("app.me")
    assert (violation.file, violation.file_line) == ("schema.sql", line_of(SCHEMA, "create function app.me("))


@pytest.mark.parametrize(
    ("call", "allowed", "problem"),
    [
        ("select pg_advisory_xact_lock(1)", {}, "Exclusive is held on advisory at the end, no such lock allowed"),
        (
            "select pg_advisory_xact_lock(1)",
            {"advisory": "Share"},
            "Exclusive is held on advisory at the end, Share allowed",
        ),
        ("select pg_advisory_lock(1)", {}, "Exclusive is held on advisory at the end, no such lock allowed"),
        ("select pg_advisory_xact_lock_shared(1)", {"advisory": "Share"}, None),
        ("select pg_advisory_xact_lock(1)", {"advisory": "Exclusive"}, None),
        ("update app.jobs set state = 'x' where id = 1", {"app.*": "RowExclusive"}, None),
        (
            "update app.jobs set state = 'x' where id = 1",
            {"jobs": "RowShare", "own*": "AccessExclusive"},
            "RowExclusive is held on app.jobs at the end, RowShare allowed",
        ),
    ],
)
def test_locks_are_held_against_what_is_allowed(
    app: Court, call: str, allowed: dict[str, str], problem: str | None
) -> None:
    report = app.judge(case(call, budget={"locks": allowed}))
    assert [v.problem for v in report.violations] == ([problem] if problem else [])


def test_each_table_that_breaks_a_budget_is_told_even_of_one_statement(app: Court) -> None:
    budget = {"seq_scans": "none", "never_touches": ["jobs", "owners"], "locks": "none"}
    report = app.judge(case("select from app.jobs j, app.owners o limit 1 for update", budget=budget))
    told = sorted(v.problem.partition(" at the end")[0] for v in report.violations)
    assert told == [
        "RowShare is held on app.jobs",
        "RowShare is held on app.owners",
        "app.jobs is read from end to end",
        "app.jobs is touched, and must never be",
        "app.owners is read from end to end",
        "app.owners is touched, and must never be",
    ]


def test_what_breaks_in_both_plan_modes_and_at_both_sizes_is_told_once(app: Court) -> None:
    report = app.judge(case("select app.seq_scans_fault()", scaled=True, budget={"seq_scans": "none", "statements": 0}))
    assert sorted(tokens(report)) == ["budget.seq_scans", "budget.statements"]
    assert {(v.mode, v.rows) for v in report.violations} == {("generic", 400)}


def test_a_budget_that_names_a_table_which_does_not_exist_is_an_error(app: Court) -> None:
    for key, value in (
        ("never_touches", ["registrations"]),
        ("only_touches", ["jobs", "app.job"]),
        ("seq_scans", ["other.jobs"]),
        ("locks", {"ap.*": "RowShare"}),
    ):
        with pytest.raises(SuiteError, match=f"case 'the case': budget {key} names .*there is no such table") as caught:
            app.judge(case("select app.locks_fine()", budget={key: value}))
        assert caught.value.token == "unknown_table"
        assert caught.value.advice == "Write it as table or schema.table"
