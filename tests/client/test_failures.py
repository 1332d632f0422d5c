"""The server goes away, between two calls and in the midst of one: what the caller sees, and that nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.pq import Ping

from eventlive_db.client import Identity, rpc
from eventlive_db.client import errors as e
from eventlive_db.server import Server
from tests.support.actors import Background, in_background
from tests.support.own_server import DATABASE, OwnServer, own_server, wait_for
from tests.support.ways import Way, all_ways

ENDS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "killed": signal.SIGKILL}


@pytest.fixture(scope="module")
def module_server(pg_server: Server) -> Iterator[OwnServer]:
    if pg_server.kind not in {"installed", "embedded"}:
        pytest.skip("a server that is stopped and started again has to be of this machine: --pg-kind installed")
    with own_server(pg_server.kind) as server:
        yield server


@pytest.fixture
def server(module_server: OwnServer) -> Iterator[OwnServer]:
    """The module's server; it runs when a test begins, whatever the test before did."""
    yield module_server
    module_server.stop()
    for name in ("standby.signal", "promote"):
        (module_server.data / name).unlink(missing_ok=True)
    module_server.start()
    with psycopg.connect(module_server.dsn, autocommit=True) as connection:
        for (name,) in connection.execute("select gid from pg_prepared_xacts").fetchall():
            connection.execute(f"rollback prepared '{name}'".encode())


def viewers(ways: dict[str, Way]) -> dict[str, Identity]:
    return {name: Identity.user(uuid4()) for name in ways}


def a_webinar(server: OwnServer) -> UUID:
    with server.database() as db:
        return db.webinar()


def registered(server: OwnServer, webinar: UUID) -> int:
    with server.database() as db:
        return int(db.value("select count(*) from eventlive.registrations where webinar_id = %s", webinar))


def fails(way: Way, webinar: UUID, viewer: Identity) -> e.EventliveError:
    with pytest.raises(e.EventliveError) as caught:
        way.call(rpc.webinar_register(webinar), viewer)
    return caught.value


@pytest.mark.parametrize("how", sorted(ENDS))
def test_a_restart_between_two_calls_loses_nothing_and_fails_no_call(server: OwnServer, how: str) -> None:
    webinar = a_webinar(server)
    with all_ways(server.dsn) as ways:
        people = viewers(ways)
        for name, way in ways.items():
            assert way.call(rpc.webinar_register(webinar), people[name]).created
        server.end(ENDS[how])
        server.start()
        for name, way in ways.items():
            assert not way.call(rpc.webinar_register(webinar), people[name]).created
            # Nor is one that is never repeated.
            way.call(rpc.webinar_presence_ping(webinar), people[name])
    assert registered(server, webinar) == len(ways)


