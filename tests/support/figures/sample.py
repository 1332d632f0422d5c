"""Small results files, made up, to try the blocks with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.load.report_sample import audience, hour_without_plots
from tests.support.figures.blocks import MOST_WANTED
from tests.support.figures.results import ELSEWHERE, FOLDER

MACHINE = {"processor": "Example CPU", "cores": "2", "system": "Linux 6.1", "postgres": "18.6 (embedded)"}
AT = "2026-01-02T03:04:05+00:00"

DEMO = """function                   calls  refused  p50 ms  p95 ms
webinar_presence_ping       1638      109     0.9     4.3
refused: 109 x webinar_presence_ping: not_registered
promise                                 measured
registrations created by pings          0
statements per ping                     1.00
WAL per ping                            75 bytes (throttled: 0)
HOT ratio of presence updates           100.00%
watch time credited                     4321.8 s
All promises held.
"""


def comparison(
    title: str, rates: Mapping[str, Sequence[float]], targets: Mapping[str, float], unit: str = "pings/s"
) -> dict[str, Any]:
    """What a benchmark's file has of a comparison; the first contender is the base."""
    base = next(iter(rates))
    ratios = {name: [rate / of for rate, of in zip(mine, rates[base], strict=True)] for name, mine in rates.items()}
    return {
        "title": title,
        "unit": unit,
        "base": base,
        "ratios": {name: round(sorted(found)[len(found) // 2], 3) for name, found in ratios.items()},
        "targets": dict(targets),
        "medians": {name: sorted(found)[len(found) // 2] for name, found in rates.items()},
        "rates": {name: list(found) for name, found in rates.items()},
    }


def benchmark(*comparisons: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A benchmark's file."""
    return {
        "at": AT,
        "machine": {**MACHINE, "data in": "tmpfs"},
        "marks": [],
        "comparisons": list(comparisons),
        "figures": {},
        "plots": [],
        "skipped": {},
        "notes": [],
        **changes,
    }


def mark(name: str, found: str, *, passed: bool = True) -> dict[str, Any]:
    """Something that had to be so."""
    return {"name": name, "wanted": "at most 4", "found": found, "passed": passed, "source": "measured", "note": None}


def wanted(clients: int, rate: float) -> list[dict[str, Any]]:
    """Comparisons of which the README tells."""
    return [
        comparison(
            f"{family}, {clients} clients; told", {"base": [1000, 1010, 990], "ping": [rate] * 3}, {"ping": 0.95}
        )
        for family in MOST_WANTED
    ]


def files() -> dict[str, Any]:
    """A results file of each kind, by name."""
    long = [mark("Pages that a ping touches", "3.7 more"), mark("Dead rows", "12", passed=False)]
    return {
        "demo.txt": DEMO,
        "bench.json": benchmark(
            *wanted(1, 961),
            *wanted(4, 973),
            marks=[mark(f"What contender {number} writes", "1.00 updated") for number in range(12)],
            notes=["A ping commits asynchronously."],
            skipped={"redis": "redis-server is not on PATH"},
        ),
        "bench-long.json": benchmark(marks=long, figures={"growth: log of a ping": {"value": 190.4, "unit": "bytes"}}),
        "s1-hour.json": [hour_without_plots()],
        "s1-hour.html": "<!doctype html>",
        "s2.json": [audience(1_000), audience(10_000, passed=False)],
        "costs.json": {
            "at": "2026-01-02",
            "machine": MACHINE,
            "calls": {"webinar_enter": {"requests": 1, "statements": 9, "wal_bytes": 1725, "milliseconds": 1.197}},
            "incumbent": {"ping": {"requests": 5, "statements": 5, "wal_bytes": 1299, "milliseconds": 5.174}},
        },
    }


def write(root: Path, results: Mapping[str, Any]) -> None:
    """Put results files where a project has them."""
    for name, found in results.items():
        path = root / ELSEWHERE.get(name, FOLDER / name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found if isinstance(found, str) else json.dumps(found), encoding="utf-8")
