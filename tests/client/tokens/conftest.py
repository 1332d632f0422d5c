"""Fixtures for the tests of tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.tokens.jwks_server import JwksServer


@pytest.fixture
def server() -> Iterator[JwksServer]:
    """An issuer's web server."""
    with JwksServer().running() as running:
        yield running


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is told."""
    return Clock()
