"""How the front door answered: what is counted of its log for ``answers``, by kind and by what was called."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum

from eventlive_db.client.contract import FUNCTIONS
from eventlive_db.logs import LogEvent, is_named, rpc
from eventlive_db.verify import known
from eventlive_db.verify.rates import Offences, Rate

POLL = "webinar_messages_poll"
OTHER_FUNCTIONS = "other functions"
TABLES = "tables and views"


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
    if status == 404 and is_named(event):
        return Bad.NOT_FOUND
    return Bad.UNAUTHORIZED if status == 401 else None


def is_call(event: LogEvent) -> bool:
    """A request for a function, table or view; a browser's question whether it may make one is none."""
    return is_named(event) and (event.method or "").upper() != "OPTIONS"


def is_success(event: LogEvent) -> bool:
    """What was asked for was done. A redirection is no success: PostgREST has none."""
    return 200 <= (event.status or 0) < 300


def is_expected(event: LogEvent) -> bool:
    """A refusal by which the product works: a webinar or session that is over, a second login, a name that is taken."""
    if event.status == 410:
        return rpc(event) in FUNCTIONS
    return event.status == 409 and not known.is_duplicate_409(event)


@dataclass(slots=True)
class Calls:
    """Calls of one function.

    Attributes:
        tried: All of them, but for refusals by which the product works.
        expected: Those refusals.
        well: Those that succeeded.
        refused: Those of the window that were tried and did not succeed.
    """

    tried: Rate = field(default_factory=Rate)
    expected: Rate = field(default_factory=Rate)
    well: Rate = field(default_factory=Rate)
    refused: Offences = field(default_factory=Offences)

    def add(self, event: LogEvent, expected: bool, inside: bool) -> None:
        """Count one."""
        if expected:
            self.expected.add(event.at)
            return
        self.tried.add(event.at)
        if is_success(event):
            self.well.add(event.at)
        elif inside:
            self.refused.add(event)


@dataclass(slots=True)
class Answers:
    """The answers in the logs of one source: all of them at any time, and the bad ones of the window."""

    every: Rate = field(default_factory=Rate)
    rates: defaultdict[Bad, Rate] = field(default_factory=lambda: defaultdict(Rate))
    offences: defaultdict[Bad, Offences] = field(default_factory=lambda: defaultdict(Offences))
    all_calls: Calls = field(default_factory=Calls)
    calls: defaultdict[str, Calls] = field(default_factory=lambda: defaultdict(Calls))

    @property
    def successes(self) -> int:
        """Calls that succeeded, at any time: a log without any may be one that leaves them out."""
        return self.all_calls.well.total

    def add(self, event: LogEvent, inside: bool) -> None:
        """Count an answer."""
        kind = bad(event)
        if kind:
            self.rates[kind].add(event.at)
            if inside:
                self.offences[kind].add(event)
        if not is_call(event):
            if kind:
                self.every.add(event.at)
            return
        self.every.add(event.at)
        name = _name(event)
        if name == POLL and event.status == 429:
            # Polling is switched off: neither well nor ill.
            return
        expected = is_expected(event)
        self.all_calls.add(event, expected, inside)
        self.calls[name].add(event, expected, inside)


def _name(event: LogEvent) -> str:
    """A few names, whatever is called."""
    function = rpc(event)
    if function is None:
        return TABLES
    return function if function in FUNCTIONS else OTHER_FUNCTIONS
