"""What was read of the logs: how far each reaches, and whether a clean one proves anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from eventlive_db.logs import LogEvent
from eventlive_db.verify.model import LogSummary
from eventlive_db.verify.rates import Window
from eventlive_db.verify.thresholds import Thresholds
from eventlive_db.verify.times import lasting, said


@dataclass(slots=True)
class Span:
    """The events of one source in one file."""

    events: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    def add(self, at: datetime) -> None:
        """Count one."""
        self.events += 1
        self.first_at = at if self.first_at is None else min(at, self.first_at)
        self.last_at = at if self.last_at is None else max(at, self.last_at)


@dataclass(slots=True)
class LogFile:
    """One file: spans by source, how many lines could not be read, and why no more of it could be."""

    name: str
    spans: dict[str, Span] = field(default_factory=dict)
    unparsed: int = 0
    problem: str | None = None

    def add(self, event: LogEvent) -> None:
        """Count one."""
        if (span := self.spans.get(event.source)) is None:
            span = self.spans[event.source] = Span()
        span.add(event.at)

    def summary(self) -> LogSummary:
        """For the report."""
        spans = self.spans.values()
        return LogSummary(
            self.name,
            tuple(sorted(self.spans)),
            sum(span.events for span in spans),
            self.unparsed,
            min((span.first_at for span in spans if span.first_at), default=None),
            max((span.last_at for span in spans if span.last_at), default=None),
        )


@dataclass(slots=True)
class Logbook:
    """All files that were given."""

    files: dict[str, LogFile] = field(default_factory=dict)

    def open(self, name: str) -> LogFile:
        """The file of this name."""
        return self.files.setdefault(name, LogFile(name))

    def has(self, *sources: str) -> bool:
        """Whether there is an event of one of these sources."""
        return any(source in file.spans for file in self.files.values() for source in sources)

    def begins(self, sources: Collection[str]) -> datetime | None:
        """The first event of these sources."""
        spans = [span for _, span in self._spans(sources)]
        return min((span.first_at for span in spans if span.first_at), default=None)

    def is_ahead(self, sources: Collection[str], now: datetime, limits: Thresholds) -> str | None:
        """What is wrong with a log from the future: by its clock, nobody knows what happened when."""
        for file, span in self._spans(sources):
            if span.last_at and span.last_at > now + limits.clock_skew:
                ahead = lasting((span.last_at - now).total_seconds())
                return f"{file.name} is {ahead} ahead of this clock: another time zone, or a wrong clock"
        return None

    def doubts(self, sources: Collection[str], window: Window, limits: Thresholds) -> list[str]:
        """Why finding nothing in these logs proves nothing; empty where it does.

        Args:
            sources: Of the logs that were looked at.
            window: What is judged.
            limits: What is taken for silence, and how many lines may be unreadable.
        """
        found, silence = list(self._unreadable(sources, limits)), limits.silence_in(window)
        spans = sorted(
            ((span.first_at, span.last_at, file.name) for file, span in self._spans(sources)),
            key=lambda one: (str(one[0]), str(one[1])),
        )
        known = [(first, last, name) for first, last, name in spans if first and last]
        if not known:
            return [*found, f"there is no line of {' or '.join(sorted(sources))}"]
        if (begin := known[0][0]) > window.since:
            found.append(f"the log begins at {said(begin)}, after {said(window.since)}: the file before it is missing")
        last = max(one[1] for one in known)
        if last < window.since:
            found.append(f"the log ends at {said(last)}, before {said(window.since)}")
        elif (silent := window.until - last) > silence:
            found.append(f"the log ends {lasting(silent.total_seconds())} before the end, at {said(last)}")
        reached = known[0][1]
        for first, end, name in known[1:]:
            if window.until > first > window.since and first - reached > silence:
                gap = lasting((first - reached).total_seconds())
                found.append(f"nothing for {gap} before {name} begins: a file between them may be missing")
            reached = max(reached, end)
        return found

    def _unreadable(self, sources: Collection[str], limits: Thresholds) -> Iterable[str]:
        for file in self.files.values():
            if file.problem:
                yield file.problem
            elif not file.spans:
                yield f"{file.name} has no line that can be read"
            elif file.unparsed > limits.unparsed and set(file.spans) & set(sources):
                yield f"{file.unparsed} lines of {file.name} could not be read"

    def _spans(self, sources: Collection[str]) -> Sequence[tuple[LogFile, Span]]:
        return [(f, span) for f in self.files.values() for source, span in f.spans.items() if source in sources]
