"""The pings that wait to be sent, without a clock, a thread or a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from eventlive_db.client.errors import EventliveError
from eventlive_db.client.resilience.backoff import Backoff, usual_random

BATCH_SIZE = 500
MAX_WAIT_S = 1.0
MAX_PENDING = 100_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Users of one webinar whose pings go in one call."""

    webinar_id: UUID
    user_ids: tuple[UUID, ...]


@dataclass(slots=True)
class _Webinar:
    """What waits for one webinar.

    Attributes:
        users: In the order they came; a user is in it once.
        since: When the first of them came.
        not_before: After a failure: when to try again.
        failures: Failures in a row.
    """

    since: float
    users: dict[UUID, None] = field(default_factory=dict)
    not_before: float = 0.0
    failures: int = 0


class Pending:
    """Pings on their way into batches: one for each user, however often the user pinged.

    A batch that was taken counts as pending until :meth:`sent` or :meth:`failed` says what came of it, so there is
    always room to put it back.

    Args:
        batch_size: Users in one call, at most; not more than the setting ``ping_batch_max``.
        max_wait_s: How long the first ping of a batch waits for others, in seconds.
        max_pending: Users that may wait, of all webinars together.
        backoff: How long a webinar waits after a failure; up to a second at first, up to a minute at last.
        random: Gives numbers from 0 up to 1.

    Raises:
        ValueError: A number makes no sense.
    """

    def __init__(
        self,
        *,
        batch_size: int = BATCH_SIZE,
        max_wait_s: float = MAX_WAIT_S,
        max_pending: int = MAX_PENDING,
        backoff: Backoff | None = None,
        random: Callable[[], float] = usual_random,
    ) -> None:
        if not (batch_size >= 1 and max_wait_s >= 0 and max_pending >= batch_size):
            msg = "needs batch_size >= 1, max_wait_s >= 0 and max_pending >= batch_size,"
            msg += f" not {batch_size}, {max_wait_s} and {max_pending}"
            raise ValueError(msg)
        self._batch_size = batch_size
        self._max_wait_s = max_wait_s
        self._max_pending = max_pending
        self._backoff = backoff or Backoff(base_s=1.0, cap_s=60.0)
        self._random = random
        self._webinars: dict[UUID, _Webinar] = {}
        self._size = 0

    def __len__(self) -> int:
        """Users who wait or are being sent."""
        return self._size

    def offer(self, webinar_id: UUID, user_id: UUID, now: float) -> bool:
        """Take in a ping; ``False`` where there is no room for another user."""
        webinar = self._webinars.get(webinar_id)
        if webinar is not None and user_id in webinar.users:
            return True
        if self._size >= self._max_pending:
            return False
        if webinar is None:
            webinar = self._webinars[webinar_id] = _Webinar(now)
        elif not webinar.users:
            webinar.since = now
        webinar.users[user_id] = None
        self._size += 1
        return True

    def due_at(self, *, closing: bool = False) -> float | None:
        """When the next batch is to be sent; ``None`` where nothing waits.

        Args:
            closing: Whether nothing waits for others any more.
        """
        return min((at for at, _ in self._waiting(closing)), default=None)

    def due(self, webinar_id: UUID) -> float:
        """When the next batch of a webinar for which somebody waits is to be sent."""
        webinar = self._webinars[webinar_id]
        return self._due(webinar, at_once=False)

    def _due(self, webinar: _Webinar, *, at_once: bool) -> float:
        at_once = at_once or len(webinar.users) >= self._batch_size
        return max(webinar.not_before, webinar.since + (0 if at_once else self._max_wait_s))

    def take(self, now: float, *, closing: bool = False) -> Batch | None:
        """The batch that is due, of the webinar that has waited longest.

        Args:
            now: The time.
            closing: Whether nothing waits for others any more.
        """
        due_at, webinar_id = min(self._waiting(closing), default=(now, None))
        if webinar_id is None or due_at > now:
            return None
        webinar = self._webinars[webinar_id]
        users = tuple(islice(webinar.users, self._batch_size))
        for user_id in users:
            del webinar.users[user_id]
        return Batch(webinar_id, users)

    def _waiting(self, closing: bool) -> Iterator[tuple[float, UUID]]:
        """When each webinar for which somebody waits is due."""
        for webinar_id, webinar in self._webinars.items():
            if webinar.users:
                yield self._due(webinar, at_once=closing), webinar_id

    def sent(self, batch: Batch) -> None:
        """The batch was answered."""
        self._size -= len(batch.user_ids)
        webinar = self._webinars[batch.webinar_id]
        webinar.failures, webinar.not_before = 0, 0.0
        if not webinar.users:
            del self._webinars[batch.webinar_id]

    def failed(self, batch: Batch, error: EventliveError, now: float) -> bool:
        """The batch failed.

        Returns:
            Whether its pings wait for the next try; else they are dropped, for no try can help.
        """
        if not error.retry:
            self.sent(batch)
            return False
        webinar = self._webinars[batch.webinar_id]
        again = dict.fromkeys(batch.user_ids)
        self._size -= sum(user_id in webinar.users for user_id in again)
        webinar.users = again | webinar.users
        webinar.failures += 1
        webinar.since = now
        webinar.not_before = now + self._backoff.delay_s(webinar.failures, self._random, error.retry_after_s)
        return True
