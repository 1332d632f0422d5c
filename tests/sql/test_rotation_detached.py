"""Partitions of the visit log that somebody has taken out stay out as they are; the log goes on without them."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.database import EventliveDatabase
from tests.support.event_log import EventLog, verbs, write
from tests.support.faults import break_function
from tests.support.races import held


@pytest.fixture
def log(db: EventliveDatabase) -> EventLog:
    """In order, with an event in each of its partitions."""
    log = EventLog(db)
    log.partition("-200 days", "-50 days", "past")
    log.write("-10 days", "present")
    log.rotate()
    log.write("0 s", "now")
    log.write("20 days", "to come")
    assert (log.caught(), log.work()) == ([], [])
    return log


WHEN = {"past": "-100 days", "present": "-10 days", "now": "0 s", "to come": "20 days"}

LEFT = {
    "as it is": "",
    "renamed": 'alter table eventlive."{0}" rename to archive',
    "renamed with its index": (
        'alter table eventlive."{0}" rename to archive; alter index eventlive."{0}_pkey" rename to archive_pkey'
    ),
    "moved": 'create schema attic; alter table eventlive."{0}" set schema attic',
    "dropped": 'drop table eventlive."{0}"',
    "an index in its place": (
        'drop table eventlive."{0}"; create table eventlive.other (a int);'
        ' create index "{0}_pkey" on eventlive.other (a)'
    ),
    "a type in its place": 'drop table eventlive."{0}"; create type eventlive."{0}" as enum ()',
    "a view in its place": 'drop table eventlive."{0}"; create view eventlive."{0}" as select 1 as a',
}

CASES = [(event, "as it is") for event in WHEN] + [("now", left) for left in LEFT if left != "as it is"]


@pytest.mark.parametrize(("event", "left"), CASES)
def test_the_log_goes_on_without_a_partition_that_was_taken_out(log: EventLog, event: str, left: str) -> None:
    name = log.partition_of(event)
    rest = [other for other in log.names() if log.partition_of(other) != name]
    log.detach(name)
    log.db.admin.execute(LEFT[left].format(name).encode())
    before = log.beside()
    log.rotate()
    assert log.is_ahead()
    for again in ("new", "newer"):
        log.write(WHEN[event], again)
        log.rotate()
        assert log.caught() == []
    assert log.names() == sorted([*rest, "new", "newer"])
    assert log.work() == []
    assert log.beside() == before


@pytest.mark.parametrize("again", [1, 2])
def test_one_that_is_taken_out_again_and_again_gets_another_name_each_time(log: EventLog, again: int) -> None:
    names = []
    for number in range(again + 1):
        log.write("0 s", f"event {number}")
        names.append(log.partition_of(f"event {number}"))
        log.detach(names[-1])
        log.write("0 s", f"caught {number}")
        log.rotate()
        log.rotate()
        assert f"caught {number}" in log.names()
    assert len(set(names)) == again + 1
    assert log.work() == []


def test_what_was_taken_out_may_be_put_back_where_nothing_took_its_place(log: EventLog) -> None:
    name = log.partition_of("past")
    [(bounds,)] = log.db.rows(
        "select pg_get_expr(relpartbound, oid) from pg_class where oid = to_regclass('eventlive.' || %s)", name
    )
    log.detach(name)
    log.rotate()
    log.as_owner(f"alter table eventlive.event_access_logs attach partition eventlive.{name} {bounds}")
    log.rotate()
    assert log.names() == ["now", "past", "present", "to come"]


# --- the default partition


DEFAULTS = {
    "renamed": "alter table eventlive.event_access_logs_default rename to other",
    "renamed with all that is its": (
        "alter table eventlive.event_access_logs_default rename to other;"
        " alter index eventlive.event_access_logs_default_pkey rename to other_pkey;"
        " alter policy event_access_logs_default_service on eventlive.other rename to other_service"
    ),
    "without its policy": "drop policy event_access_logs_default_service on eventlive.event_access_logs_default",
    "renamed, and its name taken": (
        "alter table eventlive.event_access_logs_default rename to other;"
        " create table eventlive.event_access_logs_default (a int)"
    ),
    "detached": "alter table eventlive.event_access_logs detach partition eventlive.event_access_logs_default",
    "dropped": "drop table eventlive.event_access_logs_default",
    "replaced by hand": (
        "alter table eventlive.event_access_logs detach partition eventlive.event_access_logs_default;"
        " create table eventlive.my_default partition of eventlive.event_access_logs default"
    ),
}


def default_of(log: EventLog) -> str:
    """The name of the default partition."""
    return str(log.db.value("select eventlive.event_log_default()::text"))


@pytest.mark.parametrize("fate", DEFAULTS)
def test_there_is_a_default_partition_again_and_it_is_drained(log: EventLog, fate: str) -> None:
    log.as_owner(DEFAULTS[fate])
    before = log.beside()
    log.rotate()
    assert default_of(log) != "None"
    log.detach(log.partition_of("now"))
    names = log.names()
    log.write("0 s", "caught")
    log.write("2000 days", "far ahead")
    log.set(event_log_ahead_days=50)
    log.rotate()
    log.rotate()
    assert log.names() == sorted([*names, "caught", "far ahead"])
    assert log.partition_of("caught") != default_of(log).partition(".")[2] == log.partition_of("far ahead")
    assert log.work() == []
    assert [found for found in log.beside() if found in before] == before


def test_a_default_partition_of_somebody_else_is_told_and_the_rest_is_done(log: EventLog) -> None:
    log.partition("-900 days", "-800 days", "expired")
    log.db.admin.execute("alter table eventlive.event_access_logs_default owner to postgres")
    log.set(event_log_ahead_days=100)
    log.detach(log.partition_of("now"))
    log.write("0 s", "caught")
    names = [name for name in log.names() if name != "expired"]
    assert verbs(log.work()) == ["add", "detach", "drop", "tell"]
    for _ in range(2):
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState, match=r"default partition .* belongs to post"
        ) as caught:
            log.rotate()
        assert caught.value.diag.message_hint
        assert log.names() == names
        assert log.work() == ["tell"]
    log.db.admin.execute((caught.value.diag.message_hint or "").encode())
    log.rotate()
    assert (log.names(), log.caught(), log.work()) == (names, [], [])


# --- half detached


def half_detach(log: EventLog, name: str) -> None:
    """Leave a partition as DETACH CONCURRENTLY does that gives up waiting for a reader."""
    session = log.db.connect()
    session.execute("set lock_timeout = '100ms'")
    with (
        held(log.db, "select 1 from eventlive.event_access_logs limit 1"),
        pytest.raises(psycopg.errors.LockNotAvailable),
    ):
        session.execute(
            f"alter table eventlive.event_access_logs detach partition eventlive.{name} concurrently".encode()
        )
    assert log.db.rows("select name from eventlive.event_log_half_detached()") == [(name,)]


@pytest.mark.parametrize("default", ["missing", "back"])
@pytest.mark.parametrize("event", ["past", "now", "to come"])
def test_what_is_half_detached_is_finished_and_the_log_takes_events_of_its_time_again(
    log: EventLog, event: str, default: str
) -> None:
    name = log.partition_of(event)
    rest = [other for other in log.names() if other != event]
    log.detach("event_access_logs_default")
    half_detach(log, name)
    if default == "back":
        log.as_owner(
            "alter table eventlive.event_access_logs attach partition eventlive.event_access_logs_default default"
        )
    with pytest.raises(psycopg.errors.CheckViolation):
        log.write(WHEN[event], "refused")
    log.rotate()
    log.write(WHEN[event], "taken")
    log.rotate()
    assert log.names() == sorted([*rest, "taken"])
    assert log.db.value(f"select detail ->> 'name' from eventlive.{name}") == event
    assert (log.caught(), log.work(), log.is_ahead()) == ([], [], True)


def test_without_a_nudge_those_who_know_the_default_partition_would_be_refused_on(log: EventLog) -> None:
    break_function(log.db, "rotate_event_logs_step", "enable row level security", "owner to eventlive_owner")
    log.detach("event_access_logs_default")
    half_detach(log, log.partition_of("past"))
    log.do("catch")
    for steps in ([], ["finish"]):
        log.do(*steps)
        with pytest.raises(psycopg.errors.CheckViolation):
            log.write(WHEN["past"], "refused")


@pytest.mark.parametrize("step", ["catch", "finish"])
def test_who_writes_does_not_wait_for_that(log: EventLog, step: str) -> None:
    log.detach("event_access_logs_default")
    half_detach(log, log.partition_of("past"))
    assert log.work()[:2] == ["catch", "finish"]
    writer = log.db.connect()
    writer.execute("set lock_timeout = '1ms'")
    for next_step in ("catch", "finish"):
        with log.step(next_step):
            if next_step == step:
                write(writer, WHEN["now"], "new")
    assert log.names() == ["new", "now", "present", "to come"]


def test_one_of_somebody_else_is_told_and_the_rest_is_done(log: EventLog) -> None:
    name = log.partition_of("past")
    log.detach("event_access_logs_default")
    log.db.admin.execute(f"alter table eventlive.{name} owner to postgres".encode())
    half_detach(log, name)
    log.set(event_log_ahead_days=100)
    log.partition("-900 days", "-800 days", "expired")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="is half detached") as caught:
        log.rotate()
    assert log.is_ahead()
    assert log.names() == ["now", "present", "to come"]
    assert log.work() == ["tell"]
    log.db.admin.execute((caught.value.diag.message_hint or "").encode())
    log.rotate()
    write(log.db.admin, WHEN["past"], "late")
    log.rotate()
    assert (log.names(), log.work()) == (["late", "now", "present", "to come"], [])
