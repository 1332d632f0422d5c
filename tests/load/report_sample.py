"""What the report is tried with: an hour's run, made up but as one might be, the same each time."""

from __future__ import annotations

import html
import math
import random
import re
from collections.abc import Callable
from functools import cache
from typing import Any

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m\x00\u202e 日本 'quoted' \"double\" & %0A </pre></style>-->"
"""What no page may be broken by."""

STEP_S = 10
CUT_S, BACK_S, END_S = 1500, 2100, 3720
SPIKE_AT = 16_485
"""Index of the one slow answer in the long series."""
SPIKE_MS = 431.7


def hour() -> dict[str, Any]:
    """S1 with 1,000 viewers, in which everything holds. Its plots are made once, and not to be changed."""
    return {**hour_without_plots(), "plots": _plots()}


@cache
def _plots() -> list[dict[str, Any]]:
    rng = random.Random(7)
    t = list(range(0, END_S + 1, STEP_S))
    wave = _wave(rng)
    present = [_present(at) for at in t]
    ping = [wave(at, 2.1, 0.25) for at in t]
    return [
        _plot(
            "Latency of a ping",
            "ms",
            t,
            limit=500,
            log=True,
            median=ping,
            p95=[value * rng.uniform(2.1, 3.4) for value in ping],
            slowest=[value * rng.uniform(5, 30) for value in ping],
        ),
        _plot(
            "Entry and heartbeat, 95th percentile",
            "ms",
            t,
            limit=1000,
            enter=[wave(at, 38, 0.3) if at <= 180 else (None if at % 60 else wave(at, 14, 0.3)) for at in t],
            heartbeat=[wave(at, 9, 0.35) if at > 60 else None for at in t],
        ),
        _plot(
            "Requests a minute",
            "requests",
            t,
            limit=10_000,
            all=[60 * (present[i] / 75 + _polls(at)) + rng.gauss(0, 40) + 300 for i, at in enumerate(t)],
            fallback=[max(0.0, 60 * _polls(at) + (rng.gauss(0, 30) if _polls(at) else 0)) for at in t],
        ),
        _plot("Present", "people", t, participants=[round(p) for p in present], guests=[round(p / 9) for p in present]),
        _plot(
            "Refusals",
            "a minute",
            t,
            duplicate_session=[rng.choice((0, 0, 0, 1, 2)) if at < 200 else 0 for at in t],
            not_registered=[rng.choice((0, 1)) for _ in t],
        ),
        _plot(
            "WAL",
            "B/s",
            t,
            written=[
                1900 + 28_000 * math.exp(-(((at - 90) / 60) ** 2)) + 900 * _polls(at) + rng.gauss(0, 150) for at in t
            ],
        ),
        _plot(
            "Processor",
            "% of one core",
            t,
            postgres=[
                3 + 0.011 * present[i] + 40 * math.exp(-(((at - 70) / 50) ** 2)) + rng.gauss(0, 1.2) + 0.4 * _polls(at)
                for i, at in enumerate(t)
            ],
            postgrest=[
                4 + 0.016 * present[i] + 55 * math.exp(-(((at - 70) / 50) ** 2)) + rng.gauss(0, 1.6) + 0.7 * _polls(at)
                for i, at in enumerate(t)
            ],
        ),
        _plot(
            "HOT updates of presence",
            "%",
            t,
            presence=[None if at < 120 else 100 - abs(rng.gauss(0, 0.03)) for at in t],
        ),
        long_plot(),
        _plot("Locks that are waited for", "locks", t, waiting=[0 for _ in t]),
    ]


