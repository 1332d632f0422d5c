"""What a call came to, and what it should have come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eventlive_db.client import Call, EventliveError
from eventlive_db.client.callers import Caller
from eventlive_db.client.errors import UnavailableError, UnreadableReplyError
from eventlive_db.logs import redact
from eventlive_db.verify.known import INCIDENT, MISSING, UNIQUE_VIOLATION
from eventlive_db.verify.triggers import Trigger

_NOBODY = ("08", "28", "3D", "53", "57P", "PGRST0")
_CONFIGURATION = frozenset({"PGRST301", "PGRST302", "PGRST303", "PGRST106"})


class UnableError(Exception):
    """The canary cannot go on, and that says nothing about the release: nobody answers, or not to our tokens."""

    def __init__(self, says: str, advice: str) -> None:
        super().__init__(says)
        self.says = says
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended.

    Attributes:
        token: Of the error; empty where it succeeded.
        status: Of the error, as PostgREST has it.
        sqlstate: Of the error, where the database said one.
        message: Of the error.
        reply: Of a call that succeeded.
    """

    token: str = ""
    status: int | None = None
    sqlstate: str | None = None
    message: str = ""
    reply: Any = None

    @property
    def succeeded(self) -> bool:
        """Whether there was no error."""
        return not self.token

    def said(self) -> str:
        """Status and token, with the database's own words where it is no refusal of the contract."""
        if self.succeeded:
            return "success"
        known = f"{self.status or ''} {self.token}".strip()
        if self.sqlstate and not self.sqlstate.startswith("PT"):
            return f"{known} ({self.sqlstate}: {redact(self.message)})"
        return known

    def trigger(self, otherwise: Trigger) -> Trigger:
        """What a failure fires: what the database said, where that is plainer than what was tried."""
        if self.sqlstate in MISSING:
            return Trigger.MISSING_COLUMN_400
        if self.sqlstate == UNIQUE_VIOLATION:
            incident = INCIDENT in self.message
            return Trigger.DUPLICATE_REGISTRATION if incident else Trigger.DUPLICATE_KEY_STORM
        if self.sqlstate in {"42501", "PGRST202"}:
            return Trigger.FUNCTION_NOT_CALLABLE
        return otherwise


def attempt(caller: Caller, request: Call[Any]) -> Outcome:
    """Make a call once.

    Raises:
        UnableError: Nobody answered, or it was not understood who calls.
    """
    try:
        return Outcome(reply=caller.call(request))
    except EventliveError as error:
        if _says_nothing_of_the_release(error):
            says = f"{request.function}: {error.status or ''} {error.token}: {error.message}".replace(":  ", ": ")
            raise UnableError(says, error.hint or "See that the database, and PostgREST, answer.") from error
        # An error of a broken function may have no token, and is one all the same.
        return Outcome(error.token or "unnamed_error", error.status, error.sqlstate, error.message)


def _says_nothing_of_the_release(error: EventliveError) -> bool:
    # A token that PostgREST or pre_request does not take: the wrong secret, issuer or schema was given.
    if error.sqlstate in _CONFIGURATION or error.token in {"token_expired", "token_not_accepted"}:
        return True
    if error.sqlstate is None:
        # Neither the database nor PostgREST said so. A reply of theirs that is not the contract's has no status.
        return not (isinstance(error, UnreadableReplyError) and error.status is None)
    # With a code of its own, such as that of statement_timeout or a deadlock, it is the release's.
    return isinstance(error, UnavailableError) and error.sqlstate.startswith(_NOBODY)
