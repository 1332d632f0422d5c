"""The results of a benchmark run, with what they were measured on.

The file is one JSON object::

    {"at": "2026-01-01T00:00:00+00:00",
     "machine": {"cores": "2", ...},
     "marks": [as in results_parts],
     "comparisons": [{"title", "unit", "base",
                      "ratios": {contender: of the base, median of the rounds},
                      "targets": {contender: the ratio that is wanted at least},
                      "medians": {contender: rate}, "rates": {contender: [rate of each round]}}],
     "figures": {name: {"value", "unit"}},
     "plots": [as in results_parts],
     "skipped": {part: why},
     "notes": [what the figures do not say themselves]}

Marks and plots are those of :mod:`eventlive_db.load.results_parts`, as those of a scenario are.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from eventlive_db import __version__
from eventlive_db.load.bench.compare import Comparison
from eventlive_db.load.results_parts import Mark, Plot, missed


@dataclass(frozen=True, slots=True)
class Results:
    """All of a run.

    Attributes:
        comparisons: What was measured side by side.
        figures: Single figures, by name: value, unit.
        machine: What it ran on.
        marks: What had to be so.
        plots: What was measured over time.
        skipped: Parts that could not be measured, and why.
        notes: What the figures do not say themselves.
    """

    comparisons: Sequence[Comparison] = ()
    figures: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    marks: Sequence[Mark] = ()
    plots: Sequence[Plot] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def missed(self) -> list[str]:
        """Every target that was missed, in words."""
        ratios = [
            f"{comparison.title}: {name} has {comparison.ratio(name):.2f} of {comparison.base},"
            f" not {comparison.targets[name]:.2f}"
            for comparison in self.comparisons
            for name in comparison.missed()
        ]
        return ratios + missed(self.marks)


def merge(parts: Iterable[Results], machine: Mapping[str, str]) -> Results:
    """The results of several parts as those of one run."""
    found = list(parts)
    return Results(
        [comparison for part in found for comparison in part.comparisons],
        {name: figure for part in found for name, figure in part.figures.items()},
        machine,
        [mark for part in found for mark in part.marks],
        [plot for part in found for plot in part.plots],
        {name: why for part in found for name, why in part.skipped.items()},
        [note for part in found for note in part.notes],
    )


def machine_of(server_version: str) -> dict[str, str]:
    """What a figure depends on."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "psycopg": f"{psycopg.__version__} ({psycopg.pq.__impl__})",
        "postgres": server_version,
        "eventlive-db": __version__,
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def as_json(results: Results) -> dict[str, Any]:
    """For a file: what had to be so and ratios first, and every raw figure."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": dict(results.machine),
        "marks": [mark.as_json() for mark in results.marks],
        "comparisons": [
            {
                "title": comparison.title,
                "unit": comparison.unit,
                "base": comparison.base,
                "ratios": {name: round(comparison.ratio(name), 3) for name in comparison.rates},
                "targets": dict(comparison.targets),
                "medians": {name: round(statistics.median(rates), 1) for name, rates in comparison.rates.items()},
                "rates": {name: [round(rate, 1) for rate in rates] for name, rates in comparison.rates.items()},
            }
            for comparison in results.comparisons
        ],
        "figures": {name: {"value": value, "unit": unit} for name, (value, unit) in results.figures.items()},
        "plots": [plot.as_json() for plot in results.plots],
        "skipped": dict(results.skipped),
        "notes": list(results.notes),
    }


def write_results(results: Results, path: Path) -> None:
    """Write them as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_json(results), indent=2) + "\n")
