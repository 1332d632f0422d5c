"""Whose calls they are: claims that were verified already, a token that is verified here, or a source of tokens."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from eventlive_db.client.errors import ForbiddenError, UnauthenticatedError
from eventlive_db.client.identity import Identity

ROLES = frozenset({"anon", "authenticated", "service_role"})
"""The database roles that a token may name, unless a client is told otherwise."""


class TokenVerifier(Protocol):
    """What is needed of :class:`eventlive_db.client.tokens.TokenVerifier`."""

    def verify(self, token: str) -> Mapping[str, Any]:
        """The claims of a token that is accepted."""
        ...


class AsyncTokenVerifier(Protocol):
    """What is needed of :class:`eventlive_db.client.tokens.AsyncTokenVerifier`."""

    async def verify(self, token: str) -> Mapping[str, Any]:
        """The claims of a token that is accepted."""
        ...


class TokenSource(Protocol):
    """What is needed of :class:`eventlive_db.client.tokens.TokenSource`."""

    def get(self) -> str:
        """A token that is fresh."""
        ...

    def invalidate(self, token: str) -> None:
        """Say that this token was refused."""
        ...


class AsyncTokenSource(Protocol):
    """What is needed of :class:`eventlive_db.client.tokens.AsyncTokenSource`."""

    async def get(self) -> str:
        """A token that is fresh."""
        ...

    def invalidate(self, token: str) -> None:
        """Say that this token was refused."""
        ...


Known: TypeAlias = Mapping[str, object] | Identity


@dataclass(frozen=True, slots=True)
class OneToken:
    """A source that has one token and never another."""

    token: str

    def get(self) -> str:
        """The token."""
        return self.token

    def invalidate(self, _token: str) -> None:
        """Nothing to do: there is no other one."""


@dataclass(frozen=True, slots=True)
class AsyncOneToken:
    """:class:`OneToken`, awaited."""

    token: str

    async def get(self) -> str:
        """The token."""
        return self.token

    def invalidate(self, _token: str) -> None:
        """Nothing to do: there is no other one."""


@dataclass(frozen=True, slots=True)
class _Verified:
    token: str
    identity: Identity
    expires_at: float


class _Accepted:
    """The token that was verified last, for as long as it lives: the next call with it verifies nothing."""

    def __init__(self, roles: frozenset[str]) -> None:
        self._roles = roles
        self._last: _Verified | None = None

    def known(self, token: str) -> Identity | None:
        """The identity of this token, if it was the last one and has not expired since."""
        last = self._last
        fresh = last is not None and last.token == token and time.time() < last.expires_at
        return last.identity if last is not None and fresh else None

    def accept(self, token: str, claims: Mapping[str, Any]) -> Identity:
        """Take over the claims of a token that was verified.

        Raises:
            ForbiddenError: It names a database role that this client does not take.
        """
        identity = allowed(Identity.of(claims), self._roles)
        self._last = _Verified(token, identity, float(claims.get("exp", "inf")))
        return identity


def allowed(identity: Identity, roles: frozenset[str]) -> Identity:
    """The identity, if its role is among those that a client may take on.

    Raises:
        ForbiddenError: It is not.
    """
    if identity.role not in roles:
        payload = {"role": identity.role, "roles": sorted(roles)}
        raise ForbiddenError(
            403, "role_not_allowed", payload, "Role not allowed", "See the argument roles of the client."
        )
    return identity


def identity_of(who: Known, roles: frozenset[str]) -> Identity:
    """The identity of whoever is known without a token."""
    return allowed(who if isinstance(who, Identity) else Identity.of(who), roles)


class TokenUser:
    """A user who shows tokens."""

    def __init__(self, source: TokenSource, verifier: TokenVerifier, roles: frozenset[str]) -> None:
        self._source = source
        self._verifier = verifier
        self._accepted = _Accepted(roles)

    def identity(self) -> Identity:
        """Who calls, at this moment; a token that is refused is replaced once.

        Raises:
            UnauthenticatedError: The token is not accepted.
        """
        token = self._source.get()
        try:
            return self._identity_of(token)
        except UnauthenticatedError:
            self._source.invalidate(token)
            fresh = self._source.get()
            if fresh == token:
                raise
        return self._identity_of(fresh)

    def _identity_of(self, token: str) -> Identity:
        return self._accepted.known(token) or self._accepted.accept(token, self._verifier.verify(token))


class AsyncTokenUser:
    """:class:`TokenUser`, awaited."""

    def __init__(self, source: AsyncTokenSource, verifier: AsyncTokenVerifier, roles: frozenset[str]) -> None:
        self._source = source
        self._verifier = verifier
        self._accepted = _Accepted(roles)

    async def identity(self) -> Identity:
        """Who calls, at this moment; a token that is refused is replaced once.

        Raises:
            UnauthenticatedError: The token is not accepted.
        """
        token = await self._source.get()
        try:
            return await self._identity_of(token)
        except UnauthenticatedError:
            self._source.invalidate(token)
            fresh = await self._source.get()
            if fresh == token:
                raise
        return await self._identity_of(fresh)

    async def _identity_of(self, token: str) -> Identity:
        return self._accepted.known(token) or self._accepted.accept(token, await self._verifier.verify(token))


_Verifier = TypeVar("_Verifier")


def required(verifier: _Verifier | None) -> _Verifier:
    """The verifier, where there is one.

    Raises:
        ValueError: There is none, so no token can be taken for what it says.
    """
    if verifier is None:
        msg = "a token needs a verifier: Client(..., verifier=TokenVerifier(...)); or give claims verified elsewhere"
        raise ValueError(msg)
    return verifier


def fixed(identity: Identity) -> Callable[[], Awaitable[Identity]]:
    """An identity that never changes, as what is asked for one before each call."""

    async def identify() -> Identity:
        return identity

    return identify
