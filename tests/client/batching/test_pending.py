"""What waits to be sent: one ping a user, never more than there is room for, none forgotten."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from eventlive_db.client.batching import Batch, Pending
from eventlive_db.client.errors import GoneError, RateLimitedError, UnavailableError
from eventlive_db.client.resilience import Backoff

ONE, TWO = UUID(int=1), UUID(int=2)
AWAY = UnavailableError(503, "unreachable")
ENDED = GoneError(410, "webinar_ended")


def users(*numbers: int) -> tuple[UUID, ...]:
    return tuple(UUID(int=100 + number) for number in numbers)


def test_a_user_who_pings_again_while_waiting_is_one_ping() -> None:
    pending = Pending(max_wait_s=1)
    for now in (0.0, 0.3, 0.6):
        assert pending.offer(ONE, users(1)[0], now)
    assert len(pending) == 1
    assert pending.take(0.9) is None
    assert pending.due_at() == 1.0
    assert pending.take(1.0) == Batch(ONE, users(1))


def test_a_full_batch_is_due_at_once_and_holds_no_more_than_its_size() -> None:
    pending = Pending(batch_size=2, max_wait_s=60)
    for user_id in users(1, 2, 3):
        pending.offer(ONE, user_id, 5.0)
    assert pending.take(5.0) == Batch(ONE, users(1, 2))
    assert pending.take(5.0) is None
    assert pending.due_at() == 65.0


def test_the_webinar_that_has_waited_longest_comes_first() -> None:
    pending = Pending(max_wait_s=1)
    pending.offer(TWO, users(1)[0], 0.0)
    pending.offer(ONE, users(2)[0], 0.5)
    assert [pending.take(9.0), pending.take(9.0)] == [Batch(TWO, users(1)), Batch(ONE, users(2))]


def test_there_is_no_room_beyond_the_bound_but_for_who_waits_already() -> None:
    pending = Pending(batch_size=2, max_pending=2, max_wait_s=0)
    first, second, third = users(1, 2, 3)
    assert pending.offer(ONE, first, 0)
    assert pending.offer(ONE, second, 0)
    assert not pending.offer(ONE, third, 0)
    assert pending.offer(ONE, first, 0)
    batch = pending.take(0)
    assert batch is not None
    # What is under way still counts: it may have to come back.
    assert not pending.offer(ONE, third, 0)
    pending.sent(batch)
    assert pending.offer(ONE, third, 0)


def test_what_failed_waits_and_comes_before_the_newer_ones() -> None:
    pending = Pending(batch_size=3, max_wait_s=0, backoff=Backoff(4, 8), random=lambda: 0.5)
    for user_id in users(1, 2):
        pending.offer(ONE, user_id, 0)
    batch = pending.take(0)
    assert batch is not None
    for user_id in users(2, 3):
        pending.offer(ONE, user_id, 0.0)
    assert pending.failed(batch, AWAY, 10.0)
    assert len(pending) == 3
    assert pending.take(11.9) is None
    assert pending.due_at() == 12.0
    assert pending.take(12.0) == Batch(ONE, users(1, 2, 3))


def test_retry_after_is_obeyed_and_success_forgets_the_failures() -> None:
    pending = Pending(max_wait_s=0, backoff=Backoff(4, 8), random=lambda: 0.0)
    pending.offer(ONE, users(1)[0], 0)
    batch = pending.take(0)
    assert batch is not None
    pending.failed(batch, RateLimitedError(429, "rate_limited", retry_after_s=30), 0)
    assert pending.due_at() == 30.0
    assert pending.due_at(closing=True) == 30.0
    assert pending.take(30.0) == batch
    pending.sent(batch)
    pending.offer(ONE, users(1)[0], 31.0)
    assert pending.due_at() == 31.0


def test_what_no_try_can_help_is_dropped() -> None:
    pending = Pending(max_wait_s=0)
    pending.offer(ONE, users(1)[0], 0)
    batch = pending.take(0)
    assert batch is not None
    assert not pending.failed(batch, ENDED, 0)
    assert len(pending) == 0
    assert pending.due_at() is None


def test_at_the_end_nothing_waits_for_others() -> None:
    pending = Pending(max_wait_s=60)
    pending.offer(ONE, users(1)[0], 0)
    assert pending.take(0) is None
    assert pending.take(0, closing=True) == Batch(ONE, users(1))


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"max_wait_s": -1}, {"max_pending": 3, "batch_size": 4}])
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="needs batch_size"):
        Pending(**wrong)  # type: ignore[arg-type]


class Machine(RuleBasedStateMachine):
    """Pending against a set of who waits and who is under way."""

    BATCH, ROOM = 3, 7

    def __init__(self) -> None:
        super().__init__()
        self.pending = Pending(batch_size=self.BATCH, max_wait_s=2, max_pending=self.ROOM, backoff=Backoff(1, 4))
        self.now = 0.0
        self.waiting: set[tuple[UUID, UUID]] = set()
        self.under_way: Batch | None = None

    def taken(self) -> set[tuple[UUID, UUID]]:
        batch = self.under_way
        return {(batch.webinar_id, user_id) for user_id in batch.user_ids} if batch else set()

    @rule(webinar=st.sampled_from([ONE, TWO]), user=st.sampled_from(users(*range(6))))
    def offer(self, webinar: UUID, user: UUID) -> None:
        room = len(self.waiting) + len(self.taken()) < self.ROOM
        known = (webinar, user) in self.waiting
        assert self.pending.offer(webinar, user, self.now) == (known or room)
        if room or known:
            self.waiting.add((webinar, user))

    @rule(seconds=st.floats(0, 5))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.under_way is None)
    @rule(closing=st.booleans())
    def take(self, closing: bool) -> None:
        due_at = self.pending.due_at(closing=closing)
        batch = self.pending.take(self.now, closing=closing)
        assert (batch is not None) == (due_at is not None and due_at <= self.now)
        if batch is not None:
            assert 1 <= len(batch.user_ids) == len(set(batch.user_ids)) <= self.BATCH
            self.under_way = batch
            assert self.taken() <= self.waiting
            self.waiting -= self.taken()

    @precondition(lambda self: self.under_way is not None)
    @rule(end=st.sampled_from(["sent", "away", "ended"]))
    def finish(self, end: str) -> None:
        assert self.under_way is not None
        if end == "sent":
            self.pending.sent(self.under_way)
        elif end == "ended":
            assert not self.pending.failed(self.under_way, ENDED, self.now)
        else:
            assert self.pending.failed(self.under_way, AWAY, self.now)
            self.waiting |= self.taken()
        self.under_way = None

    @invariant()
    def nothing_is_lost_or_kept_too_long(self) -> None:
        # A user may wait again while an older ping is under way.
        assert len(self.pending) == len(self.waiting) + len(self.taken()) <= self.ROOM
        assert (self.pending.due_at() is None) == (not self.waiting)


TestMachine = Machine.TestCase
