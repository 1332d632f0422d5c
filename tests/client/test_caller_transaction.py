"""A caller's transaction is used and never committed, and its identity is given back."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from eventlive_db.client import Call, Client, Identity, rpc
from eventlive_db.client import errors as e
from tests.client.test_identity_scope import who
from tests.support.database import EventliveDatabase


@pytest.fixture
def viewer() -> Identity:
    return Identity.user(uuid4())


def plain(db: EventliveDatabase, **options: Any) -> psycopg.Connection[Any]:
    """A connection as psycopg makes it: statements begin a transaction."""
    connection = db.connect()
    connection.autocommit = False
    for name, value in options.items():
        setattr(connection, name, value)
    return connection


def test_a_call_on_a_connection_that_is_not_in_autocommit_is_the_callers_to_commit(
    db: EventliveDatabase, viewer: Identity
) -> None:
    webinar = db.webinar()
    connection = plain(db)
    me = Client(connection).as_user(viewer)
    assert me.call(rpc.webinar_register(webinar)).created
    assert connection.info.transaction_status == TransactionStatus.INTRANS
    assert db.count("registrations") == 0
    connection.rollback()
    assert me.call(rpc.webinar_register(webinar)).created
    connection.commit()
    assert db.count("registrations") == 1


def test_a_call_in_an_open_transaction_of_a_connection_in_autocommit_is_part_of_it(
    db: EventliveDatabase, viewer: Identity
) -> None:
    webinar = db.webinar()
    connection = db.connect()
    with connection.transaction(force_rollback=True):
        Client(connection).as_user(viewer).call(rpc.webinar_register(webinar))
    assert db.count("registrations") == 0


def test_the_caller_goes_on_as_who_it_was(db: EventliveDatabase, viewer: Identity) -> None:
    webinar = db.webinar()
    connection = plain(db)
    connection.execute("select set_config('role', 'anon', true), set_config('request.jwt.claims', '{\"a\": 1}', true)")
    before = who(connection)
    assert before[0] == "anon"
    assert Client(connection).as_user(viewer).call(rpc.webinar_register(webinar)).created
    assert who(connection) == before
    connection.rollback()
    assert who(connection)[2] == ""


def test_two_users_in_one_transaction_are_each_themselves(db: EventliveDatabase) -> None:
    webinar = db.webinar()
    connection = plain(db)
    client = Client(connection)
    for _ in range(2):
        viewer = Identity.user(uuid4())
        made = client.as_user(viewer).call(rpc.webinar_register(webinar))
        assert str(made.user_id) == viewer.claims["sub"]
        assert who(connection)[0] == who(connection)[1]
    connection.commit()
    assert db.count("registrations") == 2


def test_a_refusal_fails_the_transaction_as_every_error_does(db: EventliveDatabase, viewer: Identity) -> None:
    connection = plain(db)
    me = Client(connection).as_user(viewer)
    with pytest.raises(e.NotFoundError):
        me.call(rpc.webinar_register(uuid4()))
    assert connection.info.transaction_status == TransactionStatus.INERROR
    with pytest.raises(ValueError, match="roll it back"):
        me.call(rpc.webinar_register(uuid4()))
    connection.rollback()
    assert who(connection)[2] == ""


def test_in_a_savepoint_a_refusal_undoes_that_alone(db: EventliveDatabase, viewer: Identity) -> None:
    webinar = db.webinar()
    connection = plain(db)
    connection.execute("create temp table mine (a int)")
    before = who(connection)
    with pytest.raises(e.ForbiddenError), connection.transaction():
        Client(connection).as_user(viewer).call(rpc.webinar_presence_ping(webinar))
    connection.execute("insert into mine values (1)")
    assert who(connection) == before


@pytest.mark.parametrize("argument", [object(), "a\x00"])
def test_a_value_that_cannot_be_sent_leaves_the_callers_identity(
    db: EventliveDatabase, viewer: Identity, argument: object
) -> None:
    connection = plain(db)
    before = who(connection)
    call: Call[Any] = Call("webinar_register", {"_webinar_id": argument})
    with pytest.raises(e.InvalidCallError):
        Client(connection).as_user(viewer).call(call)
    if connection.info.transaction_status == TransactionStatus.INERROR:
        connection.rollback()
    assert who(connection) == before


def test_a_callers_row_factory_and_cursor_factory_are_its_own(db: EventliveDatabase, viewer: Identity) -> None:
    webinar = db.webinar()
    connection = plain(db, row_factory=dict_row, cursor_factory=psycopg.ClientCursor)
    assert Client(connection).as_user(viewer).call(rpc.webinar_register(webinar)).created
    connection.commit()
    assert connection.execute("select 1 as one").fetchone() == {"one": 1}


def test_a_connection_that_is_busy_is_refused(db: EventliveDatabase, viewer: Identity) -> None:
    connection = db.connect()
    me = Client(connection, timeout_s=0.05).as_user(viewer)
    with connection.cursor() as cursor, cursor.copy("copy (select generate_series(1, 10)) to stdout") as copy:
        copy.read()
        with pytest.raises(ValueError, match="busy"):
            me.call(rpc.webinar_register(uuid4()))


def test_a_connection_that_is_closed_is_unavailable(db: EventliveDatabase, viewer: Identity) -> None:
    connection = db.connect()
    connection.close()
    with pytest.raises(e.UnavailableError) as caught:
        Client(connection).as_user(viewer).call(rpc.webinar_register(uuid4()))
    assert caught.value.token == "unreachable"
    assert not caught.value.maybe_done


def test_closing_the_client_leaves_the_callers_connection_open(db: EventliveDatabase, viewer: Identity) -> None:
    connection = db.connect()
    with Client(connection):
        pass
    assert not connection.closed


def test_a_ping_bundled_with_own_writes_commits_them_durably(db: EventliveDatabase, viewer: Identity) -> None:
    webinar = db.webinar()
    db.register(webinar, UUID(str(viewer.claims["sub"])))
    connection = plain(db)
    connection.execute("create table if not exists public.mine (a int)")
    Client(connection).as_user(viewer).call(rpc.webinar_presence_ping(webinar))
    row = connection.execute("show synchronous_commit").fetchone()
    assert row == ("on",)
