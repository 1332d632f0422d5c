"""What a real Postgres says of itself, and what the rules make of it."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from eventlive_db.server import TEST_SETTINGS, Server, open_server
from eventlive_db.watch.database import Database
from eventlive_db.watch.errors import WatchError
from eventlive_db.watch.figures import Figures, Job, TableFigures
from eventlive_db.watch.history import MIN_UPDATES, Transactions, Updates
from eventlive_db.watch.readings import Reading
from eventlive_db.watch.rules import DatabaseRules, unreachable_readings
from eventlive_db.watch.thresholds import Thresholds
from tests.support.database import EventliveDatabase
from tests.support.own_server import wait_for
from tests.watch.made_up import NOW

PASSWORD = "s3cretPASSWORD"


@contextmanager
def database(dsn: str, **options: Any) -> Iterator[Database]:
    one = Database(dsn, random=lambda: 1.0, **options)
    try:
        yield one
    finally:
        one.close()


def figures(dsn: str, *, settings: bool = False) -> Figures:
    with database(dsn) as one:
        found = one.read(0, settings=settings)
        assert found is not None, one.problem
        return found


def readings(found: Figures, **thresholds: float) -> dict[tuple[str, str], Reading]:
    return {one.key: one for one in DatabaseRules().readings(found, Thresholds(**thresholds), NOW)}


def flush(db: EventliveDatabase) -> None:
    """Have the counters of this connection's statements seen by others."""
    db.admin.execute("select pg_stat_force_next_flush()")
    db.admin.execute("select 1")


@pytest.fixture
def watcher_role(db: EventliveDatabase) -> Iterator[str]:
    """A role that may connect, and nothing else."""
    name = f"watcher_{secrets.token_hex(4)}"
    db.admin.execute(f"create role {name} login")
    yield name
    db.admin.execute(f"drop owned by {name}")
    db.admin.execute(f"drop role {name}")


def test_a_healthy_database_gives_figures_and_no_alarm(db: EventliveDatabase) -> None:
    db.admin.execute("update eventlive.jobs set enabled = false")
    found = figures(db.dsn)
    assert found.connections is not None
    assert found.connections >= 2
    limit, reserved = db.rows(
        "select current_setting('max_connections'), current_setting('superuser_reserved_connections')"
    )[0]
    assert found.connection_limit == int(limit) - int(reserved)
    assert found.lock_waiters == 0
    assert not [one for one in readings(found).values() if one.breached]


def test_connections_fire_at_their_share_and_not_below(db: EventliveDatabase) -> None:
    found = figures(db.dsn)
    found.connections, found.connection_limit = 80, 100
    assert readings(found)["connections", ""].breached
    found.connections = 79
    assert not readings(found)["connections", ""].breached


def test_a_held_snapshot_has_an_age_and_an_idle_transaction_without_one_has_none(db: EventliveDatabase) -> None:
    other = db.connect()
    other.execute("begin")
    assert readings(figures(db.dsn), xmin_age_s=1e-6)["xmin_age", ""].value == 0
    other.execute("rollback")
    other.execute("begin isolation level repeatable read")
    other.execute("select 1")
    held = readings(figures(db.dsn), xmin_age_s=1e-6)["xmin_age", ""]
    assert held.breached
    assert held.detail.startswith(f"backend {other.info.backend_pid}")
    assert not readings(figures(db.dsn), xmin_age_s=600)["xmin_age", ""].breached
    other.execute("rollback")


def test_a_snapshot_in_another_database_holds_nothing_back_here(db: EventliveDatabase, empty_database: str) -> None:
    with psycopg.connect(empty_database) as other:
        other.execute("set transaction isolation level repeatable read")
        other.execute("select 1")
        assert readings(figures(db.dsn), xmin_age_s=1e-6)["xmin_age", ""].value == 0


def test_backends_that_wait_for_a_lock_are_counted(db: EventliveDatabase) -> None:
    db.admin.execute("create table eventlive.held (id int)")
    waiting = [db.connect(), db.connect()]
    threads = [threading.Thread(target=one.execute, args=("select from eventlive.held",)) for one in waiting]
    with psycopg.connect(db.dsn) as holder:
        holder.execute("lock table eventlive.held")
        for thread in threads:
            thread.start()
        wait_for("both wait", lambda: figures(db.dsn).lock_waiters == 2)
        found = figures(db.dsn)
        holder.rollback()
    for thread in threads:
        thread.join(60)
    assert found.lock_waiters == 2
    assert readings(found, lock_waiters=2)["lock_waiters", ""].breached
    assert not readings(found, lock_waiters=3)["lock_waiters", ""].breached


