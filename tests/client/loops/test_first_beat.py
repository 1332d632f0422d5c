"""Who loses Realtime before its first heartbeat was answered does not know yet how often to poll, and waits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from eventlive_db.client.errors import GoneError, UnavailableError
from eventlive_db.client.loops import (
    Ended,
    FallbackPoller,
    HeartbeatLoop,
    HeartbeatSchedule,
    LoopThreads,
    PollSchedule,
    ThreadedFallbackPoller,
    ThreadedHeartbeatLoop,
)
from tests.client.loops.replies import OTHER, SESSION, WEBINAR, AsyncServer, Page, SyncServer, beat, poll
from tests.client.loops.test_aio import FIRST_S, later
from tests.client.loops.test_threads import NEVER_S, OWN_OR_SHARED, SOON_S, Threads
from tests.client.loops.virtual_time import run

AWAY = UnavailableError(503, "unreachable")
LAST = Page([], 0, None)


async def take(messages: Sequence[str]) -> None:
    """Nobody looks at them."""


class Visit:
    """A session's heartbeats, and the poller beside them."""

    def __init__(self, answers: Sequence[object], pages: Sequence[object] = (LAST,)) -> None:
        self.server, self.messages = AsyncServer(*answers), AsyncServer(*pages)
        self.beats = HeartbeatLoop(self.server, WEBINAR, SESSION, HeartbeatSchedule(300.0, FIRST_S, random=lambda: 0.5))
        self.poller = FallbackPoller(self.messages, poll, take, beats=self.beats)

    async def run(self) -> Ended:
        """Both, until the poller is over."""
        beating = asyncio.create_task(self.beats.run())
        ended = await self.poller.run()
        self.beats.stop()
        await beating
        return ended


def test_it_polls_after_the_first_heartbeat_and_as_often_as_that_said() -> None:
    visit = Visit([beat(300.0, poll_s=100.0)], [Page([], 0, 100.0), LAST])
    assert run(visit.run()) == Ended("ended")
    first, second = visit.messages.at
    assert FIRST_S <= first < FIRST_S + 100.0
    assert second == first + 100.0
    assert visit.server.at[0] == FIRST_S  # no heartbeat is brought forward


def test_a_heartbeat_that_fails_is_none() -> None:
    visit = Visit([AWAY, beat(300.0, poll_s=10.0)])
    assert run(visit.run()) == Ended("ended")
    assert visit.messages.at[0] > visit.server.at[1] > FIRST_S


def test_who_has_beaten_polls_within_what_was_said_last() -> None:
    visit = Visit([beat(300.0, poll_s=1000.0), beat(300.0, poll_s=20.0)])

    async def main() -> None:
        beating = asyncio.create_task(visit.beats.run())
        await asyncio.sleep(400.0)
        await visit.poller.run()
        visit.beats.stop()
        await beating

    run(main())
    assert 400.0 <= visit.messages.at[0] < 420.0


def test_a_server_that_does_not_say_it_is_polled_as_often_as_it_is_beaten() -> None:
    visit = Visit([beat(200.0)])
    assert visit.beats.fallback_poll_s is None
    run(visit.run())
    assert visit.beats.fallback_poll_s == 300.0  # too early to begin a new interval
    assert FIRST_S <= visit.messages.at[0] < FIRST_S + 300.0


@pytest.mark.parametrize(
    ("answer", "ended"),
    [
        (beat(None, "replaced", OTHER), Ended("replaced", OTHER)),
        (gone := GoneError(410, "webinar_ended"), Ended("webinar_ended", error=gone)),
    ],
    ids=["over", "refused"],
)
def test_where_the_heartbeats_end_before_it_ends_with_them(answer: object, ended: Ended) -> None:
    visit = Visit([answer])
    assert run(visit.run()) == ended
    assert visit.messages.at == []


def test_it_can_be_stopped_paused_and_cancelled_while_it_waits() -> None:
    async def main() -> None:
        visit = Visit([beat(300.0, poll_s=10.0)])
        later(1.0, visit.poller.stop)
        assert await visit.run() == Ended("stopped")

        visit = Visit([beat(300.0, poll_s=10.0)])
        visit.poller.pause()
        later(1000.0, visit.poller.resume)
        assert await visit.run() == Ended("ended")
        assert visit.messages.at == [1000.0]

        visit = Visit([beat(300.0, poll_s=10.0)])
        waiting = asyncio.create_task(visit.poller.run())
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await visit.run() == Ended("ended")

    run(main())


def test_a_poller_is_told_by_a_schedule_or_by_heartbeats_but_not_by_both() -> None:
    visit = Visit([beat()])
    with pytest.raises(ValueError, match="one of them"):
        FallbackPoller(visit.messages, poll, take, schedule=PollSchedule(), beats=visit.beats)


