"""Take a token apart, without believing it: the compact form of RFC 7515, section 3.1, read strictly.

Nothing is decoded before the length is known to be bounded. What two readers could understand differently is refused:
a member that is there twice (RFC 8725, section 2.4), a number that JSON does not have, text that is not UTF-8 or not
base64url.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NoReturn

from eventlive_db.client.tokens import refusals

MAX_LENGTH = 16_384
TYPES = frozenset({"jwt", "at+jwt"})

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token that is well formed, and nothing more.

    Args:
        alg: The algorithm that its header says.
        kid: The name of the key that its header says; ``None`` where there is none.
        payload: What was, or was not, signed.
    """

    alg: str
    kid: str | None
    payload: bytes = field(repr=False)


def take_apart(token: str, *, max_length: int = MAX_LENGTH, types: Collection[str] = TYPES) -> Unverified:
    """Read the header of a token.

    Args:
        token: In compact form.
        max_length: Characters that it may have.
        types: What the header ``typ`` may say where it is there, in lower case and without ``application/``.

    Raises:
        UnauthenticatedError: ``token_not_accepted`` with the ``part`` that is wrong: ``form``, ``alg``, ``kid``,
            ``typ``; or ``crit``, for no extension is understood here, and one that is critical must be (RFC 7515,
            section 4.1.11).
    """
    if not isinstance(token, str) or len(token) > max_length or not _COMPACT.fullmatch(token):
        raise refusals.not_accepted("form", f"It must be a signed token of at most {max_length} characters")
    header_part, payload_part, signature_part = token.split(".")
    header, payload, signature = map(base64url, (header_part, payload_part, signature_part))
    members = strict_object(header) if header is not None else None
    if members is None or payload is None or signature is None:
        raise refusals.not_accepted("form", "It must be base64url, and its header a JSON object")
    # b64 changes what was signed, and may only be there as a critical extension (RFC 7797, section 6).
    if "crit" in members or "b64" in members:
        raise refusals.not_accepted("crit", "Its header demands an extension that is not understood")
    alg, kid, typ = members.get("alg"), members.get("kid"), members.get("typ", "jwt")
    if not isinstance(alg, str):
        raise refusals.not_accepted("alg", "Its header must name the algorithm")
    if not (isinstance(kid, str) and kid) and "kid" in members:
        raise refusals.not_accepted("kid", "Its header's kid must be text")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in types:
        raise refusals.not_accepted("typ", "It is a token of another kind")
    return Unverified(alg, kid, payload)


def base64url(text: str) -> bytes | None:
    """What base64url without padding (RFC 7515, section 2) stands for; ``None`` where it is not that, or not the one
    way to write it."""
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if base64.urlsafe_b64encode(found).rstrip(b"=") == text.encode() else None


def strict_object(text: bytes) -> dict[str, Any] | None:
    """The JSON object that this is; ``None`` where it is none or can be read in two ways."""
    try:
        found = json.loads(
            text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite
        )
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def expiry(token: str) -> float | None:
    """When a token expires by its own word, in Unix seconds; ``None`` where it does not say, or is no JWT.

    For somebody who has been given the token and wants to know when to get another one. It proves nothing.
    """
    parts = token.split(".") if len(token) <= MAX_LENGTH else []
    payload = base64url(parts[1]) if len(parts) == 3 and parts[1].isascii() else None
    found = (strict_object(payload) or {}).get("exp") if payload else None
    return unix_time(found)


def unix_time(value: object) -> float | None:
    """A NumericDate (RFC 7519, section 2) between the years 1 and 9999; ``None`` for anything else.

    What lies beyond is milliseconds taken for seconds, or a number made to overflow somebody's arithmetic.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -62_135_596_800 <= value <= 253_402_300_799 else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a member is there twice"
        raise ValueError(msg)
    return found


def _no_constant(_: str) -> NoReturn:
    msg = "JSON has neither NaN nor Infinity (RFC 8259, section 6)"
    raise ValueError(msg)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        msg = "too large"
        raise ValueError(msg)
    return value
