"""Errors of the functions, recognised by SQLSTATE and the token in DETAIL, never by the text of the message."""

from __future__ import annotations

import json
from typing import NoReturn

import psycopg


class RpcError(Exception):
    """A function refused the call; the transaction was rolled back and nothing was changed.

    Attributes:
        status: The HTTP status that PostgREST would answer: 400, 401, 403, 404, 409, 410 or 429.
        token: What is wrong, stable and for programs: ``not_registered``, ``duplicate_session``, …
        payload: What the error says beyond the token; empty for most.
        message: One line for people.
        hint: What to do next.
    """

    def __init__(self, status: int, token: str, payload: dict[str, object], message: str, hint: str) -> None:
        super().__init__(f"{status} {token}: {message}. {hint}")
        self.status = status
        self.token = token
        self.payload = payload
        self.message = message
        self.hint = hint


def rpc_error(error: psycopg.Error) -> RpcError | None:
    """Read the error of a function of this package; ``None`` for any other database error."""
    sqlstate = error.sqlstate or ""
    if not (sqlstate.startswith("PT") and sqlstate[2:].isdigit()):
        return None
    token, _, payload = (error.diag.message_detail or "").partition(" ")
    return RpcError(
        status=int(sqlstate[2:]),
        token=token,
        payload=json.loads(payload) if payload else {},
        message=error.diag.message_primary or "",
        hint=error.diag.message_hint or "",
    )


def raise_failure(error: psycopg.Error) -> NoReturn:
    """Raise what a failed call comes to: a refusal of the contract, or the database's error as it is."""
    if refusal := rpc_error(error):
        raise refusal from error
    raise error
