"""Rules, what they find, and a whole report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import psycopg

from eventlive_db.lint.db.scope import Scope


class Level(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """Something is open, or broken."""

    WARNING = "warning"
    """Something will be slow, or is one mistake away from being open."""

    INFO = "info"
    """Good to know; does not count."""


LEVELS = tuple(Level)
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the function of a rule returns for one object.

    Attributes:
        object: Its qualified name, as Postgres prints it.
        sentence: What is wrong with it.
        level: Where it is not the rule's own.
    """

    object: str
    sentence: str
    level: Level | None = None


Find = Callable[[psycopg.Connection[Any], Scope], list[Sighting]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to look for.

    Attributes:
        token: Stable name, and the name of its file.
        level: Of its findings, where a finding has no other.
        finds: What it looks for, in one sentence.
        advice: What to do about it.
        find: Looks for it.
        writes: Whether it makes temporary objects, which are rolled back.
    """

    token: str
    level: Level
    finds: str
    advice: str
    find: Find = field(repr=False)
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a rule has found.

    Attributes:
        rule: Token of the rule.
        level: How bad it is.
        object: Qualified name of what it is about.
        sentence: What is wrong.
        advice: What to do about it.
        reason: Why it is allowed; empty where it is not.
    """

    rule: str
    level: Level
    object: str
    sentence: str
    advice: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in a database.

    Attributes:
        findings: What counts, the worst first.
        allowed: What was found and is allowed, with the reason.
        unseen: Token of each rule that could not look, and why.
        scope: Where the rules looked.
    """

    findings: tuple[Finding, ...]
    allowed: tuple[Finding, ...]
    unseen: tuple[tuple[str, str], ...]
    scope: Scope

    def count(self, level: Level) -> int:
        """How many findings there are of a level."""
        return sum(finding.level is level for finding in self.findings)

    @property
    def passed(self) -> bool:
        """Whether there is neither an error nor a warning, and every rule could look."""
        return not self.unseen and all(finding.level is Level.INFO for finding in self.findings)
