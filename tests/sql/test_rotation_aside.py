"""What is aside of the visit log and cannot be attached is told, with what mends it, and the rest of a run is done."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from tests.support.database import EventliveDatabase
from tests.support.event_log import EventLog

ASIDE = "eventlive.event_access_logs_draining"
OBSTRUCTED = psycopg.errors.ObjectNotInPrerequisiteState


@pytest.fixture
def log(db: EventliveDatabase) -> EventLog:
    """There is a part aside; partitions end tomorrow, one of them is past its retention, and one not yet dropped."""
    log = EventLog(db)
    log.partition("-800 days", "-700 days", "past")
    log.partition("-700 days", "-600 days", "long past")
    log.write("-10 days", "aside")
    log.set(event_log_retention_days=1000)
    log.do("swap")
    last = log.partitions()[-1]
    log.detach(last)
    log.as_owner(f"drop table eventlive.{last}")
    log.as_owner("select eventlive.add_event_log_partition(date_trunc('hour', now()), now() + interval '1 day')")
    log.set(event_log_retention_days=365)
    log.do("detach " + log.partitions()[0])
    log.write("0 s", "now")
    assert log.names() == ["long past", "now"]
    assert not log.is_ahead()
    return log


def all_else_is_done(log: EventLog) -> bool:
    """Whether partitions are there ahead, and what is past its retention is gone."""
    return log.is_ahead() and len(log.partitions()) < 6 and log.names() == ["now"] and not expired(log)


def expired(log: EventLog) -> list[str]:
    """What was detached and is still there."""
    return [name for name in log.tables() if name.endswith("_expired")]


STATED = {
    "a day that is none": '["2026-02-30 00:00:00+00","2026-03-01 00:00:00+00")',
    "a month that is none": '["2026-13-01 00:00:00+00","2027-03-01 00:00:00+00")',
    "a zone that is none": '["2026-01-01 00:00:00+99","2026-03-01 00:00:00+00")',
    "a year that is too far": '["2026-01-01 00:00:00+00","999999-03-01 00:00:00+00")',
    "no figures of a time": '["2026-01-01 ::::","2026-03-01 ----")',
    "its end before its beginning": '["2026-03-01 00:00:00+00","2026-01-01 00:00:00+00")',
    "a moment": '["2026-03-01 00:00:00+00","2026-03-01 00:00:00+00"]',
    "nothing": '["2026-03-01 00:00:00+00","2026-03-01 00:00:00+00")',
}


@pytest.mark.parametrize("stated", STATED)
def test_a_comment_that_says_no_time_is_told(log: EventLog, stated: str) -> None:
    [(comment,)] = log.db.rows(f"select obj_description('{ASIDE}'::regclass)")
    log.as_owner(f"comment on table {ASIDE} is '{STATED[stated]}'")
    assert log.work()[-1] == "tell"
    for _ in range(2):
        with pytest.raises(OBSTRUCTED, match="comment does not say of what time"):
            log.rotate()
        assert all_else_is_done(log)
        assert log.work() == ["tell"]
    log.as_owner(f"comment on table {ASIDE} is '{comment}'")
    log.rotate()
    assert (log.names(), log.work()) == (["aside", "now"], [])


CHANGED = {
    "another column": (f"alter table {ASIDE} add note text", "the log has no column note"),
    "a column less": (f"alter table {ASIDE} drop session_id", "it has no column session_id"),
    "another type": (
        f"alter table {ASIDE} alter user_id type text",
        "its column user_id is not of the type uuid",
    ),
    "a shorter type": (f"alter table {ASIDE} alter event type varchar(20)", "its column event is not of the type text"),
    "another collation": (
        f'alter table {ASIDE} alter event type text collate "C"',
        "its column event is not of the type text",
    ),
    "nulls": (f"alter table {ASIDE} alter event drop not null", "its column event may be null"),
    "an identity": (
        f"alter table {ASIDE} alter event_id add generated always as identity",
        "its column event_id is an identity",
    ),
    "what is generated": (
        f"alter table {ASIDE} drop session_id, add session_id uuid generated always as (webinar_id) stored",
        "its column session_id is generated",
    ),
    "a constraint less": (
        f"alter table {ASIDE} drop constraint event_access_logs_event_known",
        "it has no constraint event_access_logs_event_known",
    ),
    "another constraint of that name": (
        (
            f"alter table {ASIDE} drop constraint event_access_logs_event_known,"
            " add constraint event_access_logs_event_known check (event <> '')"
        ),
        "it has no constraint event_access_logs_event_known",
    ),
    "a constraint that was not validated": (
        (
            f"alter table {ASIDE} drop constraint event_access_logs_event_known,"
            " add constraint event_access_logs_event_known check (event in"
            " ('registered', 'entered', 'left', 'expired', 'replaced', 'ejected', 'webinar_ended')) not valid"
        ),
        "it has no constraint event_access_logs_event_known",
    ),
    "several": (
        f"alter table {ASIDE} add note text, add other text, alter detail drop not null",
        "the log has no column note, the log has no column other, its column detail may be null",
    ),
}


@pytest.mark.parametrize("change", CHANGED)
def test_what_cannot_be_attached_is_told_with_what_mends_it(log: EventLog, change: str) -> None:
    statement, says = CHANGED[change]
    log.as_owner(statement)
    for _ in range(2):
        with pytest.raises(OBSTRUCTED, match=f"is aside and cannot be a part .* again: {says}") as told:
            log.rotate()
        assert all_else_is_done(log)
        assert log.work() == ["tell"]
    log.as_owner(told.value.diag.message_hint or "")
    log.rotate()
    assert (log.names(), log.work()) == (["aside", "now"], [])


@pytest.mark.parametrize("like", ["defaults", "all"])
def test_one_made_by_hand_can_be_mended_with_what_is_told(log: EventLog, like: str) -> None:
    name = f"{ASIDE}_000000000002"
    log.as_owner(f"create table {name} (like eventlive.event_access_logs including {like})")
    lower, upper = log.today - timedelta(days=3000), log.today - timedelta(days=2900)
    log.as_owner(f"""comment on table {name} is '["{lower} 00:00:00+00","{upper} 00:00:00+00")'""")
    told = {"defaults": "it has no constraint .*, it has no constraint", "all": "its column event_id is an identity"}
    with pytest.raises(OBSTRUCTED, match=told[like]) as obstructed:
        log.rotate()
    assert log.names() == ["aside", "now"]
    log.as_owner(obstructed.value.diag.message_hint or "")
    for _ in range(2):
        log.rotate()
    assert (log.names(), log.work(), log.is_ahead()) == (["aside", "now"], [], True)
    assert not [name for name in log.tables() if "draining" in name]


def test_what_nobody_thought_of_hinders_only_the_attaching(log: EventLog) -> None:
    log.db.admin.execute(
        f"""
        create function public.noted() returns trigger language plpgsql as 'begin return null; end';
        create trigger noted after insert on {ASIDE} referencing new table as new_rows
            for each row execute function public.noted()
        """.encode()
    )
    for _ in range(2):
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="prevents table"):
            log.rotate()
        assert all_else_is_done(log)
        assert log.work() == ["check", "attach"]
    log.db.admin.execute(f"drop trigger noted on {ASIDE}".encode())
    log.rotate()
    assert (log.names(), log.work()) == (["aside", "now"], [])


def test_a_table_that_has_only_its_name_is_somebody_else_s(log: EventLog) -> None:
    log.rotate()
    log.as_owner(f"create table {ASIDE} (webinar_id uuid, occurred_at timestamptz, note text)")
    assert log.work() == []
    log.as_owner(f"alter table {ASIDE} add event_id bigint")
    assert log.work() == ["tell"]


# --- other things that stand in the way

NEEDS = {
    "a column of its type": "create table eventlive.other (a eventlive.{0})",
    "a column of arrays of its type": "create table eventlive.other (a eventlive.{0}[])",
    "a function of its type": "create function eventlive.f(eventlive.{0}) returns int language sql return 1",
    "a function of arrays of it": "create function eventlive.f(eventlive.{0}[]) returns int language sql return 1",
    "a domain of arrays of its type": "create domain eventlive.other as eventlive.{0}[]",
    "a view of a part of it": "create view eventlive.other as select * from eventlive.part",
    "arrays of a part of it": "create table eventlive.other (a eventlive.part[])",
}


@pytest.mark.parametrize("need", NEEDS)
def test_whatever_needs_an_expired_partition_is_told_and_those_behind_it_are_dropped(log: EventLog, need: str) -> None:
    log.rotate()
    lower, upper = log.today - timedelta(days=1000), log.today - timedelta(days=900)
    log.as_owner(
        f"create table eventlive.parted partition of eventlive.event_access_logs"
        f" for values from ('{lower}') to ('{upper}') partition by hash (webinar_id);"
        " create table eventlive.part partition of eventlive.parted for values with (modulus 1, remainder 0)"
    )
    log.partition("-800 days", "-700 days", "behind it")
    log.as_owner(NEEDS[need].format("parted"))
    for _ in range(2):
        with pytest.raises(OBSTRUCTED, match=r"is past its retention and needed by "):
            log.rotate()
        assert (log.names(), expired(log), log.work()) == (["aside", "now"], ["parted_expired"], ["tell"])
    log.as_owner("drop table eventlive.parted_expired cascade")
    log.rotate()
    assert log.work() == []


def test_a_default_partition_that_is_elsewhere_is_told_beside_whose_it_is(log: EventLog) -> None:
    log.rotate()
    name = "event_access_logs_default"
    log.db.admin.execute("create schema elsewhere authorization eventlive_owner")
    log.as_owner(f"alter table eventlive.{name} set schema elsewhere")
    moved = f"alter table elsewhere.{name} set schema eventlive"
    taken = f"alter table elsewhere.{name} owner to eventlive_owner"
    obstacles = "select advice from eventlive.event_log_obstacles()"
    assert log.db.rows(obstacles) == [(moved,)]
    log.db.admin.execute(f"alter table elsewhere.{name} owner to postgres".encode())
    assert log.db.rows(obstacles) == [(taken,), (moved,)]
    with pytest.raises(OBSTRUCTED, match=r"belongs to postgres; the default partition .* is in another") as told:
        log.rotate()
    log.db.admin.execute((told.value.diag.message_hint or "").encode())
    log.rotate()
    assert log.work() == []
