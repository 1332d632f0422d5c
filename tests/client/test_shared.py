"""A client and a connection that many share: nobody shuts out, holds up or commits what is another one's."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from eventlive_db.client import AsyncClient, Client, Identity, rpc
from eventlive_db.client import errors as e
from tests.support.actors import wait_until_blocked
from tests.support.database import EventliveDatabase


def test_one_users_too_much_shuts_out_nobody_else(db: EventliveDatabase) -> None:
    webinar = db.webinar(duplicate_login_policy="allow", settings={"max_open_sessions_per_user": 1})
    greedy, other = Identity.user(uuid4()), Identity.user(uuid4())
    with Client(db.dsn) as client:
        client.as_user(greedy).call(rpc.webinar_enter(webinar, uuid4()))
        for _ in range(8):
            with pytest.raises(e.RateLimitedError):  # at once: nothing is waited for
                client.as_user(greedy).call(rpc.webinar_enter(webinar, uuid4()))
        assert client.as_user(other).call(rpc.webinar_enter(webinar, uuid4())).created


def test_a_call_waits_for_another_tasks_transaction_and_commits_nothing_of_it(db: EventliveDatabase) -> None:
    webinar = db.webinar()
    db.admin.execute("create table public.mine (a int)")

    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(db.dsn, autocommit=True) as connection:
            me = AsyncClient(connection).as_user(Identity.user(uuid4()))

            async def first() -> None:
                await connection.execute("select pg_sleep(0.2)")
                await me.call(rpc.webinar_register(webinar))

            async def second() -> None:
                await asyncio.sleep(0.05)
                async with connection.transaction(force_rollback=True):
                    await connection.execute("insert into public.mine values (1)")
                    await asyncio.sleep(0.2)

            await asyncio.gather(first(), second(), return_exceptions=True)

    asyncio.run(run())
    assert db.value("select count(*) from public.mine") == 0


def test_a_call_cancelled_while_it_waits_for_its_turn_leaves_the_other_alone(db: EventliveDatabase) -> None:
    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(db.dsn, autocommit=True) as connection:
            other = asyncio.create_task(connection.execute("select pg_sleep(0.3)"))
            await asyncio.sleep(0.05)
            me = AsyncClient(connection).as_user(Identity.user(uuid4()))
            call = asyncio.create_task(me.call(rpc.webinar_register(uuid4())))
            await asyncio.sleep(0.05)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await other
            assert not connection.closed

    asyncio.run(run())


def test_a_listening_connection_hears_what_comes_during_a_call(db: EventliveDatabase) -> None:
    webinar, heard = db.webinar(), []
    connection = db.connect()
    connection.add_notify_handler(lambda notify: heard.append(notify.payload))
    connection.execute("listen news")
    db.admin.execute("notify news, 'hello'")
    Client(connection).as_user(Identity.user(uuid4())).call(rpc.webinar_register(webinar))
    assert heard == ["hello"]


@pytest.mark.parametrize("setting", ["eventlive.caller_role", "eventlive.caller_claims"])
def test_a_function_cannot_choose_whom_the_caller_becomes_again(db: EventliveDatabase, setting: str) -> None:
    webinar = db.webinar(access_policy="guest_allowed")
    db.admin.execute(
        "create or replace function eventlive_api.webinar_client_settings(_webinar_id uuid) returns jsonb"
        " language plpgsql security definer as $$ begin"
        f" perform set_config('{setting}', 'postgres', true);"
        " perform set_config(name, 'postgres', true) from pg_settings where name like 'eventlive.%%';"
        ' return \'{"presence_ping_interval_s": 1, "session_heartbeat_interval_s": 1,'
        ' "fallback_poll_interval_s": 1, "fallback_enabled": true, "settings_version": "x"}\'; end $$'
    )
    connection = db.connect()
    connection.autocommit = False
    connection.execute("set local role authenticated")
    Client(connection).as_guest().call(rpc.webinar_client_settings(webinar))
    row = connection.execute("select current_user::text").fetchone()
    assert row == ("authenticated",)


def test_a_call_that_gets_no_answer_is_given_up(db: EventliveDatabase) -> None:
    webinar, viewer = db.webinar(), Identity.user(uuid4())
    holder = db.connect()
    holder.autocommit = False
    holder.execute(
        "insert into eventlive.registrations (webinar_id, user_id) values (%s, %s)", [webinar, viewer.claims["sub"]]
    )
    with Client(db.dsn, timeout_s=0.3) as client:
        with pytest.raises(e.TimedOutError) as caught:
            client.as_user(viewer).call(rpc.webinar_session_heartbeat(*hanging(db)))
        assert caught.value.maybe_done
        holder.rollback()
        assert client.as_user(viewer).call(rpc.webinar_register(webinar)).created

    async def run() -> None:
        async with AsyncClient(db.dsn, timeout_s=0.3) as client:
            with pytest.raises(e.TimedOutError):
                await client.as_user(viewer).call(rpc.webinar_session_heartbeat(*hanging(db)))

    asyncio.run(run())


def hanging(db: EventliveDatabase) -> tuple[Any, Any]:
    """Arguments of a heartbeat that never ends."""
    db.admin.execute(
        "create or replace function eventlive_api.webinar_session_heartbeat(_webinar_id uuid, _session_id uuid)"
        " returns jsonb language plpgsql as $$ begin perform pg_sleep(20); return null; end $$"
    )
    return uuid4(), uuid4()


def test_a_call_waits_for_its_turn_on_a_shared_connection(db: EventliveDatabase) -> None:
    webinar, viewer = db.webinar(), Identity.user(uuid4())
    holder, connection = db.connect(), db.connect()
    holder.execute("select pg_advisory_lock(1)")
    waiting = threading.Thread(target=lambda: connection.execute("select pg_advisory_lock(1)"))
    waiting.start()
    wait_until_blocked(db.admin, connection.info.backend_pid)
    made: list[bool] = []
    calling = threading.Thread(
        target=lambda: made.append(Client(connection).as_user(viewer).call(rpc.webinar_register(webinar)).created)
    )
    calling.start()
    holder.execute("select pg_advisory_unlock(1)")
    waiting.join()
    calling.join()
    assert made == [True]


@pytest.mark.parametrize("source", [None, 5, object()])
def test_what_is_no_source_is_refused(source: Any) -> None:
    with pytest.raises(TypeError, match="needs a DSN, a connection or a pool"):
        Client(source)
    with pytest.raises(TypeError, match="needs a DSN, a connection or a pool"):
        AsyncClient(source)


def test_a_closed_client_stays_closed(db: EventliveDatabase) -> None:
    with Client(db.dsn) as client:
        me = client.as_guest()
    with pytest.raises(RuntimeError, match="closed"):
        me.call(rpc.webinar_client_settings(uuid4()))

    async def run() -> None:
        async with AsyncClient(db.dsn) as client:
            me = client.as_guest()
        with pytest.raises(RuntimeError, match="closed"):
            await me.call(rpc.webinar_client_settings(uuid4()))

    asyncio.run(run())
