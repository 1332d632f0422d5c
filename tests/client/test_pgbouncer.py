"""Behind a real PgBouncer in transaction mode, with one connection to the server for all clients."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from eventlive_db.client import AsyncClient, Call, Client, Identity, rpc
from eventlive_db.client import errors as e
from eventlive_db.server import Server
from tests.client.test_identity_scope import WHO, block
from tests.support.actors import in_background, wait_until_blocked
from tests.support.database import EventliveDatabase
from tests.support.own_server import wait_for
from tests.support.pgbouncer import PgBouncer, pgbouncer
from tests.support.ways import WAYS, Way, all_ways
from tests.support.wire import wiretap

SERVICE = Identity.service()


@pytest.fixture(scope="module")
def pooler(pg_server: Server) -> Iterator[PgBouncer]:
    behind = pg_server.tcp_dsn()
    if not conninfo_to_dict(behind).get("password"):
        pytest.skip("PgBouncer logs in with a password, and the DSN has none")
    with pgbouncer(behind) as found:
        yield found


@pytest.fixture
def dsn(pooler: PgBouncer, tcp_dsn: str) -> str:
    """The test's database, through the pooler."""
    return pooler.dsn(tcp_dsn)


def next_one(dsn: str) -> tuple[str, str, str, int]:
    """Whom the next user of the server's connection is taken for, and which process that is."""
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        row = connection.execute(f"{WHO}, pg_backend_pid()").fetchone()
        assert row is not None
        return tuple(row)


@pytest.fixture
def is_nobody(dsn: str) -> Callable[[], int]:
    """Fail where the next user of the server's connection is anybody; else say which process it is."""

    def check() -> int:
        current, session, claims, pid = next_one(dsn)
        assert (current, claims) == (session, "")
        return pid

    return check


def every_kind(way: Way, viewer: Identity, host: UUID) -> None:
    """A call of each kind: with each kind of argument and reply, by each role, refused and not."""
    webinar = way.call(
        rpc.webinar_create(f"w-{uuid4()}", access_policy="guest_allowed", settings={}, host_id=host), SERVICE
    ).webinar_id
    way.call(rpc.webinar_set_status(webinar, "live"), SERVICE)
    assert way.call(rpc.webinar_register(webinar), viewer).created
    assert way.call(rpc.webinar_allow_emails(webinar, ["a@b.example"]), Identity.user(host)).added == 1
    session = uuid4()
    entry = way.call(rpc.webinar_enter(webinar, session), viewer)
    assert entry.registration is not None
    assert str(entry.registration.user_id) == viewer.claims["sub"]
    way.call(rpc.webinar_presence_ping(webinar), viewer)
    assert way.call(rpc.webinar_session_heartbeat(webinar, session), viewer).state == "open"
    many = way.call(rpc.webinar_presence_ping_many(webinar, [host, uuid4()]), SERVICE)
    assert len(many.not_registered) == 1
    assert way.call(rpc.webinar_enter(webinar, uuid4()), Identity.guest()).registration is None
    way.call(rpc.webinar_leave(webinar, session, entry.leave_token), Identity.guest())
    with pytest.raises(e.ForbiddenError):
        way.call(rpc.webinar_presence_ping(webinar), Identity.user(uuid4()))


def test_calls_of_every_kind_work(db: EventliveDatabase, dsn: str, is_nobody: Callable[[], int]) -> None:
    pid = is_nobody()
    with all_ways(dsn) as ways:
        for way in ways.values():
            for _ in range(3):
                every_kind(way, Identity.user(uuid4()), uuid4())
                assert is_nobody() == pid


def test_what_psycopg_prepares_fails_behind_it(dsn: str) -> None:
    """The negative control: it is because nothing is prepared that the calls work."""
    with (
        psycopg.connect(dsn, autocommit=True, prepare_threshold=0) as one,
        psycopg.connect(dsn, autocommit=True, prepare_threshold=0) as two,
    ):
        one.execute("select 1")
        with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
            two.execute("select 1")


