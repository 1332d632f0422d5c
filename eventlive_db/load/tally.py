"""What the calls of a run came to: how many, how fast, and with which errors."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from eventlive_db.load.percentiles import percentile


@dataclass(frozen=True, slots=True)
class CallSummary:
    """The calls of one function.

    Attributes:
        function: Its name.
        calls: How many were made, refused ones included.
        refused: How many were refused with one of the contract's errors.
        p50_ms: Median time of a call, from sending to the reply, in milliseconds.
        p95_ms: The time within which 95 % of the calls were answered, in milliseconds.
    """

    function: str
    calls: int
    refused: int
    p50_ms: float
    p95_ms: float


class Tally:
    """Collects calls as they are made."""

    def __init__(self) -> None:
        self._durations_s: defaultdict[str, list[float]] = defaultdict(list)
        self._refused: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.failures: Counter[str] = Counter()

    def record(self, function: str, duration_s: float, token: str | None = None) -> None:
        """Count a call; ``token`` where it was refused."""
        self._durations_s[function].append(duration_s)
        if token:
            self._refused[function] += 1
            self.errors[function, token] += 1

    def record_failure(self, function: str, error: Exception) -> None:
        """Count a call that broke in a way that the contract does not know."""
        self.failures[f"{function}: {type(error).__name__}: {error}".splitlines()[0]] += 1

    @property
    def calls(self) -> int:
        """Calls made so far."""
        return sum(map(len, self._durations_s.values()))

    def count(self, function: str) -> int:
        """Calls of one function so far."""
        return len(self._durations_s.get(function, ()))

    def summary(self) -> list[CallSummary]:
        """One line for each function, by name."""
        return [
            CallSummary(
                function=function,
                calls=len(durations),
                refused=self._refused[function],
                p50_ms=1000 * (percentile(durations, 50) or 0.0),
                p95_ms=1000 * (percentile(durations, 95) or 0.0),
            )
            for function, durations in sorted(self._durations_s.items())
        ]
