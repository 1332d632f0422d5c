"""What runs until it is cancelled ends then, though somebody it calls loses the cancellation; in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from typing import Any
from uuid import UUID

import pytest

from eventlive_db.client.attempts import arun
from eventlive_db.client.batching import AsyncPingBatcher
from eventlive_db.client.calls import Call
from eventlive_db.client.errors import UnavailableError
from eventlive_db.client.loops import FallbackPoller, PollSchedule
from eventlive_db.client.replies import PingMany
from eventlive_db.client.resilience import Resilience
from tests.client.loops.replies import OTHER, SESSION, WEBINAR, AsyncServer, Page, beat, poll
from tests.client.loops.test_aio import heartbeats
from tests.client.loops.virtual_time import run

AWAY = UnavailableError(503, "unreachable")
LONG_S = 3600.0
ENOUGH = 20


async def lose(delay_s: float = LONG_S) -> None:
    """Wait, and when that is cancelled do as if nothing were: as ``asyncio.wait_for`` did."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(delay_s)


class Bounded(AsyncServer):
    """Breaks where it is called again and again, so that a test of who goes on ends."""

    async def call(self, request: Call[Any]) -> Any:
        assert len(self.requests) < ENOUGH, "it goes on and on"
        return await super().call(request)


class Losing(Bounded):
    """Loses the cancellation of each call."""

    async def call(self, request: Call[Any]) -> Any:
        await lose()
        return await super().call(request)


async def cancelled(work: Coroutine[Any, Any, object], at_s: float) -> None:
    task = asyncio.create_task(work)
    await asyncio.sleep(at_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("answer", [beat(300.0), beat(None, "left"), AWAY], ids=["reply", "the end", "error"])
def test_heartbeats_end_with_the_call_in_which_they_were_cancelled(answer: object) -> None:
    server = Losing(answer)
    run(cancelled(heartbeats(server).run(), 100.0))
    assert len(server.requests) == 1


def test_a_poller_ends_too_and_what_it_has_not_handed_over_is_asked_for_again() -> None:
    server = Losing(Page(["a"], 1), Page(["a"], 1, None))
    taken: list[str] = []

    async def handle(messages: Sequence[str]) -> None:
        taken.extend(messages)

    async def main() -> None:
        poller = FallbackPoller(server, poll, handle, schedule=PollSchedule(10.0, 1.0))
        await cancelled(poller.run(), 100.0)
        assert (taken, poller.cursor) == ([], 0)
        await poller.run()
        assert (taken, poller.cursor) == (["a"], 1)

    run(main())


def test_a_poller_ends_where_its_owner_loses_it() -> None:
    server = Bounded(Page(["a"], 1))

    async def handle(messages: Sequence[str]) -> None:
        await lose()

    async def main() -> None:
        poller = FallbackPoller(server, poll, handle, schedule=PollSchedule(10.0, 1.0))
        await cancelled(poller.run(), 100.0)
        assert poller.cursor == 1  # they were taken

    run(main())
    assert len(server.requests) == 1


def test_who_was_cancelled_before_it_runs_goes_on() -> None:
    """The other side: it is told by what came since, or nobody could call while cleaning up."""
    server = AsyncServer(beat(300.0), beat(None, "left"))

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await lose()
        assert (await heartbeats(server).run()).reason == "left"

    run(main())


@pytest.mark.parametrize("fails", [False, True], ids=["answered", "failed"])
def test_a_call_is_not_tried_again_for_who_was_cancelled(fails: bool) -> None:
    tries: list[str] = []

    async def who() -> str:
        return "me"

    async def once(caller: str) -> str:
        tries.append(caller)
        await lose()
        if fails:
            raise AWAY
        return "done"

    run(cancelled(arun(who, once, Resilience(), repeatable=True), 1.0))
    assert tries == ["me"]


@pytest.mark.parametrize("gone_at", [1, 2], ids=["before the first try", "before the second"])
def test_nothing_is_sent_for_who_was_cancelled_while_a_token_was_had(gone_at: int) -> None:
    asked: list[str] = []
    tries: list[str] = []

    async def who() -> str:
        asked.append("me")
        if len(asked) == gone_at:
            await lose()
        return "me"

    async def once(caller: str) -> str:
        tries.append(caller)
        raise AWAY

    run(cancelled(arun(who, once, Resilience(), repeatable=True), 100.0))
    assert len(tries) == gone_at - 1


def test_a_batcher_that_is_closed_sends_no_further_batch() -> None:
    server = Losing(PingMany(refreshed=1, not_registered=()))

    async def main() -> None:
        batcher = AsyncPingBatcher(server, batch_size=1, max_wait_s=0.0)
        for user_id in (OTHER, SESSION, UUID(int=1)):
            await batcher.ping(WEBINAR, user_id)
        with pytest.raises(UnavailableError) as caught:
            await batcher.close(timeout_s=1.0)
        assert (caught.value.token, caught.value.payload) == ("pings_lost", {"pings": 2})

    run(main())
    assert len(server.requests) == 1


@pytest.mark.parametrize("turns", range(8))
def test_a_batcher_can_be_cancelled_in_the_moment_it_wakes_up(turns: int) -> None:
    server = Losing(PingMany(refreshed=1, not_registered=()))

    async def main() -> None:
        batcher = AsyncPingBatcher(server, batch_size=2, max_wait_s=LONG_S)
        await batcher.ping(WEBINAR, OTHER)
        await asyncio.sleep(1)
        [worker] = asyncio.all_tasks() - {asyncio.current_task()}
        await batcher.ping(WEBINAR, SESSION)  # the batch is full, and due
        for _ in range(turns):
            await asyncio.sleep(0)
        worker.cancel()
        await asyncio.wait({worker})
        # Where it was sending already, that was finished, and nothing is left to do.
        assert worker.cancelled()

    run(main())
