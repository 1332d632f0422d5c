"""A JWK set is fetched from where it may be, in time, and not larger than it may be (R7)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from eventlive_db.client.errors import UnavailableError
from eventlive_db.client.tokens import Expected, TokenVerifier
from eventlive_db.client.tokens.fetching import JwksAddress
from tests.client.tokens.jwks_server import JwksServer, publish, send
from tests.client.tokens.minting import jwk

Fetch = Callable[[JwksAddress], Mapping[str, Any]]


@pytest.fixture(params=["sync", "async"])
def fetch(request: pytest.FixtureRequest) -> Fetch:
    """Fetches in one of the two ways."""
    return JwksAddress.__call__ if request.param == "sync" else lambda address: asyncio.run(address.fetch())


def test_a_set_is_fetched_as_it_is_unpacked(server: JwksServer, fetch: Fetch) -> None:
    server.answer = publish(jwk("ES256", "k1"))
    assert fetch(JwksAddress(server.url)) == {"keys": [jwk("ES256", "k1")]}
    [headers] = server.requests
    assert headers["Accept-Encoding"] == "identity"


def test_an_answer_may_be_as_large_as_it_may_be_and_not_larger(server: JwksServer, fetch: Fetch) -> None:
    body = json.dumps({"keys": []}).encode().ljust(1000)
    server.answer = send(200, body)
    assert fetch(JwksAddress(server.url, max_bytes=1000)) == {"keys": []}
    with pytest.raises(UnavailableError, match="more than 999 bytes"):
        fetch(JwksAddress(server.url, max_bytes=999))


def test_an_answer_without_end_is_left(server: JwksServer, fetch: Fetch) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                handler.wfile.write(b" " * 65_536)
        except OSError:
            left.set()

    left = threading.Event()
    server.answer = endless
    with pytest.raises(UnavailableError, match="more than 65536 bytes"):
        fetch(JwksAddress(server.url))
    assert left.wait(60)


def test_an_answer_that_does_not_come_is_not_waited_for(server: JwksServer, fetch: Fetch) -> None:
    done = threading.Event()
    server.answer = lambda _: assert_set(done)
    try:
        with pytest.raises(UnavailableError, match="Timeout"):
            fetch(JwksAddress(server.url, timeout_s=0.05))
    finally:
        done.set()


def test_an_answer_that_drips_is_not_waited_for(server: JwksServer, fetch: Fetch) -> None:
    left = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            # Each pause is far below the patience, and all of them together above it.
            while not left.wait(0.01):
                handler.wfile.write(b" ")
        except OSError:
            left.set()

    server.answer = drip
    with pytest.raises(UnavailableError, match=r"longer than|Timeout"):
        fetch(JwksAddress(server.url, timeout_s=0.5))
    assert left.wait(60)


def test_headers_that_drip_are_not_waited_for_in_an_event_loop(server: JwksServer) -> None:
    left = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        try:
            while not left.wait(0.01):
                handler.wfile.write(b"x")
        except OSError:
            left.set()

    server.answer = drip
    with pytest.raises(UnavailableError, match="Timeout"):
        asyncio.run(JwksAddress(server.url, timeout_s=0.5).fetch())
    assert left.wait(60)


def test_a_packed_answer_is_not_taken(server: JwksServer, fetch: Fetch) -> None:
    server.answer = send(200, b'{"keys": []}', Content_Encoding="identity")
    assert fetch(JwksAddress(server.url)) == {"keys": []}
    server.answer = send(200, b'{"keys": []}', Content_Encoding="gzip")
    with pytest.raises(UnavailableError, match="answered packed"):
        fetch(JwksAddress(server.url))


def assert_set(event: threading.Event) -> None:
    assert event.wait(60)


def test_nobody_there_is_unavailable_and_names_the_host(fetch: Fetch) -> None:
    with JwksServer().running() as server:
        url = server.url
    with pytest.raises(UnavailableError, match=r"ConnectError at 127\.0\.0\.1"):
        fetch(JwksAddress(url))


@pytest.mark.parametrize(
    "url", ["http://auth.example/jwks", "ftp://auth.example", "auth.example", "file:///etc", "https://", ""]
)
def test_an_address_where_anybody_could_answer_is_not_taken(url: str) -> None:
    with pytest.raises(ValueError, match="must be https"):
        JwksAddress(url)
    with pytest.raises(ValueError, match="must be https"):
        TokenVerifier.jwks(url, Expected("issuer", "audience"))


@pytest.mark.parametrize(
    "url", ["https://auth.example/jwks", "http://localhost:1/", "http://[::1]:1/", "http://127.0.0.1"]
)
def test_https_and_this_machine_are_taken(url: str) -> None:
    assert JwksAddress(url).url == url


def test_a_trusted_network_has_to_be_said() -> None:
    assert JwksAddress("http://auth:9999/jwks", plain_http=True).plain_http
