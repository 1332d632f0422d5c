"""A suite is judged case by case, against snapshots, and snapshots are written only where fresh databases agree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from eventlive_db.plans.case import Case
from eventlive_db.plans.check import Judge, Options, check, relative
from eventlive_db.plans.snapshot import Snapshot
from eventlive_db.plans.snapshot_text import render
from eventlive_db.plans.sources import Sources
from eventlive_db.plans.store import SnapshotStore
from eventlive_db.plans.suite import Suite
from eventlive_db.plans.update import AGREEING, remove_unused, update_case
from eventlive_db.plans.verdict import CaseReport
from eventlive_db.server import Server
from tests.plans.plans_court import Court, case, court, tokens, write_suite

SCHEMA = """\
create schema app;
create table app.jobs (id int primary key, owner int not null, note text not null default repeat('x', 100));
create index jobs_owner_idx on app.jobs (owner);
create table app.owners (id int primary key, name text not null);
insert into app.jobs select n, n % 50 from generate_series(1, 1000) n;
insert into app.owners select n, 'o' || n from generate_series(1, 1000) n;
analyze app.jobs, app.owners;
create function app.jobs_of(_owner int) returns bigint language plpgsql as $$
declare
    v bigint;
begin
    select count(note) into v from app.jobs where owner = _owner;
    return v;
