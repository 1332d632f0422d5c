"""Fetch a JWK set over HTTP, with patience and size bounded. Needs httpx, when it is first called."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from eventlive_db.client.errors import UnavailableError
from eventlive_db.client.tokens.compact import strict_object

if TYPE_CHECKING:
    import httpx

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# As it is: what is small on the wire may be large when it is unpacked.
_HEADERS = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class JwksAddress:
    """Where an issuer publishes its keys. Call it to fetch them; :meth:`fetch` for asyncio.

    A redirection is not followed: whoever could send one would choose the keys.

    Args:
        url: https; plain http for this machine alone, unless ``plain_http``.
        timeout_s: Seconds for connecting, for each wait, and for all of it.
        max_bytes: Of the answer.
        plain_http: Whether the network between is trusted, as within a cluster; whoever can change the answer can
            sign tokens.

    Raises:
        ValueError: The address is not one of those.
    """

    url: str
    timeout_s: float = 5.0
    max_bytes: int = 65_536
    plain_http: bool = False

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        plain = parts.scheme == "http" and (self.plain_http or parts.hostname in _LOOPBACK)
        if not parts.hostname or not (parts.scheme == "https" or plain):
            msg = "the address of a JWK set must be https://…; plain_http=True where the network is trusted"
            raise ValueError(msg)

    def __call__(self) -> Mapping[str, Any]:
        """Fetch it now.

        Raises:
            UnavailableError: There was no answer in time, or it was too large, or no JSON object.
            ModuleNotFoundError: httpx is not installed.
        """
        httpx = _httpx()
        body = _Body(self)
        try:
            with (
                httpx.Client(timeout=self.timeout_s) as client,
                client.stream("GET", self.url, headers=_HEADERS) as answer,
            ):
                body.accept(answer)
                for chunk in answer.iter_raw():
                    body.add(chunk)
        except httpx.HTTPError as error:
            raise _unavailable(f"{type(error).__name__} at {self._host}") from error
        return body.read()

    async def fetch(self) -> Mapping[str, Any]:
        """Fetch it now, without blocking the event loop.

        Raises:
            UnavailableError: There was no answer in time, or it was too large, or no JSON object.
            ModuleNotFoundError: httpx is not installed.
        """
        httpx = _httpx()
        body = _Body(self)
        try:
            async with (
                asyncio.timeout(self.timeout_s),
                httpx.AsyncClient(timeout=self.timeout_s) as client,
                client.stream("GET", self.url, headers=_HEADERS) as answer,
            ):
                body.accept(answer)
                async for chunk in answer.aiter_raw():
                    body.add(chunk)
        except (httpx.HTTPError, TimeoutError) as error:
            raise _unavailable(f"{type(error).__name__} at {self._host}") from error
        return body.read()

    @property
    def _host(self) -> str:
        return urlsplit(self.url).hostname or ""


class _Body:
    """An answer as it comes in."""

    def __init__(self, limits: JwksAddress, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._until = clock() + limits.timeout_s
        self._found = bytearray()

    def accept(self, answer: httpx.Response) -> None:
        if answer.status_code != 200:
            raise _unavailable(f"it answered {answer.status_code}")
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise _unavailable("it answered packed, and was asked not to")

    def add(self, chunk: bytes) -> None:
        self._found += chunk
        if len(self._found) > self._limits.max_bytes:
            raise _unavailable(f"its answer has more than {self._limits.max_bytes} bytes")
        if self._clock() > self._until:
            raise _unavailable(f"its answer takes longer than {self._limits.timeout_s:g} s")

    def read(self) -> Mapping[str, Any]:
        found = strict_object(bytes(self._found))
        if found is None:
            raise _unavailable("its answer is no JSON object")
        return found


def _httpx() -> Any:
    try:
        import httpx
    except ModuleNotFoundError as error:
        msg = "Keys are fetched with httpx: pip install 'eventlive-db[http]', or give a function of your own"
        raise ModuleNotFoundError(msg, name=error.name) from error
    return httpx


def _unavailable(message: str) -> UnavailableError:
    return UnavailableError(503, "keys_unavailable", {}, message, "Try again later.")