def test_a_poller_without_heartbeats_begins_as_thinly_as_heartbeats_do() -> None:
    schedule = PollSchedule(random=lambda: 0.5)
    schedule.begin(0.0)
    assert schedule.due_at == 150.0


def polls_of_a_full_hall(start: Callable[[AsyncServer, HeartbeatLoop], Any]) -> list[float]:
    """When 1,000 poll for whom 10 s is said on entering and 100 s by each heartbeat; Realtime was never there."""
    messages = AsyncServer(Page([], 0, 100.0))
    chance = random.Random(1)

    async def main() -> None:
        tasks = []
        for _ in range(1000):
            server = AsyncServer(beat(300.0, poll_s=100.0))
            beats = HeartbeatLoop(server, WEBINAR, SESSION, HeartbeatSchedule(300.0, random=chance.random))
            poller = start(messages, beats)
            poller._polls.schedule._random = chance.random  # the same each time
            tasks += [asyncio.create_task(loop.run()) for loop in (beats, poller)]
        await asyncio.sleep(600)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())
    return messages.at


def most_a_second(at: Sequence[float], window_s: float = 10.0) -> float:
    """In the worst ten seconds."""
    return max(sum(begin <= other < begin + window_s for other in at) for begin in at[::20]) / window_s


def test_a_hall_that_was_not_counted_yet_when_it_came_in_polls_no_more_often_than_it_may() -> None:
    at = polls_of_a_full_hall(lambda server, beats: FallbackPoller(server, poll, take, beats=beats))
    assert most_a_second(at) <= 1.5 * 1000 / 100


def test_beginning_with_the_interval_of_the_entry_would_be_a_herd() -> None:
    """The negative control: as it was once."""
    at = polls_of_a_full_hall(lambda server, _: FallbackPoller(server, poll, take, schedule=PollSchedule(10.0)))
    assert most_a_second(at) > 8 * 1000 / 100


def on_threads(threads: LoopThreads | None, *answers: object, first_s: float = 0.0) -> ThreadedHeartbeatLoop:
    schedule = HeartbeatSchedule(SOON_S, first_s, least_s=SOON_S)
    return ThreadedHeartbeatLoop(SyncServer(*answers), WEBINAR, SESSION, schedule, threads=threads)


@OWN_OR_SHARED
def test_on_threads_it_begins_with_the_reply_to_the_first_heartbeat(workers: int | None) -> None:
    with Threads(workers) as threads:
        beats = on_threads(threads, AWAY, beat(NEVER_S, poll_s=SOON_S))
        messages = SyncServer(LAST, before=lambda: known.append(beats.fallback_poll_s))
        known: list[float | None] = []
        with ThreadedFallbackPoller(messages, poll, lambda _: None, beats=beats, threads=threads) as poller:
            assert poller.join(0.0) is None
            with beats:
                assert poller.join() == Ended("ended")
        assert known == [SOON_S]


@OWN_OR_SHARED
def test_on_threads_it_begins_at_once_where_a_heartbeat_was_answered(workers: int | None) -> None:
    with Threads(workers) as threads:
        beats = on_threads(threads, beat(None, "left", poll_s=SOON_S))
        beats.start()
        beats.join()
        poller = ThreadedFallbackPoller(SyncServer(LAST), poll, lambda _: None, beats=beats, threads=threads)
        with poller:
            assert poller.join() == Ended("ended")


@OWN_OR_SHARED
@pytest.mark.parametrize("order", ["before", "after"])
def test_on_threads_it_ends_with_the_heartbeats(workers: int | None, order: str) -> None:
    ends: list[Ended] = []
    with Threads(workers) as threads:
        beats = on_threads(threads, beat(None, "ejected"))
        messages = SyncServer(LAST)
        poller = ThreadedFallbackPoller(
            messages, poll, lambda _: None, beats=beats, threads=threads, on_end=ends.append
        )
        if order == "after":
            beats.start()
            beats.join()
            poller.start()
        else:
            poller.start()
            beats.start()
        assert poller.join() == Ended("ejected")
    assert ends == [Ended("ejected")]
    assert messages.requests == []


@OWN_OR_SHARED
def test_on_threads_it_can_be_stopped_while_it_waits_and_is_forgotten(workers: int | None) -> None:
    with Threads(workers) as threads, on_threads(threads, beat(), first_s=NEVER_S) as beats:
        with ThreadedFallbackPoller(SyncServer(LAST), poll, lambda _: None, beats=beats, threads=threads) as poller:
            pass
        assert poller.join() == Ended("stopped")
        assert beats._listeners == []


def test_on_threads_stopping_the_heartbeats_ends_who_waits_for_them() -> None:
    beats = on_threads(None, beat(), first_s=NEVER_S)
    with beats, ThreadedFallbackPoller(SyncServer(LAST), poll, lambda _: None, beats=beats) as poller:
        beats.stop()
        assert poller.join() == Ended("stopped")
