"""Whatever answers in place of PostgREST, the client's caller hears what it means, and whether to try again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from eventlive_db.client import Call, rpc
from eventlive_db.client import errors as e
from eventlive_db.client.http import AsyncHttpClient, HttpClient
from eventlive_db.client.resilience import Resilience
from tests.support.stub_server import Stub, stub_server

Send = Callable[[str, Call[Any]], Any]
TOKEN = "not-looked-at"
REGISTER = rpc.webinar_register(uuid4())


def sync_send(url: str, request: Call[Any]) -> Any:
    with HttpClient(url, resilience=Resilience(max_attempts=1)) as client:
        return client.as_user(TOKEN).call(request)


def async_send(url: str, request: Call[Any]) -> Any:
    async def run() -> Any:
        async with AsyncHttpClient(url, resilience=Resilience(max_attempts=1)) as client:
            return await client.as_user(TOKEN).call(request)

    return asyncio.run(run())


@pytest.fixture(params=[sync_send, async_send], ids=["sync", "async"])
def send(request: pytest.FixtureRequest) -> Send:
    found: Send = request.param
    return found


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with stub_server() as found:
        yield found


def fails(send: Send, stub: Stub) -> e.EventliveError:
    stub.asked.clear()
    with pytest.raises(e.EventliveError) as caught:
        send(stub.url, REGISTER)
    assert len(stub.asked) == 1  # a refusal is no reason to ask again
    return caught.value


HTML = b"<html><body>Bad Gateway</body></html>"


def said(code: str) -> bytes:
    """PostgREST's body of an error."""
    return json.dumps({"code": code, "message": "m", "details": None, "hint": None}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "retry", "maybe_done"),
    [
        # A gateway: it may have passed the call on, but for 503, and what it refuses itself.
        (502, HTML, e.UnavailableError, True, True),
        (503, HTML, e.UnavailableError, True, False),
        (504, HTML, e.TimedOutError, True, True),
        (500, HTML, e.UnavailableError, True, True),
        (520, HTML, e.UnavailableError, True, True),
        (503, b"", e.UnavailableError, True, False),
        (408, b"", e.TimedOutError, True, False),
        (425, b"", e.BusyError, True, False),
        (429, HTML, e.RateLimitedError, True, False),
        (403, HTML, e.ForbiddenError, False, False),
        (404, HTML, e.NotFoundError, False, False),
        (413, HTML, e.InvalidCallError, False, False),
        (418, HTML, e.RpcError, False, False),
        (404, b'["not", "an", "object"]', e.NotFoundError, False, False),
        # PostgREST: it says what became of the call.
        (500, said("XX000"), e.ServerError, False, False),
        (500, said("57014"), e.TimedOutError, True, False),
        (500, said("40P01"), e.BusyError, True, False),
        (503, said("53300"), e.UnavailableError, True, False),
        (503, said("PGRST000"), e.UnavailableError, True, False),
        (503, said("PGRST001"), e.UnavailableError, True, True),
        (504, said("PGRST003"), e.TimedOutError, True, False),
        (405, said("25006"), e.UnavailableError, True, False),
        (404, said("PGRST202"), e.NotFoundError, False, False),
        # It is something else that answers.
        (200, HTML, e.UnreadableReplyError, False, True),
        (200, b'{"webinar_id": ', e.UnreadableReplyError, False, True),
        (200, b"[]", e.UnreadableReplyError, False, True),
        (200, b"{}", e.UnreadableReplyError, False, True),
        (204, b"", e.UnreadableReplyError, False, True),
        (301, b"", e.UnreadableReplyError, False, False),
        (302, HTML, e.UnreadableReplyError, False, False),
        (307, b"", e.UnreadableReplyError, False, False),
    ],
)
def test_an_answer_says_what_it_is_and_whether_to_try_again(
    stub: Stub, send: Send, status: int, body: bytes, kind: type[e.EventliveError], retry: bool, maybe_done: bool
) -> None:
    stub.says(status, body, Location=f"{stub.url}/elsewhere")
    error = fails(send, stub)
    assert type(error) is kind
    assert (error.status or status, error.retry, error.maybe_done) == (status, retry, maybe_done)


@pytest.mark.parametrize(("status", "kind"), [(503, e.UnavailableError), (429, e.RateLimitedError)])
def test_when_to_try_again_is_what_the_server_says(
    stub: Stub, send: Send, status: int, kind: type[e.EventliveError]
) -> None:
    stub.says(status, Retry_After="7")
    error = fails(send, stub)
    assert type(error) is kind
    assert error.retry_after_s == 7.0
    stub.says(status)
    assert fails(send, stub).retry_after_s is None


def test_an_answer_that_breaks_off_leaves_it_unknown(stub: Stub, send: Send) -> None:
    stub.says(200, b'{"webinar_id": ', length=500)
    error = fails(send, stub)
    assert type(error) is e.UnavailableError
    assert (error.token, error.retry, error.maybe_done) == ("unreachable", True, True)


def test_what_has_no_reply_takes_an_empty_answer(stub: Stub, send: Send) -> None:
    """The control: the same server is understood where it answers what PostgREST would."""
    stub.says(204)
    assert send(stub.url, rpc.webinar_presence_ping(uuid4())) is None