def test_a_raw_connection_does_notice_the_restart(server: OwnServer) -> None:
    """The control: it is the client that sees to it."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        server.end(signal.SIGINT)
        server.start()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")


def test_while_the_server_is_away_nothing_is_sent_and_later_it_is(server: OwnServer) -> None:
    webinar = a_webinar(server)
    with all_ways(server.dsn) as ways:
        people = viewers(ways)
        server.stop()
        for name, way in ways.items():
            way.patience(0.1)
            for _ in range(2):
                error = fails(way, webinar, people[name])
                assert type(error) is e.UnavailableError
                assert (error.token, error.retry, error.maybe_done) == ("unreachable", True, False)
            way.patience(60)
        server.start()
        for name, way in ways.items():
            assert way.call(rpc.webinar_register(webinar), people[name]).created
    assert registered(server, webinar) == len(ways)


def test_a_client_that_was_made_while_the_server_was_away_connects_later(server: OwnServer) -> None:
    webinar = a_webinar(server)
    dsn = server.dsn
    server.stop()
    with all_ways(dsn, ["sync-dsn", "async-dsn"]) as ways:
        people = viewers(ways)
        for name, way in ways.items():
            assert fails(way, webinar, people[name]).retry
        server.start()
        for name, way in ways.items():
            assert way.call(rpc.webinar_register(webinar), people[name]).created


def under_way(server: OwnServer, ways: dict[str, Way], webinar: UUID, people: dict[str, Identity]) -> list[Background]:
    """Calls of all, each of which waits for a lock, which is given back by no end of any server."""
    insert = "insert into eventlive.registrations (webinar_id, user_id) values (%s, %s)"
    with psycopg.connect(server.dsn, autocommit=True) as holder:
        holder.execute("begin")
        for viewer in people.values():
            holder.execute(insert, [webinar, viewer.claims["sub"]])
        holder.execute("prepare transaction 'held'")

    def step(way: Way, viewer: Identity) -> Callable[[], object]:
        return lambda: way.call(rpc.webinar_register(webinar), viewer)

    steps = [in_background(step(way, people[name])) for name, way in ways.items()]
    wait_for("the calls to wait for the lock", lambda: len(waiting(server)) == len(steps))
    return steps


def give_back(server: OwnServer) -> None:
    """Give back what they waited for."""
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("rollback prepared 'held'")


def waiting(server: OwnServer) -> list[int]:
    """The server processes that wait for a lock."""
    with server.database() as db:
        query = "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = %s"
        return [pid for (pid,) in db.rows(query, DATABASE)]


def cut_off(steps: list[Background]) -> None:
    """Each of them was told that it cannot be known."""
    for step in steps:
        with pytest.raises(e.UnavailableError) as caught:
            step.result()
        assert (caught.value.retry, caught.value.maybe_done) == (True, True)
        assert caught.value.sqlstate in {None, "57P01", "57P02"}


@pytest.mark.parametrize("how", sorted(ENDS))
def test_a_server_that_goes_in_the_midst_of_a_call_leaves_it_undone_and_repeatable(server: OwnServer, how: str) -> None:
    webinar = a_webinar(server)
    with all_ways(server.dsn) as ways:
        people = viewers(ways)
        steps = under_way(server, ways, webinar, people)
        server.end(ENDS[how])
        cut_off(steps)
        server.start()
        give_back(server)
        assert registered(server, webinar) == 0
        for name, way in ways.items():
            assert way.call(rpc.webinar_register(webinar), people[name]).created
            assert not way.call(rpc.webinar_register(webinar), people[name]).created
    assert registered(server, webinar) == len(ways)


def terminate(server: OwnServer) -> None:
    with server.database() as db:
        for pid in waiting(server):
            assert db.value("select pg_terminate_backend(%s)", pid)


def kill_one(server: OwnServer) -> None:
    """By which the postmaster ends all the others, and recovers."""
    os.kill(waiting(server)[0], signal.SIGKILL)


@pytest.mark.parametrize("end", [terminate, kill_one])
def test_server_processes_that_end_in_the_midst_of_a_call_leave_it_undone(
    server: OwnServer, end: Callable[[OwnServer], None]
) -> None:
    webinar = a_webinar(server)
    with all_ways(server.dsn) as ways:
        people = viewers(ways)
        steps = under_way(server, ways, webinar, people)
        end(server)
        cut_off(steps)
        wait_for("the server to be back", lambda: psycopg.pq.PGconn.ping(server.dsn.encode()) == Ping.OK)
        give_back(server)
        for name, way in ways.items():
            assert way.call(rpc.webinar_register(webinar), people[name]).created
    assert registered(server, webinar) == len(ways)


def test_a_server_that_is_starting_is_unavailable_and_later_serves(server: OwnServer) -> None:
    webinar = a_webinar(server)
    server.stop()
    # It recovers for as long as nobody promotes it, and says 57P03 to whoever comes.
    (server.data / "standby.signal").touch()
    start = in_background(lambda: server.start(hot_standby="off"))
    wait_for("a server that starts", lambda: psycopg.pq.PGconn.ping(server.dsn.encode()) == Ping.REJECT)
    with all_ways(server.dsn, ["sync-dsn", "async-dsn"]) as ways:
        people = viewers(ways)
        for name, way in ways.items():
            error = fails(way, webinar, people[name])
            assert type(error) is e.UnavailableError
            assert (error.retry, error.maybe_done) == (True, False)
        (server.data / "promote").touch()
        server.kill(signal.SIGUSR1)
        start.result()
        for name, way in ways.items():
            assert way.call(rpc.webinar_register(webinar), people[name]).created


def test_a_standby_reads_and_does_not_write_until_it_is_promoted(server: OwnServer) -> None:
    webinar = a_webinar(server)
    server.stop()
    (server.data / "standby.signal").touch()
    server.start()
    with all_ways(server.dsn) as ways:
        people = viewers(ways)
        for name, way in ways.items():
            assert way.call(rpc.webinar_client_settings(webinar), people[name]).settings_version
            error = fails(way, webinar, people[name])
            assert type(error) is e.UnavailableError
            assert (error.token, error.sqlstate, error.retry, error.maybe_done) == ("read_only", "25006", True, False)
        with psycopg.connect(server.dsn) as admin:
            assert admin.execute("select pg_promote()").fetchone() == (True,)
        for name, way in ways.items():
            assert way.call(rpc.webinar_register(webinar), people[name]).created


def test_a_connection_that_may_not_write_is_given_up_for_one_that_may(server: OwnServer) -> None:
    webinar = a_webinar(server)
    with server.database() as db:
        db.admin.execute(f"alter database {DATABASE} set default_transaction_read_only = on".encode())
        with all_ways(server.dsn) as ways:
            people = viewers(ways)
            for name, way in ways.items():
                assert fails(way, webinar, people[name]).token == "read_only"
            db.admin.execute(f"alter database {DATABASE} reset default_transaction_read_only".encode())
            for name, way in ways.items():
                if name.endswith("pool"):  # it may have made its next connection before
                    with contextlib.suppress(e.UnavailableError):
                        way.call(rpc.webinar_register(webinar), people[name])
                way.call(rpc.webinar_register(webinar), people[name])
    assert registered(server, webinar) == len(ways)
