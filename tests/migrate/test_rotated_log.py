"""A visit log that has been rotated: no drift, but its faults are found; it migrates, is dumped and restored."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest

from eventlive_db.lint.db.run import lint_database
from eventlive_db.migrate import (
    Options,
    StatementError,
    build_declared,
    compare,
    downgrade,
    find_drift,
    read_catalog,
    scratch_database,
    status,
    upgrade,
)
from eventlive_db.migrate.catalog import Catalog
from eventlive_db.server import Server
from tests.migrate.conftest import connected, whole_catalog
from tests.support.database import EventliveDatabase
from tests.support.event_log import EventLog, neglect

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def declared(pg_server: Server) -> Catalog:
    with scratch_database(pg_server.dsn()) as dsn, connected(dsn) as scratch:
        build_declared(scratch)
        return read_catalog(scratch)


@pytest.fixture(scope="module")
def rotated_template(pg_server: Server) -> Iterator[str]:
    """A template with the migrated schema and a log that a job has rotated."""
    name = "migrate_rotated"
    pg_server.drop_database(name)
    dsn = pg_server.create_database(name)
    upgrade(Options(dsn))
    with closing(EventliveDatabase(dsn)) as database:
        log = EventLog(database)
        neglect(log)
        log.write("-1000 days", "stray")
        log.rotate()
        log.write("-2000 days", "stray")
    yield name
    pg_server.drop_database(name)


@pytest.fixture
def log(make_database: Callable[..., str], rotated_template: str) -> Iterator[EventLog]:
    with closing(EventliveDatabase(make_database(rotated_template))) as database:
        yield EventLog(database)


def differences(log: EventLog, declared: Catalog) -> list[str]:
    with connected(log.db.dsn) as connection:
        return [str(difference) for difference in compare(declared, read_catalog(connection))]


def test_a_rotated_log_is_no_drift(log: EventLog) -> None:
    assert len(log.partitions()) >= 4
    assert log.caught() == ["stray"]
    with scratch_database(log.db.dsn) as scratch, connected(scratch) as empty, connected(log.db.dsn) as database:
        assert find_drift(database, empty) == []


def test_neither_is_one_that_is_being_rotated(log: EventLog, declared: Catalog) -> None:
    log.rotate()
    log.set(event_log_retention_days=100)
    log.partition("-900 days", "-850 days")
    log.write("-825 days", "caught")
    log.set(event_log_retention_days=2000)
    moments = []
    for step in log.work():
        log.do(step)
        moments.append((step, differences(log, declared)))
    log.set(event_log_retention_days=100)
    for step in log.work():
        log.do(step)
        moments.append((step, differences(log, declared)))
    assert {step.split()[0] for step, _ in moments} == {"swap", "check", "attach", "detach", "drop"}
    assert [moment for moment in moments if moment[1]] == []


def test_neither_is_what_stands_in_for_one_whose_name_is_taken_and_that_is_found(
    log: EventLog, declared: Catalog
) -> None:
    log.rotate()
    taken = log.partitions()[-1]
    log.detach(taken)
    log.rotate()
    assert len(log.partitions()) >= 4
    assert differences(log, declared)
    assert {text.partition(": ")[0] for text in differences(log, declared)} == {f"table eventlive.{taken}"}


FAULTS = {
    "row security": ("alter table {} disable row level security", "row security: different"),
    "a grant": ("grant select on {} to anon", "grant select to anon: unexpected"),
    "a grant on a column": ("grant select (user_id) on {} to anon", "column user_id grant select to anon: unexpected"),
    "the owner": ("alter table {} owner to service_role", "owner: different"),
    "an index": ("create index extra on {} (user_id)", "index extra: unexpected"),
    "a policy": ("create policy all_of_it on {} using (true)", "policy all_of_it: unexpected"),
    "another policy": ("alter policy {name}_service on {} to anon", "policy {name}_service: different"),
    "no policy": ("drop policy {name}_service on {}", "policy {name}_service: missing"),
    "a constraint": ("alter table {} add check (event <> 'x')", "check: unexpected"),
    "a default": ("alter table {} alter detail drop default", "column detail: different"),
    "a rule": ("create rule r as on delete to {} do instead nothing", "rule r: unexpected"),
    "unlogged": ("alter table {} set unlogged", "kind: different"),
}


@pytest.mark.parametrize("which", ["rotated", "default"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_partition_is_found(log: EventLog, declared: Catalog, fault: str, which: str) -> None:
    name = "event_access_logs_default" if which == "default" else log.partitions()[0]
    statement, line = (text.format(f"eventlive.{name}", name=name) for text in FAULTS[fault])
    log.db.admin.execute(statement.encode())
    found = differences(log, declared)
    assert any(text.startswith(f"partition eventlive.{name}: ") and line in text for text in found), found


@pytest.mark.parametrize("fault", ["row security", "a grant", "the owner", "a rule"])
def test_a_fault_in_what_is_aside_is_found(log: EventLog, declared: Catalog, fault: str) -> None:
    log.do("swap")
    log.partition("-3000 days", "-2900 days")
    log.write("-2850 days", "caught")
    log.set(event_log_retention_days=20000)
    log.do("swap")
    assert differences(log, declared) == []
    statement, line = (text.format("eventlive.event_access_logs_draining") for text in FAULTS[fault])
    log.db.admin.execute(statement.encode())
    assert any(line in text for text in differences(log, declared))


STRANGERS = {
    "a table with such a name": (
        "create table eventlive.event_access_logs_p20200101 (a int)",
        "table eventlive.event_access_logs_p20200101: kind: unexpected",
    ),
    "a table aside that never was": (
        "create table eventlive.event_access_logs_p20200101_expired (a int)",
        "table eventlive.event_access_logs_p20200101_expired: row security: different",
    ),
    "a grant on a partition made by hand": (
        (
            "create table eventlive.by_hand partition of eventlive.event_access_logs"
            " for values from ('1990-01-01') to ('1991-01-01'); grant select on eventlive.by_hand to authenticated"
        ),
        "partition eventlive.by_hand: grant select to authenticated: unexpected",
    ),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_what_the_job_has_not_made_is_found(log: EventLog, declared: Catalog, stranger: str) -> None:
    statement, line = STRANGERS[stranger]
    log.db.admin.execute(statement.encode())
    assert any(text.startswith(line) for text in differences(log, declared)), differences(log, declared)


def test_lint_finds_nothing_new(log: EventLog, make_database: Callable[..., str]) -> None:
    plain = make_database()
    upgrade(Options(plain))
    reports = [lint_database(dsn) for dsn in (plain, log.db.dsn)]
    before, after = ({(finding.rule, finding.object) for finding in report.findings} for report in reports)
    assert after - before == set()
    assert reports[1].unseen == reports[0].unseen


def test_every_event_stays_when_the_step_is_taken_back_and_again(log: EventLog, declared: Catalog) -> None:
    before, partitions = log.names(), log.partitions()
    with pytest.raises(StatementError, match=r"holds data: .*job_runs"):
        downgrade(Options(log.db.dsn), "0009")
    downgrade(Options(log.db.dsn, discard_data=True), "0009")
    assert log.names() == before
    log.write("0 s", "meanwhile")
    log.write("1000 days", "far ahead")
    upgrade(Options(log.db.dsn))
    assert log.names() == sorted([*before, "meanwhile", "far ahead"])
    assert log.partitions() == partitions
    assert differences(log, declared) == []
    log.rotate()
    assert log.names() == sorted([*(name for name in before if name != "stray"), "meanwhile", "far ahead"])


def test_nothing_is_left_when_all_is_taken_back(log: EventLog, make_database: Callable[..., str]) -> None:
    log.set(event_log_retention_days=100)
    [detach, _] = [step for step in log.work() if step.startswith(("detach", "drop"))][:2]
    log.do(detach)
    assert any(name.endswith("_expired") for name in log.tables())
    downgrade(Options(log.db.dsn, discard_data=True), "base")
    empty = make_database()
    upgrade(Options(empty))
    downgrade(Options(empty), "base")
    assert whole_catalog(log.db.dsn) == whole_catalog(empty)
    assert status(log.db.dsn).current is None


@pytest.mark.parametrize("discard", [True, False])
def test_the_step_is_not_taken_back_while_a_part_of_the_log_is_aside(log: EventLog, discard: bool) -> None:
    before = log.names()
    log.rotate()
    log.partition("-900 days", "-850 days")
    log.write("-825 days", "aside")
    log.set(event_log_retention_days=2000)
    log.do("swap")
    assert log.names() == [name for name in before if name != "stray"]
    with pytest.raises(StatementError, match="on their way back into the visit log") as caught:
        downgrade(Options(log.db.dsn, discard_data=discard), "0009")
    assert "call eventlive.run_job('rotate_event_logs')" in str(caught.value)
    log.rotate()
    assert "aside" in log.names()
    downgrade(Options(log.db.dsn, discard_data=True), "0009")
    assert "aside" in log.names()


SPOILT = {
    "says no time": 'comment on table {} is \'["2026-02-30 00:00:00+00","2026-03-01 00:00:00+00")\'',
    "says an end before its beginning": (
        'comment on table {} is \'["2026-03-01 00:00:00+00","2026-02-01 00:00:00+00")\''
    ),
    "cannot be attached": "alter table {} add note text",
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_neither_is_it_while_what_is_aside_has_to_be_mended(log: EventLog, spoilt: str) -> None:
    log.do("swap")
    log.partition("-900 days", "-850 days")
    log.write("-825 days", "aside")
    log.set(event_log_retention_days=2000)
    log.do("swap")
    log.as_owner(SPOILT[spoilt].format("eventlive.event_access_logs_draining"))
    with pytest.raises(StatementError, match="on their way back into the visit log") as caught:
        downgrade(Options(log.db.dsn, discard_data=True), "0009")
    assert "call eventlive.run_job('rotate_event_logs')" in str(caught.value)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="event_access_logs_draining"):
        log.rotate()
    log.as_owner("alter table eventlive.event_access_logs_draining rename to archive")
    downgrade(Options(log.db.dsn, discard_data=True), "0009")


@pytest.mark.parametrize("moment", ["rotated", "aside", "past"])
def test_what_is_dumped_is_restored_and_rotated_on(
    log: EventLog, pg_server: Server, make_database: Callable[..., str], declared: Catalog, moment: str
) -> None:
    if pg_server.bindir is None or not (pg_server.bindir / "pg_dump").exists():
        pytest.skip("pg_dump of the server's version is not on this machine")
    if moment == "aside":
        log.rotate()
        log.partition("-900 days", "-850 days")
        log.write("-825 days", "aside")
        log.set(event_log_retention_days=2000)
        log.do("swap", "check")
    if moment == "past":
        log.set(event_log_retention_days=100)
        log.do(next(step for step in log.work() if step.startswith("detach")))
    names, partitions = log.names(), log.partitions()
    target = make_database()
    dump = subprocess.run(
        [str(pg_server.bindir / "pg_dump"), "--format=custom", log.db.dsn], capture_output=True, check=True
    )
    restore = subprocess.run(
        [str(pg_server.bindir / "pg_restore"), "--exit-on-error", "--dbname", target],
        input=dump.stdout,
        capture_output=True,
        check=False,
    )
    assert restore.returncode == 0, restore.stderr.decode()
    with closing(EventliveDatabase(target)) as database:
        restored = EventLog(database)
        assert (restored.names(), restored.partitions()) == (names, partitions)
        assert differences(restored, declared) == []
        restored.write("0 s", "new")
        restored.rotate()
        log.write("0 s", "new")
        log.rotate()
        assert restored.names() == log.names()
        assert restored.partitions() == log.partitions()
        assert restored.work() == []
        [(last,)] = restored.db.rows("select max(event_id) from eventlive.event_access_logs")
        [(given,)] = restored.db.rows("select last_value from eventlive.event_access_logs_event_id_seq")
        assert given >= last
