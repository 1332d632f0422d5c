"""What a batcher did, and whom it tells."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from eventlive_db.client.batching.pending import Batch
from eventlive_db.client.errors import EventliveError
from eventlive_db.client.replies import PingMany

_LOG = logging.getLogger(__name__)

OnNotRegistered = Callable[[UUID, tuple[UUID, ...]], None]
"""Told the webinar, and who of it is not registered: the gateway drops them, or has them enter."""

OnError = Callable[[Batch, EventliveError, bool], None]
"""Told the batch, what came of it, and whether it will be tried again; else its pings are lost."""


@dataclass(slots=True)
class Counts:
    """What went in and what came out, since the start.

    Attributes:
        pings: Pings taken in.
        calls: Calls made for them.
        sent: Users in calls that were answered.
        refreshed: Rows that these wrote; the others were inside the throttle.
        not_registered: Users in them who are not registered.
        lost: Users whose ping was dropped after an error.
    """

    pings: int = 0
    calls: int = 0
    sent: int = 0
    refreshed: int = 0
    not_registered: int = 0
    lost: int = 0


class Book:
    """Keeps the counts, and tells whoever wants to know."""

    def __init__(self, on_not_registered: OnNotRegistered | None, on_error: OnError | None) -> None:
        self.counts = Counts()
        self._on_not_registered = on_not_registered
        self._on_error = on_error

    def answered(self, batch: Batch, reply: PingMany) -> None:
        """A batch was answered."""
        self.counts.calls += 1
        self.counts.sent += len(batch.user_ids)
        self.counts.refreshed += reply.refreshed
        self.counts.not_registered += len(reply.not_registered)
        if reply.not_registered and self._on_not_registered is not None:
            self._on_not_registered(batch.webinar_id, reply.not_registered)

    def failed(self, batch: Batch, error: EventliveError, again: bool) -> None:
        """A batch failed."""
        self.counts.calls += 1
        if not again:
            self.counts.lost += len(batch.user_ids)
        if self._on_error is not None:
            self._on_error(batch, error, again)
        elif not again:
            _LOG.warning("pings of webinar %s were dropped: %s", batch.webinar_id, error)
