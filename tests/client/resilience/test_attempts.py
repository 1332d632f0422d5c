"""What is retried, how often, and what never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.client.errors import (
    BusyError,
    CircuitOpenError,
    ConflictError,
    EventliveError,
    ForbiddenError,
    GoneError,
    InvalidCallError,
    NotFoundError,
    RateLimitedError,
    RpcError,
    ServerError,
    TimedOutError,
    UnauthenticatedError,
    UnavailableError,
    UnreadableReplyError,
)
from eventlive_db.client.resilience import Backoff, Breaker, Resilience, RetryBudget, State

AWAY = UnavailableError(503, "unreachable")
PASSING = [AWAY, TimedOutError(408, "timed_out"), BusyError(425, "busy"), RateLimitedError(429, "rate_limited")]
FINAL = [
    InvalidCallError(400, "invalid_argument"),
    UnauthenticatedError(401, "unauthenticated"),
    ForbiddenError(403, "not_registered"),
    NotFoundError(404, "webinar_not_found"),
    ConflictError(409, "duplicate_session"),
    GoneError(410, "webinar_ended"),
    RpcError(418, "refused"),
    ServerError(500, "internal_error"),
    UnreadableReplyError(None, "unreadable_reply"),
]


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make(breaker: Breaker | None = None, *, reserve: float = 10.0, max_elapsed_s: float = 30.0) -> Resilience:
    return Resilience(
        breaker,
        Backoff(1.0, 8.0),
        RetryBudget(0.1, reserve),
        max_elapsed_s=max_elapsed_s,
        clock=Clock(),
        random=lambda: 0.5,
    )


@pytest.mark.parametrize("error", PASSING, ids=lambda error: error.token)
def test_what_may_pass_is_tried_three_times_with_growing_delays(error: EventliveError) -> None:
    attempts = make().start(repeatable=True)
    delays = []
    while (delay_s := attempts.failed(error)) is not None:
        delays.append(delay_s)
        attempts.again()
    assert delays == [0.5, 1.0]
    assert attempts.number == 3


@pytest.mark.parametrize("error", FINAL, ids=lambda error: error.token)
def test_what_cannot_succeed_is_never_tried_again(error: EventliveError) -> None:
    assert make().start(repeatable=True).failed(error) is None


@pytest.mark.parametrize("error", PASSING + FINAL, ids=lambda error: error.token)
def test_a_call_that_is_not_repeatable_is_sent_once_whatever_comes(error: EventliveError) -> None:
    resilience = make()
    assert resilience.start(repeatable=False).failed(error) is None
    assert resilience.budget.tokens == 10


def test_an_answer_that_was_lost_is_asked_for_again_only_where_that_is_safe() -> None:
    lost = UnavailableError(503, "unreachable", maybe_done=True)
    assert make().start(repeatable=True).failed(lost) is not None
    assert make().start(repeatable=False).failed(lost) is None


def test_retry_after_is_kept_and_beyond_the_time_there_is_the_error_is_raised() -> None:
    assert make().start(repeatable=True).failed(UnavailableError(503, "busy", retry_after_s=10.0)) == 10.5
    assert make().start(repeatable=True).failed(UnavailableError(503, "busy", retry_after_s=29.9)) is None


def test_no_try_begins_after_the_time_is_over() -> None:
    resilience = make(max_elapsed_s=5.0)
    attempts = resilience.start(repeatable=True)
    assert isinstance(resilience.clock, Clock)
    resilience.clock.now = 4.6
    assert attempts.failed(AWAY) is None


def test_an_empty_budget_means_no_retry() -> None:
    resilience = make(reserve=1.0)
    assert resilience.start(repeatable=True).failed(AWAY) is not None
    assert resilience.start(repeatable=True).failed(AWAY) is None


def test_each_call_earns_its_part_of_a_retry() -> None:
    resilience = make(reserve=1.0)
    assert resilience.start(repeatable=True).failed(AWAY) is not None
    for _ in range(11):
        resilience.start(repeatable=True).succeeded()
    assert resilience.start(repeatable=True).failed(AWAY) is not None
    assert resilience.start(repeatable=True).failed(AWAY) is None


def test_an_open_breaker_refuses_a_call_and_its_retries_and_costs_no_budget() -> None:
    breaker = Breaker(2, clock=Clock())
    resilience = make(breaker)
    attempts = resilience.start(repeatable=True)
    assert attempts.failed(AWAY) is not None
    breaker.permit().failed(AWAY)  # another call of the process

    with pytest.raises(CircuitOpenError):
        attempts.again()
    tokens = resilience.budget.tokens
    with pytest.raises(CircuitOpenError) as refused:
        resilience.start(repeatable=True)
    assert resilience.budget.tokens == tokens
    assert attempts.failed(refused.value) is None


def test_a_cancelled_call_gives_the_probe_back_and_an_answer_closes() -> None:
    clock = Clock()
    breaker = Breaker(1, clock=clock)
    resilience = make(breaker)
    resilience.start(repeatable=False).failed(AWAY)
    clock.now = 100.0
    resilience.start(repeatable=False).abandoned()
    attempts = resilience.start(repeatable=False)
    attempts.succeeded()
    assert breaker.state is State.CLOSED


@given(repeatable=st.lists(st.booleans(), max_size=100), pause_s=st.floats(0, 20), has_breaker=st.booleans())
def test_calls_in_a_lasting_outage_stay_under_both_ceilings(
    repeatable: list[bool], pause_s: float, has_breaker: bool
) -> None:
    resilience = make(reserve=3.0)
    clock = resilience.clock
    assert isinstance(clock, Clock)
    if has_breaker:
        resilience.breaker = Breaker(5, 60.0, clock=clock)
    sent = 0
    for number, may_repeat in enumerate(repeatable, 1):
        try:
            attempts = resilience.start(may_repeat)
            sent += 1
            while (delay_s := attempts.failed(AWAY)) is not None:
                clock.now += delay_s
                attempts.again()
                sent += 1
        except CircuitOpenError:
            pass
        assert sent <= number + 3.0 + 0.1 * number + 1e-6
        assert not has_breaker or sent <= 5 + clock.now // 60
        clock.now += pause_s


@pytest.mark.parametrize("arguments", [{"max_attempts": 0}, {"max_elapsed_s": -1.0}])
def test_a_resilience_that_cannot_be_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="max_attempts >= 1"):
        Resilience(**arguments)  # type: ignore[arg-type]