end $$;
"""
CALL = "select app.jobs_of(7)"
STRICT = Options(complete=True)
EMPTY = render(Snapshot(()))


def kept(call: str = CALL, **more: Any) -> Case:
    """A case that has a snapshot."""
    return case(call, snapshot=True, **more)


@pytest.fixture(scope="module")
def built(pg_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    with court(pg_server, write_suite(tmp_path_factory.mktemp("check"), SCHEMA)) as built:
        yield built


@pytest.fixture
def app(built: Court, tmp_path: Path) -> Court:
    """The databases, with a folder of snapshots for this test alone."""
    return replace(built, suite=replace(built.suite, snapshots=tmp_path / "snapshots"))


@contextmanager
def changed(app: Court, change: str, undo: str) -> Iterator[None]:
    """The schema as somebody changed it."""
    with psycopg.connect(app.dsn, autocommit=True) as connection:
        connection.execute(change.encode())
    try:
        yield
    finally:
        with psycopg.connect(app.dsn, autocommit=True) as connection:
            connection.execute(undo.encode())


def write(app: Court, report: CaseReport) -> None:
    assert report.snapshot is not None
    app.store.write(report.name, report.snapshot)


# --- Snapshots --------------------------------------------------------------------------------------------------------


def test_a_missing_snapshot_fails_where_all_must_be_there_and_is_a_note_elsewhere(app: Court) -> None:
    major = app.arena.major
    report = app.judge(kept(), STRICT)
    assert tokens(report) == ["snapshot.missing"]
    assert report.violations[0].problem == f"there is no snapshot for Postgres {major}"
    assert "--plan-update-new-only" in report.violations[0].cause
    assert (report.snapshot is not None, report.snapshot_before) == (True, None)
    lenient = app.judge(kept(), Options())
    assert lenient.passed
    how = "eventlive-db plans update --new-only (pytest --plan-update-new-only)"
    assert lenient.notes == (f"no snapshot for Postgres {major} yet; {how} writes it",)
    assert app.judge(case(CALL), STRICT).passed, "a case without a snapshot misses none"
    assert app.judge(kept(), Options(snapshots=False, complete=True)).passed


def test_a_snapshot_that_is_as_it_was_passes(app: Court) -> None:
    write(app, app.judge(kept(), STRICT))
    report = app.judge(kept(), STRICT)
    assert report.passed
    assert (report.changes, report.notes) == ((), ())
    assert report.snapshot == report.snapshot_before


FUNCTION = "create or replace function app.jobs_of(_owner int) returns bigint language plpgsql as $$ {} $$"
UNDO = SCHEMA[SCHEMA.index("create function") :].replace("create function", "create or replace function")
BODY = "declare v bigint; begin {} select count(note) into v from app.jobs where owner = _owner; {} return v; end"


@pytest.mark.parametrize(
    ("change", "undo", "token", "sentence"),
    [
        (
            "drop index app.jobs_owner_idx",
            "create index jobs_owner_idx on app.jobs (owner)",
            "snapshot.index_to_sequential",
            "app.jobs_of: .*jobs_owner_idx",
        ),
        (
            FUNCTION.format(BODY.format("", "perform from app.owners where id = _owner;")),
            UNDO,
            "snapshot.statement_added",
            "app.jobs_of: .*app.owners where id",
        ),
        (
            FUNCTION.format("declare v bigint; begin return 1; end"),
            UNDO,
            "snapshot.statement_gone",
            "app.jobs_of: .*app.jobs where owner",
        ),
        (
            FUNCTION.format(BODY.format("for i in 1..4 loop", "end loop;")),
            UNDO,
            "snapshot.repeated",
            "app.jobs_of: .*4 times",
        ),
    ],
)
def test_plans_that_changed_are_told_by_class_with_function_and_statement(
    app: Court, change: str, undo: str, token: str, sentence: str
) -> None:
    write(app, app.judge(kept(), STRICT))
    with changed(app, change, undo):
        report = app.judge(kept(), STRICT)
    (violation,) = report.violations
    assert violation.token == token
    assert re.search(sentence, violation.problem)
    assert report.changes == (violation.problem,)
    assert violation.place is not None
    assert violation.place.name == "app.jobs_of"
    assert violation.statement
    assert violation.file == "schema.sql"
    assert report.snapshot != report.snapshot_before


def test_what_changed_in_the_plans_is_told_as_the_likely_cause_of_a_broken_budget(app: Court) -> None:
    thrifty = kept(budget={"buffers": 40, "seq_scans": "none"})
    write(app, app.judge(thrifty, STRICT))
    assert app.judge(thrifty, STRICT).passed
    with changed(app, "drop index app.jobs_owner_idx", "create index jobs_owner_idx on app.jobs (owner)"):
        report = app.judge(replace(thrifty, budget=replace(thrifty.budget, buffers=10)), STRICT)
    assert tokens(report) == ["budget.buffers", "budget.seq_scans", "snapshot.index_to_sequential"]
    assert {v.cause for v in report.violations[:2]} == {report.changes[0]}


def test_a_suite_is_judged_in_its_order_and_tells_of_snapshots_that_no_case_uses(app: Court) -> None:
    one, two = kept(name="one"), kept("select 1", name="two")
    suite = replace(app.suite, cases=(one, two))
    app.store.write("one", EMPTY)
    app.store.write("renamed", EMPTY)
    seen: list[str] = []
    report = check(suite, app.arena, STRICT, progress=lambda r: seen.append(r.name))
    assert seen == [c.name for c in report.cases] == ["one", "two"]
    assert report.suite == "court"
    assert report.server_version == app.arena.version
    assert [tokens(c) for c in report.cases] == [["snapshot.statement_added"], ["snapshot.missing"]]
    (unused,) = report.violations
    assert unused.token == "snapshot.unused"
    assert unused.problem == f"{relative(app.store.path('renamed'), Path.cwd())} belongs to no case"
    assert [v.token for v in report.all_violations] == [
        "snapshot.unused",
        "snapshot.statement_added",
        "snapshot.missing",
    ]
    assert not report.passed
    assert check(suite, app.arena, Options()).violations == (), "asked for only where all must be there"
    assert check(suite, app.arena, STRICT, cases=[one]).violations == (), "and where all cases are judged"


# --- Cases ------------------------------------------------------------------------------------------------------------


def test_a_call_that_fails_is_a_violation_of_its_case_and_the_others_are_judged(app: Court) -> None:
    broken, fine = case("select app.nothing()", name="broken"), case(CALL, name="fine")
    report = check(replace(app.suite, cases=(broken, fine)), app.arena, Options(snapshots=False))
    assert [tokens(c) for c in report.cases] == [["call.failed"], []]
    assert report.cases[0].measurements == ()
    assert (
        "case 'broken': the call failed: function app.nothing() does not exist" in report.cases[0].violations[0].problem
    )


def test_a_case_of_one_size_is_measured_in_both_plan_modes(app: Court) -> None:
    report = app.judge(case(CALL, role=None))
    (measurement,) = report.measurements
    assert set(measurement.runs) == {"generic", "custom"}
    assert measurement.buffers == max(run.buffers for run in measurement.runs.values())
    assert (measurement.rows, measurement.raised, measurement.updates) == (0, (), {})
    assert report.call == CALL


def test_a_file_is_told_relative_to_the_folder_or_whole(tmp_path: Path) -> None:
    assert relative(tmp_path / "a" / "b.sql", tmp_path) == "a/b.sql"
    assert relative(tmp_path / "b.sql", tmp_path / "a") == (tmp_path / "b.sql").resolve().as_posix()


# --- Writing snapshots ------------------------------------------------------------------------------------------------


class Judges:
    """Judges of fresh databases of a suite, and how many were asked for."""

    def __init__(self, server: Server, suite: Suite, stack: ExitStack) -> None:
        self.made = 0
        self._server, self._suite, self._stack = server, suite, stack
        self.courts: list[Court] = []

    @property
    def store(self) -> SnapshotStore:
        return SnapshotStore(self._suite.snapshots, self._server.version_num // 10000)

    def all(self) -> list[Callable[[], Judge]]:
        return [self._judge] * AGREEING

    def _judge(self) -> Judge:
        self.made += 1
        built = self._stack.enter_context(court(self._server, self._suite))
        return Judge(built.arena, self.store, Sources(), self._suite.path.parent)


@pytest.fixture
def judges_of(pg_server: Server) -> Iterator[Callable[[Suite], Judges]]:
    with ExitStack() as stack:
        yield lambda suite: Judges(pg_server, suite, stack)


def test_a_snapshot_on_which_three_fresh_databases_agree_is_written(
    judges_of: Callable[[Suite], Judges], tmp_path: Path
) -> None:
    judges = judges_of(write_suite(tmp_path, SCHEMA))
    report = update_case(kept(), judges.all(), judges.store)
    assert (report.passed, judges.made) == (True, 3)
    assert judges.store.read("the case") == report.snapshot
    assert report.notes[-1].startswith("snapshot written: ")
    # The same again: nothing to write, and nothing to ask the other databases for.
    report = update_case(kept(), judges.all(), judges.store)
    assert (report.passed, judges.made, report.notes) == (True, 4, ())


def growing() -> Callable[[str], None]:
    """A hook that leaves more rows in the third database, so that the plan is another one there."""
    rows = [3, 3, 1000]

    def build(dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute(SCHEMA)
            connection.execute("delete from app.jobs where id > %s", [rows.pop(0)])

    return build


def test_nothing_is_written_where_a_fresh_database_has_other_plans(
    judges_of: Callable[[Suite], Judges], tmp_path: Path
) -> None:
    judges = judges_of(write_suite(tmp_path, hook=growing()))
    report = update_case(kept(), judges.all(), judges.store)
    assert tokens(report) == ["snapshot.unstable"]
    assert report.violations[0].problem == (
        "the plans in a first and in a third fresh database differ; the snapshot was not written"
    )
    assert judges.store.files == ()


def test_nothing_is_written_where_a_budget_is_broken(judges_of: Callable[[Suite], Judges], tmp_path: Path) -> None:
    judges = judges_of(write_suite(tmp_path, SCHEMA))
    report = update_case(kept(budget={"statements": 0}), judges.all(), judges.store)
    assert tokens(report) == ["budget.statements"]
    assert (judges.store.files, judges.made) == ((), 1)


def test_nothing_is_written_where_a_budget_is_broken_in_a_later_database(
    judges_of: Callable[[Suite], Judges], tmp_path: Path
) -> None:
    judges = judges_of(write_suite(tmp_path, hook=growing()))
    report = update_case(kept(budget={"rows_read": 10}), judges.all(), judges.store)
    assert tokens(report) == ["budget.rows_read"]
    assert (judges.store.files, judges.made) == ((), 3)


def test_updating_what_is_new_leaves_a_snapshot_that_exists_and_judges_by_it(
    judges_of: Callable[[Suite], Judges], tmp_path: Path
) -> None:
    judges = judges_of(write_suite(tmp_path, SCHEMA))
    judges.store.write("the case", EMPTY)
    report = update_case(kept(), judges.all(), judges.store, only_new=True)
    assert tokens(report) == ["snapshot.statement_added"]
    assert (judges.store.read("the case"), judges.made) == (EMPTY, 1)
    report = update_case(kept(), judges.all(), judges.store)
    assert (report.passed, judges.made) == (True, 4)
    assert judges.store.read("the case") == report.snapshot


def test_a_case_without_a_snapshot_is_only_judged(judges_of: Callable[[Suite], Judges], tmp_path: Path) -> None:
    judges = judges_of(write_suite(tmp_path, SCHEMA))
    assert update_case(case(CALL), judges.all(), judges.store).passed
    assert (judges.store.files, judges.made) == ((), 1)


def test_snapshots_that_no_case_uses_are_deleted_and_told(tmp_path: Path) -> None:
    suite = replace(write_suite(tmp_path), cases=(kept(name="kept"), case(CALL, name="without")))
    store = SnapshotStore(suite.snapshots, 18)
    for name in ("kept", "without", "renamed"):
        store.write(name, "")
    assert set(remove_unused(suite, store)) == {store.path("without"), store.path("renamed")}
    assert store.files == (store.path("kept"),)
