"""The front door as its callers see it: people with tokens, and what they are answered over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import jwt

from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.http_server import SECRET, PostgREST

TIMEOUT_S = 10.0
"""What takes longer hangs."""

HOUR = 3600
CALLERS = ("anon", "stranger", "attendee", "host", "admin", "service")


def token(role: str, user_id: UUID | None = None, /, **claims: object) -> str:
    """A token that is good for an hour, but for what ``claims`` change; a claim given as None is left out."""
    now = int(time.time())
    all_claims: dict[str, object] = {"role": role, "iat": now, "exp": now + HOUR}
    if user_id:
        all_claims["sub"] = str(user_id)
    return sign({name: value for name, value in (all_claims | claims).items() if value is not None})


def sign(claims: object, secret: str = SECRET, algorithm: str = "HS256") -> str:
    """A token with any claims; not by ``jwt.encode``, which refuses what the server has to refuse."""
    return jwt.PyJWS().encode(json.dumps(claims).encode(), secret, algorithm=algorithm, headers={"typ": "JWT"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a token, or with none."""

    name: str
    token: str | None = field(default=None, repr=False)
    user_id: UUID | None = None

    def headers(self) -> dict[str, str]:
        """What identifies them."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back of a call, whichever client made it.

    Attributes:
        status: HTTP status; None where the client does not tell.
        code: SQLSTATE or PostgREST's own code; empty where the call succeeded.
        token: The first word of ``details``.
        payload: The JSON object behind it.
        data: What the function or view returned.
        reason: The HTTP reason phrase, where the client tells.
        message: For people.
        hint: What to do next.
    """

    status: int | None
    code: str = ""
    token: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    data: Any = None
    reason: str | None = None
    message: str = ""
    hint: str = ""

    @classmethod
    def failed(cls, status: int | None, error: Mapping[str, Any], reason: str | None = None) -> Answer:
        """Read PostgREST's body of an error."""
        found, _, payload = (error.get("details") or "").partition(" ")
        known = found if str(error["code"]).startswith("PT") else ""
        return cls(
            status=status,
            code=error["code"],
            token=known,
            payload=json.loads(payload) if known and payload else {},
            reason=reason,
            message=error.get("message") or "",
            hint=error.get("hint") or "",
        )

    @classmethod
    def of(cls, response: httpx.Response) -> Answer:
        """Read a response."""
        if response.is_success:
            data = response.json() if response.content else None
            return cls(response.status_code, data=data, reason=response.reason_phrase)
        return cls.failed(response.status_code, response.json(), response.reason_phrase)

    def said(self) -> str:
        """Status and what is wrong, in a word: ``200``, ``403 not_registered``, ``401 42501``."""
        return f"{self.status} {self.token or self.code}".strip()


@dataclass(slots=True)
class Door:
    """A PostgREST, the database behind it, and the ways of calling it."""

    db: EventliveDatabase
    server: PostgREST
    http: httpx.Client

    def post(self, function: str, caller: Caller, /, **arguments: object) -> httpx.Response:
        """Call a function; arguments without their leading underscore."""
        body = {f"_{name}": value for name, value in arguments.items()}
        return self.http.post(
            f"/rpc/{function}",
            content=json.dumps(body, default=str),
            headers=caller.headers() | {"Content-Type": "application/json"},
        )

    def call(self, function: str, caller: Caller, /, **arguments: object) -> Answer:
        """Call a function and read the answer."""
        return Answer.of(self.post(function, caller, **arguments))

    def get(self, path: str, caller: Caller, **headers: str) -> httpx.Response:
        """Read; names of headers with underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.get(path, headers=caller.headers() | named)

    def user(self, name: str = "user", /, **claims: object) -> Caller:
        """Somebody who is signed in, for the first time."""
        user_id = new_id()
        return Caller(name, token("authenticated", user_id, **claims), user_id)

    def people(self, webinar_id: UUID) -> dict[str, Caller]:
        """One of each of ``CALLERS``, with what makes them so in a webinar."""
        found = {name: self.user(name) for name in ("stranger", "attendee", "host", "admin")}
        for name in ("attendee", "host"):
            self.db.register(webinar_id, self.id_of(found[name]), role=name)
        self.db.make_admin(self.id_of(found["admin"]))
        return found | {"anon": Caller("anon"), "service": Caller("service", token("service_role"))}

    @staticmethod
    def id_of(caller: Caller) -> UUID:
        """The id of somebody who is signed in."""
        assert caller.user_id
        return caller.user_id
