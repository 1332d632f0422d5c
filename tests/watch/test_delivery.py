"""A slow or failing receiver holds up nobody, and nothing is lost without a word."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import pytest

from eventlive_db.watch.bodies import how_many, request_of
from eventlive_db.watch.delivery import Delivery, Patience
from eventlive_db.watch.posting import Outcome, Poster
from eventlive_db.watch.webhook import Kind, Webhook
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

    def __init__(self, receiver: Receiver, patience: Patience, kind: Kind = "generic") -> None:
        self.receiver, self.clock, self.reports = receiver, Clock(), list[str]()
        webhook = Webhook(receiver.url, kind, SECRET)
        self.poster = Poster(webhook)
        self.delivery = Delivery(
            self.poster,
            lambda notices: request_of(webhook, notices),
            self.reports.append,
            gather=lambda notices: how_many(webhook, notices),
            patience=patience,
            clock=self.clock,
            pause=self.clock.pause,
            random=lambda: 0.5,
        )

    def rules(self) -> list[str]:
        """What the posts so far were about."""
        return [json.loads(request.body)["rule"] for request in self.receiver.requests]

    def settle(self) -> None:
        """Wait until nothing waits."""
        wait_for("the notices have left", lambda: not self.delivery.undelivered())


@contextmanager
def scene(*answers: Answer, patience: Patience | None = None, kind: Kind = "generic") -> Iterator[Scene]:
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
        one.delivery.put(notice(rule="http_409"), notice(rule="dead_tuples"))
        one.settle()
        assert one.rules() == ["http_409", "dead_tuples"]
        assert one.delivery.counts == {"failed": 1, "sent": 1}
        assert one.reports == ["the notice that http_409 is firing was not posted: it answered 404: no_service"]


def test_what_fails_again_and_again_lets_others_go_first_and_is_tried_until_it_is_too_old() -> None:
    with scene(says(500), says(500), says(500), says(200), patience=Patience(tries=3)) as one:
        one.delivery.put(notice(rule="database"), notice(rule="http_409"))
        one.settle()
        assert one.rules() == ["database", "database", "database", "http_409", "database"]
        assert one.delivery.counts == {"sent": 2}
        assert one.reports == ["notices cannot be posted: it answered 500, 3 times in a row; 2 wait and are tried on"]
    assert Patience().max_age_s == 86400
    with scene(says(500), patience=Patience(max_age_s=3600)) as one:
        one.delivery.put(notice())
        one.settle()
        assert 3600 < one.clock.now < 3600 + Patience().cap_s
        assert one.delivery.counts == {"dropped": 1}
        assert one.reports[-1] == (
            "the notice that http_400 is firing was not posted: it waited for too long; it answered 500"
        )


def test_a_receiver_that_asks_for_a_year_is_asked_again_after_an_hour() -> None:
    with scene(says(429, Retry_After="99999999"), says(200)) as one:
        one.delivery.put(notice())
        one.settle()
        assert one.delivery.counts == {"sent": 1}
        assert one.clock.pauses == [3600.5]


def test_putting_never_waits_for_the_receiver_and_what_is_urgent_goes_first_and_nothing_is_lost() -> None:
    released = threading.Event()
    with scene(after(released, says(200))) as one:
        one.delivery.put(notice(subject="first"))
        one.receiver.wait(1)
        one.delivery.put(*(notice(rule="dead_tuples", subject=f"t{number}") for number in range(300)))
        one.delivery.put(notice(rule="http_409"), notice(rule="database"), notice("recovered", rule="http_5xx"))
        assert len(one.delivery.undelivered()) == 304
        assert len(one.receiver.requests) == 1
        released.set()
        one.settle()
        assert one.delivery.counts == {"sent": 304}
        assert one.rules() == ["http_400", "database", "http_5xx", "http_409", *["dead_tuples"] * 300]
        assert len({request.body for request in one.receiver.requests}) == 304
        assert one.reports == []


def test_of_one_alarm_its_newest_beginning_and_end_wait() -> None:
    released = threading.Event()
    with scene(after(released, says(200))) as one:
        one.delivery.put(notice(subject="first"))
        one.receiver.wait(1)
        said: list[Literal["firing", "recovered"]] = ["firing", "recovered", "firing", "firing", "recovered"]
        for number, state in enumerate(said):
            one.delivery.put(notice(state, rule="http_409", detail=str(number)))
        assert [two.reading.detail for two in one.delivery.undelivered()] == ["", "3", "4"]
        released.set()
        one.settle()
        assert [json.loads(two.body)["detail"] for two in one.receiver.requests] == ["", "3", "4"]


@pytest.mark.parametrize("state", ["firing", "recovered"])
def test_what_failed_is_not_told_behind_what_is_newer(state: Literal["firing", "recovered"]) -> None:
    released = threading.Event()
    with scene(after(released, says(500)), says(200)) as one:
        one.delivery.put(notice(state, detail="older"))
        one.receiver.wait(1)
        one.delivery.put(notice("firing", detail="newer"))
        released.set()
        one.settle()
        assert [json.loads(two.body)["detail"] for two in one.receiver.requests] == ["older", "newer"]


def test_a_beginning_that_failed_is_told_before_its_end() -> None:
    released = threading.Event()
    with scene(after(released, says(500)), says(200)) as one:
        one.delivery.put(notice("firing"))
        one.receiver.wait(1)
        one.delivery.put(notice("recovered"))
        released.set()
        one.settle()
        assert [json.loads(two.body)["state"] for two in one.receiver.requests] == ["firing", "firing", "recovered"]


def test_people_get_what_waits_in_as_few_messages_as_hold_it() -> None:
    released = threading.Event()
    many = [notice(rule="dead_tuples", subject=f"t{number}") for number in range(150)]
    kinds: list[tuple[Kind, int]] = [("slack", 3000), ("discord", 2000)]
    for kind, longest in kinds:
        with scene(after(released, says(200)), kind=kind) as one:
            one.delivery.put(*many, notice(rule="database"))
            released.set()
            one.settle()
            texts = [json.loads(two.body)["text" if kind == "slack" else "content"] for two in one.receiver.requests]
            lines = [line.replace("\\", "") for text in texts for line in text.split("\n")]
            assert lines[0].startswith("FIRING: database: ")
            assert [line.split()[2] for line in lines[1:]] == [f"t{number}:" for number in range(150)]
            assert all(longest * 0.9 < len(text) <= longest for text in texts[:-1])
            assert one.delivery.counts == {"sent": 151}


def test_of_messages_that_are_refused_together_each_is_tried_by_itself() -> None:
    with scene(says(400, b"invalid_blocks"), says(200), says(400, b"invalid_blocks"), says(200), kind="slack") as one:
        one.delivery.put(*(notice(rule="dead_tuples", subject=subject) for subject in "abc"))
        one.settle()
        assert len(one.receiver.requests) == 4
        assert one.delivery.counts == {"sent": 2, "failed": 1}
        [told] = one.reports
        assert told == "the notice that dead_tuples b is firing was not posted: it answered 400: invalid_blocks"


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
