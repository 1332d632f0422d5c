"""Pollers on threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eventlive_db.client.loops import Ended, PollSchedule, ThreadedFallbackPoller
from tests.client.loops.replies import Page, SyncServer, poll
from tests.client.loops.test_threads import AWAY, OWN_OR_SHARED, SOON_S, Threads


def polls(server: SyncServer, handle: Callable[[Sequence[str]], object], **more: Any) -> ThreadedFallbackPoller[Page]:
    return ThreadedFallbackPoller(server, poll, handle, 0, PollSchedule(SOON_S, 0.0, least_s=SOON_S), **more)


@OWN_OR_SHARED
def test_a_poller_hands_over_what_is_new_and_goes_on_behind_it(workers: int | None) -> None:
    taken: list[str] = []
    server = SyncServer(Page(["a"], 1, SOON_S), AWAY, Page([], 1, SOON_S), Page(["b", "c"], 3, None))
    with Threads(workers) as threads, polls(server, taken.extend, threads=threads) as loop:
        assert loop.join() == Ended("ended")
    assert taken == ["a", "b", "c"]
    assert [call.arguments["_after"] for call in server.requests] == [0, 1, 1, 1]
    assert loop.cursor == 3


def test_messages_that_were_not_taken_stay_before_the_cursor() -> None:
    full = ValueError("full")

    def handle(messages: Sequence[str]) -> None:
        raise full

    with polls(SyncServer(Page(["a"], 1)), handle) as loop:
        assert loop.join() == Ended("crashed", error=full)
    assert loop.cursor == 0
