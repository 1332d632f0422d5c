"""What to send, without a connection: which function with which arguments, and how its reply is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, TypeVar

from psycopg import sql
from psycopg.types.json import Jsonb

from eventlive_db.client.exchange import Statement
from eventlive_db.client.identity import Identity
from eventlive_db.client.values import json_value, text_of

__all__ = ["SET_IDENTITY", "Call", "Identity"]

Reply = TypeVar("Reply")

API_SCHEMA = "eventlive_api"

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")

SET_IDENTITY = sql.SQL(
    "select pg_catalog.set_config('role', %s, true), pg_catalog.set_config('request.jwt.claims', %s, true)"
)


def as_is(value: Any) -> Any:
    """A reply that is not read further."""
    return value


@dataclass(frozen=True, slots=True)
class Call(Generic[Reply]):
    """One call of a function of the exposed schema. :mod:`eventlive_db.client.rpc` makes them.

    Args:
        function: Its name, such as ``webinar_register``.
        arguments: By parameter name, leading underscore included, as JSON clients send them. What is left out
            takes the function's default. A mapping is sent as jsonb.
        read: Makes the reply of what the function returned: ``dict`` for jsonb, ``None`` for void.
        repeatable: Whether it may be sent again when the answer was lost: the second one changes nothing more.

    Raises:
        ValueError: A name is not a plain lower-case identifier.
    """

    function: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    read: Callable[[Any], Reply] = as_is
    repeatable: bool = False

    def __post_init__(self) -> None:
        require_plain_names(self.function, *self.arguments)

    def statement(self, api_schema: str, encoding: str = "utf-8") -> Statement:
        """The call as a statement.

        Args:
            api_schema: The exposed schema.
            encoding: Of the connection.

        Raises:
            InvalidCallError: An argument has no form that Postgres reads.
        """
        values = [text_of(name, value, encoding) for name, value in self.arguments.items()]
        return Statement(_query(api_schema, self.function, tuple(self.arguments)), values)

    def query(self, api_schema: str = API_SCHEMA) -> bytes:
        """The call for psycopg's ``execute``, where a tool wants to explain or measure it by itself."""
        require_plain_names(api_schema)
        named = ", ".join(f"{name} => %s" for name in self.arguments)
        return f"select {api_schema}.{self.function}({named})".encode()

    def parameters(self) -> list[object]:
        """What the placeholders of :meth:`query` take."""
        return [Jsonb(value) if isinstance(value, Mapping) else value for value in self.arguments.values()]

    def body(self) -> dict[str, object]:
        """The arguments as the JSON object that PostgREST takes."""
        return {name: json_value(value) for name, value in self.arguments.items()}


def require_plain_names(*names: str) -> None:
    """Refuse a name that would need quotes: none of ours does, and so nothing can hide in one.

    Raises:
        ValueError: With the name.
    """
    for name in names:
        if not _PLAIN_NAME.fullmatch(name):
            msg = f"{name!r} is not the name of a function or parameter: lower-case letters, digits and _ only"
            raise ValueError(msg)


@lru_cache(maxsize=256)
def _query(api_schema: str, function: str, names: tuple[str, ...]) -> bytes:
    require_plain_names(api_schema)
    named = ", ".join(f"{name} => ${number}" for number, name in enumerate(names, 1))
    return f"select {api_schema}.{function}({named})".encode()
