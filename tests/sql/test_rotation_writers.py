"""Whoever writes to the visit log while it is rotated is never refused, and what they write is in it once."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.support.actors import in_background
from tests.support.database import EventliveDatabase
from tests.support.event_log import EventLog, write


@pytest.fixture
def log(db: EventliveDatabase) -> EventLog:
    return EventLog(db)


def test_calls_of_viewers_write_to_the_log_at_each_moment_between_the_steps(log: EventLog) -> None:
    webinar_id = log.db.webinar()
    log.write("-10 days", "before")
    steps = ["before it", *log.work()]
    for step in steps:
        if step != "before it":
            log.do(step)
        assert log.db.user().call("webinar_register", webinar_id=webinar_id)["created"]
    events = "select count(*) from eventlive.event_access_logs where event = 'registered'"
    assert log.db.value(events) == len(steps)
    assert log.caught() == []


DRAIN = ("swap", "check", "attach")
MOMENTS = [f"{when} {step}" for step in DRAIN for when in ("before", "inside")] + ["after attach"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_who_began_before_the_swap_and_writes_at_any_moment_is_in_the_log_once(log: EventLog, moment: str) -> None:
    """With an event of now, one of before the swap, and one of before all partitions but the default one's."""
    log.partition("-90 days", "-30 days", "old")
    log.write("-1 day", "caught")
    writer = log.db.connect()
    log.db.admin.execute("select eventlive.set_setting('job_lock_timeout_s', '60')")
    waits: list[bool] = []

    def write_all() -> None:
        for when, name in (("0 s", "now"), ("-2 days", "late"), ("-200 days", "stray"), ("-60 days", "old one")):
            write(writer, when, name)
        writer.execute("commit")

    writer.execute("begin")
    writer.execute("select txid_current()")
    for step in DRAIN:
        if moment == f"before {step}":
            write_all()
        if moment == f"inside {step}":
            with log.step(step):
                writing = in_background(write_all)
                waits.append(blocked(log, writer, writing.thread.is_alive))
            writing.result()
        else:
            log.do(step)
    if moment == "after attach":
        write_all()
    waited = {"inside swap": [True], "inside check": [False], "inside attach": [True]}
    assert waits == waited.get(moment, [])
    assert log.names() == ["caught", "late", "now", "old", "old one", "stray"]
    log.rotate()
    assert log.names() == ["caught", "late", "now", "old", "old one", "stray"]
    assert log.caught() == []


def blocked(log: EventLog, session: psycopg.Connection[object], alive: Callable[[], bool]) -> bool:
    """Wait until a session has done its work or waits for a lock; say whether it waits."""
    while alive():
        if log.db.value("select cardinality(pg_blocking_pids(%s)) > 0", session.info.backend_pid):
            return True
    return False


def test_who_has_written_and_not_committed_holds_up_the_attaching_and_loses_nothing(log: EventLog) -> None:
    log.write("-1 day", "caught")
    log.do("swap", "check")
    log.set(job_lock_timeout_s=0.01)
    writer = log.db.connect()
    with writer.transaction():
        write(writer, "-1 day", "late")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            log.rotate()
        write(writer, "-1 day", "later")
    assert log.names() == ["late", "later"]
    log.rotate()
    assert log.names() == ["caught", "late", "later"]
    assert log.caught() == []


@pytest.mark.parametrize("guarded", [True, False])
def test_who_is_on_the_way_to_the_default_partition_when_its_time_is_taken_is_not_refused(
    log: EventLog, guarded: bool
) -> None:
    """It waits for the log itself. Had it only the default partition to wait for, it would come too late."""
    log.partition(None, "-30 days")
    log.db.admin.execute("select eventlive.set_setting('job_lock_timeout_s', '60')")
    if not guarded:
        definition = log.db.value("select pg_get_functiondef('eventlive.attach_event_log_partition'::regproc)")
        condition = "_lower < clock_timestamp() + interval '1 hour'"
        assert condition in definition
        log.db.admin.execute(definition.replace(condition, "false").encode())
    writer = log.db.connect()
    with log.step("add"):
        writing = in_background(lambda: write(writer, "0 s", "now"))
        assert blocked(log, writer, writing.thread.is_alive)
    if guarded:
        writing.result()
        assert log.names() == ["now"]
    else:
        with pytest.raises(psycopg.errors.CheckViolation):
            writing.result()
