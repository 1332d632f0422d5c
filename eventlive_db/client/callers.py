"""What the loops and batchers need: somebody who makes calls, as one user. Every client of this package gives one."""

from __future__ import annotations

from typing import Protocol, TypeVar

from eventlive_db.client.calls import Call

Reply = TypeVar("Reply")


class Caller(Protocol):
    """Makes calls, and waits for each."""

    def call(self, request: Call[Reply]) -> Reply:
        """Make one call.

        Raises:
            EventliveError: It failed; see :mod:`eventlive_db.client.errors`.
        """
        ...


class AsyncCaller(Protocol):
    """Makes calls, awaited."""

    async def call(self, request: Call[Reply]) -> Reply:
        """Make one call.

        Raises:
            EventliveError: It failed; see :mod:`eventlive_db.client.errors`.
        """
        ...
