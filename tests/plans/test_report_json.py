"""What a program reads: one stable form, plans only where they were asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from eventlive_db.plans.report import run_to_dict, to_dict
from eventlive_db.plans.verdict import Report, Violation
from eventlive_db.server import Server
from tests.plans.report_sample import HOSTILE, made_up, of_figures, real_report


@pytest.fixture(scope="module")
def report(pg_server: Server, schema_template: str) -> Report:
    """Calls that really ran."""
    return real_report(pg_server, schema_template)


STATEMENT_FIELDS = {
    "query",
    "function",
    "line",
    "called_by",
    "foreign_key_check",
    "executions",
    "rows",
    "rows_read",
    "buffers",
    "own_buffers",
    "wal_records",
    "own_wal_records",
    "wal_bytes",
    "own_wal_bytes",
    "relations",
    "indexes",
    "sequential_scans",
    "statements",
}


def statements(run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All of a run, at each level."""
    for statement in run["statements"]:
        yield statement
        yield from statements(statement)


def test_a_real_report_survives_json_with_every_documented_field(report: Report) -> None:
    told = json.loads(json.dumps(to_dict(report)))
    assert told["format_version"] == 1
    assert told["passed"] is False
    assert [c["passed"] for c in told["cases"]] == [True, True, False]
    for field in to_dict.__doc__.split("``")[1::2] if to_dict.__doc__ else ():
        assert f'"{field}"' in json.dumps(told) or field in {"18.6"}, field
    run = told["cases"][1]["measurements"][0]["runs"]["generic"]
    assert {frozenset(s) for s in statements(run)} == {frozenset(STATEMENT_FIELDS)}
    [check] = [s for s in statements(run) if s["foreign_key_check"]]
    assert check["indexes"] == ["webinars_pkey"]
    assert sum(s["own_buffers"] for s in statements(run)) == run["buffers"]


def test_executions_of_one_statement_are_put_together(report: Report) -> None:
    run = report.cases[2].measurements[0].runs["generic"]
    told = run_to_dict(run)
    assert told["format_version"] == 1
    often = [s for s in statements(told) if s["executions"] > 1]
    assert [(s["function"], s["line"], s["executions"], s["sequential_scans"]) for s in often] == [
        ("sample.touch_all(bigint)", 7, 40, []),
        ("sample.touch_all(bigint)", 8, 40, ["sample.item"]),
    ]
    assert told["table_statements"] == 81
    assert told["aborted"] == [{"function": "sample.touch_all(bigint)", "line": 10}]


def test_plans_are_there_only_where_they_were_asked_for(report: Report) -> None:
    run = report.cases[0].measurements[0].runs["generic"]
    assert all("plan" not in s for s in statements(run_to_dict(run)))
    assert all("Plan" in s["plan"] for s in statements(run_to_dict(run, plans=True)))


def test_what_is_not_known_is_null() -> None:
    report = Report(
        "app", "18.6", (of_figures(6, name="enter", violations=(Violation("budget.x", "enter", "too much"),)),)
    )
    [violation] = to_dict(report)["cases"][0]["violations"]
    assert violation == {
        "token": "budget.x",
        "case": "enter",
        "problem": "too much",
        "cause": "",
        "function": None,
        "line": None,
        "mode": None,
        "rows": None,
        "statement": "",
        "file": "",
        "file_line": None,
    }
    assert to_dict(report)["violations"] == [violation]


def test_hostile_texts_come_back_as_they_were() -> None:
    told = json.loads(json.dumps(to_dict(made_up(HOSTILE, name=HOSTILE), plans=True)))
    assert told["cases"][0]["name"] == HOSTILE
    assert told["cases"][0]["measurements"][0]["runs"]["custom"]["statements"][0]["plan"]["Query Text"] == HOSTILE
