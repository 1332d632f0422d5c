"""Each budget refuses the function with just its fault, with place and cause, and not the same without it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import pytest

from eventlive_db.plans.budget import Budget
from eventlive_db.plans.frames import Place
from eventlive_db.server import Server
from tests.plans.budget_bench import SCHEMA, budget_bench
from tests.plans.plans_court import Court, case, line_of, tokens


@pytest.fixture(scope="module")
def app(pg_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with budget_bench(pg_server, tmp_path_factory.mktemp("budget")) as built:
        yield built


@dataclass(frozen=True)
class Fault:
    """A budget, and what is said of the function that breaks it.

    The function is ``app.<key>_fault``, in which a comment ``mark: <key>`` stands on the line to be named; with
    ``above``, so many lines below it.
    """

    key: str
    allowed: Any
    problem: str
    cause: str
    statement: str = ""
    function: str = ""
    mark: str = ""
    above: int = 0
    more: Mapping[str, Any] | None = None


FAULTS = [
    Fault(
        "statements",
        1,
        r"2 statements touch tables, 1 allowed"
        r" \(1 x app.statements_fault line 3; 1 x app.statements_fault line 4\)",
        "a statement was added",
        "SELECT from app.owners where id = 1",
    ),
    Fault(
        "repeats",
        1,
        "the same statement ran 3 times, 1 allowed",
        r"once for each row .* \(N\+1\)",
        "SELECT o.name from app.owners o where o.id = v",
    ),
    Fault(
        "rows_read",
        51,
        "1001 rows looked at, 51 allowed",
        "as a filter instead of by an index",
        "SELECT from app.jobs where owner + 0 = 3",
    ),
    Fault(
        "buffers",
        6,
        r"\d+ shared blocks touched, 6 allowed",
        "an index is gone",
        "SELECT from app.jobs where note = 'nothing'",
        above=2,
    ),
    Fault(
        "temp_blocks",
        0,
        r"\d{2,} blocks of temporary files, 0 allowed",
        "no longer fits work_mem",
        "SELECT a.id from app.jobs a, app.owners o where a.id <= 50 order by o.name, a.note",
    ),
    Fault(
        "wal_records",
        1,
        "[23] WAL records written, 1 allowed",
        "an index on a column that the statement changes",
        "update app.rows set n = n + 1 where id = 1",
    ),
    Fault(
        "wal_bytes",
        400,
        r"1\d\d\d bytes of WAL written, 400 allowed",
        "rows became wider",
        "update app.jobs set note = repeat('long', 400) where id = 1",
    ),
    Fault(
        "seq_scans",
        ["owners"],
        r"app.jobs is read from end to end with Filter \(j.note = 'x'::text\)",
        "no index fits the condition",
        "SELECT from app.jobs j, app.owners o where j.note = 'x' and o.name = 'y'",
    ),
    Fault(
        "locks",
        {"owners": "RowExclusive"},
        "RowShare is held on app.jobs at the end, AccessShare allowed",
        r"a locking clause \(FOR UPDATE\)",
        "SELECT from app.jobs where id = 1 for update",
    ),
    Fault(
        "xids",
        0,
        "1 transaction ids assigned, 0 allowed",
        "a write, a row lock",
        "delete from app.jobs where id = 1",
    ),
    Fault(
        "sequences",
        0,
        r"1 sequence values taken, 0 allowed \(app.tickets_id_seq 1\)",
        "before ON CONFLICT decides",
        "insert into app.tickets (job) values (1) on conflict (job) do nothing",
    ),
    Fault("subtransactions", 0, "1 subtransactions begun, 0 allowed", "an exception block was added"),
    Fault(
        "aborted_subtransactions",
        0,
        "1 subtransactions rolled back, 0 allowed",
        "hidden from the caller",
        function="aborted",
        above=1,
    ),
    Fault(
        "hot",
        0.9,
        r"0 of 20 updates of app.rows were heap-only \(0.0%\), 90.0% at least",
        "an index on a column that the update changes",
        "update app.rows set n = n + 1 where id = 1",
        function="wal_records",
        mark="wal_records",
        more={"repeat": 20},
    ),
    Fault(
        "only_touches",
        ["jobs"],
        "app.owners is touched; allowed: jobs",
        "a look-up, a foreign key, a trigger or a policy was added",
        "SELECT from app.owners where id = 1",
        function="touches",
        mark="touches",
    ),
    Fault(
        "never_touches",
        ["app.own*"],
        "app.owners is touched, and must never be",
        "a look-up, a foreign key, a trigger or a policy was added",
        "SELECT from app.owners where id = 1",
        function="touches",
        mark="touches",
    ),
    Fault(
        "growth",
        2,
        r"\d\d shared blocks at 4,000 rows and \d+ at 400: \d+ more, 2 allowed",
        "work that grows with the table",
        "SELECT sum(id) from app.events where kind = 1",
        more={"scaled": True},
    ),
]


def test_each_budget_has_a_fault_here() -> None:
    keys = {f.name for f in fields(Budget)}
    assert keys - {fault.key for fault in FAULTS} == {"function_calls", "ties"}, "those have tests of their own"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.key)
def test_the_fault_is_refused_with_sentence_place_statement_and_cause(app: Court, fault: Fault) -> None:
    name = f"app.{fault.function or fault.key}_fault"
    report = app.judge(case(f"select {name}()", budget={fault.key: fault.allowed}, **(fault.more or {})))
    assert tokens(report) == [f"budget.{fault.key}"]
    (violation,) = report.violations
    assert re.fullmatch(fault.problem, violation.problem)
    assert re.search(fault.cause, violation.cause)
    assert violation.statement == fault.statement
    line = line_of(SCHEMA, f"mark: {fault.mark or fault.key}") - fault.above
    start = line_of(SCHEMA, f"create function {name}(")
    assert violation.place == Place(f"{name}()", line - start + 1)
    assert (violation.file, violation.file_line) == ("schema.sql", line)
    sentences = [f"{violation.token}: {violation.problem}", f"  in {name} line {line - start + 1} (schema.sql:{line})"]
    if fault.statement:
        sentences[1] += f": {fault.statement}"
    assert str(violation) == "\n".join([*sentences, f"  likely: {violation.cause}"])
    assert not report.passed


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.key)
def test_the_same_function_without_the_fault_passes(app: Court, fault: Fault) -> None:
    name = f"app.{fault.function or fault.key}_fine"
    report = app.judge(case(f"select {name}()", budget={fault.key: fault.allowed}, **(fault.more or {})))
    assert report.violations == ()
    assert report.passed
