"""The transaction of a call, as statements to send. No connection: the shells send them, all in one round trip.

A transaction of our own is the one that PostgREST makes: role and claims for this transaction alone, then the call.
Inside a caller's transaction the identity before is kept in a setting of the transaction and put back, so that the
caller's next statement runs as whom it would have run before.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Protocol

from psycopg import ConnectionInfo, IsolationLevel
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn

from eventlive_db.client.calls import Call
from eventlive_db.client.exchange import Statement, encoding_of, is_in_pipeline
from eventlive_db.client.identity import Identity

_SET_IDENTITY = b"select pg_catalog.set_config('role', $1, true), pg_catalog.set_config('request.jwt.claims', $2, true)"
# Names that no function which a call runs can know or look up: what they hold becomes the caller's identity again.
_ROLE, _CLAIMS = (f"eventlive.kept_{secrets.token_hex(12)}_{what}" for what in ("role", "claims"))
_KEEP_IDENTITY = Statement(
    f"select pg_catalog.set_config('{_ROLE}', pg_catalog.current_setting('role'), true),"
    f" pg_catalog.set_config('{_CLAIMS}',"
    f" coalesce(pg_catalog.current_setting('request.jwt.claims', true), ''), true)".encode()
)
PUT_IDENTITY_BACK = Statement(
    f"select pg_catalog.set_config('role', pg_catalog.current_setting('{_ROLE}'), true),"
    f" pg_catalog.set_config('request.jwt.claims', pg_catalog.current_setting('{_CLAIMS}'), true)".encode()
)
BEGIN = Statement(b"begin")
COMMIT = Statement(b"commit")
ROLLBACK = Statement(b"rollback")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send for one call.

    Attributes:
        statements: All of it.
        call: Which of them is the call.
        ours: Whether it is a transaction of its own, which ends with the call whatever happens.
    """

    statements: tuple[Statement, ...]
    call: int
    ours: bool


class Session(Protocol):
    """What a psycopg connection, of either kind, says of itself."""

    @property
    def info(self) -> ConnectionInfo:
        """Its state."""
        ...

    @property
    def pgconn(self) -> PGconn:
        """What libpq knows of it."""
        ...

    @property
    def autocommit(self) -> bool:
        """Whether a statement is a transaction of its own."""
        ...

    @property
    def isolation_level(self) -> IsolationLevel | None:
        """Of the next transaction; ``None`` as the server has it."""
        ...

    @property
    def read_only(self) -> bool | None:
        """Of the next transaction; ``None`` as the server has it."""
        ...

    @property
    def deferrable(self) -> bool | None:
        """Of the next transaction; ``None`` as the server has it."""
        ...


def prepare(session: Session, request: Call[Any], identity: Identity, api_schema: str, *, whole: bool) -> Plan:
    """The statements of one call on a connection, as it is at this moment.

    Args:
        session: The connection.
        request: The call.
        identity: Who calls.
        api_schema: The exposed schema.
        whole: Whether it is a transaction of its own, whatever mode the connection is in; else see :func:`is_ours`.

    Raises:
        InvalidCallError: An argument has no form that Postgres reads.
        ValueError: Nothing can be sent now.
    """
    status = session.info.transaction_status
    ours = whole or is_ours(status, autocommit=session.autocommit, pipeline=is_in_pipeline(session.pgconn))
    begin = None
    if status == TransactionStatus.IDLE:
        begin = BEGIN if ours else begin_for_caller(session)
    return plan(request, identity, api_schema, begin=begin, ours=ours, encoding=encoding_of(session.info.encoding))


def plan(
    request: Call[Any], identity: Identity, api_schema: str, *, begin: Statement | None, ours: bool, encoding: str
) -> Plan:
    """The statements of one call.

    Args:
        request: The call.
        identity: Who calls.
        api_schema: The exposed schema.
        begin: What begins the transaction, where none is open.
        ours: Whether the transaction is the call's own.
        encoding: Of the connection.

    Raises:
        InvalidCallError: An argument has no form that Postgres reads.
    """
    role, claims = identity.settings()
    identify = Statement(_SET_IDENTITY, (role.encode(encoding), claims.encode(encoding)))
    call = request.statement(api_schema, encoding)
    before = (begin,) if begin is not None else ()
    if ours:
        return Plan((*before, identify, call, COMMIT), len(before) + 1, ours)
    return Plan((*before, _KEEP_IDENTITY, identify, call, PUT_IDENTITY_BACK), len(before) + 2, ours)


def begin_for_caller(session: Session) -> Statement:
    """What psycopg itself would begin the caller's transaction with."""
    words = [b"begin"]
    if session.isolation_level is not None:
        level = IsolationLevel(session.isolation_level).name.replace("_", " ").lower()
        words.append(b"isolation level " + level.encode())
    if session.read_only is not None:
        words.append(b"read only" if session.read_only else b"read write")
    if session.deferrable is not None:
        words.append(b"deferrable" if session.deferrable else b"not deferrable")
    return Statement(b" ".join(words)) if len(words) > 1 else BEGIN


def is_ours(status: TransactionStatus, *, autocommit: bool, pipeline: bool) -> bool:
    """Whether a call on somebody's connection makes a transaction of its own.

    It does in autocommit mode outside a transaction; everything else is the caller's to commit, as with every
    statement on such a connection.

    Args:
        status: Of the connection.
        autocommit: Of the connection.
        pipeline: Whether the caller has a pipeline open on it.

    Raises:
        ValueError: Nothing can be sent: a statement or pipeline is under way, or the transaction has failed.
    """
    if pipeline:
        msg = "the connection is in pipeline mode: leave it, then call"
        raise ValueError(msg)
    if status == TransactionStatus.INERROR:
        msg = "the transaction of this connection has failed: roll it back, then call"
        raise ValueError(msg)
    if status not in {TransactionStatus.IDLE, TransactionStatus.INTRANS}:
        msg = "the connection is closed or busy with another statement: finish that, then call"
        raise ValueError(msg)
    return autocommit and status == TransactionStatus.IDLE
