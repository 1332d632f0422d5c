"""One attempt to post a notice, over httpx."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Self

from eventlive_db.watch.errors import WatchError
from eventlive_db.watch.webhook import Webhook

_MAX_BODY = 10_000
_RETRIED = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt.

    Attributes:
        verdict: ``delivered``; ``refused``, and would be again; ``failed``, and may be tried again.
        said: What the receiver answered, or what went wrong; without any part of the address.
        retry_after_s: What the receiver asked for, in seconds.
    """

    verdict: Literal["delivered", "refused", "failed"]
    said: str
    retry_after_s: float | None = None


Post = Callable[[bytes, Mapping[str, str]], Outcome]


class _Limit:
    """Cuts the connection of an attempt when its time is over: httpx bounds each read, and a receiver may drip.

    Args:
        seconds: From entering the context.

    Attributes:
        over: Whether the time is over.
    """

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._lock = threading.Lock()
        self._wire: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._wire is not None:
                self._wire.close()
                self._wire = None

    def trace(self, event: str, found: Mapping[str, Any]) -> None:
        """Hear from httpx what it does: the connection is known before TLS begins, and TLS is bounded, too."""
        if event == "connection.connect_tcp.complete":
            with self._lock:
                descriptor = found["return_value"].get_extra_info("socket").fileno()
                self._wire = socket.socket(fileno=os.dup(descriptor))
            if self.over:
                self._cut()

    def _cut(self) -> None:
        self.over = True
        with self._lock, suppress(OSError):
            if self._wire is not None:
                self._wire.shutdown(socket.SHUT_RDWR)


class Poster:
    """Posts to one webhook. A redirection is not followed: what is posted is for this receiver alone.

    Args:
        webhook: Where to.
        timeout_s: For all of one attempt, once the name of the receiver is known, in seconds.
        wall: Seconds since 1970.

    Raises:
        WatchError: httpx is not installed.
    """

    def __init__(self, webhook: Webhook, *, timeout_s: float = 10.0, wall: Callable[[], float] = time.time) -> None:
        self._webhook, self._timeout_s, self._wall = webhook, timeout_s, wall
        self._httpx = _httpx()
        # Each attempt has a connection of its own, which may be cut.
        limits = self._httpx.Limits(max_keepalive_connections=0)
        self._client = self._httpx.Client(timeout=timeout_s, follow_redirects=False, limits=limits)
        # They log the address of each request.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)

    def __call__(self, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Post once."""
        response: Any = None
        answer = bytearray()
        try:
            with _Limit(self._timeout_s) as limit, self._stream(body, headers, limit) as response:
                for chunk in response.iter_raw():
                    answer += chunk
                    if len(answer) > _MAX_BODY or limit.over:
                        break
        except (self._httpx.HTTPError, self._httpx.InvalidURL, self._httpx.StreamError) as error:
            late = limit.over or isinstance(error, self._httpx.TimeoutException)
            # An answer that drips, or never ends: its status is known, and that is what counts.
            if response is None or not late:
                # The kind alone: the message may hold the address.
                why = f" within {self._timeout_s:g} s" if late else f" ({type(error).__name__})"
                return Outcome("failed", f"no answer{why}")
        return self._outcome(response.status_code, response.headers, bytes(answer[:_MAX_BODY]))

    def _stream(self, body: bytes, headers: Mapping[str, str], limit: _Limit) -> Any:
        extensions = {"trace": limit.trace}
        return self._client.stream("POST", self._webhook.url, content=body, headers=headers, extensions=extensions)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _outcome(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        text = self._webhook.scrub(body.decode("utf-8", "replace"))
        said = f"it answered {status}" + (f": {text}" if text else "")
        if 200 <= status < 300:
            return Outcome("delivered", said)
        if status in _RETRIED or status >= 500:
            asked = retry_after_s(headers.get("retry-after"), self._wall()) if status in {429, 503} else None
            in_body = _retry_after_in(body) if status == 429 and self._webhook.kind == "discord" else None
            waits = [wait for wait in (asked, in_body) if wait is not None]
            return Outcome("failed", said, max(waits, default=None))
        return Outcome("refused", said)


def retry_after_s(header: str | None, now: float) -> float | None:
    """What Retry-After asks for, in seconds from now; none where it is missing or makes no sense.

    Args:
        header: Seconds or a date (RFC 9110, section 10.2.3).
        now: Seconds since 1970.
    """
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", header.strip()):
        return float(header)
    try:
        date = parsedate_to_datetime(header)
        # One without a zone is in GMT, as all dates of HTTP are.
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(seconds - now, 0.0)


def _retry_after_in(body: bytes) -> float | None:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    asked = found.get("retry_after") if isinstance(found, dict) else None
    if isinstance(asked, bool) or not isinstance(asked, int | float) or not math.isfinite(asked):
        return None
    return max(float(asked), 0.0)


def _httpx() -> Any:
    try:
        import httpx
    except ModuleNotFoundError:
        msg = "Notices are posted with httpx, which is not installed"
        raise WatchError(msg, "Run: pip install 'eventlive-db[http]'", token="no_httpx") from None
    return httpx
