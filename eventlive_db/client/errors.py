"""What a call can come to, recognised by SQLSTATE or HTTP status and the token in DETAIL, never by message text.

Every error is an :class:`EventliveError` and says whether a retry can help. Which SQLSTATE becomes which HTTP status is
PostgREST's table (https://docs.postgrest.org/en/v12/references/errors.html); the codes are of the Postgres manual,
appendix A.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import psycopg

from eventlive_db.client.exchange import OutOfTimeError


class EventliveError(Exception):
    """A call failed, and nothing of it was done, unless ``maybe_done`` says otherwise.

    Attributes:
        token: What is wrong, stable and for programs: ``not_registered``, ``unreachable``, …
        message: One line for people.
        hint: What to do next.
        payload: What the error says beyond the token; empty for most.
        status: The HTTP status, or the one that PostgREST would answer; ``None`` where there is none.
        sqlstate: The database's code, where it answered.
        retry_after_s: Seconds after which trying again may help, where the server said so.
        retry: Whether the same call can succeed later without anybody doing something about it. In a caller's
            transaction it cannot, nor on a caller's connection that is lost.
        maybe_done: Whether the call may have taken effect all the same: the connection went while it was under way.
    """

    retry: bool = False

    def __init__(
        self,
        status: int | None,
        token: str,
        payload: Mapping[str, object] | None = None,
        message: str = "",
        hint: str = "",
        *,
        sqlstate: str | None = None,
        retry_after_s: float | None = None,
        maybe_done: bool = False,
    ) -> None:
        text = f"{token}: {message}" if status is None else f"{status} {token}: {message}"
        super().__init__(f"{text}. {hint}" if hint else text)
        self.status = status
        self.token = token
        self.payload = dict(payload or {})
        self.message = message
        self.hint = hint
        self.sqlstate = sqlstate
        self.retry_after_s = retry_after_s
        self.maybe_done = maybe_done


class RpcError(EventliveError):
    """A function, or who stands before it, refused the call; the transaction was rolled back."""


class InvalidCallError(RpcError):
    """400: an argument is not what it must be; also 413, 422 and a value that Postgres cannot read."""


class UnauthenticatedError(RpcError):
    """401: no token, or not one that is accepted; get another one."""


class ForbiddenError(RpcError):
    """403: signed in, but not allowed."""


class NotFoundError(RpcError):
    """404: no such webinar or session, or no such function: is the migration applied, the schema exposed?"""


class ConflictError(RpcError):
    """409: another session, another webinar, or a state that does not allow it."""


class GoneError(RpcError):
    """410: the webinar or the session is over; stop calling for it."""


class RateLimitedError(RpcError):
    """429: too much; ``retry_after_s`` says when trying again may help."""

    retry = True


class UnavailableError(EventliveError):
    """Nobody answered, or the answer was that now is not the time: no connection, a restart, 502, 503, 504."""

    retry = True


class TimedOutError(UnavailableError):
    """The answer did not come in time: ``statement_timeout``, 408, or the client's own patience."""


class BusyError(UnavailableError):
    """The call stood in another one's way (deadlock, lock timeout) and was rolled back whole; 425 too."""


class CannotConnectError(UnavailableError):
    """Nothing was sent, and nothing will be until somebody changes the address, a password or a role.

    Where the server's code is known: while a connection is made libpq keeps it to itself, so a password that the server
    refuses is an :class:`UnavailableError` like a server that is away, and its message tells them apart.
    """

    retry = False


class CircuitOpenError(UnavailableError):
    """Not sent: calls failed in a row, and the breaker waits before it tries again."""


class ServerError(EventliveError):
    """The server broke on this call and would again: an error that is not part of the contract."""


class UnreadableReplyError(EventliveError):
    """A reply without what the contract promises: the server is older than this client, or is not it.

    There was a reply, so the call was made: ``maybe_done``.
    """

    def __init__(self, *said: Any, maybe_done: bool = True, **more: Any) -> None:
        super().__init__(*said, maybe_done=maybe_done, **more)


_BY_STATUS: Mapping[int, type[EventliveError]] = {
    400: InvalidCallError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    408: TimedOutError,
    409: ConflictError,
    410: GoneError,
    413: InvalidCallError,
    422: InvalidCallError,
    425: BusyError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: TimedOutError,
}

