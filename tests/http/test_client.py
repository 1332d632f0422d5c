"""The Python client over HTTP, against a real PostgREST: the same calls, replies and errors as over psycopg."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest

from eventlive_db.client import Call, rpc
from eventlive_db.client import errors as e
from eventlive_db.client.http import AsyncHttpClient, HttpClient
from eventlive_db.client.resilience import Resilience
from tests.support.actors import new_id
from tests.support.http_door import Door, token

Reply = TypeVar("Reply")
SERVICE = token("service_role")


class SyncShell:
    """A :class:`HttpClient`."""

    def __init__(self, url: str, **options: Any) -> None:
        self.client = HttpClient(url, **{"resilience": Resilience(max_attempts=1), **options})

    def call(self, request: Call[Reply], who: Any = None) -> Reply:
        return (self.client.as_guest() if who is None else self.client.as_user(who)).call(request)

    def close(self) -> None:
        self.client.close()


class AsyncShell:
    """An :class:`AsyncHttpClient` with a loop of its own."""

    def __init__(self, url: str, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = AsyncHttpClient(url, **{"resilience": Resilience(max_attempts=1), **options})

    def call(self, request: Call[Reply], who: Any = None) -> Reply:
        user = self.client.as_guest() if who is None else self.client.as_user(who)
        return self.loop.run_until_complete(user.call(request))

    def close(self) -> None:
        self.loop.run_until_complete(self.client.close())
        self.loop.close()


Shell = SyncShell | AsyncShell


@pytest.fixture(params=[SyncShell, AsyncShell], ids=["sync", "async"])
def shell(request: pytest.FixtureRequest, door: Door) -> Iterator[Shell]:
    found: Shell = request.param(door.server.url)
    yield found
    found.close()


def user() -> str:
    return token("authenticated", new_id())


def test_a_webinar_from_its_making_to_its_end(shell: Shell) -> None:
    host_id, viewer_id = new_id(), new_id()
    host, viewer = token("authenticated", host_id), token("authenticated", viewer_id)
    created = shell.call(
        rpc.webinar_create(f"w-{new_id()}", title="Ünïc 🎥", access_policy="guest_allowed", host_id=host_id), SERVICE
    )
    webinar = created.webinar_id
    assert (created.created, created.title) == (True, "Ünïc 🎥")
    assert shell.call(rpc.webinar_set_status(webinar, "live"), host).changed
    assert shell.call(rpc.webinar_register(webinar), viewer).created
    session, other = uuid4(), uuid4()
    entry = shell.call(rpc.webinar_enter(webinar, session, {"user_agent": "test"}), viewer)
    assert entry.registration is not None
    assert entry.registration.user_id == viewer_id
    assert shell.call(rpc.webinar_client_settings(webinar)) == entry.settings
    assert shell.call(rpc.webinar_presence_ping(webinar), viewer) is None
    assert shell.call(rpc.webinar_session_heartbeat(webinar, session), viewer).state == "open"
    taken = shell.call(rpc.webinar_enter(webinar, other, take_over=True), viewer)
    assert shell.call(rpc.webinar_session_heartbeat(webinar, session), viewer).replaced_by == other
    assert shell.call(rpc.webinar_leave(webinar, other, taken.leave_token)) is None
    inside = shell.call(rpc.webinar_enter(webinar, uuid4()))
    assert inside.registration is None
    assert shell.call(rpc.webinar_eject(webinar, session_id=inside.session.session_id), host).closed_sessions == 1
    assert shell.call(rpc.webinar_grant_role(webinar, viewer_id, "speaker"), host).role == "speaker"
    assert shell.call(rpc.webinar_allow_emails(webinar, ["a@b.example"]), host).added == 1
    stranger = uuid4()
    assert shell.call(rpc.webinar_presence_ping_many(webinar, [stranger]), SERVICE).not_registered == (stranger,)
    stats = shell.call(rpc.webinar_stats_access(webinar, created.starts_at), host)
    assert (stats.status, stats.registered, stats.timeline) == ("live", 1, ())
    page = shell.call(rpc.webinar_participants(webinar, limit=1), SERVICE)
    assert (page.participants, page.more) == ((), False)
    assert shell.call(rpc.webinar_configure(webinar, {"title": None}), host).title is None
    assert not shell.call(rpc.webinar_set_status(webinar, "ended"), host).remaining


@pytest.mark.parametrize(
    ("who", "request_", "kind", "status", "token_"),
    [
        (user(), rpc.webinar_presence_ping(uuid4()), e.ForbiddenError, 403, "not_registered"),
        (user(), rpc.webinar_register(uuid4()), e.NotFoundError, 404, "webinar_not_found"),
        (user(), rpc.webinar_presence_ping_many(uuid4(), []), e.ForbiddenError, 403, "permission_denied"),
        (None, rpc.webinar_register(uuid4()), e.UnauthenticatedError, 401, "unauthenticated"),
        (SERVICE, rpc.webinar_create("a\x00b"), e.InvalidCallError, 400, "invalid_argument"),
        (SERVICE, Call("no_such_function"), e.NotFoundError, 404, "function_not_found"),
        (SERVICE, Call("webinar_register", {"_colour": 1}), e.NotFoundError, 404, "function_not_found"),
        (SERVICE, Call("webinar_create", {"_slug": float("nan")}), e.InvalidCallError, 400, "invalid_argument"),
        ("nonsense", rpc.webinar_register(uuid4()), e.UnauthenticatedError, 401, "unauthenticated"),
        (token("authenticated", new_id(), exp=1), rpc.webinar_register(uuid4()), e.UnauthenticatedError, 401, None),
    ],
)
def test_a_refusal_is_an_error_of_its_kind(
    shell: Shell, who: str | None, request_: Call[Any], kind: type[e.EventliveError], status: int, token_: str | None
) -> None:
    with pytest.raises(kind) as caught:
        shell.call(request_, who)
    error = caught.value
    assert (error.status, error.retry, error.maybe_done) == (status, False, False)
    assert token_ in {None, error.token}
    assert error.hint


def test_too_much_says_when_to_come_again(shell: Shell, door: Door) -> None:
    webinar = door.db.webinar(duplicate_login_policy="allow", settings={"max_open_sessions_per_user": 1})
    viewer = user()
    shell.call(rpc.webinar_enter(webinar, uuid4()), viewer)
    with pytest.raises(e.RateLimitedError) as caught:
        shell.call(rpc.webinar_enter(webinar, uuid4()), viewer)
    assert caught.value.token == "too_many_sessions"
    assert caught.value.payload["sessions"]
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 750


class Tokens:
    """A source whose first token has expired."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.invalidated: list[str] = []

    def get(self) -> str:
        return self.tokens[0]

    def invalidate(self, refused: str) -> None:
        self.invalidated.append(refused)
        if len(self.tokens) > 1:
            self.tokens.pop(0)