@pytest.mark.parametrize("name", sorted(WAYS))
def test_a_call_is_one_round_trip_still(db: EventliveDatabase, dsn: str, name: str) -> None:
    webinar, viewer = db.webinar(), Identity.user(uuid4())
    with wiretap(dsn) as wire, all_ways(wire.dsn, [name]) as ways:
        ways[name].call(rpc.webinar_register(webinar), viewer)
        wire.listen()
        for _ in range(3):
            ways[name].call(rpc.webinar_register(webinar), viewer)
        assert wire.heard() == "|".join(3 * [4 * "PBDE" + "S"])


def test_users_who_take_turns_on_one_connection_are_each_themselves(
    db: EventliveDatabase, dsn: str, is_nobody: Callable[[], int]
) -> None:
    webinar, pid = db.webinar(), is_nobody()
    with all_ways(dsn) as ways, all_ways(dsn) as others:
        people = {(name, side): Identity.user(uuid4()) for name in ways for side in (0, 1)}
        for number in range(4):
            for (name, side), viewer in people.items():
                made = (ways, others)[side][name].call(rpc.webinar_register(webinar), viewer)
                assert (str(made.user_id), made.created) == (viewer.claims["sub"], number == 0)
    assert is_nobody() == pid


def test_users_at_once_on_one_connection_are_each_themselves(
    db: EventliveDatabase, dsn: str, is_nobody: Callable[[], int]
) -> None:
    webinar, pid = db.webinar(), is_nobody()

    def thread() -> None:
        with Client(dsn) as client:
            for _ in range(10):
                viewer = Identity.user(uuid4())
                made = client.as_user(viewer).call(rpc.webinar_register(webinar))
                assert str(made.user_id) == viewer.claims["sub"]

    async def task() -> None:
        async with AsyncClient(dsn) as client:
            for _ in range(10):
                viewer = Identity.user(uuid4())
                made = await client.as_user(viewer).call(rpc.webinar_register(webinar))
                assert str(made.user_id) == viewer.claims["sub"]

    async def tasks() -> None:
        await asyncio.gather(*(task() for _ in range(8)))

    steps = [in_background(thread) for _ in range(8)] + [in_background(lambda: asyncio.run(tasks()))]
    for step in steps:
        step.result()
    assert db.count("registrations") == 160
    assert is_nobody() == pid


@pytest.mark.parametrize("name", sorted(WAYS))
@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(rpc.webinar_presence_ping(uuid4()), id="refused"),
        pytest.param(Call("no_such_function"), id="missing"),
        pytest.param(Call("webinar_register", {"_webinar_id": "x"}), id="unreadable"),
        pytest.param(Call("webinar_register", {"_webinar_id": object()}), id="unsendable"),
    ],
)
def test_after_an_error_the_next_one_is_nobody(
    db: EventliveDatabase, dsn: str, is_nobody: Callable[[], int], name: str, request_: Call[Any]
) -> None:
    pid = is_nobody()
    with all_ways(dsn, [name]) as ways:
        for _ in range(2):
            with pytest.raises(e.EventliveError):
                ways[name].call(request_, Identity.user(uuid4()))
            assert is_nobody() == pid


def test_who_keeps_a_setting_for_the_session_is_somebody_to_the_next_one(dsn: str) -> None:
    """The negative control: what is not set for the transaction alone is there for the next user of the connection."""
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        connection.execute("select set_config('request.jwt.claims', '{}', false)")
        assert next_one(dsn)[2] == "{}"
        connection.execute("select set_config('request.jwt.claims', '', false)")


def test_a_cancelled_task_leaves_nobody_behind(db: EventliveDatabase, dsn: str, is_nobody: Callable[[], int]) -> None:
    webinar, viewer, pid = db.webinar(), Identity.user(uuid4()), is_nobody()

    async def run() -> None:
        async with AsyncClient(dsn) as client:
            holder = block(db, webinar, viewer)
            task = asyncio.create_task(client.as_user(viewer).call(rpc.webinar_register(webinar)))
            await asyncio.to_thread(wait_until_blocked, db.admin, pid)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            holder.rollback()
            await asyncio.to_thread(is_nobody)
            assert db.count("registrations") == 0
            assert (await client.as_user(viewer).call(rpc.webinar_register(webinar))).created

    asyncio.run(run())


