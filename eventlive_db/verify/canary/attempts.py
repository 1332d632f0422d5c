"""What every trial on a canary webinar is made of: calls, what they came to, and checks over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from eventlive_db.client import Call
from eventlive_db.verify.canary.doors import Door
from eventlive_db.verify.canary.outcome import Outcome, attempt
from eventlive_db.verify.canary.stage import Policy
from eventlive_db.verify.database import Database
from eventlive_db.verify.model import Check, State, passed
from eventlive_db.verify.triggers import Trigger

NOT_FOR_GUESTS = ("permission_denied", "unauthenticated")
"""How a function that anon may not call refuses a guest: over psycopg, and over HTTP."""


class Attempts:
    """One webinar, and what is tried on it.

    Args:
        database: Where the rows are looked at.
        door: How people call.
        policy: The webinar's.
        webinar_id: The webinar.
        has_admin: Whether the door's administrator is one.
    """

    def __init__(self, database: Database, door: Door, policy: Policy, webinar_id: UUID, *, has_admin: bool) -> None:
        self._database = database
        self._door = door
        self._policy = policy
        self._id = webinar_id
        self._has_admin = has_admin

    def _call(self, who: str, request: Call[Any]) -> Outcome:
        return attempt(self._door.caller(who), request)

    def _named(self, what: str) -> str:
        return f"{self._policy}: {what}"

    def _passed(self, what: str, says: str) -> Check:
        return passed("dod-4", self._named(what), says)

    def _failed(self, what: str, says: str, trigger: Trigger) -> Check:
        advice = "docs/contract.md says what is right; roll back what changed the functions."
        return Check("dod-4", self._named(what), State.FAILED, says, advice, trigger)

    def _answered(
        self, what: str, who: str, request: Call[Any], broken: Trigger, wrong: Callable[[Any], str] = lambda _: ""
    ) -> Check:
        """A call that succeeds, with the reply that is right.

        Args:
            what: Name of the check.
            who: Who calls.
            request: The call.
            broken: What a failure fires, unless the database says something plainer.
            wrong: What is wrong with a reply; empty for nothing.
        """
        outcome = self._call(who, request)
        if not outcome.succeeded:
            return self._failed(what, f"{outcome.said()}, where success is right", outcome.trigger(broken))
        if says := wrong(outcome.reply):
            return self._failed(what, says, broken)
        return self._passed(what, outcome.said())

    def _turned_away(
        self, what: str, who: str, request: Call[Any], wanted: Sequence[str], shown: Trigger, broken: Trigger
    ) -> Check:
        """A call that is refused; ``shown`` is fired where it is not, ``broken`` where it is for another reason."""
        outcome = self._call(who, request)
        if outcome.token in wanted:
            return self._passed(what, outcome.said())
        says = f"{outcome.said()}, where {' or '.join(wanted)} is right"
        return self._failed(what, says, shown if outcome.succeeded else outcome.trigger(broken))
