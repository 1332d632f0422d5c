"""What one look gives: a value beside its threshold, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HTTP_RULES = ("http_400", "http_401", "http_404", "http_409", "http_5xx")
"""Rules that count answers by their status."""

LOG_RULES = (*HTTP_RULES, "auth_p95", "realtime_disconnects")
"""Rules that look at logs."""

DATABASE_RULES = ("database", "connections", "xmin_age", "dead_tuples", "hot_updates", "lock_waiters", "jobs")
"""Rules that look at the database."""

RULES = (*LOG_RULES, *DATABASE_RULES)
"""Every rule, in the order they are shown."""


_URGENT_FIRST = (
    *("database", "http_5xx", "connections", "http_400", "http_409", "lock_waiters", "http_404", "http_401"),
    *("realtime_disconnects", "auth_p95", "xmin_age", "hot_updates", "jobs", "dead_tuples"),
)
URGENCY: Mapping[str, int] = {rule: place for place, rule in enumerate(_URGENT_FIRST)}
"""Which rules are told first, where notices wait."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One rule's figure for one subject.

    Attributes:
        rule: One of :data:`RULES`.
        subject: What it is about, such as a table or a job; empty where the rule has one figure.
        value: The figure; none where there is no data.
        threshold: What it is held against; none for a state, such as a job's.
        unit: Of both, such as ``/min``.
        breached: Whether it is an alarm; none where there is no data.
        detail: A sentence: what is the matter, or why there is no data.
        blind: There is no data since it could not be looked at, not since nothing happened.
    """

    rule: str
    subject: str = ""
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    breached: bool | None = None
    detail: str = ""
    blind: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Rule and subject: what an alarm is known by."""
        return self.rule, self.subject


def at_most(rule: str, value: float, threshold: float, unit: str, *, subject: str = "", detail: str = "") -> Reading:
    """A figure that is an alarm once it reaches its threshold; a threshold of 0 is reached by anything above it."""
    return Reading(rule, subject, value, threshold, unit, value >= threshold and value > 0, detail)


def no_data(rule: str, detail: str, *, subject: str = "", blind: bool = True) -> Reading:
    """There is no figure, and why."""
    return Reading(rule, subject, detail=detail, blind=blind)
