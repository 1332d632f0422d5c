"""Plots and tables of what the ledger and the sampler have, and the marks that the scenarios share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from eventlive_db.load.looks import hot_percent, hot_percents, rates
from eventlive_db.load.percentiles import percentile
from eventlive_db.load.results_parts import Mark, Plot
from eventlive_db.load.scenarios.ledger import Done, Ledger, tokens, worst_window
from eventlive_db.load.scenarios.sampler import Sample, Statement

PING, BEAT, ENTER = "webinar_presence_ping", "webinar_session_heartbeat", "webinar_enter"
POLL, STATS = "webinar_messages_poll", "webinar_stats_access"
_POINTS = 240
_PERCENT = 95

PING_LIMIT_S, CALL_LIMIT_S = 0.5, 1.0
REQUESTS_A_MINUTE = 10_000
HOT_PERCENT = 90
BLOCKS = {PING: 100, BEAT: 100, ENTER: 200}
"""Shared blocks that a call may touch on average. What the plan tests allow is 7, 17 and 84; where a run is short, the
plans that autovacuum has connections make anew weigh. A scan of what earlier webinars left is a thousand and more."""


def step_s(duration_s: float) -> float:
    """The length of what a point of a plot stands for, in seconds."""
    return max(1.0, duration_s / _POINTS)


def _buckets(calls: Iterable[Done], duration_s: float) -> list[list[Done]]:
    width = step_s(duration_s)
    found: list[list[Done]] = [[] for _ in range(int(duration_s / width) + 1)]
    for call in calls:
        found[min(max(int(call.at / width), 0), len(found) - 1)].append(call)
    return found


def latency_plot(ledger: Ledger, function: str, duration_s: float, limit_s: float | None) -> Plot:
    """How long the calls of a function took."""
    buckets = _buckets(ledger.select([function]), duration_s)
    lines: dict[str, list[float | None]] = {"median": [], "95 %": [], "slowest": []}
    for bucket in buckets:
        seconds = [call.took for call in bucket]
        for name, value in (
            ("median", percentile(seconds, 50)),
            (f"{_PERCENT} %", percentile(seconds, _PERCENT)),
            ("slowest", max(seconds, default=None)),
        ):
            lines[name].append(None if value is None else value * 1000)
    limit = None if limit_s is None else limit_s * 1000
    return Plot(f"Latency of {function}", "ms", _times(buckets, duration_s), lines, limit, log=True)


def rate_plot(ledger: Ledger, duration_s: float, speed: float, functions: Sequence[str]) -> Plot:
    """Requests a minute of the scenario, by function."""
    buckets = _buckets(ledger.done, duration_s)
    width = step_s(duration_s)
    counts = [Counter(call.function for call in bucket) for bucket in buckets]
    lines: dict[str, Sequence[float | None]] = {
        function: [count[function] / width * 60 / speed for count in counts]
        for function in functions
        if any(count[function] for count in counts)
    }
    everything: Sequence[float | None] = [count.total() / width * 60 / speed for count in counts]
    return Plot(
        "Requests", "a minute of the scenario", _times(buckets, duration_s), {"all": everything, **lines}, log=True
    )


def error_plot(ledger: Ledger, duration_s: float) -> Plot:
    """What was wrong, by token."""
    buckets = _buckets(ledger.done, duration_s)
    counts = [tokens(bucket) for bucket in buckets]
    names = sorted({token for count in counts for token in count})
    lines = {name: [float(count[name]) for count in counts] for name in names} or {"none": [0.0] * len(buckets)}
    return Plot("Errors", f"in {step_s(duration_s):.0f} s", _times(buckets, duration_s), lines)


def _times(buckets: Sequence[object], duration_s: float) -> list[float]:
    return [number * step_s(duration_s) for number in range(len(buckets))]


def server_plots(samples: Sequence[Sample], names: Sequence[str]) -> list[Plot]:
    """What the server did.

    Args:
        samples: Looks at it.
        names: What the processes beside the server's are called.
    """
    if len(samples) < 2:
        return []
    t = [sample.t for sample in samples[1:]]

    def now(value: Callable[[Sample], float]) -> list[float | None]:
        return [value(sample) for sample in samples[1:]]

    found = [
        Plot("Transactions", "a second", t, {"all of the database": rates(samples, lambda one: one.transactions)}),
        Plot("WAL", "bytes a second", t, {"written": rates(samples, lambda one: one.wal_bytes)}),
        Plot("HOT updates of presence", "%", t, {"HOT": hot_percents(samples)}),
        Plot(
            "Connections",
            "",
            t,
            {
                "open": now(lambda one: one.connections_now),
                "active": now(lambda one: one.active_now),
                "waiting for a lock": now(lambda one: one.waiting_now),
            },
        ),
        Plot("Dead rows of presence and sessions", "rows", t, {"dead": now(lambda one: one.dead_now)}),
        Plot("Size of presence and sessions", "bytes", t, {"with indexes": now(lambda one: one.size_now)}),
    ]
    if all(value is not None for value in samples[0].cpu_s):
        lines = {
            name: rates(samples, lambda one, place=place: one.cpu_s[place], 0.01)  # type: ignore[misc]
            for place, name in enumerate(("Postgres", *names))
        }
        found.append(Plot("Processor time", "% of a core", t, lines))
    return found


def call_table(ledger: Ledger) -> list[dict[str, Any]]:
    """One line for each function and way."""
    found: dict[tuple[str, str], list[Done]] = {}
    for call in ledger.done:
        found.setdefault((call.function, call.way), []).append(call)
    return [
        {
            "function": function,
            "via": way,
            "calls": len(calls),
            "errors": dict(tokens(calls)),
            **{
                f"p{percent}_ms": round(1000 * (percentile([call.took for call in calls], percent) or 0), 2)
                for percent in (50, 95, 99)
            },
            "max_ms": round(1000 * max(call.took for call in calls), 2),
        }
        for (function, way), calls in sorted(found.items())
    ]


def statement_table(statements: Sequence[Statement], most: int = 20) -> list[dict[str, Any]]:
    """The dearest of those that clients sent."""
    return [
        {
            "query": " ".join(one.query.split())[:600],
            "calls": one.calls,
            "rows": one.rows,
            "mean_ms": round(one.mean_ms, 4),
            "wal_bytes": int(one.wal_bytes),
            "blocks": one.blocks,
        }
        for one in statements
        if one.toplevel
    ][:most]


def latency_mark(calls: Sequence[Done], name: str, limit_s: float) -> Mark:
    """The 95th percentile of some calls has to be below a limit."""
    found = percentile([call.took for call in calls], _PERCENT)
    said = "no call" if found is None else f"{found * 1000:.1f} ms"
    return Mark(
        f"{name}, {_PERCENT}th percentile",
        f"< {limit_s * 1000:.0f} ms",
        said,
        found is not None and found < limit_s,
        note=f"{len(calls):,} calls",
    )


def status_mark(calls: Sequence[Done], allowed: Callable[[Done], bool] = lambda _: False) -> Mark:
    """No call may fail, but those that should."""
    wrong = tokens(call for call in calls if not allowed(call))
    said = ", ".join(f"{number} {token}" for token, number in wrong.most_common()) or "0"
    expected = tokens(call for call in calls if allowed(call))
    note = "; ".join(f"{number} {token}, as it should be" for token, number in expected.items()) or None
    return Mark("errors, of which 400 and 409", "0", said, not wrong, note=note)


def request_mark(ledger: Ledger, speed: float) -> Mark:
    """No minute of the scenario may have too many requests."""
    worst = worst_window([call.at for call in ledger.done], 60 / speed)
    return Mark(
        "requests in any minute", f"< {REQUESTS_A_MINUTE:,}", f"{worst:,}", worst < REQUESTS_A_MINUTE, note=_pace(speed)
    )


def _pace(speed: float) -> str | None:
    return None if speed == 1 else f"a minute of the scenario takes {60 / speed:.1f} s"


def block_marks(statements: Sequence[Statement]) -> list[Mark]:
    """The hot calls may touch so many blocks on average, and no more: a scan of a table is far above."""
    marks = []
    for function, limit in BLOCKS.items():
        mine = [one for one in statements if one.toplevel and function in one.query and "run_job" not in one.query]
        calls, blocks = sum(one.calls for one in mine), sum(one.blocks for one in mine)
        mean = blocks / calls if calls else None
        marks.append(
            Mark(
                f"blocks that a call of {function} touches",
                f"<= {limit}",
                "no call" if mean is None else f"{mean:.1f}",
                mean is not None and mean <= limit,
                note=f"{calls:,} calls in pg_stat_statements",
            )
        )
    return marks


def hot_mark(samples: Sequence[Sample]) -> Mark:
    """Nearly all updates of presence have to be HOT."""
    updates = samples[-1].updates - samples[0].updates if samples else 0
    percent = hot_percent(samples[0], samples[-1]) if samples else None
    return Mark(
        "HOT updates of presence",
        f">= {HOT_PERCENT}%",
        "no update" if percent is None else f"{percent:.1f}%",
        percent is not None and percent >= HOT_PERCENT,
        note=f"{updates:,} updates",
    )


def count_mark(name: str, wanted: int, found: int, note: str | None = None) -> Mark:
    """Two numbers have to be the same."""
    return Mark(name, f"{wanted:,}", f"{found:,}", wanted == found, note=note)
