"""A client tries again what may be repeated, and stops when the server does not answer."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from eventlive_db.client import Identity, rpc
from eventlive_db.client import errors as e
from eventlive_db.client.attempts import arun, run
from eventlive_db.client.resilience import Backoff, Breaker, Resilience, usual
from tests.client.conftest import Shell
from tests.support.database import EventliveDatabase
from tests.support.wire import wiretap

CALL = 4 * "PBDE" + "S"


def soon(breaker: Breaker | None = None) -> Resilience:
    """What a client usually has, without the waiting."""
    return Resilience(breaker, Backoff(0.001, 0.001))


def test_a_registration_whose_answer_was_lost_is_made_again_and_is_one(
    db: EventliveDatabase, tcp_dsn: str, open_shell: Callable[..., Shell]
) -> None:
    webinar, viewer = db.webinar(), Identity.user(uuid4())
    with wiretap(tcp_dsn) as wire:
        shell = open_shell(wire.dsn, resilience=soon(Breaker()))
        shell.call(rpc.webinar_client_settings(webinar), viewer)
        wire.listen(cut_at=CALL)
        made = shell.call(rpc.webinar_register(webinar), viewer)
    assert not made.created  # the first one had been done
    assert db.count("registrations") == 1


def test_a_ping_whose_answer_was_lost_is_not_made_again(
    db: EventliveDatabase, tcp_dsn: str, open_shell: Callable[..., Shell]
) -> None:
    webinar, viewer = db.webinar(), Identity.user(uuid4())
    with wiretap(tcp_dsn) as wire:
        shell = open_shell(wire.dsn, resilience=soon(Breaker()))
        shell.call(rpc.webinar_register(webinar), viewer)
        wire.listen(cut_at=CALL)
        with pytest.raises(e.UnavailableError) as caught:
            shell.call(rpc.webinar_presence_ping(webinar), viewer)
        assert wire.heard().strip("|") == CALL
    assert caught.value.maybe_done


def test_a_refusal_is_not_repeated(db: EventliveDatabase, tcp_dsn: str, open_shell: Callable[..., Shell]) -> None:
    with wiretap(tcp_dsn) as wire:
        shell = open_shell(wire.dsn, resilience=soon(Breaker()))
        shell.call(rpc.webinar_client_settings(db.webinar()), Identity.guest())
        wire.listen()
        with pytest.raises(e.NotFoundError):
            shell.call(rpc.webinar_register(uuid4()), Identity.user(uuid4()))
        assert wire.heard().count(CALL) == 1


@contextmanager
def a_server_that_hangs_up() -> Iterator[tuple[str, list[int]]]:
    """Where nothing answers, but connections can be counted."""
    tried: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def accept() -> None:
            try:
                while True:
                    connection, _ = door.accept()
                    tried.append(1)
                    connection.close()
            except OSError:
                return

        thread = threading.Thread(target=accept)
        thread.start()
        host, port = door.getsockname()
        yield f"host={host} port={port} sslmode=disable gssencmode=disable user=nobody dbname=none", tried
        door.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_five_failures_in_a_row_open_the_breaker_and_nothing_more_is_sent(open_shell: Callable[..., Shell]) -> None:
    with a_server_that_hangs_up() as (dsn, tried):
        shell = open_shell(dsn, resilience=soon(Breaker()))
        for _ in range(2):
            with pytest.raises(e.UnavailableError):
                shell.call(rpc.webinar_register(uuid4()), Identity.user(uuid4()))
        assert len(tried) == 5
        for _ in range(20):
            with pytest.raises(e.CircuitOpenError) as caught:
                shell.call(rpc.webinar_register(uuid4()), Identity.user(uuid4()))
        assert caught.value.retry_after_s is not None
        assert len(tried) == 5


def test_what_a_client_usually_has_is_three_tries_and_a_breaker(open_shell: Callable[..., Shell]) -> None:
    found = usual()
    assert (found.max_attempts, found.breaker is not None) == (3, True)
    with a_server_that_hangs_up() as (dsn, tried):
        shell = open_shell(dsn, resilience=None)
        with pytest.raises(e.UnavailableError):
            shell.call(rpc.webinar_register(uuid4()), Identity.user(uuid4()))
        assert len(tried) == 3
        with pytest.raises(e.UnavailableError):
            shell.call(rpc.webinar_presence_ping(uuid4()), Identity.user(uuid4()))
        assert len(tried) == 4


LOST = e.UnavailableError(503, "unreachable", maybe_done=True)


def outcome(tries: list[e.EventliveError], *, asynchronous: bool, resilience: Resilience) -> e.EventliveError:
    """What a caller is told of a call that fails so, try by try."""
    left = [type(error)(error.status, error.token, maybe_done=error.maybe_done) for error in tries]

    def once(_: object) -> None:
        raise left.pop(0)

    async def aonce(_: object) -> None:
        raise left.pop(0)

    async def nobody() -> None:
        return None

    async def no_sleep(_: float) -> None:
        return None

    def make() -> None:
        if asynchronous:
            asyncio.run(arun(nobody, aonce, resilience, repeatable=True, sleep=no_sleep))
        else:
            run(lambda: None, once, resilience, repeatable=True, sleep=lambda _: None)

    with pytest.raises(e.EventliveError) as caught:
        make()
    return caught.value


@pytest.mark.parametrize("asynchronous", [False, True])
def test_that_an_earlier_try_may_have_been_done_is_not_forgotten(asynchronous: bool) -> None:
    away = e.UnavailableError(503, "unreachable")
    assert outcome([LOST, away, away], asynchronous=asynchronous, resilience=soon()).maybe_done
    assert outcome([LOST, e.GoneError(410, "webinar_ended")], asynchronous=asynchronous, resilience=soon()).maybe_done
    assert not outcome([away, away, away], asynchronous=asynchronous, resilience=soon()).maybe_done


@pytest.mark.parametrize("asynchronous", [False, True])
def test_where_the_breaker_opens_between_two_tries_the_failure_is_told(asynchronous: bool) -> None:
    found = outcome([LOST], asynchronous=asynchronous, resilience=soon(Breaker(failures=1)))
    assert type(found) is e.UnavailableError
    assert found.maybe_done


def test_who_calls_is_found_out_before_each_try_and_outside_of_it() -> None:
    """A token that cannot be had says nothing about the database."""
    breaker = Breaker(failures=1)

    def nobody() -> None:
        raise e.UnavailableError(503, "keys_unavailable")

    with pytest.raises(e.UnavailableError):
        run(nobody, lambda _: pytest.fail("sent"), soon(breaker), repeatable=True)
    assert breaker.status().failures == 0
