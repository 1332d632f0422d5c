"""How the canary's people call: over psycopg as the package's client does, or over HTTP as browsers do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

from eventlive_db.client import Client, Identity
from eventlive_db.client.callers import Caller
from eventlive_db.client.calls import API_SCHEMA
from eventlive_db.client.resilience import Resilience
from eventlive_db.verify.database import named
from eventlive_db.verify.errors import VerifyError

USERS = ("registered", "unregistered", "admin")
"""Who signs in. ``guest`` does not, and ``service`` makes the webinars."""

TOKEN_LIFE_S = 300
CALL_TIMEOUT_S = 20.0


class Door(Protocol):
    """A way in.

    Attributes:
        name: For the report.
        roles: Those that the connecting role has to be a member of.
        ids: Of each of :data:`USERS`.
        made_up: Whether the users are nobody's: then the administrator is made one for as long as it takes.
    """

    name: str
    roles: tuple[str, ...]
    ids: Mapping[str, UUID]
    made_up: bool

    def caller(self, who: str) -> Caller:
        """One of :data:`USERS`, ``guest`` or ``service``."""
        ...

    def close(self) -> None:
        """Close what was opened."""
        ...


class PsycopgDoor:
    """The client of this package, on a connection of its own.

    Args:
        dsn: Whoever connects is a member of anon, authenticated and service_role.
        api_schema: The exposed schema.
    """

    name = "psycopg"
    roles: tuple[str, ...] = ("anon", "authenticated", "service_role")
    made_up = True

    def __init__(self, dsn: str, api_schema: str = API_SCHEMA) -> None:
        self.ids: Mapping[str, UUID] = {who: uuid4() for who in USERS}
        self._client = Client(
            named(dsn), api_schema=api_schema, resilience=Resilience(max_attempts=1), timeout_s=CALL_TIMEOUT_S
        )

    def caller(self, who: str) -> Caller:
        """One of :data:`USERS`, ``guest`` or ``service``."""
        if who == "guest":
            return self._client.as_guest()
        if who == "service":
            return self._client.as_service()
        return self._client.as_user(Identity.user(self.ids[who]))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class HttpDoor:
    """PostgREST, or Supabase.

    Args:
        url: Where it answers.
        tokens: Of each of :data:`USERS`, and of ``service``.
        ids: Of each of :data:`USERS`.
        made_up: Whether the users are nobody's.
        api_key: What a gateway before it wants.
        api_schema: The exposed schema.

    Raises:
        VerifyError: The extra ``http`` is missing, or the address is none.
    """

    name = "PostgREST"
    roles: tuple[str, ...] = ()

    def __init__(
        self,
        url: str,
        tokens: Mapping[str, str],
        ids: Mapping[str, UUID],
        *,
        made_up: bool,
        api_key: str | None = None,
        api_schema: str = API_SCHEMA,
    ) -> None:
        try:
            from eventlive_db.client.http import HttpClient
        except ModuleNotFoundError as error:
            raise VerifyError(str(error), token="missing_extra") from error
        self.ids = ids
        self.made_up = made_up
        self._tokens = tokens
        try:
            self._client = HttpClient(
                url,
                api_key=api_key,
                api_schema=api_schema,
                resilience=Resilience(max_attempts=1),
                timeout_s=CALL_TIMEOUT_S,
            )
        except ValueError as error:
            raise VerifyError(f"--api-url: {error}", token="not_an_address") from error

    def caller(self, who: str) -> Caller:
        """One of :data:`USERS`, ``guest`` or ``service``."""
        return self._client.as_guest() if who == "guest" else self._client.as_user(self._tokens[who])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def sign(secret: str, settings: Mapping[str, str]) -> tuple[dict[str, str], dict[str, UUID]]:
    """Tokens of people who do not exist, good for five minutes; with their ids.

    Args:
        secret: The one that PostgREST verifies with.
        settings: ``jwt_issuer``, ``jwt_audience`` and ``jwt_service_issuer``, as the database demands them.

    Raises:
        VerifyError: The extra ``http`` is missing, or the secret is too short.
    """
    try:
        import jwt
    except ModuleNotFoundError as error:
        raise VerifyError("signing needs PyJWT", "pip install 'eventlive-db[http]'", token="missing_extra") from error
    try:
        length = len(secret.encode())
    except UnicodeEncodeError:
        raise VerifyError(
            "the JWT secret is no text in UTF-8", "Give the one of PostgREST.", token="short_secret"
        ) from None
    if length < 32:
        raise VerifyError("the JWT secret is shorter than 32 bytes", "Give the one of PostgREST.", token="short_secret")
    now = int(time.time())
    ids = {who: uuid4() for who in USERS}

    def token(role: str, issuer: str, **claims: object) -> str:
        # A minute ago, for a server whose clock is behind.
        every: dict[str, Any] = {"role": role, "iat": now - 60, "exp": now + TOKEN_LIFE_S, **claims}
        if settings.get(issuer):
            every["iss"] = settings[issuer]
        return jwt.encode(every, secret, algorithm="HS256")

    audience = {"aud": settings["jwt_audience"]} if settings.get("jwt_audience") else {}
    tokens = {who: token("authenticated", "jwt_issuer", sub=str(ids[who]), **audience) for who in USERS}
    return tokens | {"service": token("service_role", "jwt_service_issuer")}, ids


def read_tokens(path: Path) -> tuple[dict[str, str], dict[str, UUID]]:
    """Tokens that somebody made: a JSON object with ``service`` and each of :data:`USERS`; with the users' ids.

    They are not verified here; PostgREST does that.

    Raises:
        VerifyError: The file cannot be read, or one is missing or none. No token is in the error.
    """
    advice = f"A JSON object with {', '.join((*USERS, 'service'))}, each a token."
    try:
        given = json.loads(path.read_text("utf-8"))
        tokens = {who: str(given[who]) for who in (*USERS, "service")}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise VerifyError(f"{path}: {type(error).__name__}", advice, token="unreadable_tokens") from None
    for who, token in tokens.items():
        if not (token.isascii() and token.isprintable()):
            raise VerifyError(f"the token of {who} is none", advice, token="unreadable_tokens")
    ids = {who: _subject(tokens[who], who, advice) for who in USERS}
    if len(set(ids.values())) < len(ids):
        raise VerifyError(f"{path}: two of the users are one", advice, token="unreadable_tokens")
    return tokens, ids


def _subject(token: str, who: str, advice: str) -> UUID:
    try:
        import jwt

        return UUID(jwt.decode(token, options={"verify_signature": False})["sub"])
    except ModuleNotFoundError as error:
        raise VerifyError("reading needs PyJWT", "pip install 'eventlive-db[http]'", token="missing_extra") from error
    except (jwt.PyJWTError, KeyError, ValueError):
        raise VerifyError(f"the token of {who} is none of a user", advice, token="unreadable_tokens") from None


OpenDoor = Callable[[], Door]
"""Makes a door: one for each run, with people and tokens of its own."""
