"""What a person reads in a terminal: every figure of a case, and the statements inside a call."""

from __future__ import annotations

import textwrap
from dataclasses import replace

import pytest

from eventlive_db.plans.frames import Frame, Place
from eventlive_db.plans.model import Measurement, Run, Statement, Updates
from eventlive_db.plans.nodes import Node
from eventlive_db.plans.report.terminal import nested, table
from eventlive_db.plans.report.text import printable, width_of
from eventlive_db.plans.report.tree import branches
from eventlive_db.plans.verdict import CaseReport, Report, Violation
from eventlive_db.server import Server
from tests.plans.report_sample import HOSTILE, made_up, of_figures, real_report


@pytest.fixture(scope="module")
def report(pg_server: Server, schema_template: str) -> Report:
    """Calls that really ran."""
    return real_report(pg_server, schema_template)


TOO_MANY = Violation(
    "budget.buffers",
    "leave",
    "40 buffers; 8 are allowed",
    "an index is gone",
    Place("app.leave(uuid)", 7),
    "custom",
    100_000,
    "delete from app.item where id = _id",
    "sql/leave.sql",
    19,
)


def sample() -> Report:
    enter = of_figures(6, 7, name="enter", notes=("app.item was told to be larger",))
    hot = Measurement(enter.measurements[1].runs, 100_000, updates={"app.item": Updates(1000, 999)})
    return Report(
        "app",
        "18.6",
        (
            replace(enter, measurements=(enter.measurements[0], hot)),
            of_figures(
                6, 40, name="leave", violations=(TOO_MANY,), changes=("an index scan became a sequential scan",)
            ),
            CaseReport("gone", "select app.gone()", violations=(Violation("call_failed", "gone", "no such function"),)),
        ),
    )


def test_table_at_110_columns() -> None:
    assert table(sample(), width=110) == textwrap.dedent(
        """\
               state-           rows      WAL    WAL  seq
        case    ments  buffers  read  records  bytes  scans  locks              aborted     HOT  verdict
        -----  ------  -------  ----  -------  -----  -----  -----------------  -------  ------  -------
        enter       1    6 / 7     1        2    180  -      RowExclusive item        0  99.9 %  ok
        leave       1   6 / 40     1        2    180  -      RowExclusive item        0       -  FAIL
        gone        -        -     -        -      -  -      -                        -       -  FAIL

        Figures at 10^3 rows / 10^5 rows, one where all are the same; of the generic and the custom plan the dearer
        one. Locks are those stronger than AccessShare; aborted are subtransactions.

        leave: 1 problem
          budget.buffers: 40 buffers; 8 are allowed (custom plan, at 10^5 rows)
            in app.leave line 7 (sql/leave.sql:19): delete from app.item where id = _id
            likely: an index is gone

        gone: 1 problem
          call_failed: no such function

        changed against the snapshot
          leave: an index scan became a sequential scan

        notes
          enter: app.item was told to be larger

        app on Postgres 18.6: 3 cases, 2 failed, 2 problems
        """
    )


def test_table_at_80_columns_puts_below_a_row_what_does_not_fit_beside_it() -> None:
    rows = table(sample(), width=80).split("\n\n")[0]
    assert rows + "\n" == textwrap.dedent(
        """\
               state-           rows      WAL    WAL  seq
        case    ments  buffers  read  records  bytes  scans  aborted     HOT  verdict
        -----  ------  -------  ----  -------  -----  -----  -------  ------  -------
        enter       1    6 / 7     1        2    180  -            0  99.9 %  ok
            locks: RowExclusive item
        leave       1   6 / 40     1        2    180  -            0       -  FAIL
            locks: RowExclusive item
        gone        -        -     -        -      -  -            -       -  FAIL
        """
    )


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_no_line_is_wider_than_the_terminal(report: Report, width: int) -> None:
    long_name = replace(report.cases[1], name="webinar_session_heartbeat_of_a_guest_who_came_back")
    report = replace(report, cases=(*report.cases, long_name))
    text = table(report, width=width) + nested(report.cases[1].measurements[0].runs["generic"], width=width)
    assert [line for line in text.splitlines() if width_of(line) > width] == []
    assert "webinar_session_" in text


