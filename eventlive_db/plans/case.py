"""A call that is measured, and how it is made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventlive_db.plans.budget import Budget
from eventlive_db.plans.errors import SuiteError


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A call, who makes it, what comes before it, and what it may cost.

    Attributes:
        name: Unique in its suite; the snapshot is filed under it.
        call: One SQL statement, with ``%s`` where there are parameters.
        parameters: Values of the parameters.
        role: Role that makes the call; None for the one that connects.
        claims: Set as ``request.jwt.claims``, as PostgREST does; None to leave it unset.
        settings: Further settings of the transaction, such as ``{"app.user_id": "7"}``.
        before: SQL that is run and committed as the connecting role before each call, such as letting time pass.
        budget: What it may cost.
        scaled: Whether it is judged at every size of the suite, or at the smallest only.
        repeat: Calls over which the HOT ratio is taken.
        warmups: Calls that are made and thrown away before those that are measured. The first call on a connection
            also reads the catalog.
        snapshot: Whether its plans are kept and compared.
    """

    name: str
    call: str
    parameters: Sequence[Any] = ()
    role: str | None = None
    claims: Mapping[str, Any] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    budget: Budget = field(default_factory=Budget)
    scaled: bool = False
    repeat: int = 100
    warmups: int = 2
    snapshot: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            SuiteError: No name, no call, or a number out of range.
        """
        if not self.name.strip() or "\n" in self.name:
            msg = "a case needs a name of one line"
            raise SuiteError(msg, token="invalid_case")
        if not self.call.strip():
            msg = f"case {self.name!r} has no call"
            raise SuiteError(msg, 'Give one statement, such as call = "select app.take_job()"', token="invalid_case")
        if self.repeat < 1 or self.warmups < 0:
            msg = f"case {self.name!r}: repeat must be 1 or more, warmups 0 or more"
            raise SuiteError(msg, token="invalid_case")

    def identity(self) -> dict[str, str]:
        """Settings that make the transaction the caller's; the role is the last."""
        settings = dict(self.settings)
        if self.claims is not None:
            settings["request.jwt.claims"] = json.dumps(self.claims, separators=(",", ":"))
        if self.role is not None:
            settings["role"] = self.role
        return settings
