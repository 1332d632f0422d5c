"""What a call's statements are planned like: the values that a snapshot consists of."""

from __future__ import annotations

from dataclasses import dataclass

from eventlive_db.plans.nodes import Node

TEXT_LIMIT = 160
"""Characters of a query that are kept."""


@dataclass(frozen=True, slots=True)
class Planned:
    """How a statement was planned in one mode.

    Attributes:
        executions: How often it ran in the call.
        plan: Its plan; None where it did not run in this mode.
    """

    executions: int = 1
    plan: Node | None = None


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """One statement of a function.

    Attributes:
        function: Without arguments; empty for the call itself.
        text: The query without comments, on one line, at most :data:`TEXT_LIMIT` characters.
        generic: With the generic plan: ``$n`` for the values.
        custom: With the custom plan, every constant as ``?``; None where it is planned like the generic one.
    """

    function: str
    text: str
    generic: Planned
    custom: Planned | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a call's statements are planned like, in the order in which they first ended."""

    statements: tuple[PlannedStatement, ...] = ()