class AsyncTokens(Tokens):
    async def get(self) -> str:  # type: ignore[override]
        return self.tokens[0]


def source(shell: Shell, *tokens: str) -> Tokens:
    return (AsyncTokens if isinstance(shell, AsyncShell) else Tokens)(*tokens)


def test_a_token_that_is_refused_is_replaced_once_and_the_call_made(shell: Shell, door: Door) -> None:
    webinar = door.db.webinar()
    expired, fresh = token("authenticated", new_id(), exp=1), user()
    tokens = source(shell, expired, fresh)
    assert shell.call(rpc.webinar_register(webinar), tokens).created
    assert tokens.invalidated == [expired]


def test_a_source_that_has_no_better_token_sees_the_refusal(shell: Shell, door: Door) -> None:
    expired = token("authenticated", new_id(), exp=1)
    tokens = source(shell, expired)
    with pytest.raises(e.UnauthenticatedError):
        shell.call(rpc.webinar_register(door.db.webinar()), tokens)
    assert tokens.invalidated == [expired]


def test_two_refused_tokens_are_one_refusal_and_no_loop(shell: Shell, door: Door) -> None:
    tokens = source(shell, *(token("authenticated", new_id(), exp=number) for number in range(1, 6)))
    with pytest.raises(e.UnauthenticatedError):
        shell.call(rpc.webinar_register(door.db.webinar()), tokens)
    assert len(tokens.tokens) in {3, 4}


def test_what_is_no_postgrest_is_not_read(door: Door) -> None:
    with (
        HttpClient(door.server.admin_url) as client,
        pytest.raises(e.EventliveError),
    ):
        client.as_guest().call(rpc.webinar_client_settings(uuid4()))


@pytest.mark.parametrize("malformed", ["", "a\nb", "a\x00", "ünï", "a b", " a"])
def test_a_token_that_is_none_is_refused_unsent_and_shuts_out_nobody(malformed: str, door: Door) -> None:
    webinar = door.db.webinar()
    with HttpClient(door.server.url) as client:
        for _ in range(6):
            with pytest.raises(e.UnauthenticatedError) as caught:
                client.as_user(malformed).call(rpc.webinar_register(webinar))
            assert not caught.value.maybe_done
        assert client.as_user(user()).call(rpc.webinar_register(webinar)).created


def test_the_block_of_a_user_ends(door: Door) -> None:
    with HttpClient(door.server.url) as client:
        with client.as_user(user()) as me:
            pass
        with pytest.raises(RuntimeError, match="has ended"):
            me.call(rpc.webinar_client_settings(uuid4()))


def test_threads_and_tasks_may_share_a_client(door: Door) -> None:
    webinar = door.db.webinar()

    async def run() -> None:
        async with AsyncHttpClient(door.server.url) as client:

            async def one() -> None:
                viewer = new_id()
                made = await client.as_user(token("authenticated", viewer)).call(rpc.webinar_register(webinar))
                assert made.user_id == viewer

            await asyncio.gather(*(one() for _ in range(30)))

    asyncio.run(run())


def test_an_api_key_is_sent_beside_the_token(door: Door) -> None:
    seen: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(dict(request.headers))
        return httpx.Response(204)

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = HttpClient("http://service/rest/v1/", api_key="key", http=http)
        client.as_user("a.b.c").call(rpc.webinar_presence_ping(uuid4()))
        client.as_guest().call(rpc.webinar_leave(uuid4(), uuid4(), uuid4()))
        client.close()
        assert not http.is_closed
    assert seen[0]["apikey"] == "key"
    assert seen[0]["authorization"] == "Bearer a.b.c"
    assert seen[0]["content-profile"] == "eventlive_api"
    assert "authorization" not in seen[1]
