"""What a verification comes to: checks, and the verdict over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from eventlive_db.verify.triggers import Trigger

GROUPS: Mapping[str, str] = {
    "dod-1": "no 400 for a missing column",
    "answers": "calls are answered: they succeed as before, and no flood of 5xx, 404 or 401",
    "dod-2": "no storm of duplicate keys",
    "dod-3": "auth calls not exploding",
    "dod-4": "everybody gets what the policies say, tried for real",
    "schema": "the database is at the newest migration",
    "functions": "functions and views of the contract can be used, by nobody else, and row security is on",
    "jobs": "no job failed, late, missing, switched off or with a schedule that cannot be read",
}
"""What is looked at, in the order of the report; the names are those of ``--without``."""


class State(StrEnum):
    """What one check came to."""

    PASSED = "passed"
    FAILED = "failed"
    NO_DATA = "no data"


WORSE: Mapping[State, int] = {State.PASSED: 0, State.NO_DATA: 1, State.FAILED: 2}
"""For the worse of two checks."""


class Verdict(IntEnum):
    """What to do; the value is the exit status."""

    GO = 0
    ROLL_BACK = 1
    COULD_NOT_TELL = 2


@dataclass(frozen=True, slots=True)
class Evidence:
    """A line of a log that counts against a check.

    Attributes:
        file: The log.
        line: Where in it, from 1.
        at: When, as the log says.
        text: The message, and the statement where there is one, without personal data.
    """

    file: str
    line: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        group: A key of :data:`GROUPS`.
        name: What was looked at, in a few words; stable.
        state: What came of it.
        says: What was seen, or why nothing could be.
        advice: What to do about it; empty for a pass.
        trigger: What a failure fires.
        count: How many offending lines, where lines are counted.
        first: The first of them.
        last: The last of them.
    """

    group: str
    name: str
    state: State
    says: str
    advice: str = ""
    trigger: Trigger | None = None
    count: int | None = None
    first: Evidence | None = None
    last: Evidence | None = None


@dataclass(frozen=True, slots=True)
class LogSummary:
    """What was read of one log; times are the first and last event's, ``None`` for a log without any."""

    file: str
    sources: tuple[str, ...]
    events: int
    unparsed: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Report:
    """All of it.

    Attributes:
        since: Begin of what was judged.
        until: Its end.
        checks: In the order of :data:`GROUPS`.
        without: The groups that were left out because somebody said so.
        logs: What was read.
        thresholds: In force, by key of ``eventlive.settings``.
        notes: What a reader should know beside the checks.
        stopped: The signal that ended the run early, if one did.
    """

    since: datetime
    until: datetime
    checks: Sequence[Check]
    without: Sequence[str] = ()
    logs: Sequence[LogSummary] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()
    stopped: str | None = None

    @property
    def verdict(self) -> Verdict:
        """Any failure: roll back. Else anything without data, nothing at all, an early end: could not tell. Else go."""
        states = {check.state for check in self.checks}
        if State.FAILED in states:
            return Verdict.ROLL_BACK
        return Verdict.GO if states == {State.PASSED} and not self.stopped else Verdict.COULD_NOT_TELL

    @property
    def triggers(self) -> list[Trigger]:
        """Those that fired, each once, in the order of the checks."""
        fired = (check.trigger for check in self.checks if check.state is State.FAILED and check.trigger)
        return list(dict.fromkeys(fired))


def passed(group: str, name: str, says: str, count: int | None = None) -> Check:
    """A check that found nothing wrong."""
    return Check(group, name, State.PASSED, says, count=count)


def no_data(group: str, name: str, says: str, advice: str) -> Check:
    """A check that could not tell."""
    return Check(group, name, State.NO_DATA, says, advice)