def hour_without_plots() -> dict[str, Any]:
    """The same, all figures and texts of it."""
    return {
        "format": 1,
        "scenario": "s1",
        "title": "S1: 1,000 viewers for an hour",
        "at": "2026-11-22T03:00:00+00:00",
        "machine": {
            "processor": "Example CPU 3.0 GHz",
            "cores": "2",
            "memory": "8 GB",
            "system": "Linux 6.1",
            "postgres": "18.6",
            "postgrest": "12.0.2",
            "python": "3.11.9",
            "eventlive-db": "0.1.0",
        },
        "options": {"viewers": 1000, "minutes": 60, "speed": 1.0, "via": "postgrest and psycopg", "guests": True},
        "settings": {"presence_ping_interval_s": 120, "fallback_target_rps": 50, "duplicate_login_policy": "ask"},
        "duration_s": 3742.6,
        "summary": "1,000 people enter within two minutes and watch for an hour; Realtime is away for ten minutes.",
        "marks": [
            mark("answers of 400 and 409", "0", "0"),
            mark("ping, 95th percentile", "< 500 ms", "6.1 ms"),
            mark("enter, 95th percentile", "< 1,000 ms", "41.8 ms"),
            mark("heartbeat, 95th percentile", "< 1,000 ms", "11.2 ms"),
            mark("requests a minute", "< 10,000", "3,951", note="The busiest minute of the hour."),
            mark("registrations made by pings", "0", "0"),
            mark(
                "requests a minute at 100,000 viewers",
                "< 10,000",
                "8,412",
                source="computed",
                note="From the pace that the server gives at that audience.",
            ),
            mark(
                "fallback poll at 10,000 viewers, 95th percentile",
                "< 500 ms",
                "7.7 ms",
                source="sampled",
                note="One call in ten was made.",
            ),
        ],
        "calls": [
            calls("webinar_enter", "postgrest", 1104, 14.2, 41.8, 77.0, 301.5, duplicate_session=88),
            calls("webinar_session_heartbeat", "postgrest", 12_310, 3.1, 11.2, 24.9, 208.4),
            calls("webinar_presence_ping", "postgrest", 27_455, 2.2, 6.1, 14.0, 431.7, not_registered=182),
            calls("webinar_presence_ping", "psycopg", 3102, 0.61, 1.4, 3.2, 48.8),
            calls("webinar_messages_poll", "postgrest", 29_987, 1.9, 5.4, 11.7, 96.3),
            calls("webinar_message_post", "postgrest", 412, 5.1, 12.6, 20.1, 44.0, rate_limited=3, fallback_off=1),
            calls("webinar_leave", "postgrest", 871, 2.8, 8.4, 13.3, 60.2),
            {
                "function": "webinar_eject",
                "via": "postgrest",
                "calls": 0,
                "errors": {},
                "p50_ms": None,
                "p95_ms": None,
                "p99_ms": None,
                "max_ms": None,
            },
        ],
        "plots": [],
        "events": [
            {"t": 0, "text": "Doors open"},
            {"t": 120, "text": "All have entered"},
            {"t": CUT_S, "text": "Realtime is cut"},
            {"t": BACK_S, "text": "Realtime is back"},
            {"t": 3600, "text": "The webinar ends"},
        ],
        "statements": [
            _statement("select eventlive_api.webinar_presence_ping($1)", 30_557, 0.041, 74 * 30_557, 7),
            _statement(
                "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true), "
                + ", ".join(
                    f"set_config('{name}', ${i}, true)"
                    for i, name in enumerate(
                        ("request.method", "request.path", "request.headers", "request.cookies", "search_path"), 3
                    )
                ),
                74_000,
                0.019,
                0,
                0,
            ),
            _statement("select eventlive_api.webinar_messages_poll($1, $2, $3)", 29_987, 0.088, 0, 6),
            _statement("select eventlive_api.webinar_enter($1, $2, $3, $4)", 1104, 0.61, 1104 * 1320, 61),
        ],
        "notes": [
            "Every call of the 1,000 viewers was made; figures for larger audiences are computed from the pace.",
            "The load generator ran on the same two cores as the database and PostgREST.",
        ],
    }


def audience(viewers: int, *, passed: bool = True) -> dict[str, Any]:
    """S2 at a size, short; its ceiling may be missed."""
    rng = random.Random(viewers)
    t = [at / 2 for at in range(241)]
    source = "measured" if viewers == 1000 else "sampled"
    polls = [0 if at < 20 else 45 + min(4.5, rng.gauss(0, 1.2)) + (0 if passed else at / 6) for at in t]
    return {
        **hour_without_plots(),
        "scenario": "s2",
        "title": f"S2: Realtime is cut for {viewers:,} viewers",
        "options": {"viewers": viewers, "speed": 10.0},
        "duration_s": 121.0,
        "summary": "Everyone falls back to polling at once.",
        "marks": [
            mark("requests a second", "<= 50", f"{max(polls):.1f}", source=source, passed=passed),
            mark("poll, 95th percentile", "< 500 ms", f"{5 + viewers / 40_000:.1f} ms", source=source),
            mark("next poll that is told", "at least 20 s", f"{max(20, viewers // 50):,} s", source="computed"),
        ],
        "calls": [calls("webinar_messages_poll", "postgrest", 4803, 1.9, 5.4, 11.7, 96.3)],
        "plots": [
            _plot("Polls a second", "requests", t, limit=50, polls=polls),
            _plot(
                "Latency of a poll", "ms", t, limit=500, median=[None if at < 20 else rng.uniform(1.7, 2.4) for at in t]
            ),
        ],
        "events": [{"t": 20, "text": "Realtime is cut"}],
        "statements": [],
        "notes": [],
    }


