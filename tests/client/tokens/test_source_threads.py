"""Threads that want a token at the same time: one refreshes, and none is left waiting (R8)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from eventlive_db.client.tokens import Token, TokenSource, flights
from eventlive_db.client.tokens.flights import SingleFlight
from tests.client.tokens.conftest import Clock
from tests.client.tokens.refreshing import Refresh

PATIENCE_S = 60.0


class Held(Refresh):
    """Answers when it is let."""

    def __init__(self, *answers: str | Token | BaseException) -> None:
        super().__init__(*answers)
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self) -> str | Token:
        self.began.set()
        assert self.go.wait(PATIENCE_S)
        return super().__call__()


def crowd(work: Callable[[], Any], size: int = 1000) -> list[Future[Any]]:
    """So many threads that do it at the same moment; returns when each is at it."""
    start = threading.Barrier(size + 1)

    def one(future: Future[Any]) -> None:
        start.wait(PATIENCE_S)
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    futures: list[Future[Any]] = [Future() for _ in range(size)]
    for future in futures:
        threading.Thread(target=one, args=(future,), daemon=True).start()
    start.wait(PATIENCE_S)
    return futures


def results(futures: Iterable[Future[Any]]) -> list[Any]:
    """What came of each: a value or an exception."""
    return [future.exception(PATIENCE_S) or future.result() for future in futures]


class Waiting:
    """Counts the threads that wait for a refresh."""

    def __init__(self) -> None:
        self._count = threading.Semaphore(0)

    def until(self, number: int) -> None:
        """Wait until so many wait."""
        for _ in range(number):
            assert self._count.acquire(timeout=PATIENCE_S)

    def event(self) -> threading.Event:
        """An event that counts who waits for it. Who was counted sees what comes of it, however late it is to wait."""
        count = self._count

        class Counting(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                count.release()
                return super().wait(timeout)

        return Counting()


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    """Counts the threads that wait for a flight."""
    found = Waiting()
    begin = flights._Flight.__init__

    def counted(flight: Any) -> None:
        begin(flight)
        flight.landed = found.event()

    monkeypatch.setattr(flights._Flight, "__init__", counted)
    return found


def test_a_thousand_threads_make_one_refresh(clock: Clock) -> None:
    refresh = Held(Token("a", 9000))
    source = TokenSource(refresh, clock=clock)
    futures = crowd(source.get)
    assert refresh.began.wait(PATIENCE_S)
    refresh.go.set()
    assert results(futures) == ["a"] * 1000
    assert refresh.calls == 1


def test_a_thousand_threads_whose_token_was_refused_make_one_refresh(clock: Clock) -> None:
    refresh = Refresh(Token("a", 9000), Token("b", 9000))
    source = TokenSource(refresh, clock=clock)
    refused = source.get()

    def again() -> str:
        source.invalidate(refused)
        return source.get()

    assert results(crowd(again)) == ["b"] * 1000
    assert refresh.calls == 2


def test_a_failed_refresh_is_seen_by_all_who_wait_and_the_next_call_tries_again(clock: Clock, waiting: Waiting) -> None:
    error = ConnectionError("no route")
    refresh = Held(error, Token("b", 9000))
    source = TokenSource(refresh, clock=clock)
    futures = crowd(source.get, 200)
    waiting.until(199)
    refresh.go.set()
    assert all(found is error for found in results(futures))
    assert refresh.calls == 1
    assert source.get() == "b"


def test_within_the_margin_others_go_on_with_the_old_token_while_one_refreshes(clock: Clock) -> None:
    refresh = Held(Token("a", 2000), Token("b", 3000))
    refresh.go.set()
    source = TokenSource(refresh, clock=clock)
    assert source.get() == "a"
    clock.now = 1980
    refresh.began.clear()
    refresh.go.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(source.get)
        assert refresh.began.wait(PATIENCE_S)
        assert [source.get() for _ in range(5)] == ["a"] * 5
        refresh.go.set()
        assert first.result(PATIENCE_S) == "b"
    assert source.get() == "b"
    assert refresh.calls == 2


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupted_refresh_is_taken_over_by_one_of_those_who_wait(
    clock: Clock, waiting: Waiting, interrupt: type[BaseException]
) -> None:
    refresh = Held(interrupt(), Token("b", 9000))
    source = TokenSource(refresh, clock=clock)
    futures = crowd(source.get, 50)
    waiting.until(49)
    refresh.go.set()
    found = results(futures)
    assert [type(one) for one in found if one != "b"] == [interrupt]
    assert refresh.calls == 2


def test_an_interrupt_before_the_work_leaves_no_flight_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    flight = SingleFlight[str]()
    with monkeypatch.context() as patch:
        patch.setattr(SingleFlight, "_fly", interrupted)
        with pytest.raises(KeyboardInterrupt):
            flight.run(lambda: "a")
    assert not flight.busy
    assert flight.run(lambda: "a") == "a"


def test_the_error_that_many_see_does_not_grow(clock: Clock, waiting: Waiting) -> None:
    error = ConnectionError("no route")
    refresh = Held(error)
    source = TokenSource(refresh, clock=clock)
    futures = crowd(source.get, 100)
    waiting.until(99)
    refresh.go.set()
    results(futures)
    frames, traceback = 0, error.__traceback__
    while traceback:
        frames, traceback = frames + 1, traceback.tb_next
    assert frames < 100