_BY_KIND: Mapping[type[EventliveError], tuple[str, str]] = {
    UnauthenticatedError: ("unauthenticated", "Get a new token, then call again."),
    RateLimitedError: ("rate_limited", "Call less often."),
}

_BUSY = frozenset({"40001", "40P01", "55P03"})
READ_ONLY = "25006"
_IDLE = "The server ends connections that are idle for so long; call again."
_CODES: Mapping[str, tuple[type[EventliveError], int, str, str]] = {
    READ_ONLY: (UnavailableError, 503, "read_only", "A standby, or a server that takes no writes; try again later."),
    "25P03": (UnavailableError, 503, "unreachable", _IDLE),
    "25P04": (TimedOutError, 500, "timed_out", "Nothing was done; look at transaction_timeout and what holds locks."),
    "57P04": (CannotConnectError, 503, "cannot_connect", "The database was dropped; correct the address."),
    "57P05": (UnavailableError, 503, "unreachable", _IDLE),
}
_CLASSES: Mapping[str, tuple[type[EventliveError], int, str, str]] = {
    # Connection, resources, operator intervention, system error.
    "08": (UnavailableError, 503, "unreachable", "Try again later."),
    "53": (UnavailableError, 503, "unavailable", "The server is out of connections, memory or disk; try again later."),
    "57": (UnavailableError, 503, "unavailable", "The server is stopping or starting; try again later."),
    "58": (UnavailableError, 503, "unavailable", "The server's system failed; try again later."),
    # Who may come in, and where to.
    "28": (CannotConnectError, 503, "cannot_connect", "Correct the user or password, or the server's pg_hba.conf."),
    "3D": (CannotConnectError, 503, "cannot_connect", "Correct the name of the database in the address."),
    # Data, and a program limit such as JSON that is nested too deep.
    "22": (InvalidCallError, 400, "invalid_argument", "A value is not what its parameter must be."),
    "54": (InvalidCallError, 400, "invalid_argument", "A value is too large or nested too deep."),
}


def error_of(
    *,
    sqlstate: str | None,
    status: int | None,
    message: str,
    detail: str,
    hint: str,
    retry_after_s: float | None = None,
) -> EventliveError:
    """The error that a SQLSTATE, or an HTTP status where there is none, comes to.

    Args:
        sqlstate: As the database gave it, or as PostgREST's ``code`` says.
        status: The HTTP status; ``None`` where the database was asked directly.
        message: The message, for people.
        detail: DETAIL: for an error of the contract its token and, for some, a blank and a JSON object.
        hint: HINT.
        retry_after_s: What a header Retry-After said, in seconds.
    """
    if sqlstate and sqlstate.startswith("PT") and sqlstate[2:].isdigit():
        token, _, text = detail.partition(" ")
        payload = _payload(text)
        after = payload.get("retry_after_s")
        number = int(sqlstate[2:])
        kind = _BY_STATUS.get(number, RpcError if number < 500 else UnavailableError)
        return kind(
            number,
            token,
            payload,
            message,
            hint,
            sqlstate=sqlstate,
            retry_after_s=float(after) if isinstance(after, int | float) else retry_after_s,
        )
    kind, usual, token, advice = _other(sqlstate or "", status)
    return kind(
        status or usual,
        token,
        {},
        message,
        advice or hint,
        sqlstate=sqlstate or None,
        retry_after_s=retry_after_s,
        # PostgREST lost the database in mid-call; or a gateway heard nothing more, or broke: 503 is its word that the
        # call went no further.
        maybe_done=sqlstate == "PGRST001" or (not sqlstate and (status or 0) >= 500 and status != 503),
    )


def _payload(text: str) -> dict[str, Any]:
    """The JSON object behind a token; another function's error of that class may have anything there."""
    try:
        payload = json.loads(text) if text else {}
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


