"""Write snapshots, but only of plans that fresh databases agree on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from eventlive_db.plans.case import Case
from eventlive_db.plans.check import Judge, relative
from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.snapshot import parse
from eventlive_db.plans.store import SnapshotStore
from eventlive_db.plans.suite import Suite
from eventlive_db.plans.verdict import CaseReport, Violation

AGREEING = 3
"""Fresh databases that must give the same plans before a snapshot is kept."""


class ReplacingStore(SnapshotStore):
    """A store in which a file that is no snapshot is as good as none, for it is about to be replaced."""

    def read(self, case_name: str) -> str | None:
        """See the base class; None also where it would raise, and where the text cannot be read."""
        try:
            text = super().read(case_name)
            if text is not None:
                parse(text)
        except SuiteError:
            return None
        return text


def update_case(
    case: Case, judges: Sequence[Callable[[], Judge]], store: SnapshotStore, *, only_new: bool = False
) -> CaseReport:
    """Judge a case and write its snapshot.

    Nothing is written where a budget or a guard does not hold, or where the databases do not agree.

    Args:
        case: The case.
        judges: :data:`AGREEING` of them, each with databases of its own; called only if they are needed.
        store: Where to.
        only_new: Leave a snapshot that exists as it is, and judge by it.
    """
    report = judges[0]().judge(case)
    if not case.snapshot or report.snapshot is None or (only_new and report.snapshot_before is not None):
        return report
    broken = tuple(v for v in report.violations if not v.token.startswith("snapshot."))
    if broken or report.snapshot == report.snapshot_before:
        return report
    for number, judge in enumerate(judges[1:], start=2):
        again = judge().judge(case)
        broken = tuple(v for v in again.violations if not v.token.startswith("snapshot."))
        if broken:
            return replace(report, violations=broken)
        if again.snapshot != report.snapshot:
            unstable = Violation(
                "snapshot.unstable",
                case.name,
                f"the plans in a first and in a {_ordinal(number)} fresh database differ; the snapshot was not written",
                "statistics or ties decide: fill the tables with fixed rows, and see the guards",
            )
            return replace(report, violations=(unstable,))
    store.write(case.name, report.snapshot)
    told = f"snapshot written: {relative(store.path(case.name), Path.cwd())}"
    notes = (note for note in report.notes if not note.startswith("no snapshot"))
    return replace(report, violations=(), notes=(*notes, told))


def remove_unused(suite: Suite, store: SnapshotStore) -> tuple[Path, ...]:
    """Delete the snapshots that belong to no case, and say which."""
    unused = store.unused(case.name for case in suite.cases if case.snapshot)
    for path in unused:
        store.remove(path)
    return tuple(unused)


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")
