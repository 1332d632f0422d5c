"""A call and its retries, as the two shells make them; what is decided is decided by the resilience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from eventlive_db.client.cancelling import cancellations, end_if_cancelled
from eventlive_db.client.errors import CircuitOpenError, EventliveError
from eventlive_db.client.resilience import Attempts, Resilience

Reply = TypeVar("Reply")
Who = TypeVar("Who")


def run(
    who: Callable[[], Who],
    once: Callable[[Who], Reply],
    resilience: Resilience,
    *,
    repeatable: bool,
    sleep: Callable[[float], object] = time.sleep,
) -> Reply:
    """Make a call, and again as the resilience says.

    Args:
        who: Finds out who calls, before each try; its failure says nothing about the server.
        once: Makes one try.
        resilience: Decides whether, when and how often.
        repeatable: Whether the call may be sent again.
        sleep: Waits so many seconds.
    """
    caller = who()
    attempts = resilience.start(repeatable)
    maybe_done = False
    while True:
        try:
            reply = once(caller)
        except EventliveError as error:
            # Whatever comes of this try, an earlier one may have been done.
            maybe_done = error.maybe_done = error.maybe_done or maybe_done
            delay_s = attempts.failed(error)
            if delay_s is None:
                raise
            failure = error
        except BaseException:
            attempts.abandoned()
            raise
        else:
            attempts.succeeded()
            return reply
        sleep(delay_s)
        caller = who()
        _again(attempts, failure)


async def arun(
    who: Callable[[], Awaitable[Who]],
    once: Callable[[Who], Awaitable[Reply]],
    resilience: Resilience,
    *,
    repeatable: bool,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Reply:
    """:func:`run`, awaited; a cancellation is passed on, also where what is awaited loses it."""
    before = cancellations()
    caller = await who()
    end_if_cancelled(before)
    attempts = resilience.start(repeatable)
    maybe_done = False
    while True:
        try:
            reply = await once(caller)
        except EventliveError as error:
            # Whatever comes of this try, an earlier one may have been done.
            maybe_done = error.maybe_done = error.maybe_done or maybe_done
            delay_s = attempts.failed(error)
            end_if_cancelled(before)
            if delay_s is None:
                raise
            failure = error
        except BaseException:
            attempts.abandoned()
            raise
        else:
            attempts.succeeded()
            end_if_cancelled(before)
            return reply
        await sleep(delay_s)
        caller = await who()
        end_if_cancelled(before)
        _again(attempts, failure)


def _again(attempts: Attempts, failure: EventliveError) -> None:
    """Begin the next try; where the breaker has opened meanwhile, what failed is what the caller is told."""
    try:
        attempts.again()
    except CircuitOpenError:
        raise failure from None
