"""Who a client calls as: a token is verified before anything is sent, and a source keeps one fresh."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import jwt
import psycopg
import pytest

from eventlive_db.client import AsyncClient, Client, rpc
from eventlive_db.client import errors as e
from eventlive_db.client.tokens import (
    AsyncTokenSource,
    AsyncTokenVerifier,
    Expected,
    TokenSource,
    TokenVerifier,
)
from tests.support.database import EventliveDatabase
from tests.support.wire import Wire, wiretap

SECRET = "a secret that this test alone knows"
EXPECTED = Expected("https://auth.example", "authenticated", leeway_s=0)


def token(user_id: UUID, secret: str = SECRET, /, **changes: object) -> str:
    claims: dict[str, object] = {
        "iss": "https://auth.example",
        "aud": "authenticated",
        "role": "authenticated",
        "sub": str(user_id),
        "exp": time.time() + 3600,
    }
    return jwt.encode({**claims, **changes}, secret)


class CountingVerifier:
    """A verifier, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._verifier = TokenVerifier.hs256(SECRET, EXPECTED)

    def verify(self, shown: str) -> Mapping[str, Any]:
        self.asked += 1
        return self._verifier.verify(shown)


@pytest.fixture
def wire(tcp_dsn: str) -> Iterator[Wire]:
    with wiretap(tcp_dsn) as wire:
        yield wire


def test_a_token_is_verified_once_and_its_user_calls(db: EventliveDatabase) -> None:
    webinar, user, verifier = db.webinar(), uuid4(), CountingVerifier()
    with Client(db.dsn, verifier=verifier) as client, client.as_user(token(user)) as me:
        assert me.call(rpc.webinar_register(webinar)).user_id == user
        assert not me.call(rpc.webinar_register(webinar)).created
    assert verifier.asked == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exp": 1}, "token_expired"),
        ({"aud": "somebody else"}, "token_not_accepted"),
        ({"iss": "https://evil.example"}, "token_not_accepted"),
        ({"sub": "me"}, "invalid_claims"),
    ],
)
def test_a_token_that_is_not_accepted_is_refused_before_anything_is_sent(
    db: EventliveDatabase, wire: Wire, changes: dict[str, object], expected: str
) -> None:
    with Client(wire.dsn, verifier=TokenVerifier.hs256(SECRET, EXPECTED)) as client:
        me = client.as_user(token(uuid4(), **changes))
        with pytest.raises(e.UnauthenticatedError) as caught:
            me.call(rpc.webinar_register(db.webinar()))
        assert caught.value.token == expected
        with pytest.raises(e.UnauthenticatedError):
            client.as_user(token(uuid4(), **changes)).__enter__()
    assert wire.heard() == ""


def test_a_forged_token_is_refused_before_anything_is_sent(db: EventliveDatabase, wire: Wire) -> None:
    async def run() -> None:
        async with AsyncClient(wire.dsn, verifier=AsyncTokenVerifier.hs256(SECRET, EXPECTED)) as client:
            me = client.as_user(token(uuid4(), SECRET + "?"))
            with pytest.raises(e.UnauthenticatedError):
                await me.call(rpc.webinar_register(uuid4()))

    asyncio.run(run())
    assert wire.heard() == ""


def test_a_token_needs_a_verifier(db: EventliveDatabase) -> None:
    with pytest.raises(ValueError, match="needs a verifier"):
        Client(db.dsn).as_user(token(uuid4()))
    with pytest.raises(ValueError, match="needs a verifier"):
        AsyncClient(db.dsn).as_user(token(uuid4()))


@pytest.mark.parametrize("role", ["eventlive_owner", "postgres", "none", "pg_monitor"])
def test_a_role_that_the_client_does_not_take_on_is_refused(db: EventliveDatabase, role: str) -> None:
    with pytest.raises(e.ForbiddenError) as caught:
        Client(db.dsn).as_user({"sub": str(uuid4()), "role": role})
    assert caught.value.token == "role_not_allowed"
    wide = Expected("https://auth.example", "authenticated", roles={role, "authenticated"})
    verified = Client(db.dsn, verifier=TokenVerifier.hs256(SECRET, wide)).as_user(token(uuid4(), role=role))
    with pytest.raises(e.ForbiddenError):
        verified.call(rpc.webinar_register(uuid4()))


def test_claims_without_a_role_are_anon(db: EventliveDatabase) -> None:
    with Client(db.dsn) as client, pytest.raises(e.ForbiddenError) as caught:
        client.as_user({"sub": str(uuid4())}).call(rpc.webinar_register(db.webinar()))
    assert caught.value.token == "permission_denied"


def test_a_token_that_expires_between_two_calls_is_refused(
    db: EventliveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    webinar, now = db.webinar(), [time.time()]
    verifier = TokenVerifier.hs256(SECRET, EXPECTED, clock=lambda: now[0])
    monkeypatch.setattr("eventlive_db.client.users.time.time", lambda: now[0])
    with Client(db.dsn, verifier=verifier) as client:
        me = client.as_user(token(uuid4(), exp=now[0] + 60))
        assert me.call(rpc.webinar_register(webinar)).created
        now[0] += 61
        with pytest.raises(e.UnauthenticatedError) as caught:
            me.call(rpc.webinar_register(webinar))
    assert caught.value.token == "token_expired"


def test_a_source_gives_a_new_token_where_the_old_one_is_refused(db: EventliveDatabase) -> None:
    webinar, user = db.webinar(), uuid4()
    waiting = [token(user, aud="another"), token(user)]
    source = TokenSource(lambda: waiting.pop(0))
    with Client(db.dsn, verifier=TokenVerifier.hs256(SECRET, EXPECTED)) as client:
        me = client.as_user(source)
        assert me.call(rpc.webinar_register(webinar)).created

    async def run() -> None:
        again = [token(user, aud="another"), token(user)]

        async def refresh() -> str:
            return again.pop(0)

        async with AsyncClient(db.dsn, verifier=AsyncTokenVerifier.hs256(SECRET, EXPECTED)) as client:
            me = client.as_user(AsyncTokenSource(refresh))
            assert not (await me.call(rpc.webinar_register(webinar))).created

    asyncio.run(run())


def test_a_source_that_has_no_better_token_sees_the_refusal(db: EventliveDatabase) -> None:
    shown = token(uuid4(), aud="another")
    with (
        Client(db.dsn, verifier=TokenVerifier.hs256(SECRET, EXPECTED)) as client,
        pytest.raises(e.UnauthenticatedError),
    ):
        client.as_user(TokenSource(lambda: shown)).call(rpc.webinar_register(uuid4()))


def test_no_token_is_in_an_error_or_a_repr(db: EventliveDatabase) -> None:
    shown = token(uuid4(), exp=1)
    with Client(db.dsn, verifier=TokenVerifier.hs256(SECRET, EXPECTED)) as client:
        me = client.as_user(shown)
        assert shown not in repr(me)
        with pytest.raises(e.UnauthenticatedError) as caught:
            me.call(rpc.webinar_register(uuid4()))
    assert shown not in str(caught.value)
    assert shown not in repr(caught.value.payload)


def test_a_password_is_in_no_error() -> None:
    with (
        Client("host=127.0.0.1 port=1 user=me password=hunter2 connect_timeout=2") as client,
        pytest.raises(e.UnavailableError) as caught,
    ):
        client.as_guest().call(rpc.webinar_client_settings(uuid4()))
    assert "hunter2" not in str(caught.value)
    assert isinstance(caught.value.__cause__, psycopg.Error)
