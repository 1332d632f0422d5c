"""The circuit breaker: after failures in a row nothing is sent for a while, then one call finds out."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType

from eventlive_db.client.errors import (
    CircuitOpenError,
    EventliveError,
    RateLimitedError,
    ServerError,
    UnavailableError,
)
from eventlive_db.client.resilience.backoff import usual_random

_LOG = logging.getLogger(__name__)


LONGEST_S = 900.0
"""However long a server asks for, a breaker is open for no longer, in seconds."""


class State(Enum):
    """What a breaker does with a call."""

    CLOSED = "closed"
    """Lets it through."""
    OPEN = "open"
    """Refuses it, until the time is over."""
    HALF_OPEN = "half_open"
    """Has let one through to find out, or is about to; refuses the others."""


@dataclass(frozen=True, slots=True)
class Status:
    """A breaker at one moment.

    Attributes:
        state: ``OPEN`` until the probe is under way, also when its time is over.
        failures: Failures in a row since the last answer.
        retry_after_s: How long nothing will be sent; ``None`` unless open.
    """

    state: State
    failures: int
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """A breaker went from one state to another.

    Attributes:
        number: Counts the changes: two threads may tell theirs in the other order.
        error: What it opened for.
        open_s: For how long it opened, in seconds.
    """

    number: int
    before: State
    after: State
    error: EventliveError | None = None
    open_s: float | None = None


def counts_as_failure(error: EventliveError) -> bool:
    """Whether an error speaks against the server.

    No answer, "not now" and a broken server (5xx) do, and so does 429. Any other refusal proves that it lives; so does
    an "unavailable" that a function of the contract raised itself, such as polling that is switched off: that says
    nothing about the other functions. A call that was never sent proves nothing, and counts as none.
    """
    if isinstance(error, UnavailableError):
        return not (error.sqlstate or "").startswith("PT")
    if isinstance(error, RateLimitedError):
        # From a gateway. One that a function raised is about one user, and must not shut out the others.
        return error.sqlstate is None
    return isinstance(error, ServerError)


class Permit:
    """Leave to send one call; say how it ended. The first word counts, the others are ignored.

    As a context manager it hears of it by itself; an exception that is not an :class:`EventliveError` is no judgement
    of the server. A permit that is dropped without a word is abandoned.
    """

    __slots__ = ("__weakref__", "_breaker", "_generation")

    def __init__(self, breaker: Breaker, generation: int) -> None:
        self._breaker = breaker
        self._generation: int | None = generation  # None once it has ended

    def succeeded(self) -> None:
        """There was an answer."""
        self._end(_Result.ANSWERED)

    def failed(self, error: EventliveError) -> None:
        """There was an error; see :func:`counts_as_failure`."""
        if isinstance(error, CircuitOpenError):
            self._end(_Result.UNKNOWN)
        else:
            self._end(_Result.FAILED if counts_as_failure(error) else _Result.ANSWERED, error)

    def abandoned(self) -> None:
        """The call was cancelled: nothing is known of the server, and another call may be the probe."""
        self._end(_Result.UNKNOWN)

    def _end(self, result: _Result, error: EventliveError | None = None) -> None:
        self._breaker._ended(self, result, error)

    def __enter__(self) -> Permit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.succeeded()
        elif isinstance(error, EventliveError):
            self.failed(error)
        else:
            self.abandoned()


class _Result(Enum):
    ANSWERED = 1
    FAILED = 2
    UNKNOWN = 3


class Breaker:
    """A circuit breaker that counts consecutive failures: a ratio never trips on a client that calls now and then.

    From any thread, and from asyncio: it never waits. In a lasting outage at most
    ``failures + c + floor(t / open_s)`` calls are sent in ``t`` seconds, where ``c`` is how many others were under way
    when it opened.

    Args:
        failures: So many failures in a row open it.
        open_s: So long nothing is sent, in seconds; longer where the server's Retry-After is.
        jitter: Open times vary from ``open_s`` up to this part more, so that processes do not probe in step.
        clock: Seconds that only go forward.
        random: Gives numbers from 0 up to 1.
        on_change: Told of each change of state, outside the lock; an exception of it is logged.

    Raises:
        ValueError: ``failures`` is below 1, ``open_s`` not above 0, or ``jitter`` negative.
    """

    def __init__(
        self,
        failures: int = 5,
        open_s: float = 60.0,
        jitter: float = 0.25,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = usual_random,
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        if not (failures >= 1 and open_s > 0 and jitter >= 0):
            msg = f"a breaker needs failures >= 1, open_s > 0, jitter >= 0, not {failures}, {open_s}, {jitter}"
            raise ValueError(msg)
        self._limit = failures
        self._open_s = open_s
        self._jitter = jitter
        self._clock = clock
        self._random = random
        self._on_change = on_change
        self._lock = threading.Lock()
        self._state = State.CLOSED
        # A result counts only in the generation its permit was given in: each change of state begins a new one.
        self._generation = 0
        self._failures = 0
        self._open_until = 0.0
        # Weak: a probe that was dropped without a word must not keep the breaker half open for ever.
        self._probe: weakref.ref[Permit] | None = None

    @property
    def state(self) -> State:
        """The state now."""
        return self._state

    def status(self) -> Status:
        """State, failures and time left, read together."""
        with self._lock:
            left = max(self._open_until - self._clock(), 0.0) if self._state is State.OPEN else None
            return Status(self._state, self._failures, left)

    def permit(self) -> Permit:
        """Leave to send one call.

        Raises:
            CircuitOpenError: Not now. ``retry_after_s`` says how long it is open; ``None`` while a probe is under way.
        """
        change = None
        with self._lock:
            if self._state is State.CLOSED:
                return Permit(self, self._generation)
            if self._state is State.OPEN:
                left = self._open_until - self._clock()
                if left > 0:
                    raise _open(left)
                change = self._go(State.HALF_OPEN)
            elif self._probe is not None and self._probe() is not None:
                raise _open(None)
            probe = Permit(self, self._generation)
            self._probe = weakref.ref(probe)
        self._tell(change)
        return probe

    def _ended(self, permit: Permit, result: _Result, error: EventliveError | None) -> None:
        change = None
        with self._lock:
            generation, permit._generation = permit._generation, None
            if generation != self._generation:
                return
            self._probe = None
            if result is _Result.FAILED:
                self._failures += 1
                if self._state is State.HALF_OPEN or self._failures >= self._limit:
                    change = self._open(error)
            elif result is _Result.ANSWERED:
                self._failures = 0
                if self._state is State.HALF_OPEN:
                    change = self._go(State.CLOSED)
        self._tell(change)

    def _open(self, error: EventliveError | None) -> Change:
        asked = min((error.retry_after_s if error else None) or 0.0, LONGEST_S)
        open_s = max(self._open_s, asked) + self._random() * self._jitter * self._open_s
        self._open_until = self._clock() + open_s
        return self._go(State.OPEN, error, open_s)

    def _go(self, after: State, error: EventliveError | None = None, open_s: float | None = None) -> Change:
        before, self._state = self._state, after
        self._generation += 1
        return Change(self._generation, before, after, error, open_s)

    def _tell(self, change: Change | None) -> None:
        if change is None or self._on_change is None:
            return
        try:
            self._on_change(change)
        except Exception:
            _LOG.exception("on_change of a breaker failed")


def _open(left_s: float | None) -> CircuitOpenError:
    return CircuitOpenError(
        503,
        "circuit_open",
        {},
        "Not sent: calls failed in a row",
        "Wait until it is tried again." if left_s is None else f"It is tried again in {left_s:.0f} s.",
        retry_after_s=left_s,
    )
