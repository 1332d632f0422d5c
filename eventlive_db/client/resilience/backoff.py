"""How long to wait before the next try, and how many tries there may be."""

from __future__ import annotations

import math
import random as chance
import threading
from collections.abc import Callable
from dataclasses import dataclass

_NO_MORE_DOUBLING = 64


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that grow exponentially, with full jitter: anything from nothing to the bound, each as likely.

    Args:
        base_s: The bound of the first delay, in seconds; each further one's is twice as large.
        cap_s: No bound is larger, in seconds.

    Raises:
        ValueError: ``base_s`` is not above zero, or ``cap_s`` below it.
    """

    base_s: float = 0.25
    cap_s: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.base_s <= self.cap_s < math.inf:
            msg = f"a backoff needs 0 < base_s <= cap_s, not base_s={self.base_s} and cap_s={self.cap_s}"
            raise ValueError(msg)

    def bound_s(self, failures: int) -> float:
        """The longest delay after so many failures, in seconds, where the server said nothing."""
        return min(self.cap_s, self.base_s * 2.0 ** min(max(failures, 1) - 1, _NO_MORE_DOUBLING))

    def delay_s(self, failures: int, random: Callable[[], float], retry_after_s: float | None = None) -> float:
        """How long to wait, in seconds.

        Args:
            failures: How many tries failed, the first is 1.
            random: Gives numbers from 0 up to 1.
            retry_after_s: What the server asked for; the delay is never shorter, and the jitter comes on top.
        """
        return max(retry_after_s or 0.0, 0.0) + random() * self.bound_s(failures)


class RetryBudget:
    """A bucket of tokens: each call puts in a part of one, each retry takes one out.

    After ``n`` calls there were at most ``reserve + ratio * n`` retries, whatever failed. Shared by all calls of a
    process, from any thread.

    Args:
        ratio: Retries for each call, such as 0.1.
        reserve: What the bucket holds at the start and at most: retries that a quiet client may make.

    Raises:
        ValueError: ``ratio`` or ``reserve`` is negative.
    """

    __slots__ = ("_lock", "_tokens", "ratio", "reserve")

    def __init__(self, ratio: float = 0.1, reserve: float = 10.0) -> None:
        if not (ratio >= 0 and reserve >= 0):
            msg = f"a retry budget needs ratio >= 0 and reserve >= 0, not {ratio} and {reserve}"
            raise ValueError(msg)
        self.ratio = ratio
        self.reserve = reserve
        self._tokens = reserve
        self._lock = threading.Lock()

    @property
    def tokens(self) -> float:
        """How many retries there may be now."""
        return self._tokens

    def called(self) -> None:
        """A call was made, not counting its retries."""
        with self._lock:
            self._tokens = min(self.reserve, self._tokens + self.ratio)

    def take(self) -> bool:
        """Take a token for a retry; false where there is none."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


def usual_random() -> float:
    """A number from 0 up to 1; for spreading load, not for secrets."""
    return chance.random()  # noqa: S311
