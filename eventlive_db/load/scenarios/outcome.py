"""What came of a scenario: its results file, which the report draws.

The file is one JSON object, or for a scenario at several sizes a list of them::

    {"format": 1, "scenario": "s1", "title", "at": when it began, "summary",
     "machine": {name: value}, "options": {name: value}, "settings": {key: value, of those that were changed},
     "duration_s",
     "marks": [as in results_parts],
     "calls": [{"function", "via", "calls", "errors": {token: number}, "p50_ms", "p95_ms", "p99_ms", "max_ms"}],
     "plots": [as in results_parts],
     "events": [{"t": seconds, "text"}],
     "statements": [{"query", "calls", "rows", "mean_ms", "wal_bytes", "blocks"}],
     "notes": [text]}

Marks and plots are those of :mod:`eventlive_db.load.results_parts`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from eventlive_db.load.results_parts import Mark, Plot, events_as_json, missed

FORMAT = 1


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
        return missed(self.marks)

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        return {
            "format": FORMAT,
            **asdict(self),
            "marks": [mark.as_json() for mark in self.marks],
            "plots": [plot.as_json() for plot in self.plots],
            "events": events_as_json(self.events),
        }
