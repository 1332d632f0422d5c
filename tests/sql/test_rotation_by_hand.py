"""Partitions of the visit log that a DBA has made are taken as they are, or named; no event is lost for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from tests.support.database import EventliveDatabase
from tests.support.event_log import WEBINAR, EventLog


@pytest.fixture
def log(db: EventliveDatabase) -> EventLog:
    return EventLog(db)


def by_hand(log: EventLog, name: str, lower: str, upper: str, more: str = "") -> None:
    """A partition as a DBA makes it: bounds are days from today, or ``maxvalue``."""
    bounds = [
        word if word in {"minvalue", "maxvalue"} else f"'{log.today + timedelta(days=int(word))}'"
        for word in (lower, upper)
    ]
    log.as_owner(
        f"create table {name} partition of eventlive.event_access_logs"
        f" for values from ({bounds[0]}) to ({bounds[1]}) {more}"
    )


def partitioned_again(log: EventLog) -> None:
    by_hand(log, "eventlive.split", "-900", "-800", "partition by hash (webinar_id)")
    for name, remainder in (("even", 0), ("odd", 1)):
        log.as_owner(
            f"create table eventlive.{name} partition of eventlive.split"
            f" for values with (modulus 2, remainder {remainder})"
        )


def in_another_schema(log: EventLog) -> None:
    log.db.admin.execute("create schema attic authorization eventlive_owner")
    by_hand(log, "attic.old", "-900", "-800")


BY_HAND: dict[str, Callable[[EventLog], None]] = {
    "adjacent": lambda log: by_hand(log, "eventlive.next_month", "90", "120"),
    "with a hole that is to come": lambda log: by_hand(log, "eventlive.far_ahead", "1000", "1030"),
    "to the end of time": lambda log: by_hand(log, "eventlive.rest", "100", "maxvalue"),
    "all that has been": lambda log: by_hand(log, "eventlive.history", "minvalue", "-100"),
    "with a hole that is past": lambda log: by_hand(log, "eventlive.last_month", "-30", "0"),
    "another name": lambda log: by_hand(log, 'eventlive."Last month"', "-900", "-800"),
    "a long name": lambda log: by_hand(log, f"eventlive.{'x' * 63}", "-900", "-800"),
    "partitioned again": partitioned_again,
    "in another schema": in_another_schema,
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_partitions_made_by_hand_are_taken_as_they_are(log: EventLog, kind: str) -> None:
    BY_HAND[kind](log)
    kept = ["long ago", "months ago", "now", "to come"]
    log.write("-700 days", "long ago")
    log.write("-60 days", "months ago")
    log.write("-1 hour", "now")
    log.write("110 days", "to come")
    log.write("-850 days", "past")
    log.set(event_log_retention_days=750)
    log.rotate()
    first = log.names()
    log.rotate()
    log.rotate()
    assert log.covered()
    assert [name for name in log.names() if name != "past"] == kept
    assert [name for name in first if name != "past"] == kept
    assert "now" not in log.caught()
    assert "months ago" not in log.caught()
    if kind in {"another name", "a long name", "partitioned again", "in another schema"}:
        assert "past" not in log.names()
    assert log.db.rows("select from eventlive.expired_event_log_tables()") == []
    assert log.work() == []


def test_a_hole_that_caught_events_is_closed(log: EventLog) -> None:
    by_hand(log, "eventlive.past", "-100", "-60")
    by_hand(log, "eventlive.present", "-20", "60")
    log.write("-40 days", "between")
    log.write("0 s", "now")
    log.rotate()
    assert log.names() == ["between", "now"]
    assert log.caught() == []
    assert [(since, until) for _, since, until in log.bounds()][1] == (-60, -20)


def test_two_holes_are_closed_by_two_runs(log: EventLog) -> None:
    by_hand(log, "eventlive.one", "-100", "-80")
    by_hand(log, "eventlive.two", "-60", "-40")
    log.write("-70 days", "first hole")
    log.write("-10 days", "second hole")
    log.rotate()
    assert (log.names(), log.caught()) == (["first hole", "second hole"], ["first hole"])
    assert log.work() == ["swap", "check", "attach"]
    log.rotate()
    assert (log.names(), log.caught()) == (["first hole", "second hole"], [])
    assert log.work() == []


def test_a_partition_of_somebody_else_is_named_and_nothing_is_lost(log: EventLog) -> None:
    by_hand(log, "eventlive.theirs", "-900", "-800")
    log.db.admin.execute("alter table eventlive.theirs owner to postgres")
    log.write("-850 days", "past")
    log.write("0 s", "now")
    log.partition("-1000 days", "-950 days", "older")
    by_hand(log, "eventlive.younger", "-700", "-600")
    for _ in range(2):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="theirs is past its retention and belo"):
            log.rotate()
        assert log.names() == ["now", "past"]
        assert log.is_ahead()
        assert "younger" not in log.partitions()
        assert log.work() == ["tell"]
    log.db.admin.execute("alter table eventlive.theirs owner to eventlive_owner")
    log.rotate()
    assert (log.names(), log.work()) == (["now"], [])


PLACES = {
    "within it": [("-15", "-5")],
    "over its beginning": [("-29", "-15")],
    "over its end": [("-15", "0")],
    "all of it": [("-29", "1")],
    "in two places": [("-28", "-25"), ("-12", "-8")],
}


@pytest.mark.parametrize("steps", [["swap"], ["swap", "check"]])
@pytest.mark.parametrize("place", PLACES)
def test_a_partition_made_meanwhile_in_the_place_of_what_is_aside_has_what_is_of_its_time(
    log: EventLog, place: str, steps: list[str]
) -> None:
    log.partition("-90 days", "-30 days")
    days = (29, 27, 20, 14, 10, 6, 3, 2)
    for day in days:
        log.write(f"-{day} days", f"{day} days ago")
    log.do(*steps)
    assert log.names() == []
    log.as_owner("alter table eventlive.event_access_logs detach partition " + f"eventlive.{log.partitions()[-1]}")
    for number, (lower, upper) in enumerate(PLACES[place]):
        by_hand(log, f"eventlive.theirs_{number}", lower, upper)
    log.rotate()
    assert log.names() == sorted(f"{day} days ago" for day in days)
    log.rotate()
    log.rotate()
    assert log.names() == sorted(f"{day} days ago" for day in days)
    assert (log.caught(), log.work()) == ([], [])


def test_one_made_between_the_last_look_and_the_attaching_fails_that_run_alone(log: EventLog) -> None:
    log.partition("-90 days", "-30 days")
    log.write("-10 days", "aside")
    log.do("swap", "check")
    by_hand(log, "eventlive.theirs", "-15", "-5")
    with pytest.raises(psycopg.errors.InvalidObjectDefinition, match='overlap partition "theirs"'):
        log.do("attach")
    log.rotate()
    assert log.names() == ["aside"]


@pytest.mark.parametrize("moment", ["swap", "check"])
def test_what_somebody_has_copied_back_from_what_is_aside_is_in_the_log_once(log: EventLog, moment: str) -> None:
    log.partition("-90 days", "-30 days")
    log.write("-10 days", "aside")
    log.write("20 days", "to come")
    log.do("swap", *([moment] if moment != "swap" else []))
    log.as_owner(
        "insert into eventlive.event_access_logs (webinar_id, occurred_at, event_id, event, detail) overriding system"
        " value select webinar_id, occurred_at, event_id, event, detail from eventlive.event_access_logs_draining"
        " on conflict do nothing"
    )
    log.rotate()
    assert (log.names(), log.caught(), log.work()) == (["aside", "to come"], [], [])


ODD = {
    "all of time": ["(minvalue) to (maxvalue)"],
    "from before all time": ["('-infinity') to ('2020-01-01')"],
    "nothing, before all time": ["(minvalue) to ('-infinity')"],
    "after all time": ["('infinity') to (maxvalue)"],
    "until the end of time": ["('2300-01-01') to ('infinity')"],
    "before Christ": ["('0044-03-15 BC') to ('0014-08-19')"],
    "far away": ["('29999-01-01') to ('30000-01-01')"],
    "a microsecond": ["(now() + interval '5 days') to (now() + interval '5 days 1 microsecond')"],
    "a hole of a microsecond": [
        "(now() - interval '3 days') to (now() + interval '5 days')",
        "(now() + interval '5 days 1 microsecond') to (now() + interval '9 days')",
    ],
    "another zone": [
        "('2026-01-01 12:34:56.123456 Asia/Kathmandu') to ('2026-01-01 12:34:56.123456 America/St_Johns')"
    ],
}


@pytest.mark.parametrize("kind", ODD)
def test_partitions_of_odd_times_are_taken_as_they_are(log: EventLog, kind: str) -> None:
    for number, bounds in enumerate(ODD[kind]):
        log.as_owner(
            f"create table eventlive.odd_{number} partition of eventlive.event_access_logs for values from {bounds}"
        )
    log.set(event_log_retention_days=36500)
    whens = ("-90 days", "-30 days", "0 s", "5 days", "5 days 1 microsecond", "30 days", "60 years")
    for when in whens:
        log.write(when, f"at {when}")
    log.db.admin.execute(
        "insert into eventlive.event_access_logs (webinar_id, occurred_at, event, detail)"
        """ values (%s, '-infinity', 'left', '{"name": "first"}'), (%s, 'infinity', 'left', '{"name": "last"}')""",
        [WEBINAR, WEBINAR],
    )
    assert len(log.names()) == len(whens) + 2
    # Before the oldest partition, and past the retention: that is a stray.
    names = [name for name in log.names() if (name, kind) != ("first", "before Christ")]
    for _ in range(3):
        log.rotate()
        assert log.names() == names
    assert log.is_ahead()
    assert not {"at -90 days", "at -30 days", "at 0 s"} & set(log.caught())
    assert log.work() == []


def test_what_something_else_needs_is_told_and_the_rest_is_dropped(log: EventLog) -> None:
    for lower, name in ((-900, "first"), (-800, "second"), (-700, "third")):
        log.partition(f"{lower} days", f"{lower + 100} days", name)
    second = log.partition_of("second")
    log.as_owner(f"create view eventlive.report as select * from eventlive.{second}")
    log.write("0 s", "now")
    for _ in range(2):
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=r"needed by view eventlive\.report"):
            log.rotate()
        assert (log.names(), log.is_ahead(), log.work()) == (["now"], True, ["tell"])
        assert [name for name in log.tables() if name.endswith("_expired")] == [f"{second}_expired"]
    log.as_owner("drop view eventlive.report")
    log.rotate()
    assert log.work() == []
    assert [name for name in log.tables() if name.endswith("_expired")] == []


@pytest.mark.parametrize("spoilt", ["null", "'Events of mine.'", "'empty'", "'[now,then)'"])
def test_a_table_aside_that_has_lost_its_comment_is_no_end_of_the_matter(log: EventLog, spoilt: str) -> None:
    log.write("-10 days", "aside")
    log.do("swap")
    [(comment,)] = log.db.rows("select obj_description('eventlive.event_access_logs_draining'::regclass)")
    log.as_owner(f"comment on table eventlive.event_access_logs_draining is {spoilt}")
    log.partition("-800 days", "-700 days", "expired")
    log.detach(log.partitions()[-1])
    log.write("0 s", "caught")
    for _ in range(2):
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState, match="comment does not say of what t"
        ) as caught:
            log.rotate()
        assert (log.names(), log.caught(), log.is_ahead()) == (["caught"], [], True)
        assert log.work() == ["tell"]
    assert "comment on table eventlive.event_access_logs_draining is" in (caught.value.diag.message_hint or "")
    log.as_owner(f"comment on table eventlive.event_access_logs_draining is '{comment}'")
    log.rotate()
    assert (log.names(), log.work()) == (["aside", "caught"], [])
