"""What the tests of the client share: the same call through each shell over psycopg."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import pytest

from eventlive_db.client import AsyncClient, Call, Client, Identity
from eventlive_db.client.resilience import Resilience
from eventlive_db.server import Server
from tests.support.database import EventliveDatabase

Reply = TypeVar("Reply")


class Shell(Protocol):
    """One way to make calls, from the point of view of a test that waits for each."""

    def call(self, request: Call[Reply], identity: Identity) -> Reply: ...


class SyncShell:
    """A :class:`Client`."""

    def __init__(self, dsn: str, **options: Any) -> None:
        self.client = Client(dsn, **options)

    def call(self, request: Call[Reply], identity: Identity) -> Reply:
        return self.client.as_user(identity).call(request)

    def close(self) -> None:
        self.client.close()


class AsyncShell:
    """An :class:`AsyncClient` with a loop of its own."""

    def __init__(self, dsn: str, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = AsyncClient(dsn, **options)

    def call(self, request: Call[Reply], identity: Identity) -> Reply:
        return self.loop.run_until_complete(self.client.as_user(identity).call(request))

    def close(self) -> None:
        self.loop.run_until_complete(self.client.close())
        self.loop.close()


SHELLS: dict[str, type[SyncShell] | type[AsyncShell]] = {"sync": SyncShell, "async": AsyncShell}


@pytest.fixture(params=sorted(SHELLS))
def open_shell(request: pytest.FixtureRequest) -> Iterator[Callable[..., Shell]]:
    """``open_shell(dsn, **options)``: a client, synchronous in one test and asynchronous in the next."""
    opened: list[SyncShell | AsyncShell] = []

    def open_one(dsn: str, **options: Any) -> Shell:
        # One try, unless a test is about more.
        options.setdefault("resilience", Resilience(max_attempts=1))
        opened.append(SHELLS[request.param](dsn, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def shell(db: EventliveDatabase, open_shell: Callable[..., Shell]) -> Shell:
    """A client of the test's database."""
    return open_shell(db.dsn)


@pytest.fixture
def tcp_dsn(db: EventliveDatabase, pg_server: Server) -> str:
    """The test's database by host and port."""
    return pg_server.tcp_dsn(str(db.admin.info.dbname))
