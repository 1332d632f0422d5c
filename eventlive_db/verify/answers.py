"""How the front door answered, by kind: what is counted of its log for ``answers``."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum

from eventlive_db.logs import LogEvent
from eventlive_db.verify import known
from eventlive_db.verify.rates import Offences, Rate


class Bad(Enum):
    """A kind of answer that should be rare; the value names the check."""

    SERVER_ERROR = "HTTP 5xx"
    NOT_FOUND = "HTTP 404"
    UNAUTHORIZED = "HTTP 401"


def bad(event: LogEvent) -> Bad | None:
    """Which kind an answer is of; ``None`` for all others."""
    status = event.status or 0
    if status >= 500:
        return Bad.SERVER_ERROR
    if status == 404 and known.is_named(event):
        return Bad.NOT_FOUND
    return Bad.UNAUTHORIZED if status == 401 else None


@dataclass(slots=True)
class Answers:
    """The answers in the logs of one source: all of them at any time, and the bad ones of the window."""

    every: Rate = field(default_factory=Rate)
    rates: defaultdict[Bad, Rate] = field(default_factory=lambda: defaultdict(Rate))
    offences: defaultdict[Bad, Offences] = field(default_factory=lambda: defaultdict(Offences))
    successes: int = 0

    def add(self, event: LogEvent, inside: bool) -> None:
        """Count an answer."""
        self.every.add(event.at)
        self.successes += (event.status or 0) < 400
        if kind := bad(event):
            self.rates[kind].add(event.at)
            if inside:
                self.offences[kind].add(event)
