"""The arithmetic of an audience."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.capacity import Audience, CallCost, Costs, Estimate, Line, estimate, estimate_incumbent, shipped_costs

COSTS = shipped_costs()


def line(estimated: Estimate, what: str) -> Line:
    """The line of a call."""
    [found] = [line for line in estimated.lines if line.what == what]
    return found


def test_a_thousand_viewers_beat_every_five_minutes() -> None:
    beats = line(estimate(Audience(1000), COSTS), "webinar_session_heartbeat")
    assert (beats.calls, beats.interval_s, beats.requests) == (200, 300, 200)
    cost = COSTS.calls["webinar_session_heartbeat"]
    assert beats.statements == 200 * cost.statements
    assert beats.wal_bytes == 200 * cost.wal_bytes
    assert beats.busy == pytest.approx(200 / 60 * cost.milliseconds / 1000)


def test_s1_has_fewer_than_ten_thousand_requests_a_minute() -> None:
    assert estimate(Audience(1000, dashboards=5, pings=True), COSTS).peak.requests < 10_000


@pytest.mark.parametrize("viewers", [1000, 10_000, 100_000])
def test_polling_has_the_same_ceiling_whatever_the_audience(viewers: int) -> None:
    polls = line(estimate(Audience(viewers, fallback=1), COSTS), "webinar_messages_poll")
    assert polls.calls == pytest.approx(6000)
    assert line(estimate_incumbent(Audience(viewers, fallback=1), COSTS), "fallback poll").calls == viewers * 30


def test_an_audience_beyond_the_target_is_paced_until_the_longest_interval() -> None:
    beats = line(estimate(Audience(300_000), COSTS), "webinar_session_heartbeat")
    assert (beats.interval_s, beats.calls) == (600, 30_000)
    beats = line(estimate(Audience(3_000_000), COSTS), "webinar_session_heartbeat")
    assert beats.interval_s == 1800


def test_dashboards_slow_down_where_the_audience_is_paced() -> None:
    assert line(estimate(Audience(1000), COSTS), "webinar_stats_access").calls == 30
    assert line(estimate(Audience(300_000), COSTS), "webinar_stats_access").calls == 10


def test_settings_in_force_count() -> None:
    settings = {"session_heartbeat_interval_s": 60, "fallback_enabled": False}
    estimated = estimate(Audience(600, fallback=1), COSTS, settings)
    assert line(estimated, "webinar_session_heartbeat").calls == 600
    assert line(estimated, "webinar_messages_poll").calls == 0


def test_the_peak_adds_those_who_come() -> None:
    estimated = estimate(Audience(1000, enter_within_min=2), COSTS)
    assert estimated.entering.calls == 500
    assert estimated.peak.calls == estimated.steady.calls + 500
    assert estimate(Audience(1000, enter_within_min=0.5), COSTS).entering.calls == 1000, (
        "in one minute, not two a minute"
    )


def test_the_pool_has_room_for_calls_that_come_at_random() -> None:
    slow = Costs("", {}, COSTS.settings, dict.fromkeys(COSTS.calls, CallCost(1, 1, 0, 60_000 / 500)), COSTS.incumbent)
    estimated = estimate(Audience(1000, dashboards=0), slow)
    assert estimated.peak.busy == pytest.approx(1.4)
    assert estimated.connections == 6


@given(st.integers(1, 5_000_000), st.floats(0, 1), st.integers(0, 50))
def test_more_viewers_never_make_fewer_beats_and_the_incumbent_makes_more(
    viewers: int, fallback: float, dashboards: int
) -> None:
    here = estimate(Audience(viewers, dashboards=dashboards, fallback=fallback, pings=True), COSTS)
    more = estimate(Audience(viewers + 1000, dashboards=dashboards, fallback=fallback, pings=True), COSTS)
    beats = "webinar_session_heartbeat"
    assert line(more, beats).calls >= line(here, beats).calls * (1 - 1e-9)
    theirs = estimate_incumbent(Audience(viewers, dashboards=dashboards, fallback=fallback), COSTS)
    assert theirs.steady.requests > here.steady.requests
    assert theirs.outside["auth service"] > here.outside["auth service"] == 0
