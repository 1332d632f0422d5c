"""What the lines of the logs say about the rules, kept in sliding windows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from eventlive_db.logs import LogEvent, is_auth, is_disconnect, is_named, is_rest
from eventlive_db.watch.readings import HTTP_RULES
from eventlive_db.watch.statuses import status_of
from eventlive_db.watch.window import SlidingCount, SlidingQuantile

MIN_AUTH_CALLS = 20
"""Calls in the window below which a 95th percentile says nothing."""

HTTP_SOURCES = ("gateway", "postgrest", "postgres")
"""Logs in which one refused request leaves a line each."""

LATE_S = 3600
"""How much later than it was written a line may be read and still count, in seconds."""

_MAX_SERIES = 500
_NOT_AN_ERROR = frozenset({"DEBUG", "INFO", "NOTICE", "WARNING", "LOG", "DETAIL", "HINT", "CONTEXT", "STATEMENT"})


class Signals:
    """Counts what the rules ask for. One request that is in several logs counts once: the largest count holds."""

    def __init__(self) -> None:
        self._statuses: defaultdict[tuple[str, str], SlidingCount] = defaultdict(SlidingCount)
        self._disconnects: defaultdict[str, SlidingCount] = defaultdict(SlidingCount)
        self._auth: defaultdict[str, SlidingQuantile] = defaultdict(SlidingQuantile)
        self._unknown = SlidingCount()
        self._reached: dict[str, float] = {}
        self.seen: Counter[tuple[str, str, str]] = Counter()
        """Events by source, status and SQLSTATE since the start; beyond some hundred kinds they are ``other``."""
        self.late = 0
        """Events that came too late to count for anything."""
        self.gateway_has_calls = False
        """Whether a gateway's log had a request to PostgREST since the start."""

    def add_new(self, events: Sequence[LogEvent], now: float, window_s: int) -> None:
        """Take in what was added to logs since the last call.

        What is new counts as of now, whatever its clock says and however long it was on its way: of each file the
        newest line counts as of now, and those before it as much earlier as they were written, so that a backlog is no
        burst. A line was not added before those above it: one of another, slower clock counts with them. What is
        later than :data:`LATE_S` does not count.

        Args:
            events: The lines, those of a file in its order.
            now: Seconds since 1970.
            window_s: Length of the window, in seconds.
        """
        reached = [self._reach(event, now) for event in events]
        for event, at in zip(events, reached, strict=True):
            lag = now - self._reached[event.file]
            written = event.at.timestamp()
            self._take(event, written if now - written > LATE_S else at + lag, now, window_s)

    def _reach(self, event: LogEvent, now: float) -> float:
        """The time of the newest line of a file, down to this one."""
        at = min(event.at.timestamp(), now)
        self._reached[event.file] = max(self._reached.get(event.file, at), at)
        return self._reached[event.file]

    def add(self, event: LogEvent, now: float, window_s: int) -> None:
        """Take in one event at its own time.

        A line is never younger than the moment it is read: one that claims to be comes from a clock that is ahead,
        and counts as of now.

        Args:
            event: The line.
            now: Seconds since 1970.
            window_s: Length of the window, in seconds.
        """
        self._take(event, min(event.at.timestamp(), now), now, window_s)

    def _take(self, event: LogEvent, at: float, now: float, window_s: int) -> None:
        status = _status(event)
        self._note(event.source, "" if status is None else str(status), event.sqlstate or "")
        if at <= now - window_s:
            self.late += 1
        if event.source == "postgres" and event.sqlstate is None and not _is_no_error(event):
            self._unknown.add(at, now)
        rule = f"http_{status}" if status is None or not 500 <= status <= 599 else "http_5xx"
        self.gateway_has_calls |= event.source == "gateway" and is_rest(event)
        if rule in HTTP_RULES and _is_of_the_api(event):
            self._statuses[rule, event.source].add(at, now)
        if is_disconnect(event):
            self._disconnects[event.source].add(at, now)
        if event.duration_s is not None and is_auth(event):
            self._auth[event.source].add(event.duration_s, at, now)

    def per_minute(self, rule: str, now: float, window_s: int) -> float:
        """Answers with the status of a rule, such as ``http_400``, a minute, over the window that ends now."""
        return self._largest(
            [count for (of, _), count in self._statuses.items() if of == rule],
            now,
            window_s,
        )

    def unknown_per_minute(self, now: float, window_s: int) -> float:
        """Errors of Postgres a minute of which the log does not say the SQLSTATE."""
        return self._unknown.count(now, window_s) * 60 / window_s

    def disconnects_per_minute(self, now: float, window_s: int) -> float:
        """Realtime connections that ended, a minute, over the window that ends now."""
        return self._largest(list(self._disconnects.values()), now, window_s)

    def auth_p95(self, now: float, window_s: int) -> tuple[int, float | None]:
        """How many calls to the auth service there were, and their 95th percentile in seconds.

        Of the auth service's own log and the gateway's it is that of the slower: the gateway also sees what waits.
        """
        found = [sketch.quantile(0.95, now, window_s) for sketch in self._auth.values()]
        enough = [(value, calls) for calls, value in found if calls >= MIN_AUTH_CALLS and value is not None]
        if not enough:
            return max((calls for calls, _ in found), default=0), None
        value, calls = max(enough)
        return calls, value

    def _note(self, source: str, status: str, sqlstate: str) -> None:
        key = (source, status, sqlstate)
        if key not in self.seen and len(self.seen) >= _MAX_SERIES:
            key = (source, "other", "other")
        self.seen[key] += 1

    @staticmethod
    def _largest(counts: list[SlidingCount], now: float, window_s: int) -> float:
        return max((count.count(now, window_s) for count in counts), default=0) * 60 / window_s


def _status(event: LogEvent) -> int | None:
    """The status of the answer that a line tells of."""
    if event.source != "postgres":
        return event.status
    return None if event.sqlstate is None or _is_no_error(event) else status_of(event.sqlstate)


def _is_of_the_api(event: LogEvent) -> bool:
    """Whether a line tells of an answer that the verdict on a release counts, too."""
    if event.source == "postgres":
        return True
    # A scanner asks for what no release ever had.
    return is_rest(event) and (event.status != 404 or is_named(event))


def _is_no_error(event: LogEvent) -> bool:
    # What is not known may be ERROR in another language.
    return (event.severity or "").rstrip("12345") in _NOT_AN_ERROR
