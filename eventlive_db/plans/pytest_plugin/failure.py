"""What fails a test, and what a case is told as."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from eventlive_db.plans.model import Run
from eventlive_db.plans.pytest_plugin.progress import NOTE, ROW
from eventlive_db.plans.report.annotations import annotations as annotated
from eventlive_db.plans.verdict import CaseReport, Report


class PlanFailure(AssertionError):  # noqa: N818  # pytest calls a failed assertion a failure
    """A budget, guard or snapshot does not hold.

    Attributes:
        report: The case.
    """

    def __init__(self, report: CaseReport) -> None:
        self.report = report
        super().__init__(_failure_text(report))

    def annotations(self) -> list[str]:
        """The same as GitHub workflow commands."""
        return list(annotated(Report("", "", (self.report,))))


def _failure_text(report: CaseReport) -> str:
    count = len(report.violations)
    lines = [f"{report.name}: {count} {'thing does' if count == 1 else 'things do'} not hold"]
    for violation in report.violations:
        lines += [f"  {'  ' if i else ''}{line}" for i, line in enumerate(violation.sentences())]
    return "\n".join(lines)


def properties(report: CaseReport, *, updating: bool) -> Iterator[tuple[str, str]]:
    """What goes along with the test's report, to the terminal and to JUnit."""
    yield ROW, f"{report.name}: {figures_line(report)}"
    for change in report.changes if updating and report.passed else ():
        yield NOTE, f"{report.name}: changed: {change}"
    for note in report.notes:
        yield NOTE, f"{report.name}: {note}"


def figures_line(report: CaseReport) -> str:
    """What a case cost, in a line: one figure for each size where they differ."""
    runs = [m.runs["generic"] for m in report.measurements]
    if not runs:
        return "not measured"

    def told(figure: Callable[[Run], int], one: str, many: str) -> str:
        values = [figure(run) for run in runs]
        values = values if len(set(values)) > 1 else values[:1]
        return f"{' / '.join(map(str, values))} {one if values == [1] else many}"

    return ", ".join(
        (
            told(lambda r: len(r.table_statements), "statement", "statements"),
            told(lambda r: r.buffers, "buffer", "buffers"),
            told(lambda r: r.rows_read, "row read", "rows read"),
            told(lambda r: r.wal_records, "WAL record", "WAL records"),
        )
    )
