"""An issuer that rotates its keys, is slow, or is down, as a verifier sees it (R7)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from eventlive_db.client.errors import EventliveError, UnauthenticatedError, UnavailableError
from eventlive_db.client.tokens import AsyncTokenVerifier, TokenVerifier
from tests.client.tokens.conftest import Clock
from tests.client.tokens.jwks_server import JwksServer, publish, send
from tests.client.tokens.minting import CLAIMS, EXPECTED, jwk, mint, now

Verify = Callable[[str], str]
FIRST, SECOND = jwk("ES256", "k1"), jwk("ES256", "k2", "second")
OLD, NEW = mint(), mint(kid="k2", name="second")


def said(error: EventliveError) -> str:
    return f"{error.status} {error.token} {error.payload.get('part', '')}".rstrip()


@pytest.fixture(params=["sync", "async"])
def verify(request: pytest.FixtureRequest, server: JwksServer, clock: Clock) -> Verify:
    """What comes of a token: empty, or the error. Each call of the async one in an event loop of its own."""
    sync = TokenVerifier.jwks(server.url, EXPECTED, clock=now, monotonic=clock)
    aio = AsyncTokenVerifier.jwks(server.url, EXPECTED, clock=now, monotonic=clock)

    def outcome(token: str) -> str:
        try:
            claims = sync.verify(token) if request.param == "sync" else asyncio.run(aio.verify(token))
        except EventliveError as error:
            return said(error)
        return "" if claims == CLAIMS else "other claims"

    return outcome


def test_nothing_is_fetched_before_it_is_needed_and_then_once(server: JwksServer, verify: Verify) -> None:
    server.answer = publish(FIRST)
    assert verify("rubbish") == "401 token_not_accepted form"
    assert verify(mint(alg="RS512")) == "401 token_not_accepted alg"
    assert verify(mint(kid=None)) == "401 token_not_accepted kid"
    assert server.requests == []
    assert [verify(OLD) for _ in range(5)] == [""] * 5
    assert len(server.requests) == 1


def test_a_new_key_is_fetched_and_the_withdrawn_one_refused(server: JwksServer, clock: Clock, verify: Verify) -> None:
    server.answer = publish(FIRST)
    assert verify(OLD) == ""
    server.answer = publish(FIRST, SECOND)
    clock.now += 30
    assert verify(NEW) == ""
    assert verify(OLD) == ""
    server.answer = publish(SECOND)
    clock.now += 600
    assert verify(OLD) == "401 token_not_accepted kid"
    assert verify(NEW) == ""
    assert len(server.requests) == 3


def test_a_key_replaced_under_its_name_is_refused_when_keys_are_old(
    server: JwksServer, clock: Clock, verify: Verify
) -> None:
    server.answer = publish(FIRST)
    assert verify(OLD) == ""
    server.answer = publish({**SECOND, "kid": "k1"})
    clock.now += 599
    assert verify(OLD) == ""
    clock.now += 1
    assert verify(OLD) == "401 token_not_accepted signature"


def test_keys_are_as_old_as_the_question_for_them(clock: Clock) -> None:
    asked: list[float] = []

    def fetch() -> Mapping[str, Any]:
        asked.append(clock.now)
        clock.now += 100
        return {"keys": [FIRST]}

    verifier = TokenVerifier.jwks(fetch, EXPECTED, clock=now, monotonic=clock)
    verifier.verify(OLD)
    clock.now = 1599.9
    verifier.verify(OLD)
    clock.now = 1600.0
    verifier.verify(OLD)
    assert asked == [1000.0, 1600.0]


def test_random_names_make_one_fetch_in_thirty_seconds(server: JwksServer, clock: Clock, verify: Verify) -> None:
    server.answer = publish(FIRST)
    assert verify(OLD) == ""
    for number in range(60):
        clock.now += 1
        assert verify(mint(kid=f"random-{number}", name="attacker")) == "401 token_not_accepted kid"
        assert verify(OLD) == ""
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "keys", [[], [{"kty": "oct", "k": "a" * 43, "kid": "k1", "alg": "ES256"}], [{**FIRST, "use": "enc"}]]
)
def test_a_set_without_a_key_of_use_refuses_all_and_brings_no_storm(
    server: JwksServer, verify: Verify, keys: list[dict[str, Any]]
) -> None:
    server.answer = publish(*keys)
    assert [verify(OLD) for _ in range(5)] == ["401 token_not_accepted kid"] * 5
    assert len(server.requests) == 1


BROKEN = {
    "500": send(500),
    "404": send(404, b'{"keys": []}'),
    "redirect": send(302, Location="http://127.0.0.1:1/"),
    "html": send(200, b"<html>"),
    "list": send(200, b"[]"),
    "no-keys": send(200, b"{}"),
    "twice": send(200, b'{"keys": [], "keys": []}'),
    "huge": send(200, b'{"keys": []}' + b" " * 70_000),
    "packed": send(200, b"\x1f\x8b", Content_Encoding="gzip"),
    "cut": lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "no-http": lambda handler: handler.wfile.write(b"\0\0\0\0\r\n"),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_while_the_issuer_is_broken_known_keys_stay_until_they_are_stale(
    server: JwksServer, clock: Clock, verify: Verify, answer: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = publish(FIRST)
    assert verify(OLD) == ""
    server.answer = answer
    clock.now += 600
    assert verify(OLD) == ""
    assert "cannot be fetched" in caplog.text
    assert verify(OLD) == ""
    assert verify(NEW) == "503 keys_unavailable"
    assert len(server.requests) == 2
    clock.now += 3000
    assert verify(OLD) == "503 keys_unavailable"
    server.answer = publish(FIRST)
    clock.now += 2
    assert verify(OLD) == ""


def test_an_issuer_that_was_never_there_is_not_the_users_fault(
    server: JwksServer, clock: Clock, verify: Verify
) -> None:
    server.answer = send(503)
    assert [verify(OLD) for _ in range(5)] == ["503 keys_unavailable"] * 5
    assert len(server.requests) == 1
    server.answer = publish(FIRST)
    clock.now += 1
    assert verify(OLD) == ""


def test_unavailable_says_why_and_when_to_come_back(clock: Clock) -> None:
    def fetch() -> Mapping[str, Any]:
        msg = "no route\nto anything"
        raise OSError(msg)

    with pytest.raises(UnavailableError, match=r"OSError: no route\.") as raised:
        TokenVerifier.jwks(fetch, EXPECTED, monotonic=clock).verify(OLD)
    assert raised.value.retry
    assert raised.value.retry_after_s == 1.0
    assert not isinstance(raised.value, UnauthenticatedError)


def test_a_thousand_tokens_in_fifty_threads_make_one_fetch() -> None:
    calls: list[int] = []
    waiting, go = threading.Barrier(50 + 1), threading.Event()

    def fetch() -> Mapping[str, Any]:
        calls.append(1)
        assert go.wait(60)
        return {"keys": [FIRST]}

    verifier = TokenVerifier.jwks(fetch, EXPECTED, clock=now)

    def work(number: int) -> None:
        waiting.wait(60)
        for _ in range(20):
            assert verifier.verify(OLD) == CLAIMS

    with ThreadPoolExecutor(50) as pool:
        done = [pool.submit(work, number) for number in range(50)]
        waiting.wait(60)
        go.set()
        for future in done:
            future.result()
    assert len(calls) == 1


def test_while_one_fetches_for_an_unknown_key_the_others_go_on() -> None:
    asked, go, clock = threading.Event(), threading.Event(), Clock()
    answers = iter([{"keys": [FIRST]}, {"keys": [FIRST, SECOND]}])

    def fetch() -> Mapping[str, Any]:
        answer = next(answers)
        if len(answer["keys"]) > 1:
            asked.set()
            assert go.wait(60)
        return answer

    verifier = TokenVerifier.jwks(fetch, EXPECTED, clock=now, monotonic=clock)
    verifier.verify(OLD)
    clock.now += 30
    with ThreadPoolExecutor(1) as pool:
        new = pool.submit(verifier.verify, NEW)
        assert asked.wait(60)
        assert verifier.verify(OLD) == CLAIMS
        assert not new.done()
        go.set()
        assert new.result(60) == CLAIMS


def test_a_fetch_that_is_interrupted_leaves_nobody_waiting(clock: Clock) -> None:
    calls: list[int] = []

    def fetch() -> Mapping[str, Any]:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return {"keys": [FIRST]}

    verifier = TokenVerifier.jwks(fetch, EXPECTED, clock=now, monotonic=clock)
    with pytest.raises(KeyboardInterrupt):
        verifier.verify(OLD)
    with pytest.raises(UnavailableError):
        verifier.verify(OLD)
    clock.now += 1
    assert verifier.verify(OLD) == CLAIMS


def test_a_slow_issuer_does_not_block_the_event_loop_and_is_asked_once() -> None:
    async def scene() -> None:
        calls: list[int] = []
        go = asyncio.Event()

        async def fetch() -> Mapping[str, Any]:
            calls.append(1)
            await go.wait()
            return {"keys": [FIRST]}

        verifier = AsyncTokenVerifier.jwks(fetch, EXPECTED, clock=now)
        tasks = [asyncio.create_task(verifier.verify(OLD)) for _ in range(1000)]
        while not calls:
            await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        go.set()
        assert all(claims == CLAIMS for claims in await asyncio.gather(*tasks[1:]))
        assert tasks[0].cancelled()
        assert len(calls) == 1

    asyncio.run(scene())


def test_a_fetch_whose_event_loop_ended_is_made_again_in_the_next(clock: Clock) -> None:
    calls: list[int] = []

    async def fetch() -> Mapping[str, Any]:
        calls.append(1)
        if len(calls) == 1:
            await asyncio.Event().wait()
        return {"keys": [FIRST]}

    verifier = AsyncTokenVerifier.jwks(fetch, EXPECTED, clock=now, monotonic=clock)

    async def leave() -> None:
        task = asyncio.create_task(verifier.verify(OLD))
        while not calls:
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    clock.now += 1
    assert asyncio.run(verifier.verify(OLD)) == CLAIMS


def test_the_asynchronous_verifier_takes_a_secret_too() -> None:
    from tests.client.tokens.minting import SECRET, shared

    verifier = AsyncTokenVerifier.hs256(SECRET, EXPECTED, clock=now)
    assert asyncio.run(verifier.verify(shared())) == CLAIMS
    wrong: Awaitable[Any] = verifier.verify(shared(secret="another secret of more than 32 bytes, for tests"))
    with pytest.raises(UnauthenticatedError):
        asyncio.run(_await(wrong))


async def _await(what: Awaitable[Any]) -> Any:
    return await what
