"""When a job is due, held against a count of every minute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eventlive_db.jobs import ScheduleError, parse_schedule
from eventlive_db.jobs.schedules import TOLERANCE

BEGIN = datetime(2026, 2, 25, tzinfo=UTC)
"""A Wednesday; the month ends within the span."""

SPAN_MIN = 4 * 24 * 60

RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))

Item = tuple[str, frozenset[int]]


@st.composite
def items(draw: st.DrawFn, low: int, high: int) -> Item:
    """One item of a field, and the numbers that it stands for."""
    kind = draw(st.sampled_from(("one", "range", "steps", "star_steps")))
    first = draw(st.integers(low, high))
    last = draw(st.integers(first, high))
    if first == last:
        kind = "one"  # steps need something to go through
    step = draw(st.integers(1, high))
    if kind == "one":
        return str(first), frozenset({first})
    if kind == "range":
        return f"{first}-{last}", frozenset(range(first, last + 1))
    if kind == "steps":
        return f"{first}-{last}/{step}", frozenset(range(first, last + 1, step))
    return f"*/{step}", frozenset(range(low, high + 1, step))


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> Item:
    """A field; often a star, so that a time lies within the span now and then."""
    if draw(st.booleans()):
        return "*", frozenset(range(low, high + 1))
    parts = draw(st.lists(items(low, high), min_size=1, max_size=3))
    return ",".join(text for text, _ in parts), frozenset().union(*(numbers for _, numbers in parts))


@st.composite
def expressions(draw: st.DrawFn) -> tuple[str, Callable[[datetime], bool]]:
    """Five fields, and whether a minute is one of theirs: by the manual of cron(5), not by a library."""
    drawn = [draw(fields(low, high)) for low, high in RANGES]
    minutes, hours, days, months, weekdays = (numbers for _, numbers in drawn)
    both = drawn[2][0].startswith("*") or drawn[4][0].startswith("*")

    def matches(at: datetime) -> bool:
        by_day, by_weekday = at.day in days, (at.weekday() + 1) % 7 in weekdays
        day = (by_day and by_weekday) if both else (by_day or by_weekday)
        return at.minute in minutes and at.hour in hours and at.month in months and day

    return " ".join(text for text, _ in drawn), matches


moments = st.integers(0, SPAN_MIN * 60).map(lambda seconds: BEGIN + timedelta(seconds=seconds))


@settings(max_examples=60)
@given(expressions(), moments, moments, st.integers(0, 999_999))
def test_a_run_is_due_when_a_time_lies_between_the_last_start_and_now(
    drawn: tuple[str, Callable[[datetime], bool]], one: datetime, other: datetime, microsecond: int
) -> None:
    text, matches = drawn
    last, now = min(one, other), max(one, other).replace(microsecond=microsecond)
    try:
        schedule = parse_schedule(text)
    except ScheduleError:
        assume(False)  # 30 February
    times = [at for n in range(SPAN_MIN + 1) if matches(at := BEGIN + timedelta(minutes=n))]
    passed = [at for at in times if last < at <= now]
    assert schedule.due_since(last, now) == (passed[-1] if passed else None)

    ahead = [at for at in times if at > now]
    following = schedule.next_after(last, now)
    if ahead:
        assert following == ahead[0]
    else:
        assert following is None or following > BEGIN + timedelta(minutes=SPAN_MIN)


@given(expressions(), moments, st.lists(st.integers(1, 7200), min_size=1, max_size=30))
def test_each_time_is_run_once_however_many_were_missed(
    drawn: tuple[str, Callable[[datetime], bool]], begin: datetime, looks: list[int]
) -> None:
    text, matches = drawn
    try:
        schedule = parse_schedule(text)
    except ScheduleError:
        assume(False)
    last, now, started = begin, begin, 0
    expected = 0
    for seconds in looks:
        before, now = now, now + timedelta(seconds=seconds)
        minute = before.replace(second=0)
        missed = [at for n in range(122) if before < (at := minute + timedelta(minutes=n)) <= now and matches(at)]
        expected += bool(missed)
        if schedule.due_since(last, now):
            started, last = started + 1, now
    assert started == expected


@given(st.integers(1, 99_999), moments, moments)
def test_an_interval_is_counted_from_the_last_start(seconds: int, one: datetime, other: datetime) -> None:
    schedule = parse_schedule(f"{seconds} seconds")
    last, now = min(one, other), max(one, other)
    assert (schedule.due_since(last, now) is not None) == (now - last >= timedelta(seconds=seconds))
    assert schedule.next_after(last, now) == last + timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["* * * * *", "17 3 * * *", "10 seconds"])
def test_what_never_ran_is_due_and_so_is_what_a_wrong_clock_has_started(text: str) -> None:
    schedule, now = parse_schedule(text), BEGIN
    assert schedule.due_since(None, now) == now
    assert schedule.due_since(now + timedelta(days=400), now) == now
    # A clock that is put right by a little is no reason to run again.
    assert schedule.due_since(now + TOLERANCE, now) is None


def test_the_time_is_utc_whatever_the_timezone_of_the_moment() -> None:
    east = BEGIN.astimezone(datetime(2026, 1, 1, tzinfo=UTC).astimezone().tzinfo)
    assert parse_schedule("0 0 * * *").due_since(east - timedelta(hours=1), east) == BEGIN


@pytest.mark.parametrize(
    "text",
    [
        "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *",
        "0 0 30 2 *", "0 0 L * *", "0 0 LW * *", "0 0 * * 5#2", "0 0 * * 5L", "hourly", "@daily", "0 seconds",
        "-1 seconds", "1.5 seconds", "10 minutes", "seconds", "a b c d e", "5-3 * * * *", "1,,2 * * * *",
        "5/15 * * * *", "* * * * 1,2-2/1", "99999999 seconds",
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(text)
    assert caught.value.token == "bad_schedule"


@pytest.mark.parametrize(
    "text", ["0 0 1 JUL *", "0 0 * * mon-fri", "1 second", " 10 seconds ", "0 0 29 2 *", "0  0 * * 7"]
)
def test_what_cron_knows_is_read(text: str) -> None:
    assert parse_schedule(text).due_since(None, BEGIN) == BEGIN
