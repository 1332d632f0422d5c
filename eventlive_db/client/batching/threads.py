"""The batcher for programs without asyncio: one thread sends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from eventlive_db.client import rpc
from eventlive_db.client.batching.counts import Book, Counts, OnError, OnNotRegistered
from eventlive_db.client.batching.pending import Batch, Pending
from eventlive_db.client.callers import Caller
from eventlive_db.client.errors import EventliveError, UnavailableError


class PingBatcher:
    """:class:`~eventlive_db.client.batching.aio.AsyncPingBatcher` for threads; ``with``, or :meth:`close` it.

    Args:
        caller: Makes the calls; as ``service_role``.
        on_not_registered: Told who is not registered; by the thread that sends, as ``on_error`` is.
        on_error: Told of each batch that failed.
        clock: Seconds that only go forward.
        pending: Sizes and times: see :class:`~eventlive_db.client.batching.pending.Pending`.
    """

    def __init__(
        self,
        caller: Caller,
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
        self._changed = threading.Condition()
        self._closing = False
        self._asleep_until: float | None = None
        self._given_up = False
        self._broken: BaseException | None = None
        self._worker: threading.Thread | None = None

    @property
    def counts(self) -> Counts:
        """What it did so far."""
        return self._book.counts

    def __len__(self) -> int:
        """Users whose ping waits or is being sent."""
        return len(self._pending)

    def ping(self, webinar_id: UUID, user_id: UUID, timeout_s: float | None = None) -> bool:
        """Take in a ping; waits while there is no room.

        Args:
            webinar_id: The webinar.
            user_id: The user.
            timeout_s: How long to wait; ``None`` for as long as it takes, 0 for not at all.

        Returns:
            Whether there was room in time; else the user's next one will do.

        Raises:
            RuntimeError: The batcher is closed, or broke: its cause is the error of a callback.
        """
        with self._changed:
            taken = self._changed.wait_for(lambda: self._offer(webinar_id, user_id), timeout_s)
            if taken:
                self._book.counts.pings += 1
                # Looking at every webinar for each ping would cost more than sending it.
                if self._asleep_until is None or self._pending.due(webinar_id) < self._asleep_until:
                    self._changed.notify_all()
            return taken

    def _offer(self, webinar_id: UUID, user_id: UUID) -> bool:
        if self._broken is not None:
            msg = "the batcher has broken"
            raise RuntimeError(msg) from self._broken
        if self._closing:
            msg = "the batcher is closed"
            raise RuntimeError(msg)
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="eventlive-pings", daemon=True)
            self._worker.start()
        return self._pending.offer(webinar_id, user_id, self._clock())

    def close(self, timeout_s: float = 10.0) -> None:
        """Send what waits, and end.

        Args:
            timeout_s: How long to try.

        Raises:
            UnavailableError: Pings are left that could not be sent in time; they are lost.
            RuntimeError: The batcher broke before: its cause is the error of a callback.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._worker is None:
            return
        self._worker.join(timeout_s)
        with self._changed:
            self._given_up = True
            self._changed.notify_all()
            left = len(self._pending)
        if self._broken is not None:
            msg = "the batcher has broken"
            raise RuntimeError(msg) from self._broken
        if left:
            message = f"{left} pings could not be sent in time"
            raise UnavailableError(None, "pings_lost", {"pings": left}, message)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _work(self) -> None:
        try:
            while (batch := self._next()) is not None:
                self._send(batch)
        except BaseException as error:  # for whoever pings or closes next
            with self._changed:
                self._broken = error
                self._changed.notify_all()

    def _next(self) -> Batch | None:
        """Wait for the next batch; ``None`` at the end."""
        with self._changed:
            while not self._given_up and (len(self._pending) or not self._closing):
                batch = self._pending.take(self._clock(), closing=self._closing)
                if batch is not None:
                    return batch
                due_at = self._asleep_until = self._pending.due_at(closing=self._closing)
                self._changed.wait(None if due_at is None else max(due_at - self._clock(), 0.0))
            return None

    def _send(self, batch: Batch) -> None:
        try:
            reply = self._caller.call(rpc.webinar_presence_ping_many(batch.webinar_id, batch.user_ids))
        except EventliveError as error:
            with self._changed:
                again = self._pending.failed(batch, error, self._clock())
                self._changed.notify_all()
            self._book.failed(batch, error, again)
        else:
            with self._changed:
                self._pending.sent(batch)
                self._changed.notify_all()
            self._book.answered(batch, reply)
