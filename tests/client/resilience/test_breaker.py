"""The breaker does what its definition says, in any order of events and from any thread."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

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
    ServerError,
    TimedOutError,
    UnauthenticatedError,
    UnavailableError,
)
from eventlive_db.client.resilience import Breaker, Change, Permit, State
from eventlive_db.client.resilience.breaker import LONGEST_S

AWAY = UnavailableError(503, "unreachable")


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make(failures: int = 5, **more: Callable[[], float] | Callable[[Change], None]) -> tuple[Breaker, Clock]:
    clock = Clock()
    return Breaker(failures, 60.0, clock=clock, **{"random": lambda: 0.0, **more}), clock  # type: ignore[arg-type]


def trip(breaker: Breaker, failures: int = 5, error: EventliveError = AWAY) -> None:
    for _ in range(failures):
        breaker.permit().failed(error)


def test_it_opens_after_five_failures_in_a_row_for_sixty_seconds() -> None:
    breaker, clock = make()
    trip(breaker, 4)
    assert breaker.status().state is State.CLOSED
    trip(breaker, 1)
    assert breaker.status().state is State.OPEN

    clock.now = 59.9
    with pytest.raises(CircuitOpenError) as refused:
        breaker.permit()
    assert refused.value.retry_after_s == pytest.approx(0.1)

    clock.now = 60.0
    breaker.permit().succeeded()
    assert breaker.status().state is State.CLOSED


def test_an_answer_in_between_begins_the_count_again() -> None:
    breaker, _ = make()
    for _ in range(20):
        trip(breaker, 4)
        breaker.permit().succeeded()
    assert breaker.status().state is State.CLOSED


def test_half_open_lets_exactly_one_through_and_tells_the_others_no_time() -> None:
    breaker, clock = make()
    trip(breaker)
    clock.now = 60.0
    probe = breaker.permit()
    for _ in range(10):
        with pytest.raises(CircuitOpenError) as refused:
            breaker.permit()
        assert refused.value.retry_after_s is None
    probe.failed(AWAY)
    assert breaker.status().retry_after_s == 60.0


def test_a_cancelled_probe_is_no_judgement_and_the_next_call_is_the_probe() -> None:
    breaker, clock = make()
    trip(breaker)
    clock.now = 60.0
    first = breaker.permit()
    first.abandoned()
    assert breaker.status().state is State.HALF_OPEN

    second = breaker.permit()
    first.failed(AWAY)  # too late: its word was given
    with pytest.raises(CircuitOpenError):
        breaker.permit()
    second.succeeded()
    assert breaker.status().state is State.CLOSED


def test_a_probe_that_is_dropped_without_a_word_does_not_block_for_ever() -> None:
    breaker, clock = make()
    trip(breaker)
    clock.now = 60.0
    probe: Permit | None = breaker.permit()
    assert probe is not None
    probe = None
    gc.collect()

    breaker.permit().succeeded()
    assert breaker.status().state is State.CLOSED


@pytest.mark.parametrize("late", ["succeeded", "failed"])
def test_results_of_permits_from_before_it_opened_change_nothing(late: str) -> None:
    breaker, clock = make()
    old = [breaker.permit() for _ in range(10)]

    def end_one() -> None:
        permit = old.pop()
        permit.succeeded() if late == "succeeded" else permit.failed(AWAY)

    trip(breaker)
    end_one()
    assert breaker.status().retry_after_s == 60.0
    clock.now = 60.0
    probe = breaker.permit()
    end_one()
    assert breaker.status().state is State.HALF_OPEN
    probe.succeeded()
    for _ in range(8):
        end_one()
    assert (breaker.state, breaker.status().failures) == (State.CLOSED, 0)


def test_a_permit_ends_once() -> None:
    breaker, _ = make()
    permit = breaker.permit()
    for _ in range(10):
        permit.failed(AWAY)
    assert breaker.status().failures == 1


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (UnavailableError(503, "unreachable"), True),
        (TimedOutError(504, "timed_out"), True),
        (BusyError(500, "busy"), True),
        (RateLimitedError(429, "rate_limited"), True),
        (ServerError(500, "internal_error"), True),
        # A function says it of itself: polling is switched off, and heartbeats go on.
        (RateLimitedError(429, "fallback_disabled", sqlstate="PT429", retry_after_s=300.0), False),
        (InvalidCallError(400, "invalid_argument"), False),
        (UnauthenticatedError(401, "unauthenticated"), False),
        (ForbiddenError(403, "not_registered"), False),
        (NotFoundError(404, "session_not_found"), False),
        (ConflictError(409, "duplicate_session"), False),
        (GoneError(410, "webinar_ended"), False),
    ],
)
def test_what_counts_as_a_failure(error: EventliveError, counts: bool) -> None:
    breaker, _ = make()
    trip(breaker, 4)
    trip(breaker, 1, error)
    assert breaker.status().state is (State.OPEN if counts else State.CLOSED)
    assert breaker.status().failures == (5 if counts else 0)


def test_a_call_that_was_never_sent_counts_as_neither() -> None:
    breaker, _ = make()
    trip(breaker, 4)
    trip(breaker, 1, CircuitOpenError(503, "circuit_open"))
    assert breaker.status().failures == 4


@pytest.mark.parametrize(("asked", "open_s"), [(None, 60.0), (10.0, 60.0), (300.0, 300.0)])
def test_retry_after_prolongs_the_open_time_and_never_shortens_it(asked: float | None, open_s: float) -> None:
    breaker, _ = make()
    trip(breaker, 5, UnavailableError(503, "unavailable", retry_after_s=asked))
    assert breaker.status().retry_after_s == open_s


@given(chance=st.floats(0, 1, exclude_max=True), asked=st.none() | st.floats(0, 1e12))
def test_the_open_time_is_within_its_bounds(chance: float, asked: float | None) -> None:
    breaker, _ = make(random=lambda: chance)
    trip(breaker, 5, UnavailableError(503, "unavailable", retry_after_s=asked))
    left = breaker.status().retry_after_s
    assert left is not None
    bound = max(60.0, min(asked or 0.0, LONGEST_S))
    assert bound <= left <= bound + 15.0


def test_changes_are_told_with_what_they_were_for_and_a_broken_listener_breaks_nothing() -> None:
    changes: list[Change] = []

    def on_change(change: Change) -> None:
        changes.append(change)
        assert breaker.status().state is change.after  # outside the lock: it may ask
        raise ZeroDivisionError

    breaker, clock = make(on_change=on_change)
    trip(breaker)
    clock.now = 60.0
    breaker.permit().succeeded()

    assert [change.after for change in changes] == [State.OPEN, State.HALF_OPEN, State.CLOSED]
    assert [change.number for change in changes] == [1, 2, 3]
    assert (changes[0].error, changes[0].open_s) == (AWAY, 60.0)


def test_as_a_context_manager_a_permit_hears_how_the_call_ended() -> None:
    breaker, _ = make(failures=1)
    with pytest.raises(KeyboardInterrupt), breaker.permit():
        raise KeyboardInterrupt
    with breaker.permit():
        pass
    assert breaker.status().state is State.CLOSED
    with pytest.raises(UnavailableError), breaker.permit():
        raise AWAY
    assert breaker.status().state is State.OPEN


@given(
    failures=st.integers(1, 8),
    concurrent=st.integers(1, 20),
    pauses=st.lists(st.floats(0.01, 100), min_size=1, max_size=200),
)
def test_calls_in_a_lasting_outage_stay_under_the_ceiling(failures: int, concurrent: int, pauses: list[float]) -> None:
    breaker, clock = make(failures)
    sent = 0
    others = 0
    for pause in pauses:
        permits = []
        for _ in range(concurrent):
            try:
                permits.append(breaker.permit())
            except CircuitOpenError:
                break
        sent += len(permits)
        for permit in permits:
            was = breaker.state
            permit.failed(AWAY)
            if was is State.CLOSED and breaker.status().state is State.OPEN:
                others = len(permits) - 1
        assert sent <= failures + others + clock.now // 60
        clock.now += pause


@pytest.mark.parametrize("arguments", [{"failures": 0}, {"open_s": 0.0}, {"jitter": -0.1}])
def test_a_breaker_that_cannot_be_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a breaker needs"):
        Breaker(**arguments)  # type: ignore[arg-type]


def test_of_many_threads_one_probes_and_no_failure_is_lost() -> None:
    threads, rounds = 16, 100
    breaker, clock = make(failures=threads)
    gate, through, wrong = threading.Barrier(threads), [0], []
    lock = threading.Lock()

    def run() -> None:
        for number in range(rounds):
            permit = breaker.permit()  # closed: for all of them
            gate.wait()
            permit.failed(AWAY)
            if gate.wait() == 0:
                if breaker.status().state is not State.OPEN:
                    wrong.append(f"round {number}: {breaker.status()}")
                clock.now += 60.0
                through[0] = 0
            gate.wait()
            probe = None
            try:
                probe = breaker.permit()
            except CircuitOpenError:
                pass
            else:
                with lock:
                    through[0] += 1
            gate.wait()  # the probe is out until everybody has asked
            if probe is not None:
                if through[0] != 1:
                    wrong.append(f"round {number}: {through[0]} probes")
                probe.succeeded()
            gate.wait()

    workers = [threading.Thread(target=run, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []
    assert breaker.status().state is State.CLOSED
