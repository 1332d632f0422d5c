"""The batcher under asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from eventlive_db.client import rpc
from eventlive_db.client.batching.counts import Book, Counts, OnError, OnNotRegistered
from eventlive_db.client.batching.pending import Batch, Pending
from eventlive_db.client.callers import AsyncCaller
from eventlive_db.client.cancelling import cancellations, end_if_cancelled
from eventlive_db.client.errors import EventliveError, UnavailableError


class AsyncPingBatcher:
    """Sends the pings of a gateway's users in batches, one statement each; ``async with``, or :meth:`close` it.

    A ping that waits is coalesced with the user's next ones. Memory is bounded: when ``max_pending`` users wait, pings
    wait too. A batch that fails is kept and tried again where that can help.

    Args:
        caller: Makes the calls; as ``service_role``.
        on_not_registered: Told who is not registered.
        on_error: Told of each batch that failed.
        clock: Seconds that only go forward.
        pending: Sizes and times: see :class:`~eventlive_db.client.batching.pending.Pending`.
    """

    def __init__(
        self,
        caller: AsyncCaller,
        *,
        on_not_registered: OnNotRegistered | None = None,
        on_error: OnError | None = None,
        clock: Callable[[], float] = time.monotonic,
        **pending: Any,
    ) -> None:
        self._caller = caller
        self._clock = clock
        self._pending = Pending(**pending)
        self._book = Book(on_not_registered, on_error)
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._closing = False
        self._asleep_until: float | None = None
        self._worker: asyncio.Task[None] | None = None

    @property
    def counts(self) -> Counts:
        """What it did so far."""
        return self._book.counts

    def __len__(self) -> int:
        """Users whose ping waits or is being sent."""
        return len(self._pending)

    async def ping(self, webinar_id: UUID, user_id: UUID) -> None:
        """Take in a ping; waits while there is no room.

        Raises:
            RuntimeError: The batcher is closed.
        """
        while not self.ping_nowait(webinar_id, user_id):
            self._room.clear()
            await self._room.wait()

    def ping_nowait(self, webinar_id: UUID, user_id: UUID) -> bool:
        """Take in a ping; ``False`` where there is no room: the user's next one will do.

        Raises:
            RuntimeError: The batcher is closed.
        """
        if self._closing:
            msg = "the batcher is closed"
            raise RuntimeError(msg)
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work())
        elif self._worker.done():
            self._worker.result()  # it ends before its time only by an error, such as a callback's
        taken = self._pending.offer(webinar_id, user_id, self._clock())
        if taken:
            self._book.counts.pings += 1
            # Looking at every webinar for each ping would cost more than sending it.
            if self._asleep_until is None or self._pending.due(webinar_id) < self._asleep_until:
                self._changed.set()
        return taken

    async def close(self, timeout_s: float = 10.0) -> None:
        """Send what waits, and end.

        Args:
            timeout_s: How long to try.

        Raises:
            UnavailableError: Pings are left that could not be sent in time; they are lost.
        """
        self._closing = True
        self._changed.set()
        self._room.set()
        if self._worker is not None:
            await asyncio.wait({self._worker}, timeout=timeout_s)
            self._worker.cancel()
            await asyncio.wait({self._worker})
            if self._worker.cancelled():
                message = f"{len(self._pending)} pings could not be sent in time"
                raise UnavailableError(None, "pings_lost", {"pings": len(self._pending)}, message)
            self._worker.result()  # the error of a callback

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()

    async def _work(self) -> None:
        before = cancellations()
        try:
            while len(self._pending) or not self._closing:
                end_if_cancelled(before)
                self._changed.clear()
                batch = self._pending.take(self._clock(), closing=self._closing)
                if batch is not None:
                    await self._send(batch)
                else:
                    await self._wait()
        finally:
            self._room.set()

    async def _wait(self) -> None:
        """Wait for a ping, or until the next batch is due."""
        due_at = self._asleep_until = self._pending.due_at(closing=self._closing)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if due_at is None else max(due_at - self._clock(), 0.0)):
                await self._changed.wait()

    async def _send(self, batch: Batch) -> None:
        try:
            reply = await self._caller.call(rpc.webinar_presence_ping_many(batch.webinar_id, batch.user_ids))
        except EventliveError as error:
            self._book.failed(batch, error, self._pending.failed(batch, error, self._clock()))
        else:
            self._pending.sent(batch)
            self._book.answered(batch, reply)
        self._room.set()
