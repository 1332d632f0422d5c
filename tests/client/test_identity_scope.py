"""Nothing of a user stays on a connection: not after success, an error, an interruption or a cancelled task."""

from __future__ import annotations

import _thread
import asyncio
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from eventlive_db.client import AsyncClient, Call, Client, Identity, rpc
from eventlive_db.client import errors as e
from tests.support.actors import wait_until_blocked
from tests.support.database import EventliveDatabase

WHO = "select current_user::text, session_user::text, coalesce(current_setting('request.jwt.claims', true), '')"


def who(connection: psycopg.Connection[Any]) -> tuple[str, str, str]:
    """Whom the next statement of this connection would run as."""
    row = connection.execute(WHO).fetchone()
    assert row is not None
    return tuple(row)


@pytest.fixture(params=[True, False], ids=["autocommit", "not-autocommit"])
def pool(request: pytest.FixtureRequest, db: EventliveDatabase) -> Iterator[ConnectionPool[psycopg.Connection[Any]]]:
    """A pool of one connection, so that the next user gets the same one."""
    with ConnectionPool(db.dsn, kwargs={"autocommit": request.param}, min_size=1, max_size=1, open=True) as pool:
        pool.wait()
        yield pool


@pytest.fixture
def viewer() -> Identity:
    return Identity.user(uuid4())


def test_the_next_user_of_a_pooled_connection_is_nobody(
    db: EventliveDatabase, pool: ConnectionPool[psycopg.Connection[Any]], viewer: Identity
) -> None:
    webinar = db.webinar()
    client = Client(pool)
    with pool.connection() as connection:
        before, pid = who(connection), connection.info.backend_pid
    assert client.as_user(viewer).call(rpc.webinar_register(webinar)).created
    with pool.connection() as connection:
        assert (who(connection), connection.info.backend_pid) == (before, pid)
    # Committed, whatever mode the pool's connections are in.
    assert db.count("registrations") == 1


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(rpc.webinar_presence_ping(uuid4()), id="refused"),
        pytest.param(rpc.webinar_presence_ping_many(uuid4(), []), id="not-permitted"),
        pytest.param(Call("no_such_function"), id="missing"),
        pytest.param(Call("webinar_register", {"_webinar_id": "x"}), id="unreadable"),
        pytest.param(Call("webinar_register", {"_webinar_id": object()}), id="unsendable"),
        pytest.param(Call("webinar_register", {"_webinar_id": "a\x00"}), id="nul"),
    ],
)
def test_after_an_error_the_connection_is_nobodys_and_still_the_same(
    pool: ConnectionPool[psycopg.Connection[Any]], viewer: Identity, request_: Call[Any]
) -> None:
    client = Client(pool)
    with pool.connection() as connection:
        before, pid = who(connection), connection.info.backend_pid
    for _ in range(3):
        with pytest.raises(e.EventliveError):
            client.as_user(viewer).call(request_)
        with pool.connection() as connection:
            assert (who(connection), connection.info.backend_pid) == (before, pid)


def test_a_user_who_may_not_take_on_the_role_gets_nowhere(
    pool: ConnectionPool[psycopg.Connection[Any]], db: EventliveDatabase
) -> None:
    for role in ("postgres", "eventlive_owner", "pg_read_all_data"):
        with pytest.raises(e.ForbiddenError) as caught:
            Client(pool).as_user({"sub": str(uuid4()), "role": role})
        assert caught.value.token == "role_not_allowed"


def test_the_block_of_a_user_ends(db: EventliveDatabase, viewer: Identity) -> None:
    webinar = db.webinar()
    with Client(db.dsn) as client:
        with client.as_user(viewer) as me:
            assert me.call(rpc.webinar_register(webinar)).created
        with pytest.raises(RuntimeError, match="has ended"):
            me.call(rpc.webinar_register(webinar))


def block(db: EventliveDatabase, webinar: UUID, viewer: Identity) -> psycopg.Connection[Any]:
    """Hold what registering waits for, and return who holds it."""
    holder = db.connect()
    holder.autocommit = False
    holder.execute(
        "insert into eventlive.registrations (webinar_id, user_id) values (%s, %s)", [webinar, viewer.claims["sub"]]
    )
    return holder


