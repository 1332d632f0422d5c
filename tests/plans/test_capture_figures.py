"""The figures of the statements inside a call add up, and are what the server wrote."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventlive_db.plans.measure import measuring
from eventlive_db.plans.model import MODES, PlanMode, Run, Statement
from eventlive_db.server import Server
from tests.plans.capture_bench import CALLS, Bench, capture_bench, line


@pytest.fixture(scope="module")
def app(pg_server: Server) -> Iterator[Bench]:
    with capture_bench(pg_server) as built:
        yield built


def family(run: Run) -> Iterator[tuple[Statement, list[Statement]]]:
    """Each statement with those that ran directly inside it."""
    waiting: list[Statement] = []
    for statement in run.statements:
        inside: list[Statement] = []
        while waiting and waiting[-1].depth > statement.depth:
            inside.insert(0, waiting.pop())
        assert all(s.depth == statement.depth + 1 for s in inside), "no level is left out"
        yield statement, inside
        waiting.append(statement)
    assert all(s.depth == 0 for s in waiting)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("call", CALLS)
def test_figures_add_up_in_every_statement_and_none_is_negative(app: Bench, call: str, mode: PlanMode) -> None:
    run = app.run(call, mode)
    for statement, inside in family(run):
        for figure in ("buffers", "wal_records", "wal_bytes"):
            own, total = getattr(statement, f"own_{figure}"), getattr(statement, figure)
            assert own >= 0, (figure, statement.text)
            assert total == own + sum(getattr(s, figure) for s in inside), (figure, statement.text)
    assert sum(s.own_buffers for s in run.statements) == run.buffers
    assert sum(s.own_wal_records for s in run.statements) == run.wal_records
    assert sum(s.own_wal_bytes for s in run.statements) == run.wal_bytes
    assert run.call.query == call
    assert run.call.depth == 0
    assert [s for s in run.statements if not s.frames] == [run.call]


@pytest.mark.parametrize("mode", MODES)
def test_the_wal_that_statements_tell_of_is_what_the_server_wrote(app: Bench, mode: PlanMode) -> None:
    calls = ["select app.plain(7)", "select app.three()", "select app.unread(true)", "select app.unread(false)"]
    calls += ["select app.noted()", "insert into app.notes (item) values (5)", "delete from app.items where id = 8"]
    with measuring(app.dsn, mode) as (connection, recording):
        for call in calls:
            for _ in range(3):
                recording.clear()
                with connection.transaction(force_rollback=True):
                    written = connection.execute("select pg_current_wal_insert_lsn()").fetchone()
                    connection.execute("set local client_min_messages = log")
                    connection.execute(call.encode())
                    connection.execute("set constraints all immediate")
                    connection.execute("set local client_min_messages = error")
                    row = connection.execute(
                        "select pg_current_wal_insert_lsn() - %s::pg_lsn", [written[0] if written else None]
                    ).fetchone()
            run = Run(tuple(s for s in recording.statements if "pg_current_wal" not in s.query))
            assert row is not None
            # Each record is aligned to 8 bytes, each page of 8 kB has a header of 24.
            slack = 8 * run.wal_records + 40 * (1 + run.wal_bytes // 8192)
            assert run.wal_bytes <= row[0] <= run.wal_bytes + slack, call


def test_what_after_triggers_and_foreign_keys_do_is_counted_with_their_statement(app: Bench) -> None:
    run = app.run("select app.noted()")
    by_text = {statement.text.split(" ")[0] + str(statement.place.line): statement for statement in run.statements}
    insert = by_text[f"insert{line('noted', 'noted')}"]
    inside = [s for s in run.statements if s.depth == insert.depth + 1]
    before = [s for s in inside if s.place.name == "app.before_row"]
    after = [s for s in inside if s not in before]
    assert [len(before), len(after)] == [2, 5]
    of_the_plan = insert.plan["Plan"]["WAL Records"]
    assert of_the_plan == insert.own_wal_records + sum(s.wal_records for s in before)
    assert insert.wal_records == of_the_plan + sum(s.wal_records for s in after)
    assert sum(s.wal_records for s in after) >= 6, "updates, log, row locks of the checks"


def test_rows_of_a_write_in_with_that_nothing_reads_are_counted(app: Bench) -> None:
    for some in ("true", "false"):
        run = app.run(f"select app.unread({some})")
        (statement,) = run.table_statements
        assert statement.wal_records >= 120
        assert statement.buffers >= 120
