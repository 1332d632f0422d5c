"""When a loop calls next, and when it is over."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.client.errors import (
    CircuitOpenError,
    ConflictError,
    EventliveError,
    ForbiddenError,
    GoneError,
    InvalidCallError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    TimedOutError,
    UnauthenticatedError,
    UnavailableError,
    UnreadableReplyError,
)
from eventlive_db.client.loops.pace import Pace
from eventlive_db.client.loops.schedule import STOPPED, Ended, HeartbeatSchedule, PollSchedule
from tests.client.loops.replies import OTHER, Page, beat

AWAY = UnavailableError(503, "unreachable")
CHANCE = st.floats(0, 1, exclude_max=True)
INTERVAL = st.floats(1, 3600)


def begun(interval_s: float = 300.0, chance: float = 0.5) -> HeartbeatSchedule:
    """A schedule whose first beat was answered at 0."""
    schedule = HeartbeatSchedule(interval_s, 0.0, random=lambda: chance)
    schedule.begin(-interval_s)
    schedule.replied(0.0, beat(interval_s))
    return schedule


@given(interval_s=INTERVAL, chance=CHANCE, now=st.floats(0, 1e6))
def test_the_first_beat_has_a_random_phase_within_the_interval(interval_s: float, chance: float, now: float) -> None:
    schedule = HeartbeatSchedule(interval_s, random=lambda: chance)
    assert schedule.due_at is None
    schedule.begin(now)
    assert schedule.due_at == now + chance * interval_s
    schedule.begin(now + 7)
    assert schedule.due_at == now + chance * interval_s


def test_the_first_beat_comes_when_the_entry_says() -> None:
    schedule = HeartbeatSchedule(300.0, 42.0)
    schedule.begin(10.0)
    assert schedule.due_at == 52.0


@given(next_s=st.floats(0, 7200))
def test_then_the_server_says_when_but_never_sooner_than_a_second(next_s: float) -> None:
    schedule = begun()
    schedule.replied(300.0, beat(next_s))
    assert schedule.due_at == 300.0 + max(next_s, 1.0)


def test_a_beat_that_came_too_early_to_be_written_changes_neither_interval_nor_life() -> None:
    schedule = begun()
    schedule.replied(100.0, beat(200.0))  # what is left of the interval
    assert (schedule.due_at, schedule.interval_s) == (300.0, 300.0)
    # It lives until 750, not until 100 + 2.5 * 200 or 100 + 750.
    assert schedule.failed(300.0, AWAY) == pytest.approx(0.9 * 450 * 0.75)


@pytest.mark.parametrize("state", ["left", "expired", "replaced", "ejected", "webinar_ended", "of_a_newer_server"])
def test_a_session_that_is_over_ends_it_and_says_why(state: str) -> None:
    schedule = begun()
    by = OTHER if state == "replaced" else None
    schedule.replied(300.0, beat(None, state, by))
    assert (schedule.ended, schedule.due_at) == (Ended(state, by), None)


@pytest.mark.parametrize(
    "error",
    [
        InvalidCallError(400, "invalid_argument"),
        UnauthenticatedError(401, "unauthenticated"),
        ForbiddenError(403, "permission_denied"),
        NotFoundError(404, "session_not_found"),
        ConflictError(409, "conflict"),
        GoneError(410, "webinar_ended"),
        UnreadableReplyError(None, "unreadable_reply"),
    ],
    ids=lambda error: error.token,
)
def test_what_cannot_succeed_ends_it(error: EventliveError) -> None:
    schedule = begun()
    assert schedule.failed(300.0, error) is None
    assert schedule.ended == Ended(error.token, error=error)
    assert schedule.due_at is None


@pytest.mark.parametrize(
    "error",
    [
        AWAY,
        TimedOutError(408, "timed_out"),
        RateLimitedError(429, "rate_limited"),
        ServerError(500, "internal_error"),
        CircuitOpenError(503, "circuit_open"),
    ],
    ids=lambda error: error.token,
)
def test_what_may_pass_does_not(error: EventliveError) -> None:
    schedule = begun()
    assert schedule.failed(300.0, error) is not None
    assert schedule.ended is None


@given(interval_s=INTERVAL, chance=CHANCE, failures=st.integers(1, 100))
def test_after_failures_any_delay_up_to_the_window_and_the_window_up_to_four_intervals(
    interval_s: float, chance: float, failures: int
) -> None:
    schedule = PollSchedule(interval_s, 0.0, random=lambda: chance)  # nothing expires
    schedule.begin(0.0)
    now = 0.0
    for n in range(1, failures + 1):
        delay_s = schedule.failed(now, AWAY)
        assert delay_s == pytest.approx(chance * min(4, 2.0 ** min(n, 8)) * interval_s)
        now += delay_s or 0.0
        assert schedule.due_at == now


@given(interval_s=INTERVAL, chance=CHANCE)
def test_one_lost_beat_loses_no_session(interval_s: float, chance: float) -> None:
    schedule = begun(interval_s, chance)
    delay_s = schedule.failed(interval_s, AWAY)
    assert delay_s is not None
    assert delay_s >= 0.6 * interval_s  # and it is no rush either
    assert interval_s + delay_s < 2.5 * interval_s


@given(interval_s=INTERVAL, chance=CHANCE, times=st.lists(st.floats(0, 3), min_size=1, max_size=20))
def test_whatever_happened_a_window_is_never_narrower_than_keeps_a_herd_apart(
    interval_s: float, chance: float, times: list[float]
) -> None:
    """Two runs of the dice, one at each end, are half an interval apart or more, however little time is left."""
    low, high = begun(interval_s, 0.0), begun(interval_s, 1.0)
    now = interval_s
    for part in times:
        least, most = low.failed(now, AWAY), high.failed(now, AWAY)
        assert least is not None
        assert most is not None
        assert most - least >= 0.5 * interval_s
        assert most <= 4 * interval_s
        now += part * interval_s


@given(
    asked=st.floats(0, 10_000),
    interval_s=INTERVAL,
    chance=CHANCE,
    failures=st.integers(1, 5),
    is_open=st.booleans(),
)
def test_retry_after_and_an_open_breaker_are_a_floor_under_an_interval_of_jitter(
    asked: float, interval_s: float, chance: float, failures: int, is_open: bool
) -> None:
    error = (CircuitOpenError if is_open else UnavailableError)(503, "unavailable", retry_after_s=asked)
    low, middle, high = begun(interval_s, 0.0), begun(interval_s, chance), begun(interval_s, 1.0)
    for _ in range(failures):
        least, delay_s, most = (schedule.failed(interval_s, error) for schedule in (low, middle, high))
        assert least is not None
        assert delay_s is not None
        assert most is not None
        assert asked == least <= delay_s <= most
        assert asked + 0.999 * interval_s <= most <= asked + 2.001 * interval_s


@given(asked=st.floats(0, 100), chance=CHANCE)
def test_told_twice_to_come_back_soon_it_still_saves_the_session(asked: float, chance: float) -> None:
    schedule = begun(300.0, chance)
    error = UnavailableError(503, "unavailable", retry_after_s=asked)
    schedule.failed(300.0, error)
    delay_s = schedule.failed(300.0, error)
    assert delay_s is not None
    assert 300.0 + delay_s < 2.5 * 300.0


@given(chance=CHANCE)
def test_429_doubles_the_interval_and_replies_bring_it_back(chance: float) -> None:
    schedule = PollSchedule(10.0, 0.0, random=lambda: chance)
    schedule.begin(0.0)
    for bounds in ((10, 20), (20, 40), (20, 40)):
        delay_s = schedule.failed(0.0, RateLimitedError(429, "rate_limited"))
        assert delay_s is not None
        assert bounds[0] <= delay_s <= bounds[1]
    for factor in (4, 2, 1, 1):
        schedule.replied(100.0, Page((), 0, 10.0))
        assert schedule.due_at == 100.0 + factor * 10.0


def test_429_never_makes_an_interval_so_long_that_the_session_expires() -> None:
    schedule = begun()
    for _ in range(5):
        schedule.failed(300.0, RateLimitedError(429, "rate_limited"))
    schedule.replied(300.0, beat(300.0))
    assert schedule.due_at is not None
    assert schedule.due_at < 300.0 + 2.5 * 300.0


def test_a_reply_ends_the_count_of_failures() -> None:
    schedule = begun()
    for _ in range(3):
        schedule.failed(300.0, AWAY)
    assert schedule.failures == 3
    schedule.replied(400.0, beat())
    assert schedule.failures == 0


def test_hidden_it_is_never_due_and_seen_again_it_is_due_when_it_was() -> None:
    schedule = begun()
    schedule.pause()
    assert schedule.due_at is None
    schedule.resume(100.0)
    assert schedule.due_at == 300.0
    schedule.pause()
    schedule.resume(500.0, lambda: 3.0)
    assert schedule.due_at == 503.0
    schedule.resume(600.0, lambda: 99.0)  # it was not hidden
    assert schedule.due_at == 503.0


def test_the_first_reason_stays_and_nothing_comes_after_it() -> None:
    schedule = begun()
    schedule.end(STOPPED)
    schedule.replied(300.0, beat(None, "left"))
    assert schedule.failed(300.0, AWAY) is None
    assert schedule.ended == STOPPED


def test_how_often_to_poll_is_what_the_server_said_last() -> None:
    schedule = HeartbeatSchedule(300.0, 0.0)
    assert schedule.fallback_poll_s is None
    schedule.begin(0.0)
    for said, known in ((1000.0, 1000.0), (None, 1000.0), (20.0, 20.0)):
        schedule.replied(0.0, beat(300.0, poll_s=said))
        assert schedule.fallback_poll_s == known


@given(chance=st.floats(0, 1, exclude_max=True), interval_s=INTERVAL)
def test_the_first_poll_comes_at_random_within_the_interval(chance: float, interval_s: float) -> None:
    schedule = PollSchedule(interval_s, random=lambda: chance)
    schedule.begin(100.0)
    assert schedule.due_at == 100.0 + chance * interval_s


def test_a_poll_without_a_next_one_is_the_last() -> None:
    schedule = PollSchedule(10.0)
    schedule.begin(0.0)
    schedule.replied(5.0, Page((), 0, None))
    assert schedule.ended == Ended("ended")


@pytest.mark.parametrize(("interval_s", "first_s"), [(0, 1), (-1, 1), (math.inf, 1), (math.nan, 1), (1, -1)])
def test_a_schedule_that_cannot_be_is_refused(interval_s: float, first_s: float) -> None:
    with pytest.raises(ValueError, match="interval_s > 0"):
        HeartbeatSchedule(interval_s, first_s)


@given(loops=st.integers(1, 500), interval_s=INTERVAL)
def test_the_first_that_is_resumed_calls_at_once_and_all_of_them_within_an_interval(
    loops: int, interval_s: float
) -> None:
    pace = Pace()
    pace.loops = loops
    waits = [pace.wait_s(1000.0, interval_s) for _ in range(loops)]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(interval_s * (loops - 1) / loops)
    assert pace.wait_s(1000.0 + 2 * interval_s, interval_s) == 0
