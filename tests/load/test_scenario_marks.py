"""What a scenario wants of what it has seen: each mark is missed by what it is for. Without a database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from eventlive_db.client import rpc
from eventlive_db.client.calls import Call
from eventlive_db.client.errors import RateLimitedError, UnavailableError
from eventlive_db.client.replies import Message, MessagePage, StatsReply
from eventlive_db.load.scenarios.people import Attendance
from eventlive_db.load.scenarios.reading import PAGE, Noted, Poll, Post, has_all, reading_mark
from eventlive_db.load.scenarios.s1_marks import Presence, crowd_mark, event_mark, presence_mark
from eventlive_db.load.scenarios.s3 import told_mark

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def stats(participants: int = 0, guests: int = 0, degraded: str | None = None, next_poll_s: float = 1.0) -> StatsReply:
    return StatsReply(
        status="live",
        current_participants=participants,
        current_guests=guests,
        total_attendees=0,
        registered=0,
        max_concurrent_participants=0,
        avg_concurrent_participants=0.0,
        peak_time=None,
        as_of=NOW,
        timeline=(),
        degraded=degraded,
        next_poll_s=next_poll_s,
    )


@pytest.mark.parametrize(
    ("told", "degraded", "wait_s", "passed", "found"),
    [
        ([stats(next_poll_s=1.0)], None, 1.0, True, "10 s"),
        ([stats(degraded="rollup_late", next_poll_s=3.0)], "rollup_late", 3.0, True, "30 s, for rollup_late"),
        # Told why, and not to wait any longer; and the other way round.
        ([stats(degraded="rollup_late", next_poll_s=1.0)], "rollup_late", 3.0, False, "10 s, for rollup_late"),
        ([stats(next_poll_s=3.0)], None, 1.0, False, "30 s"),
        ([stats(next_poll_s=3.0)], "rollup_late", 3.0, False, "30 s"),
        ([stats(degraded="load_high", next_poll_s=1.0)], None, 1.0, False, "10 s, for load_high"),
        ([stats(), stats(next_poll_s=3.0)], None, 1.0, False, "10 s and 30 s"),
        ([], None, 1.0, False, "nothing"),
    ],
)
def test_dashboards_have_to_be_told_the_seconds_and_the_reason(
    told: list[StatsReply], degraded: str | None, wait_s: float, passed: bool, found: str
) -> None:
    mark = told_mark("now", told, degraded, wait_s, speed=10)
    assert (mark.passed, mark.found) == (passed, found)


@pytest.mark.parametrize(
    ("highest", "passed"), [((90, 10), True), ((86, 9), True), ((84, 10), False), ((91, 10), False), ((180, 10), False)]
)
def test_a_dashboard_shows_nearly_all_and_never_more_than_there_are(highest: tuple[int, int], passed: bool) -> None:
    assert crowd_mark([stats(1, 1), stats(*highest)], 100).passed is passed


def test_where_nobody_came_in_no_dashboard_is_right() -> None:
    assert not crowd_mark([stats()], 0).passed


def visit(*, guest: bool = False, entered: bool = True, left: bool = True) -> Attendance:
    return Attendance(
        uuid4(), None if guest else uuid4(), entered_at=1.0 if entered else None, left_at=9.0 if left else None
    )


@pytest.mark.parametrize(
    ("changes", "passed"),
    [
        ({}, True),
        ({"expired": 1}, True),
        ({"expired": 2}, False),
        ({"entered": 4}, False),  # one for a heartbeat
        ({"entered": 444_914}, False),
        ({"registered": 4}, False),
        ({"left": 3}, False),
        ({"left": 1}, False),
        ({"replaced": 1}, False),
        ({"ejected": 1}, False),
    ],
)
def test_the_visit_log_has_an_event_for_what_happened_and_no_other(changes: dict[str, int], passed: bool) -> None:
    # Two users and a guest came in, one of whom vanished; another one was refused. The host registered too.
    came = [visit(), visit(guest=True), visit(left=False), visit(entered=False, left=False)]
    assert event_mark(came, {"registered": 3, "entered": 3, "left": 2} | changes).passed is passed


ALICE = UUID(int=1)


@pytest.mark.parametrize(
    ("age_s", "passed"),
    [
        (4.9, True),  # by the ping itself, which was sent five seconds ago
        (64.9, True),  # less than the throttle before it, so that it wrote nothing
        (65.1, False),
        (None, False),
    ],
)
def test_who_pinged_was_seen_then_or_shortly_before(age_s: float | None, passed: bool) -> None:
    rows = {} if age_s is None else {ALICE: (age_s, 60.0)}
    assert presence_mark(Presence(100.0, {ALICE: 95.0}, rows)).passed is passed


def test_where_nobody_pinged_nothing_is_known_of_pings() -> None:
    assert not presence_mark(Presence(100.0, {}, {ALICE: (1.0, 60.0)})).passed


# A message a second, of which the id is the time at which it was posted.
POSTED = [Post(float(number), number) for number in range(1, 101)]


def poll(sent_at: float, after: int, last: int | None) -> Poll:
    """A poll that got all messages behind one, up to another one."""
    return Poll(sent_at, after, None if last is None else tuple(range(after + 1, last + 1)))


@pytest.mark.parametrize(
    ("polls", "taken", "right"),
    [
        ([poll(10.5, 0, 10), poll(20.5, 10, 20)], 20, True),
        ([poll(10.5, 0, 11)], 11, True),  # the reply to the post was under way
        ([poll(10.5, 0, 10), poll(20.5, 10, 20)], 10, True),  # the poller was stopped as the reply came
        ([poll(90.5, 0, PAGE), poll(91.5, PAGE, 91)], 91, True),  # a page, and what is behind it
        ([poll(10.5, 0, None), poll(20.5, 0, 20)], 20, True),
        ([poll(90.5, 0, 40)], 40, False),  # less than a page, and less than there is
        ([poll(10.5, 0, 10), poll(20.5, 10, 10)], 10, False),  # nothing after the tenth
        ([poll(10.5, 0, 0)], 0, False),
        ([poll(10.5, 0, None)], 0, False),
        ([Poll(10.5, 0, (1, 2, 3, 5, 6, 7, 8, 9, 10))], 9, False),
        ([Poll(10.5, 0, (1, 2, 2, *range(3, 11)))], 11, False),
    ],
)
def test_a_reader_has_what_was_there_as_they_polled(polls: list[Poll], taken: int, right: bool) -> None:
    assert has_all(POSTED, polls, range(1, taken + 1)) is right


@pytest.mark.parametrize("received", [(1, 2, 4), (1, 2, 2, 3), (2, 1), (2, 3)])
def test_what_a_reader_took_has_no_gap_either(received: Sequence[int]) -> None:
    assert not has_all(POSTED, [poll(4.5, 0, 4)], received)


def test_a_cursor_that_goes_over_a_message_is_a_gap() -> None:
    polls = [poll(10.5, 0, 10), poll(20.5, 11, 20)]
    assert not has_all(POSTED, polls, [*range(1, 11), *range(12, 21)])


def test_readers_are_all_those_who_polled() -> None:
    good = ([poll(3.5, 0, 3)], [1, 2, 3])
    never: tuple[list[Poll], list[int]] = ([], [])
    assert reading_mark(POSTED, [good, never]).passed
    assert not reading_mark(POSTED, [never]).passed
    # One who polled and took nothing of what came.
    assert not reading_mark(POSTED, [good, ([poll(3.5, 0, 3)], [])]).passed
    assert not reading_mark([], [([Poll(3.5, 0, ())], [])]).passed


def test_polls_are_noted_with_what_they_got_and_what_is_switched_off_is_none() -> None:
    message = Message(
        message_id=7, user_id=ALICE, kind="chat", body="a", hidden=False, created_at=NOW, client_message_id=None
    )
    answers: list[Any] = [
        MessagePage(messages=(message,), cursor=7, more=False, next_poll_s=1.0),
        UnavailableError(503, "restarting"),
        RateLimitedError(429, "fallback_disabled"),
        None,
    ]

    class Caller:
        async def call(self, _: Call[Any]) -> Any:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    times = iter([1.0, 2.0, 3.0, 4.0])
    polls: list[Poll] = []
    noted = Noted(Caller(), lambda: next(times), polls)

    async def main() -> None:
        await noted.call(rpc.webinar_messages_poll(ALICE))
        for _ in range(2):
            with pytest.raises((UnavailableError, RateLimitedError)):
                await noted.call(rpc.webinar_messages_poll(ALICE, 7))
        await noted.call(rpc.webinar_presence_ping(ALICE))

    asyncio.run(main())
    assert polls == [Poll(1.0, 0, (7,)), Poll(2.0, 7, None)]
