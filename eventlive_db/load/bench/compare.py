"""Several ways to do one thing, measured in turns, so that a noisy machine disturbs all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Timed:
    """What a contender did, timed by itself: another program's start is no part of it.

    Attributes:
        done: How often.
        seconds: In which time.
    """

    done: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do it.

    Args:
        name: As it stands in the table.
        work: Does it again and again until the time (of ``time.perf_counter``) has come, and says how often; or,
            where it takes the time itself, how often and in how many seconds.
        reset: Called before each turn, untimed: nobody pays for what the one before has left.
    """

    name: str
    work: Callable[[float], int | Timed]
    reset: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came out.

    Attributes:
        title: What was compared.
        unit: What is counted in a second.
        base: The contender that the others are measured against.
        rates: Of each contender, its rate in each round, per second.
        targets: Of some contenders, the ratio to the base that is wanted at least.
    """

    title: str
    unit: str
    base: str
    rates: Mapping[str, Sequence[float]]
    targets: Mapping[str, float] = field(default_factory=dict)

    def ratios(self, name: str) -> list[float]:
        """The rate of a contender over that of the base, round by round."""
        return [rate / base for rate, base in zip(self.rates[name], self.rates[self.base], strict=True)]

    def ratio(self, name: str) -> float:
        """The median of the ratios: what one bad moment of the machine does not move."""
        return statistics.median(self.ratios(name))

    def missed(self) -> list[str]:
        """The contenders that are below their target."""
        return [name for name, target in self.targets.items() if self.ratio(name) < target]


def compare(
    title: str,
    contenders: Sequence[Contender],
    *,
    unit: str,
    base: str,
    rounds: int,
    slice_s: float,
    targets: Mapping[str, float] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Let each contender work for a slice of time, in turns, and the first of a round be another one each time.

    Args:
        title: What is compared.
        contenders: The ways to do it.
        unit: What is counted in a second.
        base: The name of the one that the others are measured against.
        rounds: How many turns each has.
        slice_s: How long a turn is, in seconds.
        targets: By contender, the ratio to the base that is wanted at least.
        progress: Told what is going on.

    Raises:
        ValueError: The base or a target is no contender.
    """
    names = [contender.name for contender in contenders]
    unknown = {base, *(targets or {})} - set(names)
    if unknown:
        msg = f"no contender is called {sorted(unknown)[0]!r}: there are {', '.join(names)}"
        raise ValueError(msg)
    rates: dict[str, list[float]] = {name: [] for name in names}
    for contender in contenders:
        _turn(contender, slice_s / 4)  # caches fill, connections are made
    for turn in range(rounds):
        progress(f"{title}: round {turn + 1} of {rounds}")
        first = turn % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            rates[contender.name].append(_turn(contender, slice_s))
    return Comparison(title, unit, base, rates, dict(targets or {}))


def _turn(contender: Contender, slice_s: float) -> float:
    """The rate of one turn."""
    contender.reset()
    started = time.perf_counter()
    done = contender.work(started + slice_s)
    if isinstance(done, Timed):
        return done.done / done.seconds
    return done / (time.perf_counter() - started)


def repeat(action: Callable[[], object]) -> Callable[[float], int]:
    """The work of doing something again and again."""

    def work(until: float) -> int:
        done = 0
        while time.perf_counter() < until:
            action()
            done += 1
        return done

    return work
