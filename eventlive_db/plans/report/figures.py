"""The figures of a case as a table shows them: short texts, over all sizes and plan modes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from eventlive_db.plans.model import LOCK_STRENGTH, Measurement, Run
from eventlive_db.plans.report.text import one_line, plural
from eventlive_db.plans.verdict import CaseReport, Report

NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Figures:
    """One case in short texts; ``-`` where nothing was measured or there is nothing to name.

    Attributes:
        statements: That touch tables; one figure where it is the same at each size, else one for each.
        buffers: At each size, smallest first.
        rows_read: As statements.
        wal_records: As statements.
        wal_bytes: As statements.
        seq_scans: Tables that are read from end to end.
        locks: Stronger than AccessShare, strongest first.
        aborted: Subtransactions that were rolled back.
        hot: Lowest share of HOT updates of a table.
        verdict: ``ok`` or ``FAIL``.
    """

    statements: str
    buffers: str
    rows_read: str
    wal_records: str
    wal_bytes: str
    seq_scans: str
    locks: str
    aborted: str
    hot: str
    verdict: str


def figures(case: CaseReport, names: Mapping[str, str]) -> Figures:
    """Read a case; of the two plan modes the dearer one counts.

    Args:
        case: The case.
        names: Short names of tables, of :func:`short_names`.
    """
    runs = [run for m in case.measurements for run in m.runs.values()]
    scanned = dict.fromkeys(r for run in runs for s in run.statements for r in s.sequential_scans)
    return Figures(
        statements=_at_sizes(case, lambda run: len(run.table_statements)),
        buffers=_at_sizes(case, lambda run: run.buffers, always_each=True),
        rows_read=_at_sizes(case, lambda run: run.rows_read),
        wal_records=_at_sizes(case, lambda run: run.wal_records),
        wal_bytes=_at_sizes(case, lambda run: run.wal_bytes),
        seq_scans=", ".join(names.get(r, one_line(r)) for r in scanned) or NOTHING,
        locks=locks_line(strongest(run.locks for run in runs), names) or NOTHING,
        aborted=_at_sizes(case, lambda run: len(run.aborted)),
        hot=_hot(case.measurements),
        verdict="ok" if case.passed else "FAIL",
    )


def _at_sizes(case: CaseReport, figure: Callable[[Run], int], *, always_each: bool = False) -> str:
    values = [max(figure(run) for run in m.runs.values()) for m in case.measurements if m.runs]
    if not values:
        return NOTHING
    if len(set(values)) == 1 and not always_each:
        return str(values[0])
    return " / ".join(map(str, values))


def _hot(measurements: Iterable[Measurement]) -> str:
    ratios = [u.ratio for m in measurements for u in m.updates.values() if u.total]
    return f"{percent(min(ratios))} %" if ratios else NOTHING


def percent(ratio: float) -> str:
    """``99.95`` for 0.9995; only 1 itself is ``100``."""
    return f"{int(ratio * 10_000) / 100:g}"


def strongest(several: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The strongest lock of each table over several runs."""
    found: dict[str, str] = {}
    for locks in several:
        for relation, mode in locks.items():
            if relation not in found or strength(mode) > strength(found[relation]):
                found[relation] = mode
    return found


def strength(mode: str) -> int:
    """Rank of a lock mode, the weakest 0; an unknown one counts as the strongest."""
    return LOCK_STRENGTH.index(mode) if mode in LOCK_STRENGTH else len(LOCK_STRENGTH)


def locks_line(locks: Mapping[str, str], names: Mapping[str, str]) -> str:
    """``RowExclusive a, b; RowShare c``: locks stronger than AccessShare, strongest first. Advisory locks always."""
    by_mode: dict[str, list[str]] = defaultdict(list)
    advisory = ""
    for relation, mode in sorted(locks.items()):
        if relation == "advisory":
            advisory = f"advisory {one_line(mode)}"
        elif strength(mode) > 0:
            by_mode[mode].append(names.get(relation, one_line(relation)))
    modes = sorted(by_mode, key=strength, reverse=True)
    return "; ".join([*(f"{one_line(mode)} {', '.join(by_mode[mode])}" for mode in modes), *filter(None, [advisory])])


def short_names(report: Report) -> dict[str, str]:
    """Each table without its schema, where the report knows only one of that name."""
    runs = [run for case in report.cases for m in case.measurements for run in m.runs.values()]
    full = {r for run in runs for r in (*run.relations, *run.locks)}
    by_short: dict[str, list[str]] = defaultdict(list)
    for relation in full:
        by_short[relation.partition(".")[2] or relation].append(relation)
    return {r: one_line(short if len(all_) == 1 else r) for short, all_ in by_short.items() for r in all_}


def size_name(rows: int) -> str:
    """``10^3 rows``, ``5000 rows``; ``as it is`` for a database that was not filled."""
    if not rows:
        return "as it is"
    zeros = len(str(rows)) - 1
    return f"10^{zeros} rows" if zeros >= 3 and rows == 10**zeros else plural(rows, "row")


def sizes(report: Report) -> tuple[int, ...] | None:
    """The sizes at which all cases were measured; None where they differ."""
    found = {tuple(m.rows for m in case.measurements) for case in report.cases if case.measurements}
    return found.pop() if len(found) == 1 else None
