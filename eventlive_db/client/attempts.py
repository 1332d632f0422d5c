"""A call and its retries, as the two shells make them; what is decided is decided by the resilience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from eventlive_db.client.errors import EventliveError
from eventlive_db.client.resilience import Resilience

Reply = TypeVar("Reply")
Who = TypeVar("Who")


def run(
    who: Callable[[], Who],
    once: Callable[[Who], Reply],
    resilience: Resilience | None,
    *,
    repeatable: bool,
    sleep: Callable[[float], object] = time.sleep,
) -> Reply:
    """Make a call, and again as the resilience says.

    Args:
        who: Finds out who calls, before each try; its failure says nothing about the server.
        once: Makes one try.
        resilience: ``None`` for a single try.
        repeatable: Whether the call may be sent again.
        sleep: Waits so many seconds.
    """
    caller = who()
    if resilience is None:
        return once(caller)
    attempts = resilience.start(repeatable)
    while True:
        try:
            reply = once(caller)
        except EventliveError as error:
            delay_s = attempts.failed(error)
            if delay_s is None:
                raise
        except BaseException:
            attempts.abandoned()
            raise
        else:
            attempts.succeeded()
            return reply
        sleep(delay_s)
        caller = who()
        attempts.again()


async def arun(
    who: Callable[[], Awaitable[Who]],
    once: Callable[[Who], Awaitable[Reply]],
    resilience: Resilience | None,
    *,
    repeatable: bool,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Reply:
    """:func:`run`, awaited."""
    caller = await who()
    if resilience is None:
        return await once(caller)
    attempts = resilience.start(repeatable)
    while True:
        try:
            reply = await once(caller)
        except EventliveError as error:
            delay_s = attempts.failed(error)
            if delay_s is None:
                raise
        except BaseException:
            attempts.abandoned()
            raise
        else:
            attempts.succeeded()
            return reply
        await sleep(delay_s)
        caller = await who()
        attempts.again()
