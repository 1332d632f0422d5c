"""Tasks that want a token get one, by one refresh at a time; no cancellation reaches another task (R8)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest

from eventlive_db.client.errors import UnauthenticatedError, UnavailableError
from eventlive_db.client.tokens import AsyncTokenSource, Token
from tests.client.tokens.conftest import Clock

Scene = Callable[[], Coroutine[Any, Any, None]]


class Refresh:
    """Gives what it is told, one after the other, when it is let; counts."""

    def __init__(self, *answers: str | Token | BaseException, held: bool = False) -> None:
        self._answers: Iterator[str | Token | BaseException] = iter(answers)
        self.calls = self.cancelled = 0
        self.held = held

    async def __call__(self) -> str | Token:
        self.calls += 1
        try:
            while self.held:
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def play(scene: Scene) -> None:
    """Run a scene in an event loop of its own, and fail where asyncio complains of anything left behind."""
    complaints: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        await scene()
        gc.collect()

    asyncio.run(watched())
    gc.collect()
    assert complaints == []


async def begun(refresh: Refresh, calls: int = 1) -> None:
    """Wait until the refresh is at it, and those that wait have come."""
    while refresh.calls < calls:
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)


def test_an_error_that_nobody_looks_at_is_a_complaint() -> None:
    """The negative control of what plays the scenes."""

    async def fail() -> None:
        raise ConnectionError

    async def scene() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    with pytest.raises(AssertionError, match="never retrieved"):
        play(scene)


def test_a_thousand_tasks_make_one_refresh(clock: Clock) -> None:
    async def scene() -> None:
        refresh = Refresh(Token("a", 9000), held=True)
        source = AsyncTokenSource(refresh, clock=clock)
        tasks = [asyncio.create_task(source.get()) for _ in range(1000)]
        await begun(refresh)
        refresh.held = False
        assert await asyncio.gather(*tasks) == ["a"] * 1000
        assert await source.get() == "a"
        assert refresh.calls == 1

    play(scene)


def test_a_thousand_tasks_whose_token_was_refused_make_one_refresh(clock: Clock) -> None:
    async def scene() -> None:
        refresh = Refresh(Token("a", 9000), Token("b", 9000), Token("c", 9000))
        source = AsyncTokenSource(refresh, clock=clock)
        refused = await source.get()

        async def again() -> str:
            source.invalidate(refused)
            return await source.get()

        assert await asyncio.gather(*(again() for _ in range(1000))) == ["b"] * 1000
        assert refresh.calls == 2

    play(scene)


def test_a_failed_refresh_is_seen_by_all_who_wait_and_the_next_call_tries_again(clock: Clock) -> None:
    async def scene() -> None:
        error = ConnectionError("no route")
        refresh = Refresh(error, Token("b", 9000), held=True)
        source = AsyncTokenSource(refresh, clock=clock)
        tasks = [asyncio.create_task(source.get()) for _ in range(1000)]
        await begun(refresh)
        refresh.held = False
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(one is error for one in found)
        assert refresh.calls == 1
        assert await source.get() == "b"

    play(scene)


@pytest.mark.parametrize("cancelled", [slice(0, 1), slice(1, 2), slice(0, 9)], ids=["first", "second", "all-but-one"])
def test_cancelling_a_caller_cancels_neither_the_refresh_nor_another(clock: Clock, cancelled: slice) -> None:
    async def scene() -> None:
        refresh = Refresh(Token("a", 9000), held=True)
        source = AsyncTokenSource(refresh, clock=clock)
        tasks = [asyncio.create_task(source.get()) for _ in range(10)]
        await begun(refresh)
        gone = tasks[cancelled]
        for task in gone:
            task.cancel()
        await asyncio.wait(gone)
        refresh.held = False
        assert all(task.cancelled() for task in gone)
        assert await asyncio.gather(*(task for task in tasks if task not in gone)) == ["a"] * (10 - len(gone))
        assert (refresh.calls, refresh.cancelled) == (1, 0)

    play(scene)


@pytest.mark.parametrize("answer", [Token("a", 9000), ConnectionError("no route")], ids=["token", "error"])
def test_a_refresh_that_all_have_left_goes_on_and_nobody_complains(clock: Clock, answer: Token | Exception) -> None:
    async def scene() -> None:
        refresh = Refresh(answer, Token("b", 9000), held=True)
        source = AsyncTokenSource(refresh, clock=clock)
        tasks = [asyncio.create_task(source.get()) for _ in range(5)]
        await begun(refresh)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        refresh.held = False
        await begun(refresh)
        assert refresh.cancelled == 0
        assert await source.get() == ("a" if isinstance(answer, Token) else "b")

    play(scene)


def test_a_caller_with_a_time_limit_leaves_and_the_others_stay(clock: Clock) -> None:
    async def scene() -> None:
        refresh = Refresh(Token("a", 9000), held=True)
        source = AsyncTokenSource(refresh, clock=clock)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await source.get()
        other = asyncio.create_task(source.get())
        await begun(refresh)
        refresh.held = False
        assert await other == "a"
        assert refresh.calls == 1

    play(scene)


def test_several_event_loops_one_after_another_share_a_token_and_no_task(clock: Clock) -> None:
    refresh = Refresh(Token("a", 2000), Token("b", 3000), Token("c", 9000))
    source = AsyncTokenSource(refresh, clock=clock)

    async def first() -> None:
        assert await source.get() == "a"

    async def leave() -> None:
        refresh.held = True
        task = asyncio.create_task(source.get())
        await begun(refresh, 2)
        assert not task.done()

    async def last() -> None:
        refresh.held = False
        assert await source.get() == "b"

    play(first)
    play(first)
    assert refresh.calls == 1
    clock.now = 2000
    play(leave)
    assert refresh.cancelled == 1
    play(last)
    assert refresh.calls == 3


def test_a_loop_that_was_closed_with_the_refresh_under_way_is_not_waited_for(clock: Clock) -> None:
    refresh = Refresh(Token("a", 9000), held=True)
    source = AsyncTokenSource(refresh, clock=clock)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    task = loop.create_task(source.get())
    loop.run_until_complete(begun(refresh))
    left = asyncio.all_tasks(loop)
    refresh.held = False
    assert asyncio.run(source.get()) == "a"
    assert refresh.calls == 2
    for one in left:
        one.cancel()
    loop.run_until_complete(asyncio.wait(left))
    assert task.cancelled()
    loop.close()


def test_a_refresh_task_that_is_cancelled_is_taken_over_by_one_of_those_who_wait(clock: Clock) -> None:
    async def scene() -> None:
        refresh = Refresh(Token("a", 9000), held=True)
        source = AsyncTokenSource(refresh, clock=clock)
        tasks = [asyncio.create_task(source.get()) for _ in range(20)]
        await begun(refresh)
        [flight] = asyncio.all_tasks() - set(tasks) - {asyncio.current_task()}
        flight.cancel()
        await begun(refresh, 2)
        refresh.held = False
        assert await asyncio.gather(*tasks) == ["a"] * 20
        assert (refresh.calls, refresh.cancelled) == (2, 1)

    play(scene)


def test_a_refresh_that_cancels_itself_is_an_error_and_no_endless_loop(clock: Clock) -> None:
    async def scene() -> None:
        refresh = Refresh(asyncio.CancelledError(), Token("b", 9000))
        source = AsyncTokenSource(refresh, clock=clock)
        with pytest.raises(UnavailableError, match="cancelled from within"):
            await source.get()
        assert await source.get() == "b"

    play(scene)


def test_a_refresh_that_asks_for_its_own_token_is_an_error_and_no_deadlock(clock: Clock) -> None:
    async def scene() -> None:
        async def refresh() -> str:
            return await source.get()

        source = AsyncTokenSource(refresh, clock=clock)
        with pytest.raises(RuntimeError, match="its own result"):
            await source.get()

    play(scene)


def test_within_the_margin_others_go_on_with_the_old_token_while_one_refreshes(clock: Clock) -> None:
    async def scene() -> None:
        refresh = Refresh(Token("a", 2000), ConnectionError("no route"), Token("b", 9000))
        source = AsyncTokenSource(refresh, margin_s=60, clock=clock)
        await source.get()
        clock.now, refresh.held = 1940, True
        first = asyncio.create_task(source.get())
        await begun(refresh, 2)
        assert [await source.get() for _ in range(5)] == ["a"] * 5
        refresh.held = False
        assert await first == "a"
        clock.now = 1949.9
        assert await source.get() == "a"
        assert refresh.calls == 2
        clock.now = 1950
        assert await source.get() == "b"

    play(scene)


def test_a_new_token_that_has_expired_is_an_error(clock: Clock) -> None:
    async def scene() -> None:
        source = AsyncTokenSource(Refresh(Token("a", 1000), Token("b", 1001)), clock=clock)
        with pytest.raises(UnauthenticatedError):
            await source.get()
        assert await source.get() == "b"

    play(scene)


def test_any_awaitable_will_do(clock: Clock) -> None:
    async def scene() -> None:
        def refresh() -> Awaitable[str]:
            future = asyncio.get_running_loop().create_future()
            future.set_result("opaque")
            return future

        assert await AsyncTokenSource(refresh, clock=clock).get() == "opaque"

    play(scene)