@pytest.mark.parametrize(("deleted", "fires"), [(5000, False), (5500, True)])
def test_dead_rows_of_a_large_table_fire_at_their_share(db: EventliveDatabase, deleted: int, fires: bool) -> None:
    db.admin.execute("create table eventlive.bloat as select generate_series(1, 11000) as id")
    db.admin.execute("delete from eventlive.bloat where id <= %s", [deleted])
    flush(db)
    wait_for("it is counted", lambda: _table(figures(db.dsn), "bloat").dead == deleted)
    found = readings(figures(db.dsn))
    assert found["dead_tuples", "bloat"].breached is fires
    assert not [one for one in found if one[0] == "dead_tuples" and one[1] != "bloat"]


def test_dead_rows_of_a_small_table_do_not_matter(db: EventliveDatabase) -> None:
    db.admin.execute("create table eventlive.bloat as select generate_series(1, 10000) as id")
    db.admin.execute("delete from eventlive.bloat")
    flush(db)
    wait_for("it is counted", lambda: _table(figures(db.dsn), "bloat").dead == 10_000)
    assert [one for one in readings(figures(db.dsn)).values() if one.rule == "dead_tuples"] == [
        Reading("dead_tuples", "", 0, 0.5, "", False, "no table beyond 10000 rows")
    ]


def _table(found: Figures, name: str) -> TableFigures:
    return next(table for table in found.tables if table.name == name)


def test_an_index_on_what_a_heartbeat_changes_is_noticed_by_the_updates_that_are_not_heap_only(
    db: EventliveDatabase,
) -> None:
    name, webinar = "webinar_user_sessions", db.webinar()
    db.admin.execute(
        "insert into eventlive.webinar_user_sessions"
        " (webinar_id, session_id, entered_at, last_heartbeat_at, expires_at, interval_s)"
        " values (%s, %s, now(), now(), now(), 1)",
        [webinar, uuid4()],
    )
    rules = DatabaseRules()

    def beat(now: float) -> Reading:
        before = _table(figures(db.dsn), name).updates
        with db.admin.pipeline():
            for _ in range(MIN_UPDATES + 50):
                db.admin.execute(f"update eventlive.{name} set last_heartbeat_at = clock_timestamp()".encode())
        flush(db)
        wait_for("they are counted", lambda: _table(figures(db.dsn), name).updates > before + MIN_UPDATES)
        found = {one.key: one for one in rules.readings(figures(db.dsn), Thresholds(), now)}
        return found["hot_updates", name]

    first = {one.key: one for one in rules.readings(figures(db.dsn), Thresholds(), NOW)}["hot_updates", name]
    assert (first.breached, first.blind) == (None, False)
    good = beat(NOW + 60)
    assert good.breached is False
    assert good.value is not None
    assert good.value > 0.9
    db.admin.execute(f"create index on eventlive.{name} (last_heartbeat_at)")
    bad = beat(NOW + 120)
    assert bad.breached
    assert bad.value is not None
    assert bad.value < 0.1


def test_without_pg_monitor_there_is_no_data_and_the_advice_names_the_role(
    db: EventliveDatabase, watcher_role: str
) -> None:
    dsn = make_conninfo(db.dsn, user=watcher_role)
    found = readings(figures(dsn, settings=True))
    for rule in ("connections", "xmin_age", "lock_waiters"):
        assert found[rule, ""].breached is None
        assert found[rule, ""].blind
        assert found[rule, ""].detail == f'grant pg_monitor to "{watcher_role}"'
    assert "job_health" in found["jobs", ""].detail
    assert figures(dsn, settings=True).settings is None
    db.admin.execute(f"grant pg_monitor to {watcher_role}")
    found = readings(figures(dsn))
    assert all(found[rule, ""].breached is False for rule in ("connections", "xmin_age", "lock_waiters"))


def test_settings_that_row_level_security_hides_are_not_taken_for_none(
    db: EventliveDatabase, watcher_role: str
) -> None:
    db.admin.execute(f"grant usage on schema eventlive to {watcher_role}")
    db.admin.execute(f"grant select on eventlive.settings to {watcher_role}")
    assert figures(make_conninfo(db.dsn, user=watcher_role), settings=True).settings is None
    db.admin.execute(f"create policy watcher on eventlive.settings to {watcher_role} using (true)")
    found = figures(make_conninfo(db.dsn, user=watcher_role), settings=True).settings
    assert ("alert_window_s", 60) in (found or [])
    db.admin.execute("drop policy watcher on eventlive.settings")


def test_the_defaults_are_those_of_the_settings_and_each_setting_is_known(db: EventliveDatabase) -> None:
    settings = figures(db.dsn, settings=True).settings
    assert settings is not None
    assert Thresholds.of_settings(settings) == (Thresholds(), [])
    assert {key for key, _ in settings} == {f"alert_{name}" for name in Thresholds.__slots__}
    db.admin.execute("select eventlive.set_setting('alert_lock_waiters', '7')")
    found, _ = Thresholds.of_settings(figures(db.dsn, settings=True).settings or [])
    assert found == replace(Thresholds(), lock_waiters=7)


