"""What to send, without a connection: which function with which arguments, and how its reply is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from eventlive_db.client.identity import Identity

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

    def query(self, api_schema: str = API_SCHEMA) -> bytes:
        """The statement, with a placeholder for each of :meth:`parameters`."""
        return _statement(api_schema, self.function, tuple(self.arguments))

    def parameters(self) -> list[object]:
        """The values of the arguments, in the order of :meth:`query`."""
        return [Jsonb(value) if isinstance(value, Mapping) else value for value in self.arguments.values()]

    def body(self) -> dict[str, object]:
        """The arguments as the JSON object that PostgREST takes."""
        return {name: _json_value(value) for name, value in self.arguments.items()}


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
def _statement(api_schema: str, function: str, names: tuple[str, ...]) -> bytes:
    require_plain_names(api_schema)
    named = ", ".join(f"{name} => %s" for name in names)
    return f"select {api_schema}.{function}({named})".encode()


def _json_value(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _json_value(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_json_value(inner) for inner in value]
    return value
