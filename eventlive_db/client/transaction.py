"""The transaction of a call, as statements to send. No connection: the shells send them, all in one round trip.

A transaction of our own is the one that PostgREST makes: role and claims for this transaction alone, then the call.
Inside a caller's transaction the identity before is kept in a setting of the transaction and put back, so that the
caller's next statement runs as whom it would have run before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.pq import TransactionStatus

from eventlive_db.client.calls import Call
from eventlive_db.client.identity import Identity

_SET_IDENTITY = b"select pg_catalog.set_config('role', %s, true), pg_catalog.set_config('request.jwt.claims', %s, true)"
_KEEP_IDENTITY = (
    b"select pg_catalog.set_config('eventlive.caller_role', pg_catalog.current_setting('role'), true),"
    b" pg_catalog.set_config('eventlive.caller_claims',"
    b" coalesce(pg_catalog.current_setting('request.jwt.claims', true), ''), true)"
)
_PUT_IDENTITY_BACK = (
    b"select pg_catalog.set_config('role', pg_catalog.current_setting('eventlive.caller_role'), true),"
    b" pg_catalog.set_config('request.jwt.claims', pg_catalog.current_setting('eventlive.caller_claims'), true)"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One statement.

    Attributes:
        prepare: False where it must never be a prepared one: after an error the server skips the rest of a pipeline,
            and the driver would take a statement for prepared that is not. Else as the connection is set.
    """

    query: bytes
    parameters: Sequence[object] | None = None
    prepare: bool | None = None


BEGIN = Step(b"begin", prepare=False)
COMMIT = Step(b"commit", prepare=False)
ROLLBACK = Step(b"rollback", prepare=False)
KEEP_IDENTITY = Step(_KEEP_IDENTITY)
PUT_IDENTITY_BACK = Step(_PUT_IDENTITY_BACK, prepare=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send for one call.

    Attributes:
        before: The statements before the call.
        call: The call; its one row holds the reply.
        after: The statements after it.
        ours: Whether it is a transaction of its own, which ends with the call whatever happens.
    """

    before: tuple[Step, ...]
    call: Step
    after: tuple[Step, ...]
    ours: bool


def plan(request: Call[Any], identity: Identity, api_schema: str, *, ours: bool, autocommit: bool) -> Plan:
    """The statements of one call.

    Args:
        request: The call.
        identity: Who calls.
        api_schema: The exposed schema.
        ours: Whether to make a transaction for it, or to use the one that is open.
        autocommit: Of the connection: without it the driver begins the transaction by itself.
    """
    identify = Step(_SET_IDENTITY, identity.settings())
    call = Step(request.query(api_schema), request.parameters())
    if ours:
        begin = (BEGIN, identify) if autocommit else (identify,)
        return Plan(begin, call, (COMMIT,), ours)
    return Plan((KEEP_IDENTITY, identify), call, (PUT_IDENTITY_BACK,), ours)


def is_ours(status: TransactionStatus, *, autocommit: bool) -> bool:
    """Whether a call on somebody's connection makes a transaction of its own.

    It does in autocommit mode outside a transaction; everything else is the caller's to commit, as with every
    statement on such a connection.

    Raises:
        ValueError: Nothing can be sent: a statement is under way, or the transaction has failed.
    """
    if status == TransactionStatus.INERROR:
        msg = "the transaction of this connection has failed: roll it back, then call"
        raise ValueError(msg)
    if status not in {TransactionStatus.IDLE, TransactionStatus.INTRANS}:
        msg = "the connection is closed or busy with another statement: finish that, then call"
        raise ValueError(msg)
    return autocommit and status == TransactionStatus.IDLE
