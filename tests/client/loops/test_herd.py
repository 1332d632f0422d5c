"""5,000 loops, the server away for a minute and back: no ten-second window above twice the steady rate."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eventlive_db.client.errors import EventliveError
from eventlive_db.client.loops.schedule import HeartbeatSchedule
from tests.client.loops.herd import WINDOW_S, Herd, Outcome

LOOPS = 5000
FEWER = 1500
"""Enough to see a herd, and less to wait for."""
AWAY_S = 60.0
BREAKERS = pytest.mark.parametrize("shared", [False, True], ids=["own breaker", "shared breaker"])


class FixedDelay(HeartbeatSchedule):
    """Tries again two seconds later."""

    __slots__ = ()

    def _delay_after(self, now: float, error: EventliveError) -> float:  # noqa: ARG002
        return 2.0


class WithoutJitter(HeartbeatSchedule):
    """Doubles from a second on, and comes exactly when told."""

    __slots__ = ()

    def _delay_after(self, now: float, error: EventliveError) -> float:  # noqa: ARG002
        return error.retry_after_s or 2.0 ** (min(self.failures, 8) - 1)


def watch(
    interval_s: float,
    shared: bool,
    make: Callable[..., HeartbeatSchedule] = HeartbeatSchedule,
    retry_after: bool = False,
    away_s: float = AWAY_S,
    loops: int = LOOPS,
) -> tuple[Outcome, float, float, float]:
    """What came of it, when it began and ended, and the worst ten seconds from the outage on over the steady rate."""
    begin = 2 * interval_s
    end = begin + away_s + 5 * interval_s + 75.0
    herd = Herd(
        loops, interval_s, (begin, begin + away_s), shared, retry_after, lambda i, chance: make(i, random=chance)
    )
    outcome = herd.run(end)
    steady = loops * WINDOW_S / interval_s
    return outcome, begin, end, outcome.worst_window(begin, end) / steady


@BREAKERS
@pytest.mark.parametrize("interval_s", [300.0, 60.0, 10.0])
@pytest.mark.parametrize("retry_after", [False, True], ids=["silent", "Retry-After"])
def test_no_ten_seconds_above_twice_the_steady_rate(interval_s: float, shared: bool, retry_after: bool) -> None:
    outcome, begin, end, worst = watch(interval_s, shared, retry_after=retry_after)

    steady = LOOPS * WINDOW_S / interval_s
    assert worst <= 2
    # It is a real herd: it beat before, and all of it beats again.
    assert outcome.worst_window(interval_s, begin) >= 0.9 * steady
    assert len([at for at in outcome.sent if at >= end - interval_s]) >= 0.9 * LOOPS


@BREAKERS
@pytest.mark.parametrize("away_s", [20.0, 120.0, 300.0, 900.0])
def test_nor_when_it_is_away_for_another_while(away_s: float, shared: bool) -> None:
    assert watch(300.0, shared, away_s=away_s)[-1] <= 2


@BREAKERS
def test_a_minute_away_costs_no_session_of_the_usual_interval(shared: bool) -> None:
    outcome, *_ = watch(300.0, shared)
    assert outcome.expired == set()


@BREAKERS
def test_a_server_that_stays_away_hears_less_than_before(shared: bool) -> None:
    begin, end = 600.0, 7200.0
    outcome = Herd(FEWER, 300.0, (begin, end), shared).run(end)
    sent = [at for at in outcome.sent if at >= begin]
    assert len(sent) <= FEWER * (end - begin) / 300.0
    if shared:
        assert len(sent) <= 5 + 1 + (end - begin) // 60  # one other was under way at most


@BREAKERS
@pytest.mark.parametrize("make", [FixedDelay, WithoutJitter])
@pytest.mark.parametrize("interval_s", [300.0, 60.0])
def test_a_schedule_that_does_not_spread_is_caught(
    interval_s: float, make: type[HeartbeatSchedule], shared: bool
) -> None:
    assert watch(interval_s, shared, make, loops=FEWER)[-1] > 2


@pytest.mark.parametrize("make", [FixedDelay, WithoutJitter])
def test_also_at_ten_seconds_where_each_has_its_own_breaker(make: type[HeartbeatSchedule]) -> None:
    assert watch(10.0, False, make, loops=FEWER)[-1] > 2