def long_plot() -> dict[str, Any]:
    """Every ping for itself, 29,760 of them; one is slow, and for a while there are none."""
    rng = random.Random(11)
    t = [at / 8 for at in range(END_S * 8)]
    values: list[float | None] = [None if 2500 <= at < 2560 else round(rng.lognormvariate(0.75, 0.35), 2) for at in t]
    values[SPIKE_AT] = SPIKE_MS
    return _plot("Each ping", "ms", t, limit=500, answer=values)


def mark(
    name: str, wanted: str, found: str, *, passed: bool = True, source: str = "measured", note: str | None = None
) -> dict[str, Any]:
    """A pass mark."""
    return {"name": name, "wanted": wanted, "found": found, "passed": passed, "source": source, "note": note}


def calls(function: str, via: str, count: int, *times: float, **errors: int) -> dict[str, Any]:
    """A row of the table of calls: how many, and the four times."""
    named = dict(zip(("p50_ms", "p95_ms", "p99_ms", "max_ms"), times, strict=True))
    return {"function": function, "via": via, "calls": count, "errors": errors, **named}


def _statement(query: str, count: int, mean_ms: float, wal: int, blocks: int) -> dict[str, Any]:
    return {
        "query": query,
        "calls": count,
        "rows": count,
        "mean_ms": mean_ms,
        "wal_bytes": wal,
        "blocks": blocks * count,
    }


def _plot(
    title: str, unit: str, t: list[Any], *, limit: float | None = None, log: bool = False, **lines: list[Any]
) -> dict[str, Any]:
    drawn = [
        {"name": name, "values": [value if value is None else round(value, 4) for value in values]}
        for name, values in lines.items()
    ]
    return {"title": title, "unit": unit, "log": log, "limit": limit, "t": t, "lines": drawn}


def _wave(rng: random.Random) -> Callable[[float, float, float], float]:
    def value(at: float, level: float, spread: float) -> float:
        rush = 1 + 3.2 * math.exp(-(((at - 80) / 70) ** 2)) + (0.6 if CUT_S <= at < BACK_S else 0)
        return level * rush * rng.lognormvariate(0, spread)

    return value


def _present(at: float) -> float:
    if at < 120:
        return 1000 * at / 120
    return 1000 - 40 * (at - 120) / 3480 if at <= 3600 else max(0.0, 960 * (1 - (at - 3600) / 60))


def _polls(at: float) -> float:
    """Polls a second: only while Realtime is away."""
    return 50 * min(1.0, (at - CUT_S) / 30) if CUT_S <= at < BACK_S else 0.0


ONE_OF = {"marks": 4, "calls": 5, "statements": 1, "notes": 0}
"""Of the hour's a mark with a note, a function with errors, a long statement."""


def small(**changes: Any) -> dict[str, Any]:
    """A run with one of everything."""
    plot = {"title": "Latency", "unit": "ms", "log": False, "limit": 8, "t": [0, 1, 2, 4]}
    whole = hour_without_plots()
    one_each = {name: [whole[name][index]] for name, index in ONE_OF.items()}
    lines = [{"name": "median", "values": [1, 10, None, 8]}]
    return {**whole, **one_each, "plots": [{**plot, "lines": lines}], "events": [{"t": 2, "text": "cut"}], **changes}


def plain(page: str) -> str:
    """The words of a page, without its data, style and script."""
    page = re.sub(r"<(style|script)>.*?</\1>|<pre class=\"raw\".*?</pre>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def changed(value: Any, change: Callable[[str], str], place: str = "") -> Any:
    """The results with each text and each name that is free changed."""
    if isinstance(value, str):
        return value if place in {"at", "source"} else change(value)
    if isinstance(value, list):
        return [changed(item, change) for item in value]
    if isinstance(value, dict):
        free = place in {"machine", "options", "settings", "errors"}
        return {
            change(name) if free else name: changed(item, change, "" if free else name) for name, item in value.items()
        }
    return value


def drawn_points(page: str, plot: int) -> list[tuple[float, float]]:
    """Where the lines of a plot go, in thousandths of width and height from the upper left."""
    figure = page.split("<figure ")[plot + 1].partition("</figure>")[0]
    paths = re.findall(r'<path class="line[^"]*" data-line="\d+" d="([^"]*)"', figure)
    return [(float(x), float(y)) for path in paths for x, y in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path)]
