"""Where a synchronous client's connections come from."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias

import psycopg

from eventlive_db.client.exchange import hand_on_notifies
from eventlive_db.client.options import connect_options

Connection: TypeAlias = psycopg.Connection[Any]


def is_lost(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> bool:
    """Whether an idle connection is closed, or the server has ended it: asked of the socket, in a microsecond.

    A call on it could only fail, and could not tell whether it had been done.
    """
    try:
        connection.pgconn.consume_input()  # takes what the server said last
        connection.pgconn.consume_input()  # and sees that there is no more to come
        hand_on_notifies(connection.pgconn)
    except psycopg.OperationalError:
        return True
    return False


class Pool(Protocol):
    """What is needed of a ``psycopg_pool.ConnectionPool``."""

    def connection(self) -> contextlib.AbstractContextManager[Connection]:
        """Lend a connection, and take it back."""
        ...


class Source(Protocol):
    """Lends a connection to one call at a time.

    Attributes:
        whole: Whether a call on it is always a transaction of its own.
    """

    whole: bool

    def connection(self) -> contextlib.AbstractContextManager[Connection]:
        """Lend a connection."""
        ...

    def close(self) -> None:
        """Close what this source opened."""
        ...


class Dsn:
    """One connection, opened when it is needed and again when it is lost."""

    whole = True

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._closed = False
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend it; threads take turns."""
        with self._lock:
            if self._closed:
                msg = "the client is closed"
                raise RuntimeError(msg)
            if self._connection is not None and is_lost(self._connection):
                self._connection.close()
                self._connection = None
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._dsn,
                    autocommit=True,
                    **connect_options(self._dsn),
                )
            yield self._connection

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None


class Lent:
    """A caller's connection."""

    whole = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend it; whoever calls takes its lock."""
        yield self._connection

    def close(self) -> None:
        """Nothing: it is the caller's."""


class Pooled:
    """A caller's pool."""

    whole = True

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend one of the pool's; those that are lost go back, and the pool replaces them."""
        lost: list[Connection] = []
        while True:
            with self._pool.connection() as connection:
                if not is_lost(connection):
                    yield connection
                    return
                if connection in lost:
                    raise psycopg.OperationalError("the pool lends a connection that is lost, and keeps it")
                lost.append(connection)

    def close(self) -> None:
        """Nothing: it is the caller's."""
