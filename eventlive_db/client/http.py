"""The functions over HTTP, through PostgREST or Supabase. Needs the extra ``http``."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

try:
    import httpx
except ModuleNotFoundError as error:
    msg = "calls over HTTP need httpx: pip install 'eventlive-db[http]'"
    raise ModuleNotFoundError(msg, name=error.name) from error

from eventlive_db.client.attempts import arun, run
from eventlive_db.client.calls import API_SCHEMA, Call
from eventlive_db.client.errors import (
    EventliveError,
    InvalidCallError,
    TimedOutError,
    UnauthenticatedError,
    UnavailableError,
)
from eventlive_db.client.postgrest import Request, reply_of, request_of
from eventlive_db.client.resilience import Resilience, usual
from eventlive_db.client.users import AsyncOneToken, AsyncTokenSource, OneToken, TokenSource

Reply = TypeVar("Reply")

TIMEOUT_S = 10.0


class HttpClient:
    """Calls the functions through PostgREST. Threads may share it.

    Args:
        base_url: Where PostgREST answers; with Supabase ``https://<project>.supabase.co/rest/v1``.
        api_key: Supabase's ``apikey``; it stands for whoever is not signed in.
        api_schema: The exposed schema, where it was given another name.
        resilience: Retries and the breaker; share one between clients of one server. Default: its own, as
            :func:`~eventlive_db.client.resilience.usual` makes it; ``Resilience(max_attempts=1)`` for neither.
        timeout_s: Seconds to wait for an answer, where ``http`` is not given.
        http: The caller's own ``httpx.Client``, which stays open; else one is made.

    Raises:
        ValueError: The address is none of http or https.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        api_schema: str = API_SCHEMA,
        resilience: Resilience | None = None,
        timeout_s: float = TIMEOUT_S,
        http: httpx.Client | None = None,
    ) -> None:
        self._base_url = _address(base_url)
        self._api_key = api_key
        self._api_schema = api_schema
        self._resilience = resilience or usual()
        self._ours = http is None
        self._http = http or httpx.Client(timeout=timeout_s, follow_redirects=False)

    def as_user(self, who: str | TokenSource) -> HttpUserClient:
        """The client of one user.

        Args:
            who: A token, or a source of tokens, which keeps one fresh: a token that is refused is replaced once.
        """
        return HttpUserClient(self._call, OneToken(who) if isinstance(who, str) else who)

    def as_guest(self) -> HttpUserClient:
        """The client of somebody who is not signed in."""
        return HttpUserClient(self._call, None)

    def close(self) -> None:
        """Close the connections, unless they are the caller's."""
        if self._ours:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _call(self, request: Call[Reply], source: TokenSource | None) -> Reply:
        def token() -> str | None:
            return source.get() if source is not None else None

        return run(
            token,
            lambda token: self._once(request, source, token),
            self._resilience,
            repeatable=request.repeatable,
        )

    def _once(self, request: Call[Reply], source: TokenSource | None, token: str | None) -> Reply:
        try:
            return request.read(self._send(request, token))
        except UnauthenticatedError:
            if source is None or token is None:
                raise
            source.invalidate(token)
            fresh = source.get()
            if fresh == token:
                raise
        # It was refused before anything ran, so this is not a repetition.
        return request.read(self._send(request, fresh))

    def _send(self, request: Call[Any], token: str | None) -> Any:
        sent = _encode(request, token, self._api_schema, self._api_key)
        try:
            answer = self._http.post(self._base_url + sent.path, content=sent.body, headers=sent.headers)
        except httpx.HTTPError as error:
            raise _unanswered(error) from error
        return reply_of(answer.status_code, answer.headers, answer.content)


class HttpUserClient:
    """The calls of one user; as a context manager it ends with the block, and then refuses to call."""

    def __init__(self, call: _Calls, source: TokenSource | None) -> None:
        self._call = call
        self._source = source
        self._ended = False

    def call(self, request: Call[Reply]) -> Reply:
        """Make one call as this user.

        Args:
            request: What :mod:`eventlive_db.client.rpc` makes.

        Raises:
            EventliveError: The call failed; nothing of it was done, unless ``maybe_done`` says otherwise.
        """
        if self._ended:
            msg = "the block of this user has ended: call as_user again"
            raise RuntimeError(msg)
        return self._call(request, self._source)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended = True
        self._source = None


class _Calls(Protocol):
    def __call__(self, request: Call[Reply], source: TokenSource | None) -> Reply: ...


