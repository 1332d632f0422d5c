"""Replies and servers of the loops' tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from eventlive_db.client.calls import Call
from eventlive_db.client.replies import Heartbeat

WEBINAR = UUID("00000000-0000-4000-8000-000000000001")
SESSION = UUID("00000000-0000-4000-8000-000000000002")
OTHER = UUID("00000000-0000-4000-8000-000000000003")
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def beat(
    next_s: float | None = 300.0, state: str = "open", replaced_by: UUID | None = None, poll_s: float | None = None
) -> Heartbeat:
    """The answer to a heartbeat."""
    return Heartbeat(
        state=state,
        next_heartbeat_s=next_s,
        server_time=_NOW,
        settings_version="1",
        fallback_poll_interval_s=poll_s,
        replaced_by=replaced_by,
    )


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a poll."""

    messages: Sequence[str]
    cursor: int
    next_poll_s: float | None = 10.0


def poll(cursor: int) -> Call[Page]:
    """The call for what comes after a cursor."""
    return Call("webinar_messages_poll", {"_after": cursor})


class AsyncServer:
    """Answers each call with the next of its answers, again and again with the last; an exception is raised.

    Args:
        answers: What it answers.
        latency_s: How long it takes, in seconds.
    """

    def __init__(self, *answers: object, latency_s: float = 0.0) -> None:
        self.answers = list(answers)
        self.latency_s = latency_s
        self.at: list[float] = []
        self.requests: list[Call[Any]] = []

    async def call(self, request: Call[Any]) -> Any:
        """One call."""
        self.at.append(asyncio.get_running_loop().time())
        self.requests.append(request)
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class SyncServer:
    """The same for threads; ``before`` is run in each call."""

    def __init__(self, *answers: object, before: Callable[[], object] | None = None) -> None:
        self.answers = list(answers)
        self.requests: list[Call[Any]] = []
        self._before = before
        self._lock = threading.Lock()

    def call(self, request: Call[Any]) -> Any:
        """One call."""
        if self._before is not None:
            self._before()
        with self._lock:
            self.requests.append(request)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer
