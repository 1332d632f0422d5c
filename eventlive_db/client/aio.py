"""The functions over asynchronous psycopg connections; :mod:`eventlive_db.client.sync`, awaited."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from eventlive_db.client.async_sources import Connection, Dsn, Lent, Pool, Pooled, Source
from eventlive_db.client.attempts import arun
from eventlive_db.client.calls import API_SCHEMA, Call
from eventlive_db.client.cancelling import cancellations, end_if_cancelled
from eventlive_db.client.errors import READ_ONLY, CannotConnectError, from_psycopg, no_connection, raise_failure
from eventlive_db.client.exchange import exchange, is_in_pipeline, require_success, value_of
from eventlive_db.client.identity import Identity
from eventlive_db.client.options import TIMEOUT_S
from eventlive_db.client.resilience import Resilience, usual
from eventlive_db.client.sources import is_lost
from eventlive_db.client.sync import require_idle
from eventlive_db.client.transaction import PUT_IDENTITY_BACK, ROLLBACK, Plan, prepare
from eventlive_db.client.users import (
    ROLES,
    AsyncOneToken,
    AsyncTokenSource,
    AsyncTokenUser,
    AsyncTokenVerifier,
    Known,
    fixed,
    identity_of,
    required,
)

Reply = TypeVar("Reply")


class AsyncClient:
    """Calls the functions over psycopg. The tasks of a loop may share it.

    Args:
        source: Where connections come from.

            - A DSN: one connection, made at the first call and again when it is lost; tasks take turns.
            - A connection: in autocommit mode and outside a transaction each call is a transaction of its own;
              otherwise the call is part of the caller's transaction, which is never committed here.
            - A pool (``psycopg_pool.AsyncConnectionPool``): a connection for each call, a transaction of its own.
        api_schema: The exposed schema, where it was given another name.
        verifier: What verifies the tokens that :meth:`as_user` is given.
        resilience: Retries and the breaker; share one between clients of one server. Default: its own, as
            :func:`~eventlive_db.client.resilience.usual` makes it; ``Resilience(max_attempts=1)`` for neither.
        roles: The database roles that this client takes on.
        timeout_s: How long to wait for an answer, in seconds; the connection is then closed, since nobody knows what
            became of the call. ``None`` for as long as it takes.

    Raises:
        TypeError: The source is none of these.
    """

    def __init__(
        self,
        source: str | Connection | Pool,
        *,
        api_schema: str = API_SCHEMA,
        verifier: AsyncTokenVerifier | None = None,
        resilience: Resilience | None = None,
        roles: frozenset[str] = ROLES,
        timeout_s: float | None = TIMEOUT_S,
    ) -> None:
        self._source: Source
        if isinstance(source, str):
            self._source = Dsn(source)
        elif isinstance(source, psycopg.AsyncConnection):
            self._source = Lent(source)
        elif hasattr(source, "connection"):
            self._source = Pooled(source)
        else:
            msg = f"a client needs a DSN, a connection or a pool, not {type(source).__name__}"
            raise TypeError(msg)
        self._api_schema = api_schema
        self._verifier = verifier
        self._resilience = resilience or usual()
        self._roles = roles
        self._timeout_s = timeout_s

    def as_user(self, who: str | AsyncTokenSource | Known) -> AsyncUserClient:
        """The client of one user; nothing of the user stays on a connection.

        Args:
            who: A token, which the verifier checks before anything is sent; a source of tokens
                (:class:`~eventlive_db.client.tokens.AsyncTokenSource`), which keeps one fresh; or claims that were
                verified already, as they are or as an :class:`~eventlive_db.client.identity.Identity`.

        Raises:
            ValueError: A token, and the client has no verifier; or claims whose role is no text.
            ForbiddenError: The role is none that this client takes on.
        """
        if isinstance(who, Identity | Mapping):
            identity = identity_of(who, self._roles)
            return AsyncUserClient(self._call, fixed(identity))
        source = AsyncOneToken(who) if isinstance(who, str) else who
        return AsyncUserClient(self._call, AsyncTokenUser(source, required(self._verifier), self._roles).identity)

    def as_guest(self) -> AsyncUserClient:
        """The client of somebody who is not signed in."""
        return self.as_user(Identity.guest())

    def as_service(self) -> AsyncUserClient:
        """The application's own back end, ``service_role``."""
        return self.as_user(Identity.service())

    async def close(self) -> None:
        """Close the connection that a DSN was given for; a connection or pool is its owner's to close."""
        await self._source.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, request: Call[Reply], identity: Callable[[], Awaitable[Identity]]) -> Reply:
        # On a caller's connection nothing is tried again: its transaction has failed, or it is gone.
        repeatable = request.repeatable and self._source.whole
        return await arun(identity, lambda who: self._once(request, who), self._resilience, repeatable=repeatable)

    async def _once(self, request: Call[Reply], identity: Identity) -> Reply:
        before = cancellations()
        try:
            async with self._source.connection() as connection:
                end_if_cancelled(before)  # a pool may have lost it; nothing is sent for who has gone
                # A caller's connection may be used elsewhere too: from the look at its state to the last answer it is
                # ours.
                async with held(connection, self._timeout_s):
                    return request.read(await self._on(connection, request, identity))
        except psycopg.Error as error:  # there was no connection, so nothing was sent
            raise no_connection(error) from error

    async def _on(self, connection: Connection, request: Call[Any], identity: Identity) -> Any:
        """Make a call on a connection whose lock is held."""
        whole = self._source.whole
        if not whole and is_lost(connection):
            hint = "Give the client another one; one of a DSN or a pool is replaced by itself."
            raise CannotConnectError(503, "unreachable", {}, "the caller's connection is closed or lost", hint)
        sent = prepare(connection, request, identity, self._api_schema, whole=whole)
        try:
            return await transact(connection, sent, self._timeout_s)
        except psycopg.Error as error:
            if whole and error.sqlstate == READ_ONLY:
                # Another one may lead to a server that writes, or to this one once it does.
                await connection.close()
            again = whole or (sent.ours and not connection.closed)
            raise from_psycopg(error, maybe_done=sent.ours, again=again) from error


