"""Somebody who calls the functions, on a connection of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from eventlive_db.client import Call, Identity, RpcError, call
from eventlive_db.client.calls import SET_IDENTITY


def named(arguments: dict[str, object]) -> dict[str, object]:
    """Parameter names as the functions have them: with a leading underscore."""
    return {f"_{name}": value for name, value in arguments.items()}


@dataclass(slots=True)
class Actor:
    """A user, guest or service, with a connection of their own."""

    connection: psycopg.Connection[Any]
    identity: Identity
    user_id: UUID | None = None

    def call(self, function: str, /, **arguments: object) -> Any:
        """Call in a transaction of its own and return the reply."""
        return call(self.connection, Call(function, named(arguments)), self.identity)

    def refused(self, function: str, /, **arguments: object) -> RpcError:
        """Call and return the error; fail where the call succeeds or breaks otherwise."""
        with pytest.raises(RpcError) as caught:
            self.call(function, **arguments)
        return caught.value

    def broken(self, function: str, /, **arguments: object) -> psycopg.Error:
        """Call and return a database error that is not one of the contract's."""
        with pytest.raises(psycopg.Error) as caught:
            self.call(function, **arguments)
        return caught.value

    @contextmanager
    def transaction(self) -> Iterator[OpenTransaction]:
        """A transaction that stays open for several steps, with this identity; commits at the end."""
        with self.connection.transaction():
            self.connection.execute(SET_IDENTITY, self.identity.settings())
            yield OpenTransaction(self.connection)

    @property
    def pid(self) -> int:
        """The server process behind the connection."""
        return self.connection.info.backend_pid


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """Calls inside a transaction that is open."""

    connection: psycopg.Connection[Any]

    def call(self, function: str, /, **arguments: object) -> Any:
        """Call and return the reply; the transaction goes on."""
        request: Call[Any] = Call(function, named(arguments))
        row = self.connection.execute(request.query(), request.parameters()).fetchone()
        return row[0] if row else None


@dataclass(slots=True)
class Background:
    """A step that runs in a thread, because it is expected to wait for a lock."""

    thread: threading.Thread
    outcome: list[Any] = field(default_factory=list)
    error: list[BaseException] = field(default_factory=list)

    def result(self) -> Any:
        """Wait for the step and return what it returned, or raise what it raised."""
        self.thread.join(timeout=60)
        assert not self.thread.is_alive(), "the step still waits for a lock"
        if self.error:
            raise self.error[0]
        return self.outcome[0]


def in_background(step: Callable[[], Any]) -> Background:
    """Start a step in a thread."""
    background = Background(threading.Thread())

    def run() -> None:
        try:
            background.outcome.append(step())
        except BaseException as error:  # handed to the test by result()
            background.error.append(error)

    background.thread = threading.Thread(target=run, daemon=True)
    background.thread.start()
    return background


def wait_until_blocked(admin: psycopg.Connection[Any], pid: int) -> None:
    """Return when that server process waits for a lock that another one holds; fail where it never does."""
    for _ in range(2000):
        row = admin.execute("select cardinality(pg_blocking_pids(%s)) > 0", [pid]).fetchone()
        if row and row[0]:
            return
        time.sleep(0.005)
    pytest.fail("the second session was expected to wait for the first, and did not")


def new_id() -> UUID:
    """A fresh id of a user or session."""
    return uuid4()
