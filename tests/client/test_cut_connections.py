"""The connection is cut at every point of a call: done if and only if the commit got there, and repeatable anyway."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from eventlive_db.client import Client, Identity, rpc
from eventlive_db.client import errors as e
from tests.support.database import EventliveDatabase
from tests.support.own_server import wait_for
from tests.support.ways import WAYS, Way, all_ways
from tests.support.wire import Wire, wiretap

STATEMENT = "PBDE"
CALL = 4 * STATEMENT + "S"
COMMIT_STARTS = 4 * len(STATEMENT)  # with the Execute of the fourth statement


def nobody_is_connected(db: EventliveDatabase) -> bool:
    """Whether the server has noticed the end of each connection but the superuser's."""
    query = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    return bool(db.value(query) == 0)


def fails(way: Way, webinar: UUID, viewer: Identity) -> e.EventliveError:
    with pytest.raises(e.EventliveError) as caught:
        way.call(rpc.webinar_register(webinar), viewer)
    return caught.value


def connected(wire: Wire, way: Way) -> None:
    """Have the way its connection, and the wire silent."""
    way.call(rpc.webinar_create(f"w-{uuid4()}"), Identity.service())
    wire.listen()


@pytest.mark.parametrize("name", ["sync-dsn", "async-dsn"])
def test_a_call_that_is_cut_anywhere_is_done_once_when_it_is_made_again(
    db: EventliveDatabase, tcp_dsn: str, name: str
) -> None:
    webinar = db.webinar()
    with wiretap(tcp_dsn) as wire, all_ways(wire.dsn, [name]) as ways:
        for heard in range(1, len(CALL) + 1):
            viewer = Identity.user(uuid4())
            connected(wire, ways[name])
            wire.listen(cut_at=CALL[:heard])
            error = fails(ways[name], webinar, viewer)
            assert type(error) is e.UnavailableError
            assert (error.token, error.retry, error.maybe_done) == ("unreachable", True, True)
            wait_for("the server to notice the cut", lambda: nobody_is_connected(db))
            done = db.value("select count(*) from eventlive.registrations where user_id = %s", viewer.claims["sub"])
            assert done == (heard >= COMMIT_STARTS), CALL[:heard]
            made = ways[name].call(rpc.webinar_register(webinar), viewer)
            assert made.created == (not done)
    assert db.count("registrations") == len(CALL)


@pytest.mark.parametrize("name", sorted(WAYS))
def test_a_call_whose_answer_is_lost_is_done_and_the_next_one_says_so(
    db: EventliveDatabase, tcp_dsn: str, name: str
) -> None:
    webinar, viewer = db.webinar(), Identity.user(uuid4())
    with wiretap(tcp_dsn) as wire, all_ways(wire.dsn, [name]) as ways:
        connected(wire, ways[name])
        wire.listen(cut_at=CALL)
        assert fails(ways[name], webinar, viewer).maybe_done
        assert not ways[name].call(rpc.webinar_register(webinar), viewer).created
    assert db.count("registrations") == 1


@pytest.mark.parametrize("name", sorted(WAYS))
def test_what_the_server_refused_stays_refused_when_the_connection_goes_at_the_rollback(
    db: EventliveDatabase, tcp_dsn: str, name: str
) -> None:
    webinar, viewer = db.webinar(), Identity.user(uuid4())
    with wiretap(tcp_dsn) as wire, all_ways(wire.dsn, [name]) as ways:
        connected(wire, ways[name])
        wire.listen(cut_at=CALL + STATEMENT)
        with pytest.raises(e.ForbiddenError) as caught:
            ways[name].call(rpc.webinar_presence_ping(webinar), viewer)
        assert (caught.value.token, caught.value.maybe_done) == ("not_registered", False)
        # The connection was given up, and another one is nobody's.
        assert ways[name].call(rpc.webinar_register(webinar), viewer).created


def plain(dsn: str) -> psycopg.Connection[Any]:
    return psycopg.connect(dsn, prepare_threshold=None)


@pytest.mark.parametrize("heard", ["P", 2 * STATEMENT, 4 * STATEMENT, CALL])
def test_in_a_callers_transaction_a_cut_undoes_everything_and_cannot_be_repeated(
    db: EventliveDatabase, tcp_dsn: str, heard: str
) -> None:
    webinar, first, second = db.webinar(), Identity.user(uuid4()), Identity.user(uuid4())
    with wiretap(tcp_dsn) as wire:
        connection = plain(wire.dsn)
        client = Client(connection)
        assert client.as_user(first).call(rpc.webinar_register(webinar)).created
        wire.listen(cut_at=heard)
        with pytest.raises(e.UnavailableError) as caught:
            client.as_user(second).call(rpc.webinar_register(webinar))
        # It was the caller's to commit, so it was not done; and the connection is the caller's to replace.
        assert (caught.value.maybe_done, caught.value.retry) == (False, False)
        assert connection.closed
        with pytest.raises(e.CannotConnectError) as again:
            client.as_user(second).call(rpc.webinar_register(webinar))
        assert (again.value.maybe_done, again.value.retry) == (False, False)
    wait_for("the server to notice the cut", lambda: nobody_is_connected(db))
    assert db.count("registrations") == 0


def test_on_a_callers_connection_a_call_of_its_own_may_have_been_done(db: EventliveDatabase, tcp_dsn: str) -> None:
    webinar, viewer = db.webinar(), Identity.user(uuid4())
    with wiretap(tcp_dsn) as wire:
        connection = plain(wire.dsn)
        connection.autocommit = True
        wire.listen(cut_at=CALL)
        with pytest.raises(e.UnavailableError) as caught:
            Client(connection).as_user(viewer).call(rpc.webinar_register(webinar))
        assert (caught.value.maybe_done, caught.value.retry) == (True, False)
    wait_for("the server to notice the cut", lambda: nobody_is_connected(db))
    assert db.count("registrations") == 1


def test_the_wire_would_show_a_call_that_is_done_twice(db: EventliveDatabase, tcp_dsn: str) -> None:
    """The negative control: an insert that is repeated after its answer was lost is there twice."""
    db.admin.execute("create table public.counted (a int)")
    with wiretap(tcp_dsn) as wire:
        for _ in range(2):
            with psycopg.connect(wire.dsn, autocommit=True, prepare_threshold=None) as connection:
                wire.listen(cut_at=STATEMENT + "S")
                try:
                    connection.execute("insert into public.counted values (%s)", [1])
                except psycopg.OperationalError:
                    continue
    wait_for("the server to notice the cut", lambda: nobody_is_connected(db))
    assert db.value("select count(*) from public.counted") == 2
