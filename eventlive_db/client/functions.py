"""What each function of the contract is called, takes and answers: the one description that everything else is made of.

A test holds it against the catalog of a real database, so it cannot say what is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from eventlive_db.client.calls import Call
from eventlive_db.client.errors import InvalidCallError
from eventlive_db.client.reading import reader

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its name as JSON clients send it, its type in Postgres, and whether it has a default."""

    name: str
    type: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Function(Generic[Reply]):
    """One function of the exposed schema.

    Args:
        name: Its name.
        parameters: In order.
        reply: The dataclass of its reply; ``None`` for void.
        roles: The database roles that may call it.
        tokens: The errors of the contract that it can come to, beside the class 22 and 54 of unreadable values.
        repeatable: Whether a call may be sent again when the answer to it was lost.
    """

    name: str
    parameters: tuple[Parameter, ...]
    reply: type[Reply] | None
    roles: frozenset[str]
    tokens: frozenset[str]
    repeatable: bool = True
    read: Callable[[Any], Reply] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "read", reader(self.reply) if self.reply else _nothing)

    def call(self, **arguments: object) -> Call[Reply]:
        """A call with these arguments, by parameter name without its underscore; ``None`` leaves one out.

        Raises:
            InvalidCallError: A value cannot be what its parameter must be, or one that must be there is not.
        """
        sent = {}
        for parameter in self.parameters:
            value = arguments.pop(parameter.name[1:], None)
            if value is not None:
                sent[parameter.name] = _CHECKS[parameter.type](parameter, value)
            elif not parameter.optional:
                raise _invalid(parameter, "given")
        if arguments:
            msg = f"{self.name} has no parameter {', '.join(sorted(arguments))}"
            raise TypeError(msg)
        return Call(self.name, sent, self.read, self.repeatable)


def _nothing(_: Any) -> Any:
    return None


def _invalid(parameter: Parameter, must_be: str) -> InvalidCallError:
    payload = {"argument": parameter.name, "must_be": must_be}
    return InvalidCallError(
        400, "invalid_argument", payload, f"Invalid argument {parameter.name}", f"It must be {must_be}."
    )


def _uuid(parameter: Parameter, value: object) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(str(value))
    except ValueError:
        raise _invalid(parameter, "a uuid") from None


def _is(kind: type | tuple[type, ...], must_be: str) -> Callable[[Parameter, object], object]:
    def check(parameter: Parameter, value: object) -> object:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise _invalid(parameter, must_be)
        return value

    return check


def _time(parameter: Parameter, value: object) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _invalid(parameter, "a datetime with a time zone")
    return value


def _list_of(check: Callable[[Parameter, object], object], must_be: str) -> Callable[[Parameter, object], object]:
    def check_all(parameter: Parameter, value: object) -> object:
        if isinstance(value, str | bytes) or not isinstance(value, Sequence | set | frozenset):
            raise _invalid(parameter, must_be)
        return [check(parameter, inner) for inner in value]

    return check_all


_text = _is(str, "text")

_CHECKS: Mapping[str, Callable[[Parameter, object], object]] = {
    "uuid": _uuid,
    "text": _text,
    "boolean": _is(bool, "true or false"),
    "integer": _is(int, "a whole number"),
    "bigint": _is(int, "a whole number"),
    "jsonb": _is(Mapping, "an object"),
    "timestamp with time zone": _time,
    "uuid[]": _list_of(_uuid, "a list of uuids"),
    "text[]": _list_of(_text, "a list of texts"),
}
