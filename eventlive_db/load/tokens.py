"""Tokens of users who do not exist, for a PostgREST of one's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

EXTRA = "tokens are signed with PyJWT: pip install 'eventlive-db[http]'"
LIFE_S = 7 * 86_400
"""For longer than any run."""


def signer(secret: str) -> Callable[[UUID], str]:
    """What makes the token of a user, good for a week (HS256).

    Args:
        secret: The one that PostgREST verifies with; 32 characters or more.

    Raises:
        ModuleNotFoundError: The extra ``http`` is missing; says how to get it.
    """
    try:
        import jwt
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(EXTRA, name=error.name) from error

    def sign(user_id: UUID) -> str:
        now = int(time.time())
        claims = {"role": "authenticated", "sub": str(user_id), "iat": now, "exp": now + LIFE_S}
        return jwt.encode(claims, secret, "HS256")

    return sign
