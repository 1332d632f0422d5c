"""Tokens: who is it that sends one (:class:`TokenVerifier`), and have one at hand to send (:class:`TokenSource`).

    expected = Expected(issuer="https://auth.example/v1", audience="authenticated")
    verifier = TokenVerifier.jwks("https://auth.example/v1/.well-known/jwks.json", expected)
    caller = Identity.of(verifier.verify(token))        # UnauthenticatedError before anything is sent

    source = TokenSource(sign_in_again)
    token = source.get()                                # at most one refresh at a time, whoever asks

Each comes in two shells over one logic: ``TokenVerifier`` and ``TokenSource`` for threads, ``AsyncTokenVerifier`` and
``AsyncTokenSource`` for asyncio. The sources need the standard library alone, the verifiers
``pip install 'eventlive-db[http]'``; this package imports what needs an extra when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventlive_db.client.tokens.claims import Expected
from eventlive_db.client.tokens.keyring import KeyRing, Rotation
from eventlive_db.client.tokens.source import AsyncTokenSource, Token, TokenSource

if TYPE_CHECKING:
    from eventlive_db.client.tokens.verifier import AsyncTokenVerifier, TokenVerifier

__all__ = [
    "AsyncTokenSource",
    "AsyncTokenVerifier",
    "Expected",
    "KeyRing",
    "Rotation",
    "Token",
    "TokenSource",
    "TokenVerifier",
]


def __getattr__(name: str) -> object:
    """Import the verifiers when they are first asked for: they need an extra (PEP 562)."""
    if name not in {"TokenVerifier", "AsyncTokenVerifier"}:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from eventlive_db.client.tokens import verifier

    return getattr(verifier, name)