def test_a_database_without_the_schema_has_no_data_for_it(empty_database: str) -> None:
    found = figures(empty_database, settings=True)
    assert found.settings is None
    by_rule = readings(found)
    assert by_rule["jobs", ""].blind
    assert by_rule["dead_tuples", ""].blind
    assert by_rule["hot_updates", "webinar_live_presence"].blind
    assert by_rule["connections", ""].breached is False


def test_each_job_that_is_not_well_is_an_alarm_of_its_own(db: EventliveDatabase) -> None:
    jobs = [row[0] for row in db.rows("select name from eventlive.jobs order by name")]
    db.admin.execute("update eventlive.jobs set enabled = false where name <> all (%s)", [jobs[:3]])
    db.admin.execute("update eventlive.jobs set last_success_at = now() where name = %s", [jobs[0]])
    db.admin.execute(
        "update eventlive.jobs set last_success_at = now() - max_age - interval '1 s' where name = %s", [jobs[1]]
    )
    found = readings(figures(db.dsn))
    states = {job: found["jobs", job].detail.partition(":")[0] for job in jobs}
    assert states == {**dict.fromkeys(jobs, "disabled"), jobs[0]: "ok", jobs[1]: "late", jobs[2]: "never_ran"}
    assert [job for job in jobs if found["jobs", job].breached] == jobs[1:3]


def test_no_jobs_at_all_are_not_well(db: EventliveDatabase) -> None:
    found = figures(db.dsn)
    found.jobs = []
    none = readings(found)["jobs", ""]
    assert (none.breached, none.blind, none.detail) == (None, True, "there are none in eventlive.jobs")
    found.jobs = [Job("purge_presence", "missing", "it is not in eventlive.jobs", None)]
    missing = readings(found)["jobs", "purge_presence"]
    assert missing.breached
    assert missing.detail.startswith("missing: ")


def test_jobs_whose_rows_are_gone_are_alarms(db: EventliveDatabase) -> None:
    names = {row[0] for row in db.rows("select name from eventlive.jobs")}
    db.admin.execute("truncate eventlive.jobs cascade")
    found = readings(figures(db.dsn))
    assert {subject for rule, subject in found if rule == "jobs"} == names
    assert all(found["jobs", name].breached for name in names)


def test_a_job_whose_schedule_nobody_can_read_is_an_alarm_unless_it_is_switched_off(db: EventliveDatabase) -> None:
    db.admin.execute("update eventlive.jobs set last_success_at = now()")
    name = "purge_messages"
    assert readings(figures(db.dsn))["jobs", name].breached is False
    db.admin.execute("update eventlive.jobs set schedule = 'nonsense' where name = %s", [name])
    found = readings(figures(db.dsn))
    assert [subject for (rule, subject), one in found.items() if rule == "jobs" and one.breached] == [name]
    # What somebody wrote there is not shown to others.
    said = "bad_schedule: the schedule '<text>' cannot be read: five fields are needed"
    assert found["jobs", name].detail == said
    db.admin.execute("update eventlive.jobs set enabled = false where name = %s", [name])
    assert readings(figures(db.dsn))["jobs", name].detail.startswith("disabled")


def test_a_database_that_is_not_there_is_an_alarm_at_the_second_try_and_comes_back(
    pg_server: Server, empty_database: str
) -> None:
    name = f"test_later_{secrets.token_hex(4)}"
    dsn = make_conninfo(empty_database, dbname=name)
    with database(dsn) as one:

        def breached() -> dict[str, bool | None]:
            return {found.rule: found.breached for found in unreachable_readings(one.failures, one.problem)}

        assert one.read(0, settings=True) is None
        assert breached()["database"] is None
        assert one.read(0.1, settings=True) is None
        assert breached()["database"] is True
        assert breached()["connections"] is None
        # Then it backs off: nobody is asked before its time.
        failures = one.failures
        assert one.read(4.0, settings=True) is None
        assert one.failures == failures
        assert one.read(4.1, settings=True) is None
        assert one.failures == failures + 1
        pg_server.create_database(name)
        try:
            assert one.read(100, settings=True) is not None
            assert one.failures == 0
        finally:
            one.close()
            pg_server.drop_database(name)


def test_a_connection_that_was_cut_is_one_failed_try_and_no_alarm(db: EventliveDatabase) -> None:
    with database(db.dsn) as one:
        assert one.read(0, settings=False) is not None
        db.admin.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and application_name = 'eventlive-db watch'"
        )
        assert one.read(1, settings=False) is None
        assert next(unreachable_readings(one.failures, one.problem)).breached is None
        assert one.read(2, settings=False) is not None


