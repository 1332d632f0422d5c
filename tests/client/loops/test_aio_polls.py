"""Pollers as tasks, in virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from eventlive_db.client.errors import RateLimitedError
from eventlive_db.client.loops import Ended, FallbackPoller, PollSchedule
from tests.client.loops.replies import AsyncServer, Page, poll
from tests.client.loops.test_aio import later
from tests.client.loops.virtual_time import run


def poller(server: AsyncServer, handle: Any, cursor: int = 0) -> FallbackPoller[Page]:
    return FallbackPoller(server, poll, handle, cursor, PollSchedule(10.0, 1.0, random=lambda: 0.5))


def test_a_poller_hands_over_what_is_new_and_goes_on_behind_it() -> None:
    taken: list[str] = []
    server = AsyncServer(Page(["a", "b"], 2, 10.0), Page([], 2, 20.0), Page(["c"], 3, 10.0), Page([], 3, None))

    async def handle(messages: Sequence[str]) -> None:
        taken.extend(messages)

    assert run(poller(server, handle).run()) == Ended("ended")
    assert taken == ["a", "b", "c"]
    assert [call.arguments["_after"] for call in server.requests] == [0, 2, 2, 3]
    assert server.at == [1.0, 11.0, 31.0, 41.0]


def test_the_cursor_stays_until_the_messages_were_taken() -> None:
    server = AsyncServer(Page(["a"], 7), Page(["a"], 7), Page([], 7, None))
    failing = [ValueError("full")]

    async def handle(messages: Sequence[str]) -> None:
        if failing:
            raise failing.pop()

    async def main() -> None:
        loop = poller(server, handle)
        with pytest.raises(ValueError, match="full"):
            await loop.run()
        assert loop.cursor == 0
        assert await loop.run() == Ended("ended")
        assert loop.cursor == 7

    run(main())
    assert [call.arguments["_after"] for call in server.requests] == [0, 0, 7]


def test_switched_off_by_the_server_a_poller_waits_as_told() -> None:
    off = RateLimitedError(429, "fallback_disabled", sqlstate="PT429", retry_after_s=300.0)
    server = AsyncServer(off, off, Page([], 0), Page([], 0, None))

    async def handle(messages: Sequence[str]) -> None:
        raise AssertionError

    assert run(poller(server, handle).run()) == Ended("ended")
    # Once it is switched on again, as often as before.
    assert server.at == pytest.approx([1.0, 1 + 300 + 5, 306 + 300 + 10, 616 + 10])


def test_a_poller_in_a_hidden_tab_does_not_poll_and_can_be_stopped_in_the_middle_of_a_handler() -> None:
    server = AsyncServer(Page(["a"], 1))

    async def main() -> None:
        async def handle(messages: Sequence[str]) -> None:
            loop.stop()

        loop = poller(server, handle)
        later(0.5, loop.pause)
        later(99.0, loop.resume)
        assert await loop.run() == Ended("stopped")
        assert loop.cursor == 1

    run(main())
    assert server.at == [99.0]


def test_messages_that_come_after_it_was_stopped_are_not_handed_over() -> None:
    server = AsyncServer(Page(["a"], 1), latency_s=5.0)

    async def handle(messages: Sequence[str]) -> None:
        raise AssertionError

    async def main() -> None:
        loop = poller(server, handle)
        later(3.0, loop.stop)
        assert await loop.run() == Ended("stopped")
        assert loop.cursor == 0

    run(main())
