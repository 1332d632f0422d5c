"""What a judged suite comes to: what does not hold, for each case and in all. Plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eventlive_db.plans.frames import Place
from eventlive_db.plans.model import Measurement, PlanMode


@dataclass(frozen=True, slots=True)
class Violation:
    """A budget, guard or snapshot that does not hold.

    Attributes:
        token: Stable, such as ``budget.buffers``, ``guard.tie`` or ``snapshot.changed``.
        case: Name of the case.
        problem: One sentence: what was measured and what is allowed.
        cause: What likely changed; empty where nothing can be said.
        place: The line of the function that is to blame; None where no single one is.
        mode: In which plan mode; None where that does not matter.
        rows: At which size; 0 where that does not matter.
        statement: The statement that is to blame, on one line; or empty.
        file: Source file of the function, relative to the folder in which the command runs; or empty.
        file_line: Line in that file; 0 where unknown.
    """

    token: str
    case: str
    problem: str
    cause: str = ""
    place: Place | None = None
    mode: PlanMode | None = None
    rows: int = 0
    statement: str = ""
    file: str = ""
    file_line: int = 0

    def sentences(self) -> Iterator[str]:
        """What a person is told, a line each."""
        yield f"{self.token}: {self.problem}"
        if self.place is not None:
            where = f"in {self.place}"
            if self.file:
                where += f" ({self.file}:{self.file_line})"
            yield f"{where}: {self.statement}" if self.statement else where
        if self.cause:
            yield f"likely: {self.cause}"

    def __str__(self) -> str:
        return "\n  ".join(self.sentences())


@dataclass(frozen=True, slots=True)
class CaseReport:
    """One case of a suite, judged.

    Attributes:
        name: Of the case.
        call: Its SQL.
        measurements: One for each size, smallest first; empty where the call could not be made.
        violations: What does not hold; empty if all does.
        snapshot: Text of the plans now, as a snapshot keeps them; None where the case has none.
        snapshot_before: Text of the snapshot on disk; None where there is none.
        changes: How the plans differ from the snapshot, a sentence each.
        notes: What a reader should know: ties that were accepted, sizes that were raised.
    """

    name: str
    call: str
    measurements: tuple[Measurement, ...] = ()
    violations: tuple[Violation, ...] = ()
    snapshot: str | None = None
    snapshot_before: str | None = None
    changes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return not self.violations


@dataclass(frozen=True, slots=True)
class Report:
    """A suite, judged.

    Attributes:
        suite: Its name.
        server_version: Such as ``18.6``.
        cases: In the order of the suite.
        violations: What concerns no single case, such as a snapshot that nothing uses.
    """

    suite: str
    server_version: str
    cases: tuple[CaseReport, ...]
    violations: tuple[Violation, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return not self.violations and all(case.passed for case in self.cases)

    @property
    def all_violations(self) -> tuple[Violation, ...]:
        """Those of the suite and of its cases."""
        return (*self.violations, *(v for case in self.cases for v in case.violations))
