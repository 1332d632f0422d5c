"""Tasks that begin together and end together, also where a cancellation is lost, and a scenario that is never over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from eventlive_db.errors import AdvisedError

Found = TypeVar("Found")
AGAIN_S = 1.0
"""So long a task that was cancelled has for what it does in the end, before it is cancelled again."""
TRIES = 5
"""So often, where there has to be an end."""
_NAMED = 8


class OverdueError(AdvisedError):
    """A scenario was not over long after it should have been."""

    token = "overdue"


async def send_home(tasks: Iterable[asyncio.Future[Any]], tries: int | None = None) -> None:
    """Cancel tasks until they are over; what they raise is not told.

    Once is not enough: before Python 3.12 ``asyncio.wait_for``, by which a pool hands out its connections, forgets a
    cancellation that comes as what it waits for is there. Whoever cancels this meanwhile is heard at the end of it.

    Args:
        tasks: Which.
        tries: How often to cancel those that go on; None: until none does.

    Raises:
        asyncio.CancelledError: This was cancelled meanwhile.
    """
    everybody = list(tasks)
    pending = {task for task in everybody if not task.done()}
    cancelled: asyncio.CancelledError | None = None
    while pending and tries != 0:
        tries = None if tries is None else tries - 1
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=AGAIN_S)
        except asyncio.CancelledError as error:
            cancelled = error
        pending = {task for task in pending if not task.done()}
    for task in everybody:
        if task.done() and not task.cancelled():
            task.exception()  # or asyncio would tell that nobody has asked for it
    if cancelled is not None:
        raise cancelled


async def together(people: Iterable[Coroutine[Any, Any, object]]) -> list[Any]:
    """Have all of them come; the first who breaks sends the others home, and is raised."""
    tasks = [asyncio.create_task(one) for one in people]
    if not tasks:
        return []
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        return [task.result() for task in tasks]
    finally:
        await send_home(tasks)


async def beside(work: Awaitable[Any], *others: Coroutine[Any, Any, object]) -> Any:
    """Do something while others go on; they end with it, and one that breaks breaks it."""
    tasks = [asyncio.create_task(other) for other in others]
    main = asyncio.ensure_future(work)
    everybody = [main, *tasks]
    try:
        while not main.done():
            done, _ = await asyncio.wait([main, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task is not main:
                    task.result()
            tasks = [task for task in tasks if not task.done()]
        return main.result()
    finally:
        await send_home(everybody)


async def in_time(work: Coroutine[Any, Any, Found], left_s: Callable[[], float]) -> Found:
    """Do something, but not for ever; tasks that it leaves behind are sent home.

    Args:
        work: What to do.
        left_s: How much longer it may go on, in seconds; asked again once so much time has passed.

    Raises:
        OverdueError: It was not over by then; says which tasks went on.
    """
    before = asyncio.all_tasks()
    main = asyncio.create_task(work)
    try:
        while not main.done() and (seconds := left_s()) > 0:
            await asyncio.wait([main], timeout=seconds)
        if main.done():
            return main.result()
        msg = f"the scenario should have been over; still running: {_names(asyncio.all_tasks() - before)}"
        raise OverdueError(msg, "Give it fewer --viewers or a lower --speed; if that is no help, something hangs")
    finally:
        await send_home(asyncio.all_tasks() - before, TRIES)


def _names(tasks: Iterable[asyncio.Task[Any]]) -> str:
    """What the tasks are, and how many of each."""
    counts = Counter(getattr(task.get_coro(), "__name__", "?").strip("_") for task in tasks)
    more = len(counts) - _NAMED
    told = [f"{number:,} {name}" for name, number in counts.most_common(_NAMED)]
    return ", ".join([*told, f"{more} other kinds"] if more > 0 else told)


def run_loop(main: Coroutine[Any, Any, Found]) -> Found:
    """What ``asyncio.run`` does, but that a task which cannot be cancelled does not keep it for ever."""
    loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(main)
    finally:
        try:
            with suppress(asyncio.CancelledError):  # those who go send home whoever came after them: this task too
                loop.run_until_complete(send_home(asyncio.all_tasks(loop), TRIES))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
