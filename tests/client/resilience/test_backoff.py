"""Delays stay within their bounds, and retries within their budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.client.resilience import Backoff, RetryBudget

SECONDS = st.floats(0.001, 1000)
CHANCE = st.floats(0, 1, exclude_max=True)


@given(base_s=SECONDS, times=st.floats(1, 1000), failures=st.integers(1, 10_000), chance=CHANCE)
def test_a_delay_is_anything_up_to_the_bound_and_the_bound_at_most_the_cap(
    base_s: float, times: float, failures: int, chance: float
) -> None:
    backoff = Backoff(base_s, base_s * times)

    assert 0 <= backoff.delay_s(failures, lambda: chance) <= backoff.bound_s(failures) <= backoff.cap_s
    assert backoff.delay_s(failures, lambda: 0.0) == 0


@given(failures=st.integers(1, 60))
def test_bounds_double_until_the_cap(failures: int) -> None:
    backoff = Backoff(0.5, 16.0)

    assert backoff.bound_s(1) == 0.5
    assert backoff.bound_s(failures + 1) == min(2 * backoff.bound_s(failures), 16.0)


@given(asked=st.floats(0, 86_400), failures=st.integers(1, 100), chance=CHANCE)
def test_retry_after_is_a_floor_and_the_jitter_comes_on_top(asked: float, failures: int, chance: float) -> None:
    backoff = Backoff(0.25, 8.0)

    delay_s = backoff.delay_s(failures, lambda: chance, asked)

    assert asked <= delay_s <= asked + backoff.bound_s(failures)
    assert backoff.delay_s(failures, lambda: 0.5, asked) > asked


def test_a_negative_retry_after_is_no_gift_of_time() -> None:
    assert Backoff().delay_s(1, lambda: 0.0, -5.0) == 0


@pytest.mark.parametrize(("base_s", "cap_s"), [(0, 1), (2, 1), (-1, 1), (1, float("inf")), (float("nan"), 1)])
def test_a_backoff_that_cannot_be_is_refused(base_s: float, cap_s: float) -> None:
    with pytest.raises(ValueError, match="0 < base_s <= cap_s"):
        Backoff(base_s, cap_s)


@given(
    ratio=st.floats(0, 2),
    reserve=st.floats(0, 50),
    steps=st.lists(st.booleans(), max_size=400),
)
def test_retries_never_exceed_the_reserve_and_the_ratio_of_calls(
    ratio: float, reserve: float, steps: list[bool]
) -> None:
    budget = RetryBudget(ratio, reserve)
    calls = retries = 0
    for is_call in steps:
        if is_call:
            budget.called()
            calls += 1
        elif budget.take():
            retries += 1
        assert retries <= reserve + ratio * calls + 1e-6
        assert 0 <= budget.tokens <= reserve


def test_a_quiet_client_may_retry_and_a_busy_one_gets_its_ratio() -> None:
    budget = RetryBudget(0.25, 2)
    assert [budget.take() for _ in range(3)] == [True, True, False]

    taken = 0
    for _ in range(100):
        budget.called()
        taken += budget.take()

    assert taken == 25


@pytest.mark.parametrize(("ratio", "reserve"), [(-0.1, 1), (0.1, -1), (float("nan"), 1)])
def test_a_budget_that_cannot_be_is_refused(ratio: float, reserve: float) -> None:
    with pytest.raises(ValueError, match="ratio >= 0"):
        RetryBudget(ratio, reserve)
