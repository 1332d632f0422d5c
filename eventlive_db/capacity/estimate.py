"""The arithmetic: so many viewers make so many calls a minute."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from eventlive_db.capacity.costs import CallCost, Costs

# The incident's own figures.
_INCUMBENT_PING_S = 120
_INCUMBENT_TRACK_S = 300
_INCUMBENT_FALLBACK_S = 2
_INCUMBENT_DASHBOARD_QUERIES = 84
_INCUMBENT_PRESENCE_EVENT_S = 5


@dataclass(frozen=True, slots=True)
class Audience:
    """Who watches one webinar.

    Attributes:
        viewers: At once.
        enter_within_min: Minutes in which they come.
        dashboards: Open, of hosts and administrators.
        fallback: Part of the viewers who lost Realtime and poll for messages, 0 to 1.
        pings: Whether clients ping beside their heartbeat, as some do that keep no session.
    """

    viewers: int
    enter_within_min: float = 2
    dashboards: int = 5
    fallback: float = 0
    pings: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """What one kind of call adds up to.

    Attributes:
        what: The call.
        calls: A minute.
        requests: To the database, a minute.
        statements: A minute.
        wal_bytes: A minute.
        busy: Connections that it keeps busy, on average.
        interval_s: Seconds between two calls of one client; None where there is no such time.
    """

    what: str
    calls: float
    requests: float
    statements: float
    wal_bytes: float
    busy: float
    interval_s: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A minute of it.

    Attributes:
        lines: Of a minute while all watch.
        entering: Of a minute while they come; added to the others then.
        outside: Calls a minute that do not go to the database: to the auth service, through Realtime.
    """

    lines: tuple[Line, ...]
    entering: Line
    outside: Mapping[str, float]

    @property
    def steady(self) -> Line:
        """All of a minute while they watch."""
        return _sum("while all watch", self.lines)

    @property
    def peak(self) -> Line:
        """All of a minute in which the last of them come."""
        return _sum("while they come", (*self.lines, self.entering))

    @property
    def connections(self) -> int:
        """A size for the pool: those busy in the peak, and three standard deviations of calls that come at random."""
        return math.ceil(self.peak.busy + 3 * math.sqrt(self.peak.busy)) + 1


def estimate(audience: Audience, costs: Costs, settings: Mapping[str, float | bool] | None = None) -> Estimate:
    """What an audience is for this package.

    Args:
        audience: Who watches.
        costs: What each call costs.
        settings: In force; default: as shipped.
    """
    known = {**costs.settings, **(settings or {})}

    def paced(base: str, longest: str, target: str) -> float:
        number = {key: float(known[key]) for key in (base, longest, target)}
        return max(number[base], min(number[longest], audience.viewers / number[target]))

    beat_s = paced("session_heartbeat_interval_s", "session_heartbeat_max_interval_s", "heartbeat_target_rps")
    ping_s = paced("presence_ping_interval_s", "presence_ping_max_interval_s", "presence_target_rps")
    poll_s = paced("fallback_poll_interval_s", "fallback_poll_max_interval_s", "fallback_target_rps")
    stretched = beat_s > known["session_heartbeat_interval_s"] or ping_s > known["presence_ping_interval_s"]
    stats_s = float(known["admin_poll_degraded_interval_s" if stretched else "admin_poll_interval_s"])
    pollers = audience.viewers * audience.fallback if known["fallback_enabled"] else 0
    return Estimate(
        lines=tuple(
            _every(what, count, interval_s, costs.calls[what])
            for what, count, interval_s in (
                ("webinar_session_heartbeat", audience.viewers, beat_s),
                ("webinar_presence_ping", audience.viewers if audience.pings else 0, ping_s),
                ("webinar_messages_poll", pollers, poll_s),
                ("webinar_stats_access", audience.dashboards, stats_s),
            )
        ),
        entering=_line(
            "webinar_enter", audience.viewers / max(audience.enter_within_min, 1), costs.calls["webinar_enter"]
        ),
        outside={"auth service": 0.0, "Realtime presence events": 0.0},
    )


def estimate_incumbent(audience: Audience, costs: Costs) -> Estimate:
    """What the same audience was for the design that this package replaces, on a day without faults.

    A dashboard's queries and a fallback poll were not rebuilt: each is counted as the statements that the incident's
    record gives, at the time of a messages poll of this package.
    """
    poll = costs.calls["webinar_messages_poll"]
    one = CallCost(1, 1, 0, poll.milliseconds / max(poll.statements, 1))
    lines = (
        _every("presence/ping", audience.viewers, _INCUMBENT_PING_S, costs.incumbent["ping"]),
        _every("access/track", audience.viewers, _INCUMBENT_TRACK_S, costs.incumbent["track"]),
        _every("fallback poll", audience.viewers * audience.fallback, _INCUMBENT_FALLBACK_S, one),
        _line("stats/access", audience.dashboards * _INCUMBENT_DASHBOARD_QUERIES, one),
    )
    entering = _line(
        "access/track on entry", audience.viewers / max(audience.enter_within_min, 1), costs.incumbent["track"]
    )
    return Estimate(
        lines,
        entering,
        outside={
            "auth service": sum(line.calls for line in lines[:2]),
            "Realtime presence events": audience.viewers * 60 / _INCUMBENT_PRESENCE_EVENT_S,
        },
    )


def _every(what: str, clients: float, interval_s: float, cost: CallCost) -> Line:
    return _line(what, clients * 60 / interval_s, cost, interval_s)


def _line(what: str, calls: float, cost: CallCost, interval_s: float | None = None) -> Line:
    return Line(
        what,
        calls,
        calls * cost.requests,
        calls * cost.statements,
        calls * cost.wal_bytes,
        calls / 60 * cost.milliseconds / 1000,
        interval_s,
    )


def _sum(what: str, lines: tuple[Line, ...]) -> Line:
    return Line(
        what,
        sum(line.calls for line in lines),
        sum(line.requests for line in lines),
        sum(line.statements for line in lines),
        sum(line.wal_bytes for line in lines),
        sum(line.busy for line in lines),
    )
