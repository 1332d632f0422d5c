"""A fault, and what became of it. Plain values, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from eventlive_db.plans.model import PlanMode, Run

Verdict = Literal["killed", "survived", "stillborn", "not_counted"]

OPERATORS: Mapping[str, str] = {
    "drop_index": "an index is gone",
    "index_written_column": "an index is added on a column that a hot call writes",
    "add_lookup": "a look-up is added to a function",
    "swallow_error": "a function catches an error",
    "take_lock": "a function takes another lock",
    "burn_sequence": "a function takes a value of a sequence",
    "assign_xid": "a function that writes nothing takes a transaction id",
    "update_on_conflict": "DO NOTHING becomes DO UPDATE",
    "helper_per_row": "the helper of a policy or view runs for each row",
    "defeat_index": "a comparison hides its column from every index",
    "named": "a fault that the suite names",
}
"""Each operator, and what it breaks; in the order in which they are tried."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a case does while nothing is broken.

    Attributes:
        runs: One for each plan mode.
        relations: Tables that it touches, in the order in which it does.
        indexes: Pairs of a table and an index that is read or decides a conflict, while that table is touched.
        functions: Names (``schema.name``) of the functions that it calls.
        texts: Statements that ran.
        signatures: Functions as the call stacks name them, with their arguments' types.
    """

    runs: Mapping[PlanMode, Run]
    relations: tuple[str, ...]
    indexes: frozenset[tuple[str, str]]
    functions: frozenset[str]
    texts: frozenset[str]
    signatures: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault, ready to be put into a database.

    Attributes:
        operator: One of :data:`OPERATORS`.
        name: What is broken, as a sentence without a full stop.
        sql: What breaks it.
        cases: Names of the cases that could see it.
        advice: What to do where it survives.
        undo: What mends it again; empty where the database is thrown away afterwards.
        failure_kills: Whether a call that fails has noticed the fault; else the fault does not fit that call.
        marker: Text that a statement holds if and only if it is a broken one; empty where each call meets the fault.
        larger: Whether it is also tried at the next larger size.
        hot: Whether committed calls are to show it, as a lower share of heap-only updates.
        cheap: Whether it does no harm where nothing becomes dearer.
        held: Why no budget could reject it, where no call holds more or stronger locks for it; empty where one could.
        not_counted: Why it is not tried at all; empty where it is.
    """

    operator: str
    name: str
    sql: str = ""
    cases: tuple[str, ...] = ()
    advice: str = ""
    undo: str = ""
    failure_kills: bool = False
    marker: str = ""
    larger: bool = False
    hot: bool = False
    cheap: bool = False
    held: str = ""
    not_counted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantReport:
    """What became of a fault.

    Attributes:
        operator: One of :data:`OPERATORS`.
        name: What was broken.
        verdict: ``killed`` if a budget rejects it, ``survived`` if none does, ``stillborn`` if it cannot be tried,
            ``not_counted`` if no budget could reject it; the last two do not enter the score.
        case: The case that rejects it; or empty.
        token: What rejects it, such as ``budget.statements``; ``call.failed`` where the call fails; or empty.
        sentence: Why it is rejected, cannot be tried or is not counted; for a survivor, what to tighten.
        mode: Plan mode in which it is rejected; None where that does not matter.
        rows: Size at which it is rejected; 0 where nothing is filled.
    """

    operator: str
    name: str
    verdict: Verdict
    case: str = ""
    token: str = ""
    sentence: str = ""
    mode: PlanMode | None = None
    rows: int = 0


@dataclass(frozen=True, slots=True)
class MutationReport:
    """A suite whose budgets were tested.

    Attributes:
        suite: Its name.
        server_version: Such as ``18.6``.
        mutants: In the order in which they were tried.
    """

    suite: str
    server_version: str
    mutants: tuple[MutantReport, ...] = field(default=())

    def of(self, verdict: Verdict) -> tuple[MutantReport, ...]:
        """The mutants of one verdict."""
        return tuple(m for m in self.mutants if m.verdict == verdict)

    @property
    def survivors(self) -> tuple[MutantReport, ...]:
        """What no budget rejects."""
        return self.of("survived")

    @property
    def score(self) -> float:
        """Share of the faults that a budget rejects, in percent; 0 where there was none to reject."""
        killed = len(self.of("killed"))
        counted = killed + len(self.survivors)
        return 100 * killed / counted if counted else 0.0
