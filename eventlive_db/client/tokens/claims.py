"""What the claims of a token must say before they become an identity."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from eventlive_db.client.tokens import refusals
from eventlive_db.client.tokens.compact import MAX_LENGTH, TYPES, strict_object, unix_time

ROLES = frozenset({"anon", "authenticated", "service_role"})

# RFC 9562, section 4. Python takes more for a uuid (urn:uuid:…) than Postgres does.
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Expected:
    """The tokens that a service takes (RFC 7519, section 4.1; RFC 8725, sections 3.8 to 3.11).

    The rules are those of ``eventlive.pre_request``, in the same order, with a few more; so a token that passes here
    passes there, if issuer and audience are the same and the clocks agree.

    Args:
        issuer: What ``iss`` must be, character by character. Tokens of another issuer, such as the keys of a service,
            take a verifier of their own.
        audience: What ``aud`` must be or, if it is a list, hold; of several, one is enough. ``None`` takes a token
            without ``aud`` and no other: one with an audience is meant for somebody.
        roles: What the claim ``role`` may be; without one it is ``anon``. A connection may be allowed to become more
            than a token should make of it, and ``none`` would be the connection's own role.
        leeway_s: Seconds that the issuer's clock and this one may differ; PostgREST lets 30 pass.
        max_length: Characters that a token may have.
        types: What the header ``typ`` may say where it is there, in lower case and without ``application/``.

    Raises:
        ValueError: No issuer, no role, or a number out of range.
    """

    issuer: str
    audience: str | Collection[str] | None
    roles: Collection[str] = ROLES
    leeway_s: float = 30.0
    max_length: int = MAX_LENGTH
    types: Collection[str] = TYPES

    def __post_init__(self) -> None:
        right = {
            "issuer must be text": bool(self.issuer),
            "audience must be text, some of it, or None": self.audience is None or all(self._audiences() or [""]),
            "roles must be a collection of names": bool(self.roles) and not isinstance(self.roles, str),
            "leeway_s must be between 0 and 300 seconds": 0 <= self.leeway_s <= 300,
            "max_length must be above 0": self.max_length > 0,
        }
        if not all(right.values()):
            raise ValueError("; ".join(rule for rule, kept in right.items() if not kept))

    def check(self, payload: bytes, now: float) -> dict[str, Any]:
        """The claims, if they are what they must be.

        Args:
            payload: Of a token whose signature holds.
            now: Unix seconds.

        Raises:
            UnauthenticatedError: ``token_expired``; ``token_not_accepted`` with the ``claim`` that is missing or not
                what this service takes; ``invalid_claims`` for a payload that is no JSON object, or a sub that is
                no uuid.
        """
        claims = strict_object(payload)
        if claims is None:
            raise refusals.invalid_claims()
        self._check_who(claims)
        self._check_when(claims, now)
        self._check_where(claims)
        return claims

    def _check_who(self, claims: Mapping[str, Any]) -> None:
        role, subject = claims.get("role", "anon"), claims.get("sub")
        if subject is not None and not (isinstance(subject, str) and _UUID.fullmatch(subject)):
            raise refusals.invalid_claims()
        if not isinstance(role, str) or role not in self.roles:
            raise refusals.claim_not_accepted("role", "a role that this service takes")
        if subject is None and role not in {"anon", "service_role"}:
            raise refusals.claim_not_accepted("sub", "the uuid of the user")

    def _check_when(self, claims: Mapping[str, Any], now: float) -> None:
        expires = unix_time(claims.get("exp"))
        if expires is None:
            raise refusals.claim_not_accepted("exp", "a time in seconds")
        if now >= expires + self.leeway_s:
            raise refusals.expired()
        for name in ("nbf", "iat"):
            begins = unix_time(claims.get(name, 0))
            if begins is None or now + self.leeway_s < begins:
                raise refusals.claim_not_accepted(name, "a time in seconds that has come")

    def _check_where(self, claims: Mapping[str, Any]) -> None:
        if claims.get("iss") != self.issuer:
            raise refusals.claim_not_accepted("iss", "the issuer that this service trusts")
        found = claims.get("aud")
        audiences = [found] if isinstance(found, str) else found
        if self.audience is None:
            accepted = "aud" not in claims
        else:
            accepted = (
                isinstance(audiences, list)
                and all(isinstance(audience, str) for audience in audiences)
                and not set(self._audiences()).isdisjoint(audiences)
            )
        if not accepted:
            raise refusals.claim_not_accepted("aud", "an audience that this service is")

    def _audiences(self) -> Collection[str]:
        return (self.audience,) if isinstance(self.audience, str) else self.audience or ()
