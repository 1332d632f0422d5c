"""A call and its retries, in the two shells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

Reply = TypeVar("Reply")
Resilience: TypeAlias = Any


def run(
    once: Callable[[], Reply], resilience: Resilience | None, repeatable: bool, sleep: Callable[[float], None]
) -> Reply:
    if resilience is None:
        return once()
    raise NotImplementedError


async def arun(
    once: Callable[[], Awaitable[Reply]],
    resilience: Resilience | None,
    repeatable: bool,
    sleep: Callable[[float], Awaitable[None]],
) -> Reply:
    if resilience is None:
        return await once()
    raise NotImplementedError
