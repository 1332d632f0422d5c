"""The functions over an asynchronous psycopg connection."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from eventlive_db.client.calls import SET_IDENTITY, Call, Identity
from eventlive_db.client.errors import raise_failure
from eventlive_db.client.sync import require_idle


async def call(connection: psycopg.AsyncConnection[Any], request: Call, identity: Identity) -> Any:
    """Make one call in a transaction of its own, in one network round trip; as :func:`eventlive_db.client.call`."""
    require_idle(connection.autocommit, connection.info.transaction_status)
    failure: psycopg.Error | None = None
    try:
        async with connection.pipeline():
            try:
                await connection.execute("begin", prepare=False)
                await connection.execute(SET_IDENTITY, identity.settings())
                cursor = await connection.execute(request.query(), request.parameters())
                await connection.execute("commit", prepare=False)
            except psycopg.Error as error:
                failure = error
    except psycopg.Error as error:
        failure = failure or error
    if failure:
        if connection.info.transaction_status == TransactionStatus.INERROR:
            await connection.execute("rollback", prepare=False)
        raise_failure(failure)
    row = await cursor.fetchone()
    return row[0] if row else None
