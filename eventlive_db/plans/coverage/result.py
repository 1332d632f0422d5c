"""What a test suite covers: plain values, and how they read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spot:
    """One SQL statement of a function.

    Attributes:
        function: With its argument types, such as ``app.take_job(uuid)``.
        body_line: Line of the body, the line of the opening quote being 1; 0 where it is not known.
        text: The statement in single spaces.
        file: Where it is written; empty where no source was given.
        line: Of that file; 0 without one.
    """

    function: str
    body_line: int
    text: str
    file: str = ""
    line: int = 0

    @property
    def where(self) -> str:
        """``file:line``, or the function and the line of its body."""
        if self.file:
            return f"{self.file}:{self.line}"
        return f"{self.function} line {self.body_line}" if self.body_line else self.function


@dataclass(frozen=True, slots=True)
class Unjudged:
    """What is neither counted as covered nor as uncovered.

    Attributes:
        spot: The statement; without a text, all of the function.
        reason: Why not.
    """

    spot: Spot
    reason: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """SQL statements of functions, and which of them ran.

    Attributes:
        covered: Those that ran.
        uncovered: Those that did not.
        unjudged: Those of which the log cannot tell.
    """

    covered: tuple[Spot, ...]
    uncovered: tuple[Spot, ...]
    unjudged: tuple[Unjudged, ...] = ()

    @property
    def total(self) -> int:
        """How many statements were judged."""
        return len(self.covered) + len(self.uncovered)

    @property
    def percent(self) -> float:
        """Share of the judged statements that ran, 0 to 100; 100 where there is none."""
        return 100 * len(self.covered) / self.total if self.total else 100.0

    @property
    def functions(self) -> dict[str, tuple[int, int]]:
        """For each judged function, how many of its statements ran, and how many it has."""
        counts: dict[str, tuple[int, int]] = {}
        for spots, ran in ((self.covered, 1), (self.uncovered, 0)):
            for spot in spots:
                covered, total = counts.get(spot.function, (0, 0))
                counts[spot.function] = covered + ran, total + 1
        return dict(sorted(counts.items()))

    def to_dict(self) -> dict[str, Any]:
        """The same for a program to read."""
        return {
            "percent": round(self.percent, 2),
            "covered": len(self.covered),
            "total": self.total,
            "uncovered": [asdict(spot) for spot in self.uncovered],
            "unjudged": [{**asdict(entry.spot), "reason": entry.reason} for entry in self.unjudged],
            "functions": {name: {"covered": c, "total": t} for name, (c, t) in self.functions.items()},
        }


def render(coverage: Coverage, *, all_functions: bool = False) -> str:
    """A report to read, without a newline at the end.

    Args:
        coverage: What was found.
        all_functions: List the functions that are covered in full, and what is not judged, too.
    """
    return "\n".join(_lines(coverage, all_functions)).lstrip("\n")


def _lines(coverage: Coverage, all_functions: bool) -> Iterator[str]:
    shown = [(name, c, t) for name, (c, t) in coverage.functions.items() if all_functions or c < t]
    width = max((len(name) for name, _, _ in shown), default=0)
    for name, covered, total in shown:
        yield f"{name:<{width}}  {covered:>4} of {total:<4} {100 * covered / total:>6.1f} %"
    if coverage.uncovered:
        yield from ("", "Not covered:")
        yield from (f"  {spot.where}  {_short(spot.text)}" for spot in coverage.uncovered)
    if coverage.unjudged:
        yield ""
        if all_functions:
            yield "Not judged:"
            for entry in coverage.unjudged:
                text = f"  {_short(entry.spot.text)}" if entry.spot.text else f"  {entry.spot.function}"
                yield f"  {entry.spot.where}{text}: {entry.reason}"
        else:
            reasons = dict.fromkeys(entry.reason for entry in coverage.unjudged)
            for reason in reasons:
                count = sum(entry.reason == reason for entry in coverage.unjudged)
                yield f"Not judged: {count} ({reason})"
    yield ""
    yield f"{len(coverage.covered)} of {coverage.total} SQL statements in functions ran: {coverage.percent:.1f} %"


def _short(text: str, width: int = 90) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