def test_a_report_that_holds_says_so() -> None:
    report = Report("app", "18.6", (of_figures(6, name="enter"),))
    assert table(report, width=80).splitlines()[-1] == "app on Postgres 18.6: 1 case, all ok"
    assert "FAIL" not in table(report, width=80)


def test_a_violation_of_the_suite_itself_is_told() -> None:
    unused = Violation("snapshot.unused", "", "old.txt belongs to no case")
    text = table(Report("app", "18.6", (), (unused,)), width=80)
    assert "the suite: 1 problem\n  snapshot.unused: old.txt belongs to no case\n" in text


def test_nested_shows_each_statement_below_the_one_that_ran_it(report: Report) -> None:
    text = nested(report.cases[1].measurements[0].runs["generic"])
    lines = text.splitlines()
    assert lines[0].startswith("select eventlive_api.webinar_enter(")
    inner = next(i for i, line in enumerate(lines) if line.startswith("    eventlive.webinar_enter line "))
    check = next(i for i, line in enumerate(lines) if "foreign key check after eventlive.insert_session line" in line)
    assert inner < check
    assert lines[check].startswith("        foreign key check")
    assert "| Nested Loop (1 row)" in text
    assert "|   Index Scan using webinars_pkey on eventlive.webinars w (1 row)" in text
    assert "|       Index Cond: (w.id = $1)" in text
    assert ", called by eventlive.webinar_enter line " in text
    totals = text.partition("\ntotal: ")[2]
    assert " statements on tables; " in totals
    for heading in ("locks: RowExclusive eventlive.", "transaction ids: 1", "sequences: ", "function calls: "):
        assert f"\n{heading}" in totals


def test_nested_puts_a_statement_that_ran_often_together(report: Report) -> None:
    run = report.cases[2].measurements[0].runs["generic"]
    text = nested(run)
    assert "    sample.touch_all line 7 x 40\n" in text
    assert "    sample.touch_all line 8 x 40\n" in text
    assert text.count("update sample.item") == 1
    assert "subtransactions: sample.touch_all line 10; 1 rolled back: sample.touch_all line 10" in text


def test_the_tree_loses_nothing_whether_put_together_or_not(report: Report) -> None:
    for case in report.cases:
        run = case.measurements[0].runs["custom"]
        for limit in (1, 3, 10_000):
            every = [b for root in branches(run, collapse_over=limit) for _, b in root.walk()]
            assert sum(b.executions for b in every) == len(run.statements)
            assert sum(b.own_buffers for b in every) == run.buffers
            assert sum(b.own_wal_bytes for b in every) == run.wal_bytes
        assert len(every) == len(run.statements)


def test_a_deferred_trigger_stands_beside_the_call() -> None:
    node = Node("Result", loops=1)
    trigger = Statement("select 2", (Frame("plpgsql", "app.check()", 3),), node, {"Plan": {}})
    text = nested(Run((Statement("select 1", (), node, {"Plan": {}}), trigger)))
    assert "\nat the end of the transaction: app.check line 3\n  select 2\n" in text


def test_three_times_is_shown_three_times_and_four_times_once() -> None:
    node = Node("Result", loops=1)
    inner = Statement("select 2", (Frame("plpgsql", "app.f()", 3),), node, {"Plan": {}}, depth=1)
    call = Statement("select app.f()", (), node, {"Plan": {}})
    assert nested(Run((*[inner] * 3, call))).count("select 2") == 3
    text = nested(Run((*[inner] * 4, call)))
    assert text.count("select 2") == 1
    assert "app.f line 3 x 4\n" in text


def test_hostile_texts_cannot_reach_the_terminal() -> None:
    report = made_up(HOSTILE, name=HOSTILE, violations=(Violation(HOSTILE, HOSTILE, HOSTILE, HOSTILE),))
    text = table(report, width=80) + nested(report.cases[0].measurements[0].runs["generic"])
    assert not set(text) & set("\x1b\x00\u202e")
    assert "日本" in text
    assert printable("\ud800\ufffe\x85\u2028") == "\ufffd" * 4
    assert printable("kept: \t\n é 日本 👍🏽") == "kept: \t\n é 日本 👍🏽"


def test_a_huge_query_does_not_fill_the_terminal() -> None:
    text = nested(Run((Statement("select 1,\n" * 5_000, (), Node("Result", loops=1), {"Plan": {}}),)))
    assert "… (4988 lines more)" in text
    assert len(text.splitlines()) < 30