def _other(sqlstate: str, status: int | None) -> tuple[type[EventliveError], int | None, str, str]:
    """Class, usual status, token and advice of an error that is none of the contract's."""
    if sqlstate == "42501":
        return (
            (UnauthenticatedError, 401, "unauthenticated", "Sign in.")
            if status == 401
            else (
                ForbiddenError,
                403,
                "permission_denied",
                "Grant it to this role; or grant this role to the one that connects.",
            )
        )
    if sqlstate in {"42883", "3F000", "PGRST106", "PGRST202"}:
        return NotFoundError, 404, "function_not_found", "Apply the migrations; over HTTP, is the schema exposed?"
    if sqlstate in _BUSY:
        return BusyError, 500, "busy", "Nothing was done; try again."
    if sqlstate == "57014":
        return TimedOutError, 500, "timed_out", "Nothing was done; look at statement_timeout and what holds locks."
    if known := _CODES.get(sqlstate) or _CLASSES.get(sqlstate[:2]):
        return known
    return _by_status(status, answered=bool(sqlstate))


def _by_status(status: int | None, *, answered: bool) -> tuple[type[EventliveError], int | None, str, str]:
    if kind := _BY_STATUS.get(status or 0):
        return kind, status, *_BY_KIND.get(kind, ("unavailable", "Try again later.") if kind.retry else ("refused", ""))
    if status is not None and 400 <= status < 500:
        return RpcError, status, "refused", ""
    if status is not None and status < 400 and not answered:
        return UnreadableReplyError, status, "unreadable_reply", "Is the base address that of PostgREST?"
    if status is not None and not answered:
        return UnavailableError, status, "unavailable", "Try again later."
    return ServerError, status or 500, "internal_error", "Not an error of the contract: see the server's log."


_LOST = frozenset({"57P01", "57P02", "57P03"})


def from_psycopg(error: psycopg.Error, *, maybe_done: bool = False, again: bool = True) -> EventliveError:
    """What a database error of a call comes to.

    Args:
        error: As psycopg raised it.
        maybe_done: Whether everything up to the commit had been sent when the connection went.
        again: Whether the call can be made again; not on a connection that is lost and is the caller's, nor in the
            caller's transaction, which has failed with it.
    """
    if isinstance(error, OutOfTimeError):
        hint = "Look at what the server is doing, and at timeout_s of the client."
        found: EventliveError = TimedOutError(None, "timed_out", {}, _first_line(error), hint, maybe_done=maybe_done)
    elif error.sqlstate is None:
        lost = UnavailableError(503, "unreachable", {}, _first_line(error), "Try again later.", maybe_done=maybe_done)
        found = lost if isinstance(error, psycopg.OperationalError) else _misuse(error)
    else:
        found = error_of(
            sqlstate=error.sqlstate,
            status=None,
            message=error.diag.message_primary or _first_line(error),
            detail=error.diag.message_detail or "",
            hint=error.diag.message_hint or "",
        )
        # Said while it was under way: the server ends the connection, and an immediate shutdown may come after the
        # commit; a pooler says so in class 08 when its connection to the server went.
        found.maybe_done = maybe_done and (error.sqlstate in _LOST or error.sqlstate.startswith("08"))
    if not again:
        found.retry = False
    return found


def no_connection(error: psycopg.Error) -> EventliveError:
    """What it comes to that there is no connection; nothing was sent.

    Args:
        error: As psycopg or the pool raised it. While a connection is made it has no SQLSTATE: libpq gives it to
            nobody, and its text is translated, so it is not read here.
    """
    if error.sqlstate is not None:
        return from_psycopg(error)
    message = _first_line(error)
    if not isinstance(error, psycopg.OperationalError):
        return CannotConnectError(503, "cannot_connect", {}, message, "Correct the address of the database.")
    if error.pgconn is not None and error.pgconn.needs_password:
        return CannotConnectError(503, "cannot_connect", {}, message, "The server asks for a password: give one.")
    hint = "Try again later; if it stays so, correct the host, user, password and database of the address."
    return UnavailableError(503, "unreachable", {}, message, hint)


def _misuse(error: psycopg.Error) -> EventliveError:
    """The driver itself refused: a value that it cannot send, a connection in the wrong state."""
    return InvalidCallError(400, "invalid_argument", {}, _first_line(error), "The driver could not send this call.")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def rpc_error(error: psycopg.Error) -> RpcError | None:
    """Read the error of a function of this package; ``None`` for any other database error."""
    if not (error.sqlstate or "").startswith("PT"):
        return None
    found = from_psycopg(error)
    return found if isinstance(found, RpcError) else None


def raise_failure(error: psycopg.Error) -> NoReturn:
    """Raise what a failed call comes to: a refusal of the contract, or the database's error as it is."""
    if refusal := rpc_error(error):
        raise refusal from error
    raise error
