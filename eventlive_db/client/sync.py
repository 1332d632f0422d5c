"""The functions over a psycopg connection."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from eventlive_db.client.calls import SET_IDENTITY, Call, Identity
from eventlive_db.client.errors import raise_failure


def call(connection: psycopg.Connection[Any], request: Call, identity: Identity) -> Any:
    """Make one call in a transaction of its own, in one network round trip.

    Args:
        connection: In autocommit mode and outside a transaction. Its role must be a member of the identity's.
        request: The function and its arguments.
        identity: Who calls.

    Returns:
        The reply: a ``dict`` for a function that returns jsonb, ``""`` for one that returns void.

    Raises:
        RpcError: The function refused the call.
        psycopg.Error: Any other error; nothing was changed.
        ValueError: The connection is not in autocommit mode, or in a transaction.
    """
    require_idle(connection.autocommit, connection.info.transaction_status)
    failure: psycopg.Error | None = None
    try:
        with connection.pipeline():
            # begin and commit are never prepared: after an error the server skips the rest of the pipeline, and
            # psycopg would take a statement for prepared that is not.
            try:
                connection.execute("begin", prepare=False)
                connection.execute(SET_IDENTITY, identity.settings())
                cursor = connection.execute(request.query(), request.parameters())
                connection.execute("commit", prepare=False)
            except psycopg.Error as error:
                failure = error  # the end of the pipeline adds nothing but that it was aborted
    except psycopg.Error as error:
        failure = failure or error
    if failure:
        if connection.info.transaction_status == TransactionStatus.INERROR:
            connection.execute("rollback", prepare=False)
        raise_failure(failure)
    row = cursor.fetchone()
    return row[0] if row else None


def require_idle(autocommit: bool, status: TransactionStatus) -> None:
    """Refuse a connection on which a call would commit, or lose, work of its owner."""
    if not autocommit or status != TransactionStatus.IDLE:
        msg = "the call needs a connection in autocommit mode with no transaction open: connect(..., autocommit=True)"
        raise ValueError(msg)
