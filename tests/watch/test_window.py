"""Sliding windows give what counting by hand gives, and stay small."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.watch.window import HORIZON_S, QUANTILE_ERROR, SlidingCount, SlidingQuantile
from tests.watch.made_up import NOW

windows = st.integers(1, 300)
# Steps of the clock, and how long before now a line was written: out of order, late, long ago.
steps = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 2 * HORIZON_S) | st.floats(0, 5)), max_size=60)


@given(windows, steps)
def test_a_count_is_that_of_the_events_in_the_window_in_whatever_order_they_come(
    window_s: int, moves: list[tuple[float, float]]
) -> None:
    counted, now, seen = SlidingCount(), NOW, []
    for step, age in moves:
        now += step
        seen.append(now - age)
        counted.add(now - age, now)
        first = math.floor(now) - window_s
        assert counted.count(now, window_s) == sum(first < math.floor(at) <= now for at in seen)


@given(windows, st.lists(st.tuples(st.floats(0, 20), st.floats(0, 200), st.floats(0, 3000)), min_size=1, max_size=60))
def test_a_quantile_is_never_too_small_and_at_most_a_hundredth_too_large(
    window_s: int, moves: list[tuple[float, float, float]]
) -> None:
    sketch, now, seen = SlidingQuantile(), NOW, []
    for step, age, duration in moves:
        now += step
        seen.append((now - age, duration))
        sketch.add(duration, now - age, now)
        first = math.floor(now) - window_s
        inside = sorted(duration for at, duration in seen if first < math.floor(at) <= now)
        count, found = sketch.quantile(0.95, now, window_s)
        assert count == len(inside)
        if not inside:
            assert found is None
            continue
        true = inside[math.ceil(round(0.95 * len(inside), 9)) - 1]
        assert found is not None
        assert true <= found <= max(true * (1 + QUANTILE_ERROR) + 1e-9, 0.001)
        assert found in inside


def test_of_equal_durations_the_quantile_is_exact() -> None:
    sketch = SlidingQuantile()
    for _ in range(100):
        sketch.add(5.0, NOW, NOW)
    assert sketch.quantile(0.95, NOW, 60) == (100, 5.0)


@pytest.mark.parametrize("duration", [-1.0, math.nan, math.inf])
def test_what_is_no_duration_is_left_out(duration: float) -> None:
    sketch = SlidingQuantile()
    sketch.add(duration, NOW, NOW)
    assert sketch.quantile(0.95, NOW, 60) == (0, None)


def test_memory_is_bounded_by_the_horizon_and_not_by_the_events() -> None:
    counted, sketch = SlidingCount(), SlidingQuantile()
    for second in range(3 * HORIZON_S):
        for _ in range(3):
            counted.add(NOW + second, NOW + second)
            sketch.add(0.1, NOW + second, NOW + second)
    assert len(counted._buckets) <= HORIZON_S + 1
    assert len(sketch._seconds) <= HORIZON_S + 1
    for number in range(20_000):
        sketch.add(number / 7, NOW + 3 * HORIZON_S, NOW + 3 * HORIZON_S)
    assert max(map(len, sketch._seconds.values())) < 1600
