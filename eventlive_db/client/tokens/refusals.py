"""What a token is refused with: the same errors that the database raises for the same claims (docs/contract.md).

None of them holds the token or a part of it, for errors end in logs.
"""

from __future__ import annotations

from eventlive_db.client.errors import UnauthenticatedError


def expired() -> UnauthenticatedError:
    """``token_expired``: it was good once."""
    return UnauthenticatedError(401, "token_expired", {}, "Token expired", "Get a new token, then call again.")


def invalid_claims(why: str = "its payload must be a JSON object, and its sub a uuid") -> UnauthenticatedError:
    """``invalid_claims``: signed by the issuer, and yet no claims that the database could read."""
    return UnauthenticatedError(401, "invalid_claims", {}, "Invalid claims", f"Of this token, {why}.")


def claim_not_accepted(claim: str, must_be: str) -> UnauthenticatedError:
    """``token_not_accepted``: signed by the issuer, but one claim is missing or not what this service takes.

    Args:
        claim: Its name, which the payload gives as ``claim``.
        must_be: What it must be, for people; no value of the token.
    """
    return _not_accepted({"claim": claim}, f"Its claim {claim} must be {must_be}; get a token from its issuer.")


def not_accepted(part: str, why: str) -> UnauthenticatedError:
    """``token_not_accepted``: not a token that this service can trust, so its claims were not looked at.

    Args:
        part: ``form``, ``signature``, or the header parameter ``alg``, ``kid``, ``typ`` or ``crit``; which the payload
            gives as ``part``.
        why: What is wrong, for people.
    """
    return _not_accepted({"part": part}, f"{why}; get a token from its issuer.")


def _not_accepted(payload: dict[str, object], hint: str) -> UnauthenticatedError:
    return UnauthenticatedError(401, "token_not_accepted", payload, "Token not accepted", hint)
