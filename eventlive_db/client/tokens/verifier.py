"""Make claims of a token, or refuse it, before a statement is sent.

In this order, each step only where the one before held: the form, the algorithm, the key, the signature, the claims.
A key is never taken from the token: ``jwk``, ``jku``, ``x5c`` and ``x5u`` in its header are not looked at (RFC 8725,
section 3.10). The cryptography is PyJWT's. Its claim checks are not used, for they have a clock of their own and let
pass what Postgres would read otherwise; neither is its ``PyJWKClient``, see :mod:`eventlive_db.client.tokens.keyring`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from eventlive_db.client.tokens import refusals
from eventlive_db.client.tokens.claims import Expected
from eventlive_db.client.tokens.compact import Unverified, take_apart
from eventlive_db.client.tokens.fetching import JwksAddress
from eventlive_db.client.tokens.jwks import AsyncFetchJwks, AsyncJwks, FetchJwks, Jwks
from eventlive_db.client.tokens.keyring import KeyId, Rotation
from eventlive_db.client.tokens.signing import (
    DEFAULT_ALGORITHMS,
    VerifyingKey,
    require_algorithms,
    secret_key,
    signature_holds,
)

Clock = Callable[[], float]


class _Checks:
    """What both verifiers do before and after they have a key."""

    def __init__(self, expected: Expected, algorithms: Collection[str], clock: Clock) -> None:
        self._expected = expected
        self._algorithms = frozenset(algorithms)
        self._clock = clock

    def read(self, token: str) -> Unverified:
        found = take_apart(token, max_length=self._expected.max_length, types=self._expected.types)
        if found.alg not in self._algorithms:
            raise refusals.not_accepted("alg", f"It must be signed with {' or '.join(sorted(self._algorithms))}")
        return found

    def finish(self, token: str, found: Unverified, key: VerifyingKey) -> dict[str, Any]:
        if not signature_holds(token, key):
            raise refusals.not_accepted("signature", "Its signature does not hold")
        return self._expected.check(found.payload, self._clock())


def _key_id(found: Unverified) -> KeyId:
    if found.kid is None:
        raise refusals.not_accepted("kid", "Its header must name the key")
    return found.kid, found.alg


class TokenVerifier:
    """Verifies tokens; for threads. Make one with :meth:`hs256` or :meth:`jwks`, and keep it."""

    def __init__(self, checks: _Checks, keys: VerifyingKey | Jwks) -> None:
        self._checks = checks
        self._keys = keys

    @classmethod
    def hs256(cls, secret: str | bytes, expected: Expected, *, clock: Clock = time.time) -> TokenVerifier:
        """With a secret that the issuer shares; a ``kid`` in the header is not looked at.

        Args:
            secret: At least 32 bytes (RFC 7518, section 3.2).
            expected: What the claims must say.
            clock: Unix seconds.

        Raises:
            ValueError: The secret is too short, or is a public key.
        """
        return cls(_Checks(expected, {"HS256"}, clock), secret_key(secret))

    @classmethod
    def jwks(
        cls,
        source: str | FetchJwks,
        expected: Expected,
        *,
        algorithms: Collection[str] = DEFAULT_ALGORITHMS,
        rotation: Rotation | None = None,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> TokenVerifier:
        """With the public keys that the issuer publishes. Nothing is fetched before the first token comes.

        Args:
            source: The address of the JWK set, or a function that gets it: within seconds, for callers wait.
            expected: What the claims must say.
            algorithms: Those that the issuer signs with; never taken from a token (RFC 8725, section 3.1).
            rotation: When keys are fetched again.
            clock: Unix seconds, for the claims.
            monotonic: Seconds of a clock that does not go back, for the keys.

        Raises:
            ValueError: An algorithm is none for public keys, or the address is not https.
        """
        fetch = JwksAddress(source) if isinstance(source, str) else source
        known = require_algorithms(algorithms)
        return cls(_Checks(expected, known, clock), Jwks(fetch, known, rotation or Rotation(), monotonic))

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token.

        Args:
            token: In compact form, without ``Bearer``.

        Raises:
            UnauthenticatedError: 401 ``token_expired``, ``token_not_accepted`` (its payload names the ``claim`` or the
                ``part`` of the token that is wrong), ``invalid_claims``. The token is not in the error.
            UnavailableError: 503 ``keys_unavailable``: the issuer does not answer, and nobody can say whether the
                token is good.
        """
        found = self._checks.read(token)
        key = self._keys.find(_key_id(found)) if isinstance(self._keys, Jwks) else self._keys
        return self._checks.finish(token, found, key)


class AsyncTokenVerifier:
    """Verifies tokens; for asyncio, one event loop at a time. As :class:`TokenVerifier`.

    Fetching does not block the event loop; verifying does, for the fraction of a millisecond that a signature takes.
    """

    def __init__(self, checks: _Checks, keys: VerifyingKey | AsyncJwks) -> None:
        self._checks = checks
        self._keys = keys

    @classmethod
    def hs256(cls, secret: str | bytes, expected: Expected, *, clock: Clock = time.time) -> AsyncTokenVerifier:
        """With a secret that the issuer shares: as :meth:`TokenVerifier.hs256`."""
        return cls(_Checks(expected, {"HS256"}, clock), secret_key(secret))

    @classmethod
    def jwks(
        cls,
        source: str | AsyncFetchJwks,
        expected: Expected,
        *,
        algorithms: Collection[str] = DEFAULT_ALGORITHMS,
        rotation: Rotation | None = None,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> AsyncTokenVerifier:
        """With the public keys that the issuer publishes: as :meth:`TokenVerifier.jwks`, the function awaited."""
        fetch = JwksAddress(source).fetch if isinstance(source, str) else source
        known = require_algorithms(algorithms)
        return cls(_Checks(expected, known, clock), AsyncJwks(fetch, known, rotation or Rotation(), monotonic))

    async def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token; raises as :meth:`TokenVerifier.verify`."""
        found = self._checks.read(token)
        key = await self._keys.find(_key_id(found)) if isinstance(self._keys, AsyncJwks) else self._keys
        return self._checks.finish(token, found, key)
