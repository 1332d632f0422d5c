"""Partitions of the visit log that a DBA has made are taken as they are, or named; no event is lost for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest

from tests.support.database import EventliveDatabase
from tests.support.event_log import EventLog


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
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="must be owner of table theirs"):
        log.rotate()
    assert log.names() == ["now", "past"]
    assert log.covered()


def test_a_partition_made_meanwhile_in_the_place_of_what_is_aside_is_named(log: EventLog) -> None:
    log.partition("-90 days", "-30 days")
    log.write("-10 days", "aside")
    log.do("swap")
    by_hand(log, "eventlive.theirs", "-15", "-5")
    with pytest.raises(psycopg.errors.InvalidObjectDefinition, match='overlap partition "theirs"'):
        log.rotate()
    log.as_owner("alter table eventlive.event_access_logs detach partition eventlive.theirs")
    log.rotate()
    assert log.names() == ["aside"]


def test_a_table_aside_that_has_lost_its_comment_is_no_end_of_the_matter(log: EventLog) -> None:
    log.write("-10 days", "aside")
    log.do("swap")
    [(comment,)] = log.db.rows("select obj_description('eventlive.event_access_logs_draining'::regclass)")
    log.as_owner("comment on table eventlive.event_access_logs_draining is null")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=r"its comment, .* is gone") as caught:
        log.rotate()
    assert "comment on table eventlive.event_access_logs_draining is" in (caught.value.diag.message_hint or "")
    log.as_owner(f"comment on table eventlive.event_access_logs_draining is '{comment}'")
    log.rotate()
    assert log.names() == ["aside"]
