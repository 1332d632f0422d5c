"""The results of a benchmark run, with what they were measured on."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from eventlive_db import __version__
from eventlive_db.load.bench.compare import Comparison


@dataclass(frozen=True, slots=True)
class Results:
    """All of a run.

    Attributes:
        comparisons: What was measured side by side.
        figures: Single figures, by name: value, unit.
        machine: What it ran on.
    """

    comparisons: Sequence[Comparison]
    figures: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)

    def missed(self) -> list[str]:
        """Every target that was missed, in words."""
        return [
            f"{comparison.title}: {name} has {comparison.ratio(name):.2f} of {comparison.base},"
            f" not {comparison.targets[name]:.2f}"
            for comparison in self.comparisons
            for name in comparison.missed()
        ]


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
    """For a file: ratios first, and every raw figure."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": dict(results.machine),
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
    }


def write_results(results: Results, path: Path) -> None:
    """Write them as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_json(results), indent=2) + "\n")
