"""DoD-3: the auth service is not asked for every request, answers in time, and refresh tokens are used once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from eventlive_db.verify.findings import AuthCalls
from eventlive_db.verify.log_checks import Judged
from eventlive_db.verify.model import Check, State, no_data
from eventlive_db.verify.rates import Window, evidence
from eventlive_db.verify.triggers import Trigger

_NEEDED = "Give the log of the auth service, or of a gateway before it: --log FILE; or --without dod-3."


def auth_calls(judged: Judged) -> Iterator[Check]:
    """The checks; by the auth service's own log, or else by the gateway's, which sees the same calls."""
    source = next((source for source in ("auth", "gateway") if source in judged.findings.auth), None)
    if source is None:
        says = "no log of the auth service, nor of a gateway with calls to it"
        yield no_data("dod-3", "auth calls", says, _NEEDED)
        return
    if ahead := judged.ahead("dod-3", "auth calls", [source]):
        yield ahead
        return
    calls = judged.findings.auth[source]
    yield _volume(judged, calls, source)
    yield _latency(judged, calls, source)
    yield _refreshing(judged, source)


def _volume(judged: Judged, calls: AuthCalls, source: str) -> Check:
    """How many there are: against the time before the release, and against the requests of the hot path."""
    window, limits, name = judged.window, judged.limits, "auth calls"
    number = calls.rate.count(window.since, window.until)
    per_minute = number / window.minutes
    exploding, seen = [], []
    if (before := _rate_before(judged, calls, source)) is not None:
        seen.append(f"{before:.1f} a minute before")
        if per_minute >= limits.auth_floor_per_min and per_minute >= limits.auth_growth * before:
            exploding.append(f"{limits.auth_growth:g} times as many as before")
    # A log without successes has no hot path either: its level leaves them out.
    if judged.findings.successes:
        hot = judged.findings.hot.count(window.since, window.until)
        seen.append(f"{hot} hot-path requests")
        if per_minute >= limits.auth_floor_per_min and number >= limits.auth_per_request * hot:
            exploding.append(f"{limits.auth_per_request:g} for each hot-path request")
    says = f"{number} calls to /user, {per_minute:.1f} a minute" + (f"; {', '.join(seen)}" if seen else "")
    if exploding:
        advice = "Something asks the auth service for who calls: roll back what does not verify tokens locally."
        return Check(
            "dod-3",
            name,
            State.FAILED,
            f"{says}: that is at least {' and '.join(exploding)}",
            advice,
            Trigger.AUTH_CALLS_EXPLODING,
            number,
        )
    if not seen and number and per_minute >= limits.auth_floor_per_min:
        reason = "the log does not reach back far enough, and there is none of the hot path: nothing to compare with"
        return no_data("dod-3", name, f"{says}; {reason}", "Give an older log, or PostgREST's too: --log FILE.")
    return judged.unless_blind("dod-3", name, says, [source], number)


def _rate_before(judged: Judged, calls: AuthCalls, source: str) -> float | None:
    """Calls a minute in the time of the same length before, where the log reaches back so far."""
    before = judged.window.before()
    if not judged.reaches_back(source):
        return None
    return calls.rate.count(before.since, before.until) / Window(before.since, judged.window.since).minutes


def _latency(judged: Judged, calls: AuthCalls, source: str) -> Check:
    name, limit = "auth p95", judged.limits.auth_p95_s
    number = calls.rate.count(judged.window.since, judged.window.until)
    if not calls.durations_s:
        if number:
            says = f"{number} calls to /user, and the log does not say how long they took"
            return no_data("dod-3", name, says, _NEEDED)
        return judged.unless_blind("dod-3", name, "no call to /user", [source])
    p95 = percentile(calls.durations_s, 0.95)
    says = f"p95 of {len(calls.durations_s)} calls to /user is {p95:.2f} s, and may be {limit:g} s"
    if p95 > limit:
        slowest = evidence(calls.slowest) if calls.slowest else None
        advice = "See what the auth service waits for; fewer calls to it are the remedy."
        return Check(
            "dod-3",
            name,
            State.FAILED,
            says,
            advice,
            Trigger.AUTH_LATENCY,
            sum(duration > limit for duration in calls.durations_s),
            slowest,
        )
    return judged.unless_blind("dod-3", name, says, [source])


def _refreshing(judged: Judged, source: str) -> Check:
    name, offences, limits = "refresh tokens", judged.findings.reused_tokens, judged.limits
    peak = offences.rate.peak_per_minute(judged.window.since, judged.window.until)
    if peak >= limits.http_400_per_min:
        says = f"{peak} refresh_token_already_used in a minute, {offences.total} in all"
        advice = "Clients refresh without single flight: roll back the client."
        return judged.failed("dod-3", name, Trigger.REFRESH_TOKEN_RACES, says, offences, advice)
    says = f"{offences.total} refresh_token_already_used, at most {peak} a minute"
    if source == "gateway":
        says += ", as far as a gateway's log tells: only the auth service's own names it"
    return judged.unless_blind("dod-3", name, says, [source], offences.total)


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least this part of them does not exceed."""
    return sorted(values)[math.ceil(part * len(values)) - 1]
