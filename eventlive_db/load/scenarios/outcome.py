"""What came of a scenario: its results file, which the report draws.

The file is one JSON object, or for a scenario at several sizes a list of them::

    {"format": 1, "scenario": "s1", "title", "at": when it began, "summary",
     "machine": {name: value}, "options": {name: value}, "settings": {key: value, of those that were changed},
     "duration_s",
     "marks": [{"name", "wanted", "found", "passed", "source": "measured" or "sampled" or "computed", "note"}],
     "calls": [{"function", "via", "calls", "errors": {token: number}, "p50_ms", "p95_ms", "p99_ms", "max_ms"}],
     "plots": [{"title", "unit", "log", "limit", "t": [seconds], "lines": [{"name", "values": [one for each t]}]}],
     "events": [{"t": seconds, "text"}],
     "statements": [{"query", "calls", "rows", "mean_ms", "wal_bytes", "blocks"}],
     "notes": [text]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = 1
MEASURED, SAMPLED, COMPUTED = "measured", "sampled", "computed"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that has to be so.

    Attributes:
        name: What was looked at.
        wanted: What it has to be, in words.
        found: What it is, in words.
        passed: Whether that will do.
        source: ``measured``; ``sampled``, of a part of the audience and multiplied; or ``computed``.
        note: What else there is to say.
    """

    name: str
    wanted: str
    found: str
    passed: bool
    source: str = MEASURED
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """Something over time.

    Attributes:
        title: What it shows.
        unit: Of the values.
        t: Seconds since the beginning.
        lines: By name, a value for each of them; None where there is none.
        limit: What the values should stay below, where there is such a thing.
        log: Whether the values are better seen on a logarithmic scale.
    """

    title: str
    unit: str
    t: Sequence[float]
    lines: Mapping[str, Sequence[float | None]]
    limit: float | None = None
    log: bool = False


@dataclass(slots=True)
class Outcome:
    """All of it; the names are those of the file."""

    scenario: str
    title: str
    at: str
    summary: str = ""
    machine: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    duration_s: float = 0.0
    marks: list[Mark] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    statements: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every mark was passed, and there was one."""
        return bool(self.marks) and all(mark.passed for mark in self.marks)

    def failed(self) -> list[str]:
        """The marks that were not, in words."""
        return [f"{mark.name}: {mark.found}, not {mark.wanted}" for mark in self.marks if not mark.passed]

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        found = {"format": FORMAT, **asdict(self)}
        found["plots"] = [
            {
                "title": plot.title,
                "unit": plot.unit,
                "log": plot.log,
                "limit": plot.limit,
                "t": [round(at, 3) for at in plot.t],
                "lines": [
                    {"name": name, "values": [None if value is None else round(value, 4) for value in values]}
                    for name, values in plot.lines.items()
                ],
            }
            for plot in self.plots
        ]
        found["events"] = [{"t": round(at, 3), "text": text} for at, text in self.events]
        return found
