"""A mutation report for people, and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from eventlive_db.plans.mutate.model import OPERATORS, MutantReport, MutationReport, Verdict

_COLUMNS: tuple[Verdict, ...] = ("killed", "survived", "not_counted", "stillborn")
_TITLES = {
    "survived": "Survivors, which no budget rejects:",
    "stillborn": "Stillborn, which could not be tried:",
    "not_counted": "Not counted, which no budget could reject:",
}


def render(report: MutationReport) -> str:
    """A table with a line for each operator, then what was not killed, and why."""
    used = [name for name in OPERATORS if any(m.operator == name for m in report.mutants)]
    rows = [("", "faults", *(column.replace("_", " ") for column in _COLUMNS))]
    rows += [(name, *_counts([m for m in report.mutants if m.operator == name])) for name in used]
    rows.append(("together", *_counts(report.mutants)))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [f"Mutations of {report.suite} on Postgres {report.server_version}", ""]
    lines += [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    for verdict, title in _TITLES.items():
        found = [m for m in report.mutants if m.verdict == verdict]
        if found:
            lines += [
                "",
                title,
                *(line for m in found for line in (f"  {m.operator}: {m.name}", f"      {m.sentence}")),
            ]
    counted = len(report.of("killed")) + len(report.survivors)
    if not counted:
        return "\n".join([*lines, "", "Nothing was found that a budget could reject: the score is 0 %."])
    return "\n".join([*lines, "", f"Score: {_percent(report)} ({len(report.of('killed'))} of {counted} killed)"])


def _percent(report: MutationReport) -> str:
    """Never rounded up to 100."""
    return f"{int(report.score * 10) / 10:g} %"


def _counts(mutants: tuple[MutantReport, ...] | list[MutantReport]) -> tuple[str, ...]:
    counts = [sum(m.verdict == verdict for m in mutants) for verdict in _COLUMNS]
    return (str(len(mutants)), *(str(count) if count else "" for count in counts))


def to_dict(report: MutationReport) -> dict[str, Any]:
    """The report as JSON can hold it."""
    return {
        "suite": report.suite,
        "server_version": report.server_version,
        "score": report.score,
        "counts": {verdict: len(report.of(verdict)) for verdict in _COLUMNS},
        "mutants": [asdict(mutant) for mutant in report.mutants],
    }
