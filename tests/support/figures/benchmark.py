"""What the results file of a benchmark says; its form is told in ``eventlive_db/load/bench/results.py``."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.figures.markdown import bullets, folded, mark_cells, measured_on, paragraphs, table, verdict

_MANY = 10
"""Rows from which on a table of what had to be so is folded."""


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio that is wanted, over all of the comparisons that differ in circumstances alone.

    Attributes:
        family: What is compared: the title up to its first comma.
        contender: Whose ratio it is.
        base: What it is a ratio to.
        wanted: The ratio that is wanted at least.
        ratios: Those that were found.
    """

    family: str
    contender: str
    base: str
    wanted: float
    ratios: Sequence[float]

    def row(self) -> list[str]:
        """Of a table: what, found, wanted, verdict."""
        least, most = f"{min(self.ratios):.2f}", f"{max(self.ratios):.2f}"
        missed = sum(ratio < self.wanted for ratio in self.ratios)
        said = verdict(passed=not missed)
        if 0 < missed < len(self.ratios):
            said += f" in {missed} of {len(self.ratios)}"
        found = least if least == most else f"{least} to {most}"
        return [f"{self.family}: {self.contender}", f"{found} of {self.base}", f"at least {self.wanted:.2f}", said]


def targets(found: Mapping[str, Any]) -> list[Target]:
    """Every target of a results file, those of one family together."""
    ratios: dict[tuple[str, str, str, float], list[float]] = {}
    for comparison in found["comparisons"]:
        for contender, wanted in comparison["targets"].items():
            family = comparison["title"].partition(",")[0]
            key = family, contender, comparison["base"], wanted
            ratios.setdefault(key, []).append(_ratio(comparison, contender))
    return [Target(*key, values) for key, values in ratios.items()]


def _ratio(comparison: Mapping[str, Any], contender: str) -> float:
    """As the run itself judged it: the file has it rounded, which may turn a miss into a hit."""
    rates: Sequence[float]
    base: Sequence[float]
    rates, base = comparison["rates"][contender], comparison["rates"][comparison["base"]]
    return statistics.median(rate / of for rate, of in zip(rates, base, strict=True))


def show_benchmark(found: Mapping[str, Any]) -> str:
    """What was wanted, then every comparison, then single figures."""
    wanted = [target.row() for target in targets(found)]
    return paragraphs(
        measured_on(found["machine"], found["at"]),
        table(["target", "found", "wanted", ""], wanted) if wanted else "",
        _marks(found["marks"]),
        _folded("Every comparison: ratios, and median rates", list(_comparisons(found["comparisons"]))),
        _folded("Single figures", [_figures(found["figures"])] if found["figures"] else []),
        bullets([*found["notes"], *(f"{part} was left out: {why}" for part, why in found["skipped"].items())]),
    )


def _marks(marks: Sequence[Mapping[str, Any]]) -> str:
    """Those that were missed are always in sight."""
    if len(marks) <= _MANY:
        return _mark_table(marks)
    missed = [mark for mark in marks if not mark["passed"]]
    return paragraphs(_mark_table(missed), folded("What had to be so for this to be a comparison", _mark_table(marks)))


def _mark_table(marks: Sequence[Mapping[str, Any]]) -> str:
    rows = [[mark["name"], *mark_cells(mark)] for mark in marks]
    return table(["what had to be so", "found", "wanted", ""], rows) if rows else ""


def _comparisons(comparisons: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for comparison in comparisons:
        rows = []
        for name, ratio in comparison["ratios"].items():
            target = comparison["targets"].get(name)
            said = ["", ""]
            if target is not None:
                said = [f"{target:.2f}", verdict(passed=_ratio(comparison, name) >= target)]
            rows.append([name, f"{ratio:.2f}", f"{comparison['medians'][name]:,.0f}", *said])
        head = ["", f"of {comparison['base']}", comparison["unit"], "wanted", ""]
        yield f"**{comparison['title']}**\n\n{table(head, rows)}"


def _figures(figures: Mapping[str, Mapping[str, Any]]) -> str:
    return table(["figure", ""], [[name, f"{one['value']:,} {one['unit']}"] for name, one in figures.items()])


def _folded(summary: str, parts: Sequence[str]) -> str:
    return folded(summary, paragraphs(*parts)) if parts else ""
