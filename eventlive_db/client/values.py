"""Arguments as text: the form in which Postgres reads every type, and JSON's.

All are sent without a type: the function's parameters have one, and no function is overloaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from uuid import UUID

from eventlive_db.client.errors import InvalidCallError


def json_value(value: object) -> object:
    """What JSON has for a value; what it does not know stays, and is refused by whoever writes it."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: json_value(inner) for key, inner in value.items()}
    if _is_list(value):
        return [json_value(inner) for inner in value]  # type: ignore[attr-defined]
    return value


def text_of(name: str, value: object, encoding: str) -> bytes | None:
    """An argument as the server reads it; ``None`` is NULL.

    Args:
        name: Its parameter, for the error.
        value: Text, a number, a truth value, a uuid, a time with its zone, a mapping (jsonb), or a list of them.
        encoding: Of the connection.

    Raises:
        InvalidCallError: It has no such form.
    """
    try:
        text = _text(value)
        if text is None:
            return None
        sent = text.encode(encoding)
    except (TypeError, ValueError) as error:
        raise _cannot(name, str(error)) from error
    if b"\x00" in sent:
        raise _cannot(name, "there is a NUL character in it")
    return sent


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, UUID | int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return json.dumps(json_value(value), separators=(",", ":"), allow_nan=False)
    if not _is_list(value):
        msg = f"{type(value).__name__} has no form that Postgres reads"
        raise TypeError(msg)
    return "{" + ",".join(map(_element, value)) + "}"  # type: ignore[call-overload]


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence | Set) and not isinstance(value, str | bytes | bytearray)


def _element(value: object) -> str:
    """One element of an array (Postgres manual, "Array Input and Output Syntax")."""
    text = _text(value)
    if text is None:
        return "NULL"
    if _is_list(value):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _cannot(name: str, reason: str) -> InvalidCallError:
    payload = {"argument": name, "must_be": "something that can be sent"}
    return InvalidCallError(
        400, "invalid_argument", payload, f"Invalid argument {name}: {reason}", "Correct the value."
    )
