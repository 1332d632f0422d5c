"""A server that answers, and says no: limits, timeouts, locks, and addresses that are wrong."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from eventlive_db.client import Client, Identity, rpc
from eventlive_db.client import errors as e
from tests.client.conftest import Shell
from tests.client.test_identity_scope import block
from tests.support.actors import in_background, wait_until_blocked
from tests.support.database import EventliveDatabase
from tests.support.own_server import wait_for
from tests.support.ways import WAYS, all_ways

Open = Callable[..., Shell]


@pytest.fixture
def viewer() -> Identity:
    return Identity.user(uuid4())


@pytest.fixture
def login(db: EventliveDatabase) -> Iterator[str]:
    """A role that may log in, take on the client roles, and use one connection; its password is its name."""
    name = f"login_{secrets.token_hex(6)}"
    role = sql.Identifier(name)
    db.admin.execute(sql.SQL("create role {} login password {} connection limit 1").format(role, sql.Literal(name)))
    db.admin.execute(sql.SQL("grant anon, authenticated, service_role to {}").format(role))
    yield name
    gone = "select count(*) from pg_stat_activity where usename = %s"
    wait_for("the end of the role's connections", lambda: db.value(gone, name) == 0)
    db.admin.execute(sql.SQL("drop role {}").format(role))


def with_setting(dsn: str, name: str, value: str) -> str:
    return make_conninfo(dsn, options=f"-c {name}={value}")


@pytest.mark.parametrize(
    ("setting", "kind", "token"),
    [
        ("statement_timeout", e.TimedOutError, "timed_out"),
        ("lock_timeout", e.BusyError, "busy"),
    ],
)
@pytest.mark.parametrize("name", sorted(WAYS))
def test_a_call_that_takes_too_long_is_undone_and_may_be_repeated(
    db: EventliveDatabase, viewer: Identity, setting: str, kind: type[e.EventliveError], token: str, name: str
) -> None:
    webinar = db.webinar()
    holder = block(db, webinar, viewer)
    with all_ways(with_setting(db.dsn, setting, "50ms"), [name]) as ways:
        with pytest.raises(e.EventliveError) as caught:
            ways[name].call(rpc.webinar_register(webinar), viewer)
        assert type(caught.value) is kind
        assert (caught.value.token, caught.value.retry, caught.value.maybe_done) == (token, True, False)
        holder.rollback()
        assert ways[name].call(rpc.webinar_register(webinar), viewer).created


def test_of_two_calls_in_a_deadlock_one_is_told_and_the_other_goes_on(db: EventliveDatabase) -> None:
    webinar = db.webinar()
    first, second = db.connect(), db.connect()
    users = [Identity.user(uuid4()) for _ in range(2)]
    for connection, patience in ((first, "1h"), (second, "10ms")):
        connection.autocommit = False
        connection.execute(f"set deadlock_timeout = '{patience}'".encode())
    Client(first).as_user(users[0]).call(rpc.webinar_register(webinar))
    Client(second).as_user(users[1]).call(rpc.webinar_register(webinar))
    step = in_background(lambda: Client(first).as_user(users[1]).call(rpc.webinar_register(webinar)))
    wait_until_blocked(db.admin, first.info.backend_pid)
    with pytest.raises(e.BusyError) as caught:
        Client(second).as_user(users[0]).call(rpc.webinar_register(webinar))
    # It is in the caller's transaction: to be rolled back first, so the same call cannot help by itself.
    assert (caught.value.sqlstate, caught.value.retry, caught.value.maybe_done) == ("40P01", False, False)
    second.rollback()
    assert step.result().created
    first.commit()
    assert db.count("registrations") == 2


def test_a_deadlock_of_a_call_of_its_own_may_be_repeated(
    db: EventliveDatabase, viewer: Identity, open_shell: Open
) -> None:
    """The call takes 7, waits at the gate 6 until somebody with 8 waits for 7, and then wants 8."""
    webinar = db.webinar()
    db.admin.execute(
        "create function public.hold() returns trigger language plpgsql security definer as"
        " $$ begin perform pg_advisory_xact_lock(key) from unnest(array[7, 6, 8]) key; return new; end $$;"
        "create trigger hold before insert on eventlive.registrations for each row execute function public.hold()"
    )
    gate, other = db.connect(), db.connect()
    gate.execute("select pg_advisory_lock(6)")
    other.execute("set deadlock_timeout = '1h'")
    other.execute("select pg_advisory_lock(8)")
    shell = open_shell(with_setting(db.dsn, "deadlock_timeout", "10ms"))
    step = in_background(lambda: shell.call(rpc.webinar_register(webinar), viewer))
    waiting = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    wait_for("the call to wait", lambda: db.rows(waiting) != [])
    crossing = in_background(lambda: other.execute("select pg_advisory_lock(7)"))
    wait_until_blocked(db.admin, other.info.backend_pid)
    gate.execute("select pg_advisory_unlock_all()")
    with pytest.raises(e.BusyError) as caught:
        step.result()
    crossing.result()
    assert (caught.value.sqlstate, caught.value.retry, caught.value.maybe_done) == ("40P01", True, False)
    other.execute("select pg_advisory_unlock_all()")
    assert shell.call(rpc.webinar_register(webinar), viewer).created


@pytest.mark.parametrize("name", sorted(WAYS))
def test_a_transaction_that_takes_too_long_ends_its_connection_and_may_be_repeated(
    db: EventliveDatabase, viewer: Identity, name: str
) -> None:
    if db.admin.info.server_version < 170000:
        pytest.skip("transaction_timeout is of Postgres 17")
    webinar = db.webinar()
    holder = block(db, webinar, viewer)
    with all_ways(with_setting(db.dsn, "transaction_timeout", "50ms"), [name]) as ways:
        with pytest.raises(e.UnavailableError) as caught:
            ways[name].call(rpc.webinar_register(webinar), viewer)
        assert caught.value.retry
        holder.rollback()
        assert ways[name].call(rpc.webinar_register(webinar), viewer).created


def test_without_a_free_connection_the_call_is_not_sent_and_works_when_one_is(
    db: EventliveDatabase, tcp_dsn: str, login: str, viewer: Identity, open_shell: Open
) -> None:
    webinar = db.webinar()
    dsn = make_conninfo(tcp_dsn, user=login, password=login)
    shell = open_shell(dsn)
    with psycopg.connect(dsn):
        for _ in range(2):
            with pytest.raises(e.UnavailableError) as caught:
                shell.call(rpc.webinar_register(webinar), viewer)
            assert type(caught.value) is e.UnavailableError
            assert (caught.value.retry, caught.value.maybe_done) == (True, False)
            assert "too many connections" in caught.value.message
    gone = "select count(*) from pg_stat_activity where usename = %s"
    wait_for("the other connection to be gone", lambda: db.value(gone, login) == 0)
    assert shell.call(rpc.webinar_register(webinar), viewer).created


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"dbname": "no_such_database"}, "does not exist"),
        ({"user": "no_such_user"}, "no_such_user"),
        ({"host": "no-such-host.invalid"}, "no-such-host"),
        ({"port": 1}, "refused"),
    ],
)
def test_an_address_that_does_not_lead_there_says_where_it_ended_and_what_to_correct(
    tcp_dsn: str, viewer: Identity, open_shell: Open, wrong: dict[str, Any], says: str
) -> None:
    """libpq gives no SQLSTATE of a connection that was not made; the text of the server tells people, not programs."""
    shell = open_shell(make_conninfo(tcp_dsn, **wrong))
    with pytest.raises(e.UnavailableError) as caught:
        shell.call(rpc.webinar_register(uuid4()), viewer)
    assert says in caught.value.message
    assert "user, password and database" in caught.value.hint
    assert (caught.value.retry, caught.value.maybe_done) == (True, False)


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("host=a port", "missing"),
        ("colour=blue", "colour"),
        ("postgresql://[", "IPv6"),
    ],
)
def test_an_address_that_is_none_is_refused_for_good(viewer: Identity, open_shell: Open, dsn: str, says: str) -> None:
    with pytest.raises(e.CannotConnectError) as caught:
        open_shell(dsn).call(rpc.webinar_register(uuid4()), viewer)
    assert says in caught.value.message
    assert (caught.value.token, caught.value.retry, caught.value.maybe_done) == ("cannot_connect", False, False)


def test_a_password_that_is_asked_for_and_not_given_is_refused_for_good(
    tcp_dsn: str, login: str, viewer: Identity, open_shell: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with pytest.raises(e.CannotConnectError) as caught:
        open_shell(make_conninfo(tcp_dsn, user=login, password="")).call(rpc.webinar_register(uuid4()), viewer)
    assert not caught.value.retry
    assert "password" in caught.value.hint


@pytest.mark.parametrize("sqlstate", ["28000", "28P01", "3D000", "57P04"])
def test_where_the_code_is_known_who_may_not_come_in_is_refused_for_good(sqlstate: str) -> None:
    """As a pooler says it to somebody who is connected to the pooler already."""
    error = e.error_of(sqlstate=sqlstate, status=None, message="no", detail="", hint="")
    assert type(error) is e.CannotConnectError
    assert not error.retry


def ended(db: EventliveDatabase, pid: int) -> None:
    gone = "select count(*) from pg_stat_activity where pid = %s"
    wait_for("the end of the session", lambda: db.value(gone, pid) == 0)


def test_a_callers_transaction_that_idles_too_long_is_lost_and_the_call_says_so(
    db: EventliveDatabase, viewer: Identity
) -> None:
    webinar = db.webinar()
    connection = db.connect()
    connection.autocommit = False
    connection.execute("set idle_in_transaction_session_timeout = '10ms'")
    Client(connection).as_user(viewer).call(rpc.webinar_register(webinar))
    ended(db, connection.info.backend_pid)
    with pytest.raises(e.UnavailableError) as caught:
        Client(connection).as_user(viewer).call(rpc.webinar_register(webinar))
    assert (caught.value.token, caught.value.retry, caught.value.maybe_done) == ("unreachable", False, False)
    assert db.count("registrations") == 0


@pytest.mark.parametrize("name", sorted(WAYS))
def test_a_session_that_the_server_ends_is_replaced_before_the_next_call(
    db: EventliveDatabase, viewer: Identity, name: str
) -> None:
    webinar = db.webinar()
    mine = "datname = current_database() and pid <> pg_backend_pid()"
    with all_ways(db.dsn, [name]) as ways:
        ways[name].call(rpc.webinar_register(webinar), viewer)
        # It waits for the end of the process, and so of the connection.
        assert db.rows(f"select pg_terminate_backend(pid, 60000) from pg_stat_activity where {mine}") == [(True,)]
        assert not ways[name].call(rpc.webinar_register(webinar), viewer).created


class OneLost:
    """What calls itself a pool, and lends the same connection whatever became of it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def connection(self) -> psycopg.Connection[Any]:
        """Lend it."""
        return self._connection


def test_a_pool_that_keeps_a_lost_connection_is_not_asked_for_ever(db: EventliveDatabase, viewer: Identity) -> None:
    connection = db.connect()
    connection.close()
    with pytest.raises(e.UnavailableError) as caught:
        Client(OneLost(connection)).as_user(viewer).call(rpc.webinar_register(uuid4()))
    assert not caught.value.maybe_done
