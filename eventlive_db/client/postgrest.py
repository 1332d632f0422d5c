"""A call as an HTTP request to PostgREST, and its answer. No connection: :mod:`eventlive_db.client.http` sends it.

The form is PostgREST's: ``POST /rpc/<function>`` with the arguments as a JSON object, the schema in
``Content-Profile``, a void answered with 204 (https://docs.postgrest.org/en/v12/references/api/functions.html).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from eventlive_db.client.calls import Call, require_plain_names
from eventlive_db.client.errors import EventliveError, UnauthenticatedError, UnreadableReplyError, error_of

_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send: a POST.

    Attributes:
        path: Below the base address.
        headers: All of them.
        body: JSON.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes


def request_of(call: Call[Any], token: str | None, api_schema: str, api_key: str | None = None) -> Request:
    """The request of a call.

    Args:
        call: The call.
        token: The user's; ``None`` for a guest.
        api_schema: The exposed schema.
        api_key: What a gateway before PostgREST wants, as Supabase does.
    """
    require_plain_names(api_schema)
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Content-Profile": api_schema}
    if api_key is not None:
        headers["apikey"] = api_key
    if token is not None:
        if not _TOKEN.fullmatch(token):
            raise UnauthenticatedError(
                401, "token_not_accepted", {"part": "form"}, "Token not accepted", "It is none: get a new one."
            )
        headers["Authorization"] = f"Bearer {token}"
    # Nothing that is not a number in JSON may pass for one.
    body = json.dumps(call.body(), separators=(",", ":"), allow_nan=False).encode()
    return Request(f"/rpc/{call.function}", headers, body)


def reply_of(
    status: int, headers: Mapping[str, str], body: bytes, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Any:
    """What the function returned, from an answer.

    Args:
        status: Its status.
        headers: Its headers; names in any case that the mapping finds ``retry-after`` by.
        body: Its body.
        now: The time, for a Retry-After that is a date.

    Raises:
        EventliveError: What the answer says, or that it says nothing that can be read.
    """
    if 200 <= status < 300:
        if not body:
            return None
        try:
            return json.loads(body)
        except ValueError as error:
            message = f"the answer with status {status} is not JSON"
            hint = "Is the base address that of PostgREST?"
            raise UnreadableReplyError(status, "unreadable_reply", {}, message, hint) from error
    raise _failure(status, body, retry_after_s(headers.get("retry-after"), now))


def _failure(status: int, body: bytes, after_s: float | None) -> EventliveError:
    """The error of an answer; one without a body of PostgREST's came from something before it."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        said = {}
    return error_of(
        sqlstate=_text(said.get("code")),
        status=status,
        message=_text(said.get("message")) or f"HTTP {status}",
        detail=_text(said.get("details")) or "",
        hint=_text(said.get("hint")) or "",
        retry_after_s=after_s,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def retry_after_s(value: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """Seconds of a header Retry-After, which is a number of them or a date (RFC 9110, 10.2.3); else ``None``."""
    if value is None:
        return None
    try:
        seconds = float(value) if value.strip().isdigit() else (parsedate_to_datetime(value) - now()).total_seconds()
    except (TypeError, ValueError):
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
