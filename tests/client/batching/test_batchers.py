"""A gateway's batcher, in both shells, against a real database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest

from eventlive_db.client import AsyncClient, Call, Client, rpc
from eventlive_db.client.batching import AsyncPingBatcher, Batch, Counts, PingBatcher
from eventlive_db.client.errors import EventliveError, GoneError, UnavailableError
from eventlive_db.client.resilience import Backoff
from tests.support.database import EventliveDatabase


class Batcher(Protocol):
    """A batcher, from the point of view of a test that waits for everything."""

    counts: Counts

    def ping(self, webinar_id: UUID, user_id: UUID) -> object: ...
    def offer(self, webinar_id: UUID, user_id: UUID) -> bool: ...
    def close(self, timeout_s: float = 60) -> None: ...
    def idle(self) -> None: ...
    def turn(self) -> None: ...
    def dispose(self) -> None: ...
    def __len__(self) -> int: ...


class Threaded:
    """A :class:`PingBatcher`."""

    def __init__(self, dsn: str, before: Callable[[Call[Any]], None] | None = None, **options: Any) -> None:
        self.client = Client(dsn)
        caller = self.client.as_service()
        if before is not None:
            caller = Before(caller, before)  # type: ignore[assignment]
        self.batcher = PingBatcher(caller, **options)

    counts = property(lambda self: self.batcher.counts)

    def ping(self, webinar_id: UUID, user_id: UUID) -> object:
        return self.batcher.ping(webinar_id, user_id)

    def offer(self, webinar_id: UUID, user_id: UUID) -> bool:
        return self.batcher.ping(webinar_id, user_id, 0)

    def idle(self) -> None:
        while len(self.batcher):
            threading.Event().wait(0.001)

    def close(self, timeout_s: float = 60) -> None:
        self.batcher.close(timeout_s)

    def turn(self) -> None:
        """Let its thread work for a moment."""
        threading.Event().wait(0.002)

    def dispose(self) -> None:
        self.client.close()

    def __len__(self) -> int:
        return len(self.batcher)


class Before:
    """A caller that does something before each call."""

    def __init__(self, caller: Any, before: Callable[[Call[Any]], None]) -> None:
        self.caller = caller
        self.before = before

    def call(self, request: Call[Any]) -> Any:
        self.before(request)
        return self.caller.call(request)


class Looped:
    """An :class:`AsyncPingBatcher` with a loop of its own."""

    def __init__(self, dsn: str, before: Callable[[Call[Any]], None] | None = None, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = AsyncClient(dsn)
        caller = self.client.as_service()
        if before is not None:
            caller = Before(caller, before)  # type: ignore[assignment]
        self.batcher = AsyncPingBatcher(caller, **options)

    counts = property(lambda self: self.batcher.counts)

    def ping(self, webinar_id: UUID, user_id: UUID) -> object:
        return self.loop.run_until_complete(self.batcher.ping(webinar_id, user_id))

    def offer(self, webinar_id: UUID, user_id: UUID) -> bool:
        async def one() -> bool:
            return self.batcher.ping_nowait(webinar_id, user_id)

        return self.loop.run_until_complete(one())

    def idle(self) -> None:
        async def wait() -> None:
            while len(self.batcher):
                await asyncio.sleep(0.001)

        self.loop.run_until_complete(wait())

    def close(self, timeout_s: float = 60) -> None:
        self.loop.run_until_complete(self.batcher.close(timeout_s))

    def turn(self) -> None:
        """Let its loop work for a moment."""
        self.loop.run_until_complete(asyncio.sleep(0.002))

    def dispose(self) -> None:
        self.loop.run_until_complete(self.client.close())
        self.loop.close()

    def __len__(self) -> int:
        return len(self.batcher)


Make = Callable[..., Batcher]


@pytest.fixture(params=[Threaded, Looped], ids=["threads", "asyncio"])
def make(request: pytest.FixtureRequest, db: EventliveDatabase) -> Iterator[Make]:
    opened: list[Batcher] = []

    def one(**options: Any) -> Batcher:
        opened.append(request.param(db.dsn, **options))
        return opened[-1]

    yield one
    for each in opened:
        each.dispose()


@pytest.fixture
def viewers(db: EventliveDatabase) -> tuple[UUID, list[UUID]]:
    """A webinar and twenty of its registered users."""
    webinar = db.webinar()
    found = [uuid4() for _ in range(20)]
    for viewer in found:
        db.register(webinar, viewer)
    return webinar, found


def test_the_pings_of_many_are_few_calls_and_each_is_present(
    make: Make, db: EventliveDatabase, viewers: tuple[UUID, list[UUID]]
) -> None:
    webinar, users = viewers
    batcher = make(batch_size=7, max_wait_s=600)
    for _ in range(3):
        for user in users:
            batcher.ping(webinar, user)
    batcher.close()
    assert db.count("webinar_live_presence") == 20
    assert batcher.counts.pings == 60
    assert batcher.counts.sent >= 20
    assert batcher.counts.calls <= 9
    assert batcher.counts.refreshed == 20
    assert len(batcher) == 0


def test_what_waits_is_sent_when_its_time_has_come(
    make: Make, db: EventliveDatabase, viewers: tuple[UUID, list[UUID]]
) -> None:
    webinar, users = viewers
    batcher = make(max_wait_s=0.01)
    batcher.ping(webinar, users[0])
    batcher.idle()
    assert db.count("webinar_live_presence") == 1
    batcher.ping(webinar, users[1])
    batcher.idle()
    assert db.count("webinar_live_presence") == 2
    batcher.close()


def test_who_is_not_registered_is_told_and_registered_by_nobody(
    make: Make, db: EventliveDatabase, viewers: tuple[UUID, list[UUID]]
) -> None:
    webinar, users = viewers
    stranger = uuid4()
    told: list[tuple[UUID, tuple[UUID, ...]]] = []
    batcher = make(max_wait_s=600, on_not_registered=lambda *what: told.append(what))
    for user in (users[0], stranger):
        batcher.ping(webinar, user)
    batcher.close()
    assert told == [(webinar, (stranger,))]
    assert batcher.counts.not_registered == 1
    assert db.count("registrations") == 20


def test_an_ended_webinar_is_told_and_does_not_hold_up_the_others(
    make: Make, db: EventliveDatabase, viewers: tuple[UUID, list[UUID]]
) -> None:
    webinar, users = viewers
    ended = db.webinar(status="ended")
    told: list[tuple[Batch, EventliveError, bool]] = []
    batcher = make(max_wait_s=600, on_error=lambda *what: told.append(what))
    batcher.ping(ended, users[0])
    batcher.ping(webinar, users[0])
    batcher.close()
    [(batch, error, again)] = told
    assert (batch, again) == (Batch(ended, (users[0],)), False)
    assert isinstance(error, GoneError)
    assert batcher.counts.lost == 1
    assert db.count("webinar_live_presence") == 1


def test_while_the_server_is_away_pings_are_kept_and_sent_later(
    make: Make, db: EventliveDatabase, viewers: tuple[UUID, list[UUID]]
) -> None:
    webinar, users = viewers
    told: list[bool] = []
    calls: list[Call[Any]] = []

    def away_twice(request: Call[Any]) -> None:
        calls.append(request)
        if len(calls) <= 2:
            raise UnavailableError(503, "unreachable")

    batcher = make(
        before=away_twice,
        max_wait_s=0,
        backoff=Backoff(0.001, 0.001),
        on_error=lambda _batch, _error, again: told.append(again),
    )
    batcher.ping(webinar, users[0])
    batcher.idle()
    batcher.close()
    assert told == [True, True]
    assert db.count("webinar_live_presence") == 1
    assert batcher.counts.lost == 0


def test_there_is_back_pressure_and_memory_is_bounded(make: Make, viewers: tuple[UUID, list[UUID]]) -> None:
    webinar, users = viewers
    batcher = make(batch_size=5, max_pending=5, max_wait_s=600, before=lambda _: None)
    taken = sum(batcher.offer(webinar, user) for user in users)
    assert taken >= 5
    assert len(batcher) <= 5
    for user in users:
        batcher.ping(webinar, user)  # waits for room
    batcher.close()
    assert len(batcher) == 0


def test_pings_that_cannot_be_sent_in_time_are_an_error_at_the_end(
    make: Make, viewers: tuple[UUID, list[UUID]]
) -> None:
    webinar, users = viewers

    def away(_request: Call[Any]) -> None:
        raise UnavailableError(503, "unreachable")

    batcher = make(before=away, max_wait_s=0, on_error=lambda *_: None)
    for user in users[:3]:
        batcher.ping(webinar, user)
    with pytest.raises(UnavailableError) as caught:
        batcher.close(0.01)
    assert (caught.value.token, caught.value.payload) == ("pings_lost", {"pings": 3})


def test_a_callback_that_breaks_is_seen_by_whoever_pings_next(make: Make, viewers: tuple[UUID, list[UUID]]) -> None:
    webinar, users = viewers

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    batcher = make(max_wait_s=0, on_not_registered=broken)
    batcher.ping(webinar, uuid4())
    batcher.idle()

    def ping_until_it_is_noticed() -> None:
        while True:
            batcher.offer(webinar, users[0])
            batcher.idle()

    with pytest.raises((RuntimeError, ZeroDivisionError)):
        ping_until_it_is_noticed()
    with pytest.raises((RuntimeError, ZeroDivisionError)):
        batcher.close()


def test_a_closed_batcher_takes_nothing(make: Make, viewers: tuple[UUID, list[UUID]]) -> None:
    webinar, users = viewers
    batcher = make()
    batcher.ping(webinar, users[0])
    batcher.close()
    with pytest.raises(RuntimeError, match="closed"):
        batcher.offer(webinar, users[0])


def test_a_batcher_that_was_never_used_closes(make: Make) -> None:
    make().close()


def test_the_context_manager_sends_what_waits(db: EventliveDatabase, viewers: tuple[UUID, list[UUID]]) -> None:
    webinar, users = viewers
    with Client(db.dsn) as client, PingBatcher(client.as_service(), max_wait_s=600) as batcher:
        batcher.ping(webinar, users[0])
    assert db.count("webinar_live_presence") == 1

    async def run() -> None:
        async with AsyncClient(db.dsn) as client, AsyncPingBatcher(client.as_service(), max_wait_s=600) as batcher:
            await batcher.ping(webinar, users[1])

    asyncio.run(run())
    assert db.count("webinar_live_presence") == 2


def test_what_it_sends_is_the_batch_function(make: Make, viewers: tuple[UUID, list[UUID]]) -> None:
    webinar, users = viewers
    sent: list[Call[Any]] = []
    batcher = make(before=sent.append, max_wait_s=600)
    for user in users:
        batcher.ping(webinar, user)
    batcher.close()
    assert sent == [rpc.webinar_presence_ping_many(webinar, users)]


def test_a_webinar_that_waits_for_long_does_not_hold_up_another(
    make: Make, db: EventliveDatabase, viewers: tuple[UUID, list[UUID]]
) -> None:
    webinar, users = viewers
    troubled = db.webinar()

    def away(request: Call[Any]) -> None:
        if request.arguments["_webinar_id"] == troubled:
            raise UnavailableError(503, "unreachable", retry_after_s=600)

    batcher = make(before=away, max_wait_s=0.01, on_error=lambda *_: None)
    batcher.ping(troubled, users[0])
    while not batcher.counts.calls:
        batcher.turn()
    batcher.turn()
    batcher.ping(webinar, users[0])
    while not batcher.counts.sent:
        batcher.turn()
    assert db.count("webinar_live_presence") == 1
    with pytest.raises(UnavailableError, match="1 pings could not be sent"):
        batcher.close(0.01)
