"""A call is one round trip: everything is sent before the server answers, and nothing after."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import psycopg
import pytest

from eventlive_db.client import Client, Identity, rpc
from eventlive_db.client.errors import ForbiddenError
from tests.client.conftest import Shell
from tests.support.database import EventliveDatabase
from tests.support.wire import wiretap

# Parse, Bind, Describe and Execute of a statement.
STATEMENT = "PBDE"


@pytest.fixture
def viewer(db: EventliveDatabase) -> Identity:
    return Identity.user(uuid4())


def test_a_call_is_four_statements_and_one_sync(
    db: EventliveDatabase, tcp_dsn: str, open_shell: Callable[..., Shell], viewer: Identity
) -> None:
    webinar = db.webinar()
    with wiretap(tcp_dsn) as wire:
        shell = open_shell(wire.dsn)
        shell.call(rpc.webinar_register(webinar), viewer)
        wire.listen()
        for _ in range(10):
            shell.call(rpc.webinar_register(webinar), viewer)
        assert wire.heard() == "|".join(10 * [4 * STATEMENT + "S"])


def test_after_a_refusal_the_transaction_is_rolled_back_and_calls_go_on(
    db: EventliveDatabase,
    tcp_dsn: str,
    open_shell: Callable[..., Shell],
    viewer: Identity,
) -> None:
    webinar = db.webinar()
    with wiretap(tcp_dsn) as wire:
        shell = open_shell(wire.dsn, roles=frozenset({"authenticated", "nosuch"}))
        for _ in range(7):
            with pytest.raises(ForbiddenError):
                shell.call(rpc.webinar_presence_ping(webinar), viewer)
            # Not the call fails here, but what is sent before it.
            with pytest.raises(Exception, match="nosuch"):
                shell.call(rpc.webinar_register(webinar), Identity("nosuch"))
        for _ in range(7):
            shell.call(rpc.webinar_register(webinar), viewer)
        assert "SQ" not in wire.heard()


def test_a_call_inside_the_callers_transaction_is_one_round_trip_too(
    db: EventliveDatabase, tcp_dsn: str, viewer: Identity
) -> None:
    webinar = db.webinar()
    with wiretap(tcp_dsn) as wire, psycopg.connect(wire.dsn, prepare_threshold=None) as connection:
        connection.execute("select 1")
        wire.listen()
        Client(connection).as_user(viewer).call(rpc.webinar_register(webinar))
        assert wire.heard() == 4 * STATEMENT + "S"


def test_the_wire_would_show_a_call_that_waits_in_between(db: EventliveDatabase, tcp_dsn: str) -> None:
    with wiretap(tcp_dsn) as wire, psycopg.connect(wire.dsn, autocommit=True, prepare_threshold=None) as connection:
        connection.execute("select 1")
        wire.listen()
        with connection.transaction():
            connection.execute("select pg_catalog.set_config('role', 'anon', true)")
            connection.execute("select 2")
        assert wire.heard().count("|") == 3
