"""One call and its retries: the breaker, the backoff and the budget together."""

from __future__ import annotations

import time
from collections.abc import Callable

from eventlive_db.client.errors import CircuitOpenError, EventliveError, RateLimitedError
from eventlive_db.client.resilience.backoff import Backoff, RetryBudget, usual_random
from eventlive_db.client.resilience.breaker import Breaker, Permit


class Resilience:
    """What the calls to one server have in common. From any thread, and from asyncio.

    Of ``n`` calls at most ``n + reserve + ratio * n`` are sent, and in an outage no more than the breaker lets
    through. A client makes a call so::

        attempts = resilience.start(call.repeatable)
        while True:
            try:
                reply = send(call)
            except EventliveError as error:
                if (delay_s := attempts.failed(error)) is None:
                    raise
                sleep(delay_s)
                attempts.again()
            except BaseException:
                attempts.abandoned()
                raise
            else:
                attempts.succeeded()
                return reply

    Args:
        breaker: Opens after failures in a row; ``None`` for none.
        backoff: How long to wait between tries.
        budget: How many retries there may be, of all calls together.
        max_attempts: How often one call is sent at most.
        max_elapsed_s: No try begins later than this after the first one, in seconds.
        clock: Seconds that only go forward.
        random: Gives numbers from 0 up to 1.

    Raises:
        ValueError: ``max_attempts`` is below 1, or ``max_elapsed_s`` negative.
    """

    __slots__ = ("backoff", "breaker", "budget", "clock", "max_attempts", "max_elapsed_s", "random")

    def __init__(
        self,
        breaker: Breaker | None = None,
        backoff: Backoff | None = None,
        budget: RetryBudget | None = None,
        *,
        max_attempts: int = 3,
        max_elapsed_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = usual_random,
    ) -> None:
        if not (max_attempts >= 1 and max_elapsed_s >= 0):
            msg = f"needs max_attempts >= 1 and max_elapsed_s >= 0, not {max_attempts} and {max_elapsed_s}"
            raise ValueError(msg)
        self.breaker = breaker
        self.backoff = backoff or Backoff()
        self.budget = budget or RetryBudget()
        self.max_attempts = max_attempts
        self.max_elapsed_s = max_elapsed_s
        self.clock = clock
        self.random = random

    def start(self, repeatable: bool) -> Attempts:
        """Begin a call.

        Args:
            repeatable: Whether it may be sent again though the first one may have taken effect. A call that is not is
                never retried: what must go on, such as a heartbeat, has a next one anyway.

        Raises:
            CircuitOpenError: The breaker is open; do not send.
        """
        attempts = Attempts(self, repeatable)
        attempts.again()
        self.budget.called()
        return attempts


def usual() -> Resilience:
    """What a client has unless it is given another one: three tries, and a breaker after five failures for a minute."""
    return Resilience(Breaker())


class Attempts:
    """The tries of one call. Each ends with one of :meth:`succeeded`, :meth:`failed` and :meth:`abandoned`."""

    __slots__ = ("_number", "_permit", "_repeatable", "_resilience", "_started")

    def __init__(self, resilience: Resilience, repeatable: bool) -> None:
        self._resilience = resilience
        self._repeatable = repeatable
        self._started = resilience.clock()
        self._number = 0
        self._permit: Permit | None = None

    @property
    def number(self) -> int:
        """How often the call was sent, this time included."""
        return self._number

    def again(self) -> None:
        """Begin the next try, once the delay is over; :meth:`Resilience.start` has begun the first.

        Raises:
            CircuitOpenError: The breaker has opened since; give up.
        """
        if self._resilience.breaker is not None:
            self._permit = self._resilience.breaker.permit()
        self._number += 1

    def failed(self, error: EventliveError) -> float | None:
        """This try failed.

        Returns:
            How long to wait before :meth:`again`, in seconds; ``None`` to raise the error: a retry cannot help, or not
            in time, or there were enough of them.
        """
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.failed(error)
        ours = self._resilience
        if not (error.retry and self._repeatable) or isinstance(error, CircuitOpenError):
            return None
        if isinstance(error, RateLimitedError) and error.sqlstate is not None:
            return None  # of one user: whoever calls has to hear of it, not wait
        if self._number >= ours.max_attempts:
            return None
        delay_s = ours.backoff.delay_s(self._number, ours.random, error.retry_after_s)
        if ours.clock() - self._started + delay_s > ours.max_elapsed_s:
            return None
        return delay_s if ours.budget.take() else None

    def succeeded(self) -> None:
        """This try was answered."""
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.succeeded()

    def abandoned(self) -> None:
        """This try was cancelled, or broke without being an answer of the server."""
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.abandoned()