VICTIM = """
import sys
from uuid import UUID
from eventlive_db.client import Client, Identity, rpc
Client(sys.argv[1]).as_user(Identity.user(sys.argv[2])).call(rpc.webinar_register(sys.argv[3]))
"""


def test_a_client_that_is_killed_in_the_midst_of_a_call_leaves_nobody_behind(
    db: EventliveDatabase, dsn: str, is_nobody: Callable[[], int]
) -> None:
    webinar, viewer, pid = db.webinar(), Identity.user(uuid4()), is_nobody()
    holder = block(db, webinar, viewer)
    command = [sys.executable, "-c", VICTIM, dsn, str(viewer.claims["sub"]), str(webinar)]
    with subprocess.Popen(command) as victim:
        wait_until_blocked(db.admin, pid)
        victim.send_signal(signal.SIGKILL)
        assert victim.wait() == -signal.SIGKILL
    # PgBouncer gives up the connection that is in a transaction, and makes another one.
    with all_ways(dsn) as ways:
        for way in ways.values():
            other = Identity.user(uuid4())
            assert str(way.call(rpc.webinar_register(webinar), other).user_id) == other.claims["sub"]
        assert is_nobody() != pid
        holder.rollback()
        gone = "select count(*) from pg_stat_activity where pid = %s"
        wait_for("the end of the call", lambda: db.value(gone, pid) == 0)
        # All of it had been sent, so it may have been done when the lock was given back; not twice.
        done = db.count("registrations") == len(ways) + 1
        assert ways["sync-dsn"].call(rpc.webinar_register(webinar), viewer).created == (not done)
        assert db.count("registrations") == len(ways) + 1


@pytest.mark.parametrize("name", sorted(WAYS))
def test_a_server_process_that_is_killed_behind_it_leaves_the_call_unknown_and_repeatable(
    db: EventliveDatabase, dsn: str, is_nobody: Callable[[], int], name: str
) -> None:
    webinar, viewer, pid = db.webinar(), Identity.user(uuid4()), is_nobody()
    holder = block(db, webinar, viewer)
    with all_ways(dsn, [name]) as ways:
        step = in_background(lambda: ways[name].call(rpc.webinar_register(webinar), viewer))
        wait_until_blocked(db.admin, pid)
        assert db.value("select pg_terminate_backend(%s)", pid)
        with pytest.raises(e.UnavailableError) as caught:
            step.result()
        assert (caught.value.retry, caught.value.maybe_done) == (True, True)
        holder.rollback()
        assert ways[name].call(rpc.webinar_register(webinar), viewer).created
    assert is_nobody() != pid


@pytest.mark.parametrize("name", sorted(WAYS))
def test_a_server_that_is_cut_off_behind_it_leaves_the_call_unknown_and_repeatable(
    db: EventliveDatabase, pooler: PgBouncer, tcp_dsn: str, name: str
) -> None:
    webinar, viewer = db.webinar(), Identity.user(uuid4())
    with wiretap(tcp_dsn) as wire, pgbouncer(wire.dsn) as own, all_ways(own.dsn(tcp_dsn), [name]) as ways:
        ways[name].call(rpc.webinar_create(f"w-{uuid4()}"), SERVICE)
        wire.listen(cut_at=4 * "PBDE" + "S")
        with pytest.raises(e.UnavailableError) as caught:
            ways[name].call(rpc.webinar_register(webinar), viewer)
        # PgBouncer lives, and says what happened.
        assert (caught.value.retry, caught.value.maybe_done) == (True, True)
        assert not ways[name].call(rpc.webinar_register(webinar), viewer).created
    assert db.count("registrations") == 1


def test_without_a_pooler_the_test_is_skipped_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support import pgbouncer as support

    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setattr(support, "_ALSO_IN", os.devnull)
    monkeypatch.delenv(support.REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install pgbouncer"):
        support.program()
    monkeypatch.setenv(support.REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install pgbouncer"):
        support.program()
