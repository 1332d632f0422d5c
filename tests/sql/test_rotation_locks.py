"""What each step of the rotation locks, and who waits for it: the visit log is written to all the time."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.actors import in_background, wait_until_blocked
from tests.support.database import EventliveDatabase
from tests.support.event_log import EventLog, neglect, write
from tests.support.races import held

pytestmark = pytest.mark.heavy

LOCKS = """
    select l.mode
      from pg_locks l
     where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.relation = to_regclass('eventlive.' || %s)
"""

STRONG = {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}
"""Modes in which somebody else can write nothing."""

ROWS = 100_000


@pytest.fixture
def log(db: EventliveDatabase) -> EventLog:
    log = EventLog(db)
    neglect(log)
    return log


def modes(connection: psycopg.Connection[Any], table: str) -> set[str]:
    """The modes in which this session has locked a table of the schema."""
    return {mode for (mode,) in connection.execute(LOCKS.encode(), [table]).fetchall()}


EXPECTED = {
    # step: what no other writer can stand, on the log; the same on its default partition; what else on the log
    "discard": (set(), set(), set()),
    "swap": (
        {"AccessExclusiveLock", "ShareRowExclusiveLock"},
        {"AccessExclusiveLock", "ShareLock"},
        {"AccessShareLock", "ShareUpdateExclusiveLock"},
    ),
    "check": (set(), set(), set()),
    "attach": ({"ShareRowExclusiveLock"}, {"AccessExclusiveLock"}, {"ShareUpdateExclusiveLock"}),
    "add": (set(), {"AccessExclusiveLock"}, {"AccessShareLock", "ShareUpdateExclusiveLock"}),
    "detach": ({"AccessExclusiveLock"}, {"AccessExclusiveLock"}, set()),
    "drop": (set(), set(), set()),
}


def test_each_step_locks_the_log_as_weakly_as_it_can(log: EventLog) -> None:
    found = {}
    for step in log.work():
        with log.step(step) as connection:
            parent = modes(connection, "event_access_logs")
            default = modes(connection, "event_access_logs_default")
        found[step.split()[0]] = (parent & STRONG, default & STRONG, parent - STRONG)
    assert found == EXPECTED


@pytest.mark.parametrize("step", ["discard", "check", "add", "drop"])
def test_who_writes_does_not_wait_for_a_step(log: EventLog, step: str) -> None:
    writer = log.db.connect()
    writer.execute("set lock_timeout = '1ms'")
    done = []
    for next_step in log.work():
        with log.step(next_step):
            if next_step.split()[0] == step:
                write(writer, "0 s", "now")
                write(writer, "-300 days", "older")
                done.append(next_step)
    assert done
    assert {"now", "older"} <= set(log.names())


@pytest.mark.parametrize("step", ["swap", "attach", "detach"])
def test_who_writes_waits_for_a_change_of_the_catalog(log: EventLog, step: str) -> None:
    """The test above can fail."""
    writer = log.db.connect()
    writer.execute("set lock_timeout = '1ms'")
    for next_step in log.work():
        with log.step(next_step):
            if next_step.split()[0] == step:
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    write(writer, "0 s", "now")


@pytest.mark.parametrize("step", ["check", "drop", "discard"])
def test_who_reads_does_not_wait_for_a_step(log: EventLog, step: str) -> None:
    reader = log.db.connect()
    reader.execute("set lock_timeout = '1ms'")
    for next_step in log.work():
        with log.step(next_step):
            if next_step.split()[0] == step:
                assert reader.execute("select count(*) from eventlive.event_access_logs").fetchall()


def snapshot(log: EventLog) -> list[Any]:
    return [log.tables(), log.bounds(), log.names(), log.work()]


HOLDERS = {
    "a reader": "select count(*) from eventlive.event_access_logs",
    "a writer": "insert into eventlive.event_access_logs (webinar_id, occurred_at, event)"
    " values (gen_random_uuid(), now(), 'left')",
    "a reader of the default partition": "select count(*) from eventlive.event_access_logs_default",
}


@pytest.mark.parametrize("who", HOLDERS)
def test_the_swap_gives_up_when_somebody_is_in_the_log_for_long(log: EventLog, who: str) -> None:
    log.set(job_lock_timeout_s=0.02)
    log.do("discard")
    before = snapshot(log)
    with held(log.db, HOLDERS[who]):
        with pytest.raises(psycopg.errors.LockNotAvailable):
            log.rotate()
        assert snapshot(log) == before
    log.rotate()
    assert log.work() == []


def test_who_queues_behind_a_step_that_waits_goes_on_when_it_gives_up(log: EventLog) -> None:
    log.do("discard")
    log.set(job_lock_timeout_s=1)
    writer, connection = log.db.connect(), log.db.connect()
    before = snapshot(log)

    def wait() -> None:
        connection.execute("select eventlive.begin_batch()")
        connection.execute("select eventlive.job_step('rotate_event_logs', null, null, 'swap', 1)")

    connection.execute("begin")
    with held(log.db, HOLDERS["a writer"]):
        waiting = in_background(wait)
        wait_until_blocked(log.db.admin, connection.info.backend_pid)
        writing = in_background(lambda: write(writer, "0 s", "queued"))
        wait_until_blocked(log.db.admin, writer.info.backend_pid)
        # Who was first is still there: the writer's turn comes because the step gives up.
        with pytest.raises(psycopg.errors.LockNotAvailable):
            waiting.result()
        connection.execute("rollback")
        writing.result()
    assert "queued" in log.names()
    assert snapshot(log)[:2] == before[:2]


def test_all_that_a_step_waits_for_together_is_bounded(log: EventLog) -> None:
    """Having waited for the log itself, it has less left for the rest."""
    log.set(job_lock_timeout_s=30)
    connection = log.db.connect()
    connection.execute("begin")
    connection.execute("select eventlive.begin_batch()")
    with held(log.db, HOLDERS["a writer"]):
        waiting = in_background(lambda: connection.execute("select eventlive.lock_event_log(true)"))
        wait_until_blocked(log.db.admin, connection.info.backend_pid)
    waiting.result()
    left = connection.execute("select extract(epoch from current_setting('lock_timeout')::interval) < 30").fetchone()
    assert left == (True,)


READ = "select coalesce(sum(pg_stat_get_xact_tuples_returned(oid)), 0) from pg_class where oid = any (%s)"


def many(log: EventLog) -> int:
    """Fill the default partition, and return its number."""
    log.db.admin.execute(
        "insert into eventlive.event_access_logs (webinar_id, occurred_at, event)"
        " select gen_random_uuid(), now() - n * interval '1 minute', 'left' from generate_series(1, %s) n",
        [ROWS],
    )
    return int(log.db.value("select 'eventlive.event_access_logs_default'::regclass::oid::int8"))


@pytest.mark.parametrize("checked", [True, False])
def test_what_was_caught_is_not_read_while_the_log_is_locked(log: EventLog, checked: bool) -> None:
    """Neither moved nor read: the constraint that the step before has made says what is in it."""
    table = many(log)
    rows = log.db.value("select count(*) from eventlive.event_access_logs_default")
    log.do("discard", "swap", "check")
    if not checked:
        log.as_owner(
            "alter table eventlive.event_access_logs_draining drop constraint event_access_logs_draining_range"
        )
        log.as_owner(
            "alter table eventlive.event_access_logs_draining"
            " add constraint event_access_logs_draining_range check (true)"
        )
    with log.step("attach") as connection:
        [(read,)] = connection.execute(READ.encode(), [[table]]).fetchall()
    assert read == 0 if checked else read >= rows - 3
    log.rotate()
    assert log.db.value("select count(*) from eventlive.event_access_logs where event = 'left'") == rows - 3 + 2


def test_the_table_that_caught_them_is_the_partition_that_has_them(log: EventLog) -> None:
    table = many(log)
    log.rotate()
    [(relation,)] = log.db.rows("select distinct tableoid::int8 from eventlive.event_access_logs where detail = '{}'")
    assert relation == table