class AsyncHttpClient:
    """Calls the functions through PostgREST. The tasks of a loop may share it.

    Args:
        base_url: Where PostgREST answers; with Supabase ``https://<project>.supabase.co/rest/v1``.
        api_key: Supabase's ``apikey``; it stands for whoever is not signed in.
        api_schema: The exposed schema, where it was given another name.
        resilience: Retries and the breaker; share one between clients of one server. Default: its own, as
            :func:`~eventlive_db.client.resilience.usual` makes it; ``Resilience(max_attempts=1)`` for neither.
        timeout_s: Seconds to wait for an answer, where ``http`` is not given.
        http: The caller's own ``httpx.AsyncClient``, which stays open; else one is made.

    Raises:
        ValueError: The address is none of http or https.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        api_schema: str = API_SCHEMA,
        resilience: Resilience | None = None,
        timeout_s: float = TIMEOUT_S,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._base_url = _address(base_url)
        self._api_key = api_key
        self._api_schema = api_schema
        self._resilience = resilience or usual()
        self._ours = http is None
        self._http = http or httpx.AsyncClient(timeout=timeout_s, follow_redirects=False)

    def as_user(self, who: str | AsyncTokenSource) -> AsyncHttpUserClient:
        """The client of one user.

        Args:
            who: A token, or a source of tokens, which keeps one fresh: a token that is refused is replaced once.
        """
        return AsyncHttpUserClient(self._call, AsyncOneToken(who) if isinstance(who, str) else who)

    def as_guest(self) -> AsyncHttpUserClient:
        """The client of somebody who is not signed in."""
        return AsyncHttpUserClient(self._call, None)

    async def close(self) -> None:
        """Close the connections, unless they are the caller's."""
        if self._ours:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, request: Call[Reply], source: AsyncTokenSource | None) -> Reply:
        async def token() -> str | None:
            return await source.get() if source is not None else None

        return await arun(
            token,
            lambda token: self._once(request, source, token),
            self._resilience,
            repeatable=request.repeatable,
        )

    async def _once(self, request: Call[Reply], source: AsyncTokenSource | None, token: str | None) -> Reply:
        try:
            return request.read(await self._send(request, token))
        except UnauthenticatedError:
            if source is None or token is None:
                raise
            source.invalidate(token)
            fresh = await source.get()
            if fresh == token:
                raise
        # It was refused before anything ran, so this is not a repetition.
        return request.read(await self._send(request, fresh))

    async def _send(self, request: Call[Any], token: str | None) -> Any:
        sent = _encode(request, token, self._api_schema, self._api_key)
        try:
            answer = await self._http.post(self._base_url + sent.path, content=sent.body, headers=sent.headers)
        except httpx.HTTPError as error:
            raise _unanswered(error) from error
        return reply_of(answer.status_code, answer.headers, answer.content)


class AsyncHttpUserClient:
    """The calls of one user; as a context manager it ends with the block, and then refuses to call."""

    def __init__(self, call: _AsyncCalls, source: AsyncTokenSource | None) -> None:
        self._call = call
        self._source = source
        self._ended = False

    async def call(self, request: Call[Reply]) -> Reply:
        """Make one call as this user.

        Args:
            request: What :mod:`eventlive_db.client.rpc` makes.

        Raises:
            EventliveError: The call failed; nothing of it was done, unless ``maybe_done`` says otherwise.
        """
        if self._ended:
            msg = "the block of this user has ended: call as_user again"
            raise RuntimeError(msg)
        return await self._call(request, self._source)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._ended = True
        self._source = None


class _AsyncCalls(Protocol):
    async def __call__(self, request: Call[Reply], source: AsyncTokenSource | None) -> Reply: ...


def _address(base_url: str) -> str:
    """The base address, without a slash at its end.

    Raises:
        ValueError: It is none of http or https.
    """
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from error
    if url.scheme not in {"http", "https"} or not url.host:
        msg = "the base address begins with https:// or http://, and names a host"
        raise ValueError(msg)
    return base_url.rstrip("/")


def _encode(request: Call[Any], token: str | None, api_schema: str, api_key: str | None) -> Request:
    try:
        return request_of(request, token, api_schema, api_key)
    except (TypeError, ValueError) as error:
        payload = {"argument": "one of them", "must_be": "something that JSON can hold"}
        raise InvalidCallError(400, "invalid_argument", payload, str(error), "The call could not be sent.") from error


def _unanswered(error: httpx.HTTPError) -> EventliveError:
    """Nothing came back; unless no connection was made, the call may have been done."""
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return InvalidCallError(400, "invalid_argument", {}, str(error), "The call could not be sent.")
    message = str(error) or type(error).__name__
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    kind = TimedOutError if isinstance(error, httpx.TimeoutException) and not unsent else UnavailableError
    token = "timed_out" if kind is TimedOutError else "unreachable"
    return kind(None, token, {}, message, "Try again later.", maybe_done=not unsent)
