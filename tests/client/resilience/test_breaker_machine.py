"""Any order of events, against the definition of the breaker written a second time."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventlive_db.client.errors import CircuitOpenError, UnavailableError
from eventlive_db.client.resilience import Permit, State
from tests.client.resilience.test_breaker import AWAY, make


class BreakerMachine(RuleBasedStateMachine):
    """Any order of calls, results, cancellations and time against the definition written a second time."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.clock = make(3)
        self.state = State.CLOSED
        self.failures = 0
        self.until = 0.0
        self.current: list[Permit] = []
        """Given in this state; for half open, the probe."""
        self.stale: list[Permit] = []

    def change(self, state: State) -> None:
        self.state = state
        self.stale += self.current
        self.current = []

    @rule()
    def ask(self) -> None:
        may = self.state is State.CLOSED or (not self.current and self.clock.now >= self.until)
        if not may:
            with pytest.raises(CircuitOpenError) as refused:
                self.breaker.permit()
            assert (refused.value.retry_after_s is None) == (self.state is State.HALF_OPEN)
            return
        permit = self.breaker.permit()
        if self.state is State.OPEN:
            self.change(State.HALF_OPEN)
        self.current.append(permit)

    @precondition(lambda self: self.current)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        self.take(data).succeeded()
        self.failures = 0
        if self.state is State.HALF_OPEN:
            self.change(State.CLOSED)

    @precondition(lambda self: self.current)
    @rule(data=st.data(), asked=st.none() | st.floats(0, 200))
    def fail(self, data: st.DataObject, asked: float | None) -> None:
        self.take(data).failed(UnavailableError(503, "unavailable", retry_after_s=asked))
        self.failures += 1
        if self.state is State.HALF_OPEN or self.failures >= 3:
            self.until = self.clock.now + max(60.0, asked or 0.0)
            self.change(State.OPEN)

    @precondition(lambda self: self.current)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        self.take(data).abandoned()

    @precondition(lambda self: self.stale)
    @rule(data=st.data(), how=st.sampled_from(["succeeded", "failed", "abandoned"]))
    def say_too_late(self, data: st.DataObject, how: str) -> None:
        permit = self.stale.pop(data.draw(st.integers(0, len(self.stale) - 1)))
        permit.failed(AWAY) if how == "failed" else getattr(permit, how)()

    @rule(seconds=st.floats(0, 90))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    def take(self, data: st.DataObject) -> Permit:
        return self.current.pop(data.draw(st.integers(0, len(self.current) - 1)))

    @invariant()
    def is_as_defined(self) -> None:
        assert self.breaker.status().state is self.state
        assert self.breaker.status().failures == self.failures
        assert self.state is not State.HALF_OPEN or len(self.current) <= 1
        assert self.state is not State.OPEN or not self.current


TestBreakerMachine = BreakerMachine.TestCase
