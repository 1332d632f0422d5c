"""What to send, without a connection: who calls, and which function with which arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")

SET_IDENTITY = sql.SQL(
    "select pg_catalog.set_config('role', %s, true), pg_catalog.set_config('request.jwt.claims', %s, true)"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who makes a call: a database role, and the claims of a token that was verified before.

    Args:
        role: ``anon``, ``authenticated`` or ``service_role``; the connection's own role must be allowed to
            become it.
        claims: The claims; ``sub`` is the id of the user. Sent as ``request.jwt.claims``.
    """

    role: str
    claims: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def user(cls, user_id: UUID | str, **claims: object) -> Identity:
        """A signed-in user, with further claims such as ``email`` and ``email_verified``."""
        return cls("authenticated", {"sub": str(user_id), "role": "authenticated", **claims})

    @classmethod
    def guest(cls) -> Identity:
        """Somebody who is not signed in."""
        return cls("anon", {"role": "anon"})

    @classmethod
    def service(cls) -> Identity:
        """The application's own back end."""
        return cls("service_role", {"role": "service_role"})

    def settings(self) -> tuple[str, str]:
        """The values of the settings ``role`` and ``request.jwt.claims``."""
        return self.role, json.dumps(dict(self.claims), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function of the exposed schema.

    Args:
        function: Its name, such as ``webinar_register``.
        arguments: By parameter name, leading underscore included, as JSON clients send them. What is left out
            takes the function's default. A mapping is sent as jsonb.
        api_schema: The exposed schema, where it was given another name.

    Raises:
        ValueError: A name is not a plain lower-case identifier.
    """

    function: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    api_schema: str = "eventlive_api"

    def __post_init__(self) -> None:
        for name in (self.api_schema, self.function, *self.arguments):
            if not _PLAIN_NAME.fullmatch(name):
                msg = f"{name!r} is not the name of a function or parameter: lower-case letters, digits and _ only"
                raise ValueError(msg)

    def query(self) -> sql.Composed:
        """The statement; its placeholders take :meth:`parameters`."""
        named = [sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder()) for name in self.arguments]
        return sql.SQL("select {}.{}({})").format(
            sql.Identifier(self.api_schema), sql.Identifier(self.function), sql.SQL(", ").join(named)
        )

    def parameters(self) -> list[object]:
        """The values of the arguments, in the order of :meth:`query`."""
        return [Jsonb(value) if isinstance(value, Mapping) else value for value in self.arguments.values()]
