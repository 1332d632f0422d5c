"""A slow or failing receiver holds up nobody, and nothing is lost without a word."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from eventlive_db.watch.bodies import request_of
from eventlive_db.watch.delivery import Delivery, Patience
from eventlive_db.watch.posting import Outcome, Poster
from eventlive_db.watch.webhook import Webhook
from tests.support.own_server import wait_for
from tests.watch.made_up import notice
from tests.watch.receiver import QUERY, SECRET, TOKEN, Answer, Receiver, after, receiving, resets, says, says_garbage


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Scene:
    """A receiver, and a delivery to it."""

    def __init__(self, receiver: Receiver, patience: Patience, kind: str = "generic") -> None:
        self.receiver, self.clock, self.reports = receiver, Clock(), list[str]()
        webhook = Webhook(receiver.url, "discord" if kind == "discord" else "generic", SECRET)
        self.poster = Poster(webhook)
        self.delivery = Delivery(
            self.poster,
            lambda one: request_of(webhook, one),
            self.reports.append,
            patience=patience,
            clock=self.clock,
            pause=self.clock.pause,
            random=lambda: 0.5,
        )

    def settle(self) -> None:
        """Wait until nothing waits."""
        wait_for("the notices have left", lambda: not self.delivery.undelivered())


@contextmanager
def scene(*answers: Answer, patience: Patience | None = None, kind: str = "generic") -> Iterator[Scene]:
    with receiving(*answers) as receiver:
        one = Scene(receiver, patience or Patience(), kind)
        try:
            yield one
        finally:
            one.delivery.close(0)
            one.poster.close()
            assert all(secret not in "".join(one.reports) for secret in (TOKEN, QUERY, SECRET))


def test_failures_are_tried_again_ever_later_until_it_arrives() -> None:
    with scene(resets, says_garbage, says(500), says(408), says(200)) as one:
        one.delivery.put(notice())
        one.settle()
        assert len(one.receiver.requests) == 5
        assert one.clock.pauses == [0.5, 1.0, 2.0, 4.0]
        assert one.delivery.counts == {"sent": 1}
        assert one.reports == []


def test_retry_after_is_waited_for_and_the_jitter_comes_on_top() -> None:
    with scene(says(429, Retry_After="7"), says(200)) as one:
        one.delivery.put(notice())
        one.settle()
        assert one.clock.pauses == [7.5]
    with scene(says(429, b'{"retry_after": 3.25}'), says(204), kind="discord") as one:
        one.delivery.put(notice())
        one.settle()
        assert one.clock.pauses == [3.75]


def test_what_is_refused_is_told_and_the_next_one_goes_on() -> None:
    with scene(says(404, b"no_service"), says(200)) as one:
        one.delivery.put(notice(rule="http_409"))
        one.delivery.put(notice())
        one.settle()
        assert len(one.receiver.requests) == 2
        assert one.delivery.counts == {"failed": 1, "sent": 1}
        assert one.reports == ["the notice that http_409 is firing was not posted: it answered 404: no_service"]


def test_tries_and_age_are_bounded() -> None:
    with scene(says(500), patience=Patience(tries=3)) as one:
        one.delivery.put(notice())
        one.settle()
        assert len(one.receiver.requests) == 3
        assert "it answered 500, 3 times" in one.reports[0]
        assert one.delivery.counts == {"failed": 1}
    # A receiver that asks for a year is asked again when the notice is too old, and what is new gets through.
    with scene(says(429, Retry_After="99999999"), says(200)) as one:
        one.delivery.put(notice())
        one.settle()
        assert one.delivery.counts == {"dropped": 1}
        assert "too old" in one.reports[0]
        one.delivery.put(notice())
        one.settle()
        assert one.delivery.counts == {"dropped": 1, "sent": 1}
        assert one.clock.pauses == [3600.5]


def test_putting_never_waits_for_the_receiver_and_the_oldest_beyond_the_queue_is_dropped() -> None:
    released = threading.Event()
    with scene(after(released, says(200)), patience=Patience(queue=3)) as one:
        one.delivery.put(notice(subject="first"))
        one.receiver.wait(1)
        for number in range(5):
            one.delivery.put(notice(subject=str(number)))
        assert one.delivery.counts == {"dropped": 2}
        assert [two.reading.subject for two in one.delivery.undelivered()] == ["first", "2", "3", "4"]
        assert len(one.receiver.requests) == 1
        released.set()
        one.settle()
        assert [json.loads(two.body)["subject"] for two in one.receiver.requests] == ["first", "2", "3", "4"]


def test_at_the_end_what_waits_gets_one_more_try_and_what_did_not_arrive_is_named() -> None:
    with scene(says(200)) as one:
        one.delivery.put(notice())
        one.delivery.put(notice(subject="x"))
        assert one.delivery.close(60) == []
        assert one.delivery.counts == {"sent": 2}


def test_the_end_does_not_wait_for_a_receiver_that_hangs() -> None:
    released = threading.Event()
    with scene(after(released, says(200))) as one:
        one.delivery.put(notice(subject="under way"))
        one.receiver.wait(1)
        one.delivery.put(notice(subject="behind it"))
        left = one.delivery.close(0)
        assert [two.reading.subject for two in left] == ["under way", "behind it"]
        released.set()


def posting(*outcomes: Outcome) -> tuple[Delivery, list[int]]:
    """A delivery that really waits, to a receiver of this process."""
    tries: list[int] = []

    def post(_body: bytes, _headers: Mapping[str, str]) -> Outcome:
        tries.append(1)
        return outcomes[min(len(tries), len(outcomes)) - 1]

    return Delivery(post, lambda _: (b"", {}), lambda _: None, random=lambda: 1.0, patience=Patience(base_s=120)), tries


@pytest.mark.parametrize(("asked", "expected"), [(None, 2), (600.0, 1)])
def test_the_end_breaks_off_a_pause_but_not_one_that_the_receiver_asked_for(asked: float | None, expected: int) -> None:
    delivery, tries = posting(Outcome("failed", "x", asked))
    delivery.put(notice())
    wait_for("it pauses", lambda: delivery._not_before > 0)
    left = delivery.close(60)
    assert [one.reading.rule for one in left] == ["http_400"]
    assert len(tries) == expected
    assert not delivery._thread.is_alive()