class AsyncUserClient:
    """The calls of one user; as a context manager it ends with the block, and then refuses to call."""

    def __init__(self, call: _Calls, identity: Callable[[], Awaitable[Identity]]) -> None:
        self._call = call
        self._identity: Callable[[], Awaitable[Identity]] | None = identity

    async def call(self, request: Call[Reply]) -> Reply:
        """Make one call as this user, in one network round trip.

        Args:
            request: What :mod:`eventlive_db.client.rpc` makes.

        Raises:
            UnauthenticatedError: The token is not accepted, or has expired; nothing was sent.
            EventliveError: The call failed; nothing of it was done, unless ``maybe_done`` says otherwise.
            ValueError: On a caller's connection: it is busy, or its transaction has failed.
        """
        if self._identity is None:
            msg = "the block of this user has ended: call as_user again"
            raise RuntimeError(msg)
        return await self._call(request, self._identity)

    async def __aenter__(self) -> Self:
        if self._identity is not None:
            await self._identity()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._identity = None


class _Calls(Protocol):
    async def __call__(self, request: Call[Reply], identity: Callable[[], Awaitable[Identity]]) -> Reply: ...


@contextlib.asynccontextmanager
async def held(connection: Connection, timeout_s: float | None) -> AsyncIterator[None]:
    """Hold the lock of a connection, as each statement of psycopg does.

    Raises:
        ValueError: Somebody else has held it for so long; a COPY or stream of the same task always does.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await connection.lock.acquire()
    except TimeoutError:
        msg = "the connection is busy with another statement: finish that, then call"
        raise ValueError(msg) from None
    try:
        yield
    finally:
        connection.lock.release()


async def transact(connection: Connection, sent: Plan, timeout_s: float | None = None) -> Any:
    """Send a call in one round trip, and return what the function returned.

    Whatever happens, the connection is left as it was found: outside a transaction, or in the caller's with the
    caller's identity; where that cannot be had it is closed.

    Args:
        connection: With its lock held.
        sent: What to send.
        timeout_s: How long to wait for the answer, in seconds.

    Raises:
        psycopg.Error: The call failed.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    done = False
    try:
        results = await connection.wait(exchange(connection.pgconn, sent.statements, deadline))
        require_success(results, connection.info.encoding)
        done = True
    finally:
        if not done:
            await _clean_up(connection, sent)
    return value_of(results[sent.call], connection.info.encoding)


async def _clean_up(connection: Connection, sent: Plan) -> None:
    """After a failure, or an interruption at any point."""
    try:
        status = connection.info.transaction_status
        if status in {TransactionStatus.ACTIVE, TransactionStatus.UNKNOWN} or is_in_pipeline(connection.pgconn):
            await connection.close()
        elif sent.ours and status != TransactionStatus.IDLE:
            await connection.wait(exchange(connection.pgconn, [ROLLBACK]))
        elif not sent.ours and status == TransactionStatus.INTRANS:
            await connection.wait(exchange(connection.pgconn, [PUT_IDENTITY_BACK]))
    except psycopg.Error:
        await connection.close()  # and what failed first stays what the caller is told
    except BaseException:
        await connection.close()
        raise


async def call(connection: Connection, request: Call[Any], identity: Identity, api_schema: str = API_SCHEMA) -> Any:
    """Make one call in a transaction of its own, and get what the function returned as it is.

    For tests and tools; an application has :class:`AsyncClient`.

    Args:
        connection: In autocommit mode and outside a transaction. Its role must be a member of the identity's.
        request: The function and its arguments.
        identity: Who calls.
        api_schema: The exposed schema.

    Raises:
        RpcError: The function refused the call.
        psycopg.Error: Any other error; nothing was changed.
        ValueError: The connection is not in autocommit mode, or in a transaction.
    """
    require_idle(connection.autocommit, connection.info.transaction_status)
    try:
        async with connection.lock:
            return await transact(connection, prepare(connection, request, identity, api_schema, whole=True))
    except psycopg.Error as error:
        raise_failure(error)
