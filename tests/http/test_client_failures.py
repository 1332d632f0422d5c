"""A real PostgREST that goes away, loses its database or takes too long: what the client's caller hears."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from eventlive_db.client import Call, rpc
from eventlive_db.client import errors as e
from eventlive_db.client.http import AsyncHttpClient, HttpClient
from eventlive_db.client.resilience import Resilience
from tests.http.conftest import OpenDoor
from tests.support.actors import in_background
from tests.support.http_door import Caller, Door
from tests.support.own_server import wait_for

Send = Callable[..., Any]


def sync_send(url: str, caller: Caller, request: Call[Any], timeout_s: float = 30.0) -> Any:
    assert caller.token
    with HttpClient(url, timeout_s=timeout_s, resilience=Resilience(max_attempts=1)) as client:
        return client.as_user(caller.token).call(request)


def async_send(url: str, caller: Caller, request: Call[Any], timeout_s: float = 30.0) -> Any:
    async def run() -> Any:
        assert caller.token
        async with AsyncHttpClient(url, timeout_s=timeout_s, resilience=Resilience(max_attempts=1)) as client:
            return await client.as_user(caller.token).call(request)

    return asyncio.run(run())


@pytest.fixture(params=[sync_send, async_send], ids=["sync", "async"])
def send(request: pytest.FixtureRequest) -> Send:
    found: Send = request.param
    return found


def block(door: Door, webinar: Any, viewer: Caller) -> psycopg.Connection[Any]:
    """Hold what registering waits for."""
    holder = door.db.connect()
    holder.autocommit = False
    holder.execute(
        "insert into eventlive.registrations (webinar_id, user_id) values (%s, %s)", [webinar, viewer.user_id]
    )
    return holder


WAITING = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


def wait_until_waiting(door: Door) -> int:
    wait_for("the call to wait", lambda: door.db.rows(WAITING) != [])
    pid: int = door.db.value(WAITING)
    return pid


def count(door: Door, viewer: Caller) -> int:
    return int(door.db.value("select count(*) from eventlive.registrations where user_id = %s", viewer.user_id))


def outcome(step: Callable[[], Any]) -> e.EventliveError:
    with pytest.raises(e.EventliveError) as caught:
        step()
    return caught.value


def test_where_nobody_listens_nothing_was_sent(another_door: OpenDoor, send: Send) -> None:
    with another_door() as door:
        webinar, viewer, url = door.db.webinar(), door.user(), door.server.url
        assert send(url, viewer, rpc.webinar_register(webinar)).created
        door.server.child.stop()
        error = outcome(lambda: send(url, viewer, rpc.webinar_register(webinar)))
        assert type(error) is e.UnavailableError
        assert (error.token, error.retry, error.maybe_done) == ("unreachable", True, False)


def test_a_postgrest_that_is_killed_in_the_midst_of_a_call_leaves_it_unknown(
    another_door: OpenDoor, send: Send
) -> None:
    with another_door() as door:
        webinar, viewer, url = door.db.webinar(), door.user(), door.server.url
        holder = block(door, webinar, viewer)
        step = in_background(lambda: send(url, viewer, rpc.webinar_register(webinar)))
        pid = wait_until_waiting(door)
        os.kill(door.server.pid, signal.SIGKILL)
        error = outcome(step.result)
        assert type(error) is e.UnavailableError
        assert (error.token, error.retry, error.maybe_done) == ("unreachable", True, True)
        holder.rollback()
        gone = "select count(*) from pg_stat_activity where pid = %s"
        wait_for("the end of its connection", lambda: door.db.value(gone, pid) == 0)
        assert count(door, viewer) == 0  # PostgREST commits after the call, and there it was no more


def test_a_call_that_is_not_answered_in_time_may_be_done_later(door: Door, send: Send) -> None:
    webinar, viewer = door.db.webinar(), door.user()
    holder = block(door, webinar, viewer)
    error = outcome(lambda: send(door.server.url, viewer, rpc.webinar_register(webinar), timeout_s=0.2))
    assert type(error) is e.TimedOutError
    assert (error.token, error.retry, error.maybe_done) == ("timed_out", True, True)
    again = in_background(lambda: send(door.server.url, viewer, rpc.webinar_register(webinar)))
    holder.rollback()
    again.result()
    assert count(door, viewer) == 1


def test_a_statement_timeout_of_the_role_undoes_the_call(another_door: OpenDoor, send: Send) -> None:
    def impatient(dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as admin:
            admin.execute("alter function eventlive_api.webinar_register set statement_timeout = '100ms'")

    with another_door(prepare=impatient) as door:
        webinar, viewer = door.db.webinar(), door.user()
        holder = block(door, webinar, viewer)
        error = outcome(lambda: send(door.server.url, viewer, rpc.webinar_register(webinar)))
        assert type(error) is e.TimedOutError
        assert (error.sqlstate, error.retry, error.maybe_done) == ("57014", True, False)
        holder.rollback()
        assert send(door.server.url, viewer, rpc.webinar_register(webinar)).created


def test_a_server_process_that_ends_behind_it_undoes_the_call(another_door: OpenDoor, send: Send) -> None:
    with another_door() as door:
        webinar, viewer = door.db.webinar(), door.user()
        holder = block(door, webinar, viewer)
        step = in_background(lambda: send(door.server.url, viewer, rpc.webinar_register(webinar)))
        assert door.db.value("select pg_terminate_backend(%s)", wait_until_waiting(door))
        error = outcome(step.result)
        # It may have been lost at the commit, for all that PostgREST says.
        assert type(error) is e.UnavailableError
        assert (error.status, error.retry, error.maybe_done) == (503, True, True)
        holder.rollback()
        assert count(door, viewer) == 0
        recovers(door, send, viewer, webinar)


def recovers(door: Door, send: Send, viewer: Caller, webinar: Any) -> None:
    """PostgREST connects again by itself."""

    def registered() -> bool:
        try:
            send(door.server.url, viewer, rpc.webinar_register(webinar))
        except e.UnavailableError:
            return False
        return True

    wait_for("PostgREST to connect again", registered)
    assert count(door, viewer) == 1


def test_a_database_that_is_away_is_503_with_a_time_to_try_again(another_door: OpenDoor, send: Send) -> None:
    with another_door() as door:
        webinar, viewer = door.db.webinar(), door.user()
        name = door.db.admin.info.dbname
        with psycopg.connect(door.db.dsn, dbname="postgres", autocommit=True) as admin:
            admin.execute(f'alter database "{name}" with allow_connections false'.encode())
            admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and application_name <> ''",
                [name],
            )
            wait_for("PostgREST to notice", lambda: not door.server.is_ready())
            errors: list[Any] = []

            def is_away() -> bool:
                """A connection of its pool may have been ended without its knowing: that call is told of it (57P01)."""
                errors.append(outcome(lambda: send(door.server.url, viewer, rpc.webinar_register(webinar))))
                return bool(errors[-1].sqlstate == "PGRST000")

            wait_for("PostgREST to find its last connection gone", is_away)
            assert {(type(one), one.status, one.retry) for one in errors} == {(e.UnavailableError, 503, True)}
            error = errors[-1]
            assert (error.maybe_done, error.retry_after_s is not None) == (False, True)
            admin.execute(f'alter database "{name}" with allow_connections true'.encode())
        recovers(door, send, viewer, webinar)
