"""Read a JSON value as the dataclass that a reply is. No connection, no knowledge of any one reply."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from eventlive_db.client.errors import UnreadableReplyError

T = TypeVar("T")
_Convert = Callable[[Any], Any]

_HINT = "The server's schema is older than this client, or something else answered."


def reader(kind: type[T]) -> Callable[[Any], T]:
    """A function that reads what a call returned as ``kind``, a dataclass with a field ``extra``."""

    def read(value: Any) -> T:
        try:
            made: T = _object(kind, value)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            message = f"the reply cannot be read as {kind.__name__}: {reason}"
            raise UnreadableReplyError(None, "unreadable_reply", {}, message, _HINT) from error
        return made

    return read


def _object(kind: Any, value: Any) -> Any:
    if not isinstance(value, Mapping):
        msg = f"{type(value).__name__} in place of an object"
        raise TypeError(msg)
    known, names = _plan(kind)
    made = {}
    for name, convert, optional in known:
        if name in value or not optional:
            made[name] = convert(value[name])
    extra = {key: inner for key, inner in value.items() if key not in names}
    return kind(**made, extra=extra)


@lru_cache(maxsize=64)
def _plan(kind: type[Any]) -> tuple[tuple[tuple[str, _Convert, bool], ...], frozenset[str]]:
    """Of each field its name, how it is read, and whether it may be missing."""
    hints = get_type_hints(kind)
    known = tuple(
        (one.name, _converter(hints[one.name]), one.default is not MISSING)
        for one in fields(kind)
        if one.name != "extra"
    )
    return known, frozenset(name for name, _, _ in known)


def _converter(hint: Any) -> _Convert:
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        (inner,) = (one for one in get_args(hint) if one is not type(None))
        convert = _converter(inner)
        return lambda value: None if value is None else convert(value)
    if origin is tuple:
        return _array(_converter(get_args(hint)[0]))
    if is_dataclass(hint):
        return partial(_object, hint)
    return _SCALARS[origin or hint]


def _array(convert: _Convert) -> _Convert:
    def read(value: Any) -> tuple[Any, ...]:
        return tuple(convert(inner) for inner in _exactly(list)(value))

    return read


def _exactly(*kinds: type) -> _Convert:
    def read(value: Any) -> Any:
        # A bool is an int to Python, not to JSON.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            msg = f"{type(value).__name__} in place of {kinds[0].__name__}"
            raise TypeError(msg)
        return value

    return read


_text = _exactly(str)
_number = _exactly(float, int)

_SCALARS: Mapping[Any, _Convert] = {
    str: _text,
    bool: _exactly(bool),
    int: _exactly(int),
    float: lambda value: float(_number(value)),
    UUID: lambda value: UUID(_text(value)),
    datetime: lambda value: datetime.fromisoformat(_text(value)),
    Mapping: _exactly(dict),
}
