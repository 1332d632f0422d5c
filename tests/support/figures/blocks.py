"""What the regions of the documents can hold, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.support.figures.benchmark import show_benchmark, targets
from tests.support.figures.markdown import mark_cells, measured_on, paragraphs, table, wrapped
from tests.support.figures.results import FOLDER, Results
from tests.support.figures.scenarios import show_scenario

TITLES = {
    "bench.json": "Side by side: `make bench`",
    "bench-disk.json": "The same on a disk",
    "bench-long.json": "Growth, a held snapshot, a million viewers: `make bench-long`",
    "bench-jobs.json": "Heartbeats beside each job: `make bench`",
    "year.json": "A year's visit log rotated: `make year`",
}
"""What each file of the benchmark is."""

MOST_WANTED = (
    "Ping in PostgREST's transaction",
    "Batches: Ping in PostgREST's transaction",
    "A ping in both designs",
    "An entry in both designs",
    "A heartbeat in both designs",
)
"""The targets that the README names, by family."""

MACHINE = ("processor", "cores", "system", "postgres", "data in")
"""What the README says of the machine."""

PROMISES = 4
"""Lines of promises that the README shows of the demonstration."""


def benchmarks(results: Results, files: Sequence[str]) -> str:
    """A section with a part for each file of the benchmark that is there."""
    found = {name: results.read(name) for name in files}
    return _section([f"### {TITLES[name]}\n\n{show_benchmark(one)}" for name, one in found.items() if one is not None])


def scenarios(results: Results, files: Sequence[str]) -> str:
    """A section with a part for each run of a scenario, and a link to the page of those that have one."""
    parts = []
    for name in files:
        page = name.replace(".json", ".html")
        link = f"[The page of this run]({FOLDER.name}/{page})" if results.text(page) else ""
        for outcome in results.read(name) or []:
            speed = outcome["options"].get("speed", 1)
            title = outcome["title"] + (f", at speed {speed:g}" if speed != 1 else "")
            parts.append(paragraphs(f"### {title}", show_scenario(outcome), link))
    return _section(parts)


def costs(results: Results, files: Sequence[str]) -> str:
    """The most wanted figures, of a benchmark and of a scenario.

    Raises:
        ValueError: The benchmark has none of one of the targets.
    """
    benchmark, scenario = (results.read(name) for name in files)
    rows: list[list[str]] = []
    lines = []
    if benchmark is not None:
        found = targets(benchmark)
        for family in MOST_WANTED:
            mine = [target.row() for target in found if target.family == family]
            if not mine:
                msg = f"{files[0]} has no target of {family!r}: {', '.join(target.family for target in found)}"
                raise ValueError(msg)
            rows += mine
        lines.append(measured_on(benchmark["machine"], benchmark["at"], MACHINE))
    for outcome in scenario or []:
        rows += [
            [f"{outcome['scenario'].upper()}: {mark['name']}", *mark_cells(mark)]
            for mark in outcome["marks"]
            if mark["name"].endswith("percentile") or mark["name"].startswith(("requests", "errors"))
        ]
        lines += [wrapped(outcome["summary"]), measured_on(outcome["machine"], outcome["at"], MACHINE)]
    return paragraphs(table(["", "found", "wanted", ""], rows), *lines) if rows else ""


def call_costs(results: Results, files: Sequence[str]) -> str:
    """What ``eventlive-db capacity`` multiplies: the costs of each call."""
    [name] = files
    found = results.read(name)
    if found is None:
        return ""
    rows = [
        [label, cost["requests"], cost["statements"], f"{cost['wal_bytes']:,}", f"{cost['milliseconds']:.2f}"]
        for label, cost in _labelled(found)
    ]
    head = ["", "requests", "statements", "bytes of WAL", "ms"]
    return paragraphs(table(head, rows), measured_on(found["machine"], found["at"]))


def _labelled(found: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    ours = [(f"`{name}`", cost) for name, cost in found["calls"].items()]
    return ours + [(f"{name} of the design replaced", cost) for name, cost in found["incumbent"].items()]


def demo(results: Results, files: Sequence[str]) -> str:
    """The end of what ``make demo`` prints, without all that is the same each time."""
    [name] = files
    lines = [line.rstrip() for line in (results.text(name) or "").splitlines()]
    if not lines:
        return ""
    refused = [line for line in lines if line.startswith("refused: ")]
    begin = next(number for number, line in enumerate(lines) if line.startswith("promise "))
    shown = [*refused, *lines[begin : begin + 1 + PROMISES], "...", lines[-1]]
    return "\n".join(["```text", *shown, "```"])


def _section(parts: Sequence[str]) -> str:
    return paragraphs("## Results", *parts) if parts else ""


BLOCKS: Mapping[str, Callable[[Results, Sequence[str]], str]] = {
    "benchmarks": benchmarks,
    "scenarios": scenarios,
    "costs": costs,
    "call-costs": call_costs,
    "demo": demo,
}
"""Every block."""
