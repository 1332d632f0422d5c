"""What the report is tried with: an hour's run, made up but as one might be, the same each time; and a browser."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import random
import select
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
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


_WITH_PIPES = """
import fcntl, os, sys
given = [fcntl.fcntl(int(pipe), fcntl.F_DUPFD, 10) for pipe in sys.argv[1:3]]
for place, pipe in enumerate(given, start=3):
    os.dup2(pipe, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes the browser, which reads from 3 and writes to 4."""


class Browser:
    """A headless Chromium, driven over a pipe by its DevTools protocol."""

    def __init__(self, program: str, profile: Path) -> None:
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        arguments = [
            *(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
            *("--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"),
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _WITH_PIPES, str(commands), str(answers), *arguments],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._numbers = itertools.count(1)
        self._unread = b""
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; of the page once there is one."""
        number = next(self._numbers)
        session = {"sessionId": self._session} if self._session else {}
        told = json.dumps({"id": number, "method": method, "params": parameters, **session})
        os.write(self._commands, told.encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            if "method" in answer:
                self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            assert select.select([self._answers], [], [], 60)[0], "the browser does not answer"
            read = os.read(self._answers, 1 << 16)
            assert read, "the browser has ended"
            self._unread += read
        message, _, self._unread = self._unread.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, page: str, folder: Path, *, width: int = 1280, scheme: str = "light", scripts: bool = True) -> None:
        """Show a page, and forget what was told of those before."""
        path = folder / f"{hashlib.sha256(page.encode()).hexdigest()[:16]}.html"
        path.write_text(page, encoding="utf-8")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        self.until("Page.loadEventFired")

    def until(self, method: str, **parameters: Any) -> None:
        """Wait for an event with these parameters, unless it has been told."""

        def is_told(event: dict[str, Any]) -> bool:
            return event.get("method") == method and parameters.items() <= event["params"].items()

        while not any(map(is_told, self.events)):
            self.events.append(self._read())

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page, of what it promises where it does."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def drawn(self) -> None:
        """Wait until the page has drawn what it was told."""
        self.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def point(self, x: float, y: float, kind: str = "mouseMoved") -> None:
        """Move the mouse, or press or release its button."""
        pressed = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **pressed)

    def click(self, x: float, y: float) -> None:
        """Press and release the mouse."""
        for kind in ("mousePressed", "mouseReleased"):
            self.point(x, y, kind)

    def press(self, key: str) -> None:
        """Press a key, such as ``ArrowRight``."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def complaints(self) -> list[dict[str, Any]]:
        """Errors and messages of the console, exceptions, and boxes that a script opened."""
        told = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening"}
        return [event for event in self.events if event["method"] in told]

    def requests(self) -> list[str]:
        """Addresses that were asked for, the page's own included, and not what it holds inside itself."""
        asked = (e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent")
        return [address for address in asked if not address.startswith("data:")]

    def close(self) -> None:
        """End it."""
        self._session = None
        try:
            self.call("Browser.close")
        finally:
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            os.close(self._commands)
            os.close(self._answers)