def test_an_interrupted_call_leaves_nothing_behind(
    db: EventliveDatabase, pool: ConnectionPool[psycopg.Connection[Any]], viewer: Identity
) -> None:
    webinar = db.webinar()
    with pool.connection() as connection:
        before, pid = who(connection), connection.info.backend_pid
    holder = block(db, webinar, viewer)

    def interrupt() -> None:
        wait_until_blocked(db.admin, pid)
        _thread.interrupt_main()

    waiter = threading.Thread(target=interrupt)
    waiter.start()
    with pytest.raises(KeyboardInterrupt):
        Client(pool).as_user(viewer).call(rpc.webinar_register(webinar))
    waiter.join()
    holder.rollback()
    with pool.connection() as connection:
        assert who(connection) == before
    assert db.count("registrations") == 0


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_cancelled_task_leaves_nothing_behind(db: EventliveDatabase, viewer: Identity, autocommit: bool) -> None:
    webinar = db.webinar()

    async def run() -> None:
        async with AsyncConnectionPool(
            db.dsn, kwargs={"autocommit": autocommit}, min_size=1, max_size=1, open=False
        ) as pool:
            await pool.wait()
            async with pool.connection() as connection:
                pid = connection.info.backend_pid
            client = AsyncClient(pool)
            holder = block(db, webinar, viewer)
            task = asyncio.create_task(client.as_user(viewer).call(rpc.webinar_register(webinar)))
            await asyncio.to_thread(wait_until_blocked, db.admin, pid)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            holder.rollback()
            async with pool.connection() as connection:
                row = await (await connection.execute(WHO)).fetchone()
                assert row is not None
                assert row[0] == row[1]
                assert row[2] == ""
            assert db.count("registrations") == 0
            # And the next user is served as themselves.
            other = Identity.user(uuid4())
            made = await client.as_user(other).call(rpc.webinar_register(webinar))
            assert str(made.user_id) == other.claims["sub"]

    asyncio.run(run())


def test_tasks_cancelled_at_every_point_leave_nothing_behind(db: EventliveDatabase) -> None:
    """Each task is cancelled after one step more of the loop than the one before."""
    webinar = db.webinar()

    async def run() -> None:
        connection = await psycopg.AsyncConnection.connect(db.dsn, autocommit=True)
        client = AsyncClient(connection)
        finished = 0
        for steps in range(40):
            viewer = Identity.user(uuid4())
            task = asyncio.create_task(client.as_user(viewer).call(rpc.webinar_register(webinar)))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
                finished += 1
            except asyncio.CancelledError:
                pass
            if connection.closed:
                connection = await psycopg.AsyncConnection.connect(db.dsn, autocommit=True)
                client = AsyncClient(connection)
            assert connection.info.transaction_status == TransactionStatus.IDLE
            row = await (await connection.execute(WHO)).fetchone()
            assert row is not None
            assert (row[0] == row[1], row[2]) == (True, "")
        await connection.close()

    asyncio.run(run())


def test_threads_that_share_a_connection_are_each_themselves(db: EventliveDatabase) -> None:
    webinar = db.webinar()
    connection = db.connect()
    wrong: list[object] = []

    def work() -> None:
        for _ in range(20):
            viewer = Identity.user(uuid4())
            made = Client(connection).as_user(viewer).call(rpc.webinar_register(webinar))
            if str(made.user_id) != viewer.claims["sub"]:
                wrong.append(made)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert db.count("registrations") == 80


def test_tasks_that_share_a_connection_are_each_themselves(db: EventliveDatabase) -> None:
    webinar = db.webinar()

    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(db.dsn, autocommit=True) as connection:

            async def one() -> None:
                viewer = Identity.user(uuid4())
                made = await AsyncClient(connection).as_user(viewer).call(rpc.webinar_register(webinar))
                assert str(made.user_id) == viewer.claims["sub"]

            await asyncio.gather(*(one() for _ in range(40)))

    asyncio.run(run())
