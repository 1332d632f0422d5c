"""Heartbeats at a set pace, each a write, and registrations, each of which writes to the visit log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from uuid import UUID, uuid4

from eventlive_db.client import Client, Identity, rpc

BEAT, REGISTER = "heartbeat", "registration"
_THREADS = 4
REGISTRATIONS_PER_S = 20.0


@dataclass(frozen=True, slots=True)
class Done:
    """A call that has been answered.

    Attributes:
        what: ``heartbeat`` or ``registration``.
        at: When, in seconds of ``time.monotonic``.
        took: Seconds from the moment at which it was due: waiting for the one before it counts.
    """

    what: str
    at: float
    took: float


class Viewers:
    """Who watches while the jobs run.

    Args:
        dsn: How to connect; a connection each for a few threads.
        beats_per_s: Heartbeats to send a second.
        sessions: Sessions to send them for.
    """

    def __init__(self, dsn: str, beats_per_s: float, sessions: int) -> None:
        self._dsn, self._rate = dsn, beats_per_s
        self._done: list[Done] = []
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        with Client(dsn) as client:
            service = client.as_service()
            self.webinar_id = service.call(rpc.webinar_create(f"year-{uuid4()}")).webinar_id
            service.call(rpc.webinar_set_status(self.webinar_id, "live"))
            self._watching = [(Identity.user(uuid4()), uuid4()) for _ in range(sessions)]
            for identity, session_id in self._watching:
                client.as_user(identity).call(rpc.webinar_enter(self.webinar_id, session_id))

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Send for as long as the block goes.

        Raises:
            psycopg.Error, RpcError: A call failed.
        """
        threads = [
            threading.Thread(target=self._send, args=(BEAT, self._rate / _THREADS, self._watching[part::_THREADS]))
            for part in range(_THREADS)
        ]
        threads.append(threading.Thread(target=self._send, args=(REGISTER, REGISTRATIONS_PER_S, [])))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        self.check()

    def check(self) -> None:
        """Raise what ended a thread."""
        if self._failed:
            raise self._failed[0]

    def between(self, since: float, until: float) -> list[Done]:
        """The calls that were answered then."""
        return [done for done in list(self._done) if since <= done.at < until]

    def forget(self) -> None:
        """Forget what has been answered."""
        self._done = []

    def _send(self, what: str, rate: float, watching: list[tuple[Identity, UUID]]) -> None:
        chance = Random(len(watching))  # noqa: S311  # whose turn it is
        try:
            with Client(self._dsn) as client:
                calls: dict[str, Callable[[], object]] = {
                    BEAT: lambda: self._beat(client, *chance.choice(watching)),
                    REGISTER: lambda: client.as_user(Identity.user(uuid4())).call(
                        rpc.webinar_register(self.webinar_id)
                    ),
                }
                due = time.monotonic() + chance.random() / rate
                while not self._stop.wait(max(0.0, due - time.monotonic())):
                    calls[what]()
                    now = time.monotonic()
                    self._done.append(Done(what, now, now - due))
                    # What was missed is not made up for: it would hide that it was missed.
                    due = max(due + 1 / rate, now)
        except BaseException as error:  # raised by check()
            self._failed.append(error)

    def _beat(self, client: Client, identity: Identity, session_id: UUID) -> None:
        client.as_user(identity).call(rpc.webinar_session_heartbeat(self.webinar_id, session_id))

    def _register(self, client: Client) -> None:
        client.as_user(Identity.user(uuid4())).call(rpc.webinar_register(self.webinar_id))