def test_a_backend_that_does_not_answer_is_given_up(db: EventliveDatabase, pg_server: Server) -> None:
    if pg_server.kind not in {"installed", "embedded"}:
        pytest.skip("a backend of another machine cannot be stopped")
    with database(db.dsn, answer_s=0.3) as one:
        assert one.read(0, settings=False) is not None
        pid = db.value("select pid from pg_stat_activity where application_name = 'eventlive-db watch'")
        os.kill(pid, signal.SIGSTOP)
        try:
            assert one.read(1, settings=False) is None
        finally:
            os.kill(pid, signal.SIGCONT)
        assert one.failures == 1
        assert one.read(2, settings=False) is not None


def test_nothing_is_left_open_and_nothing_could_be_written(db: EventliveDatabase) -> None:
    with database(db.dsn) as one:
        one.read(0, settings=True)
        mine = one._connection
        assert mine is not None
        assert mine.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert mine.execute("show statement_timeout").fetchone() == ("0",)
        before = db.value("select pg_snapshot_xmax(pg_current_snapshot())::text")
        one.read(1, settings=True)
        assert db.value("select pg_snapshot_xmax(pg_current_snapshot())::text") == before


@pytest.mark.parametrize("dsn", [f"postgresql://u:{PASSWORD}@[::1/", f"password={PASSWORD} nonsense"])
def test_a_dsn_that_cannot_be_read_is_refused_and_not_repeated(dsn: str) -> None:
    with pytest.raises(WatchError) as refusal:
        Database(dsn)
    assert PASSWORD not in str(refusal.value)


def test_what_went_wrong_does_not_show_the_password() -> None:
    with database(f"postgresql://u:{PASSWORD}@127.0.0.1:1/x") as one:
        assert one.read(0, settings=True) is None
        assert one.problem
        assert PASSWORD not in one.problem + repr(one)


@pytest.fixture(scope="module")
def logical_server(pg_server: Server) -> Iterator[Server]:
    """A server that has replication slots and prepared transactions."""
    if pg_server.kind not in {"installed", "embedded"}:
        pytest.skip("its settings are not ours to choose")
    settings = {**TEST_SETTINGS, "wal_level": "logical", "max_wal_senders": "2", "max_prepared_transactions": "2"}
    with open_server(kind=pg_server.kind, settings=settings) as server:
        yield server


def test_prepared_transactions_and_slots_hold_back_as_well(logical_server: Server) -> None:
    dsn = logical_server.create_database("held")
    rules = DatabaseRules()

    def look(at: float) -> dict[str, Reading]:
        with database(dsn) as one:
            found = one.read(0, settings=False)
        assert found is not None
        return {
            reading.subject: reading
            for reading in rules.readings(found, Thresholds(), NOW + at)
            if reading.rule == "xmin_age"
        }

    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("begin")
        admin.execute("create table t ()")
        admin.execute("prepare transaction 'forgotten'")
        found = figures(dsn)
        assert [holder.what for holder in found.holders or []] == ["prepared transaction forgotten"]
        assert readings(found, xmin_age_s=1e-9)["xmin_age", ""].breached
        admin.execute("rollback prepared 'forgotten'")
        assert look(0)[""].value == 0
        admin.execute("select pg_create_logical_replication_slot('left', 'pgoutput')")
        admin.execute("select pg_current_xact_id()")
        first = look(10)
        assert first["replication slot left"].breached is None
        assert "transactions old" in first["replication slot left"].detail
        assert look(609)[""].value == 599
        assert look(609)[""].breached is False
        assert look(610)[""].breached is True
        admin.execute("select pg_drop_replication_slot('left')")
        assert look(611)[""].value == 0
    logical_server.drop_database("held")


def test_counters_that_were_reset_begin_anew() -> None:
    updates = Updates()
    for at, (all_, hot) in enumerate([(0, 0), (5000, 5000), (10, 0), (3010, 1500)]):
        updates.add(TableFigures("t", 1, 0, all_, hot), NOW + 10 * at, 60)
    assert updates.difference() == (3000, 0.5)


def test_updates_before_the_window_do_not_count() -> None:
    updates = Updates()
    for at in range(100):
        updates.add(TableFigures("t", 1, 0, 1000 * at, 0), NOW + 10 * at, 60)
    assert updates.difference() == (6000, 0.0)
    assert len(updates._looks) == 7


def test_the_age_of_an_id_is_never_told_too_old() -> None:
    transactions = Transactions()
    assert transactions.age_s(5, 100, NOW) is None
    for at in range(10_000):
        transactions.add(100 + at, NOW + at, 600)
        # The id that was given out 300 looks ago was the next one 300 seconds ago, and given out at the look after.
        found = transactions.age_s(300, 100 + at, NOW + at)
        if at >= 310:
            assert found is not None
            assert 297 <= found <= 300
    assert len(transactions._looks) <= 1000
