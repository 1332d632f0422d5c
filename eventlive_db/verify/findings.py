"""What the log lines add up to, whatever their number: each event is counted once and let go."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from eventlive_db.logs import LogEvent, is_auth, is_rest
from eventlive_db.verify import known
from eventlive_db.verify.answers import Answers, is_success
from eventlive_db.verify.logbook import Logbook
from eventlive_db.verify.rates import Offences, Rate


@dataclass(slots=True)
class AuthCalls:
    """Calls to ``/user`` as one source logs them: before the window, and in it with how long they took."""

    rate: Rate = field(default_factory=Rate)
    requests: Rate = field(default_factory=Rate)
    durations_s: array[float] = field(default_factory=lambda: array("d"))
    slowest: LogEvent | None = None

    def add(self, event: LogEvent, inside: bool) -> None:
        """Count a call."""
        self.rate.add(event.at)
        if inside and event.duration_s is not None:
            self.durations_s.append(event.duration_s)
            if self.slowest is None or event.duration_s > (self.slowest.duration_s or 0):
                self.slowest = event


@dataclass(slots=True)
class Findings:
    """Everything that the checks of logs need.

    Args:
        since: What was before it counts for nothing but comparison.
        until: What is after it counts for nothing; ``None`` for no end.
        ignored_applications: Errors of these ``application_name`` are left out: somebody at a prompt.
    """

    since: datetime
    until: datetime | None = None
    ignored_applications: Collection[str] = ()
    book: Logbook = field(default_factory=Logbook)
    missing: Offences = field(default_factory=Offences)
    bad_requests: defaultdict[str, Offences] = field(default_factory=lambda: defaultdict(Offences))
    causes_of_400: Rate = field(default_factory=Rate)
    incident: Offences = field(default_factory=Offences)
    duplicates: Offences = field(default_factory=Offences)
    http_duplicates: Offences = field(default_factory=Offences)
    reused_tokens: Offences = field(default_factory=Offences)
    hot: Rate = field(default_factory=Rate)
    front: defaultdict[str, Answers] = field(default_factory=lambda: defaultdict(Answers))
    answers: int = 0
    successes: int = 0
    auth: defaultdict[str, AuthCalls] = field(default_factory=lambda: defaultdict(AuthCalls))
    ignored: int = 0

    def add(self, event: LogEvent) -> None:
        """Count one line."""
        self.book.open(event.file).add(event)
        inside = self.since <= event.at and (self.until is None or event.at <= self.until)
        if is_auth(event):
            calls = self.auth[event.source]
            calls.requests.add(event.at)
            if known.is_user_call(event):
                calls.add(event, inside)
        if event.status is not None and is_rest(event):
            # Wherever they are in the log: they show what it is set to log.
            self.answers += event.status < 500
            self.successes += is_success(event)
            self.front[event.source].add(event, inside)
        if known.is_cause_of_400(event) and event.application not in self.ignored_applications:
            # At the edges of the window too: two logs do not have one clock.
            self.causes_of_400.add(event.at)
        if not inside:
            return
        if event.source == "postgres":
            self._add_error(event)
        else:
            self._add_request(event)

    def _add_error(self, event: LogEvent) -> None:
        code = known.sqlstate(event)
        if code not in known.MISSING and code != known.UNIQUE_VIOLATION:
            return
        if event.application in self.ignored_applications:
            self.ignored += 1
        elif code in known.MISSING:
            self.missing.add(event)
        else:
            # The name is in the message in whatever language that is.
            (self.incident if known.INCIDENT in event.message else self.duplicates).add(event)

    def _add_request(self, event: LogEvent) -> None:
        if known.is_hot(event):
            self.hot.add(event.at)
        if event.status == 400 and is_rest(event):
            self.bad_requests[event.source].add(event)
        elif known.is_duplicate_409(event):
            self.http_duplicates.add(event)
        if known.is_reused_token(event):
            self.reused_tokens.add(event)
