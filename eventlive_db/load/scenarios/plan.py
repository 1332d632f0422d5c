"""How a scenario is run: how large, how long, how fast, and by which way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

POSTGREST, PSYCOPG = "postgrest", "psycopg"
WAYS = (POSTGREST, PSYCOPG)
"""How calls reach the database: as a browser's do, and as those of a gateway with the Python client."""

DIVIDED = (
    "admin_poll_degraded_interval_s",
    "admin_poll_interval_s",
    "fallback_poll_interval_s",
    "fallback_poll_max_interval_s",
    "fallback_retry_after_s",
    "message_rate_window_s",
    "presence_ping_interval_s",
    "presence_ping_max_interval_s",
    "rollup_idle_interval_s",
    "rollup_late_after_s",
    "session_heartbeat_interval_s",
    "session_heartbeat_max_interval_s",
)
MULTIPLIED = ("fallback_target_rps", "heartbeat_target_rps", "presence_target_rps")
"""The settings that make time pass faster, and the rates that grow with it."""
WARM_UP = "warm-up"
"""The label of the webinar in which connections make each call once."""
_LIMIT, _WINDOW = "message_rate_limit", "message_rate_window_s"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a scenario is run. Times are those of the scenario; all of them pass ``speed`` times as fast.

    Attributes:
        viewers: How many watch.
        minutes: How long, in minutes.
        speed: How much faster than life.
        ways: By which ways calls are made; viewers take them in turns.
        history: Rows in presence, sessions and registrations that earlier webinars left.
        connections: Connections of the gateway, and as many of PostgREST.
        seed: Two runs with one seed send the same people.
        kind: Postgres to take, ``installed`` or ``embedded``; None: the first there is.
        postgrest: The program; None: as it is found.
        faults: What is broken on purpose, by the names in :mod:`~eventlive_db.load.scenarios.faults`.
        settings: Other values than the defaults, by key; before time is made to pass faster.
        margin_s: How long after its planned end it is ended, in seconds of the clock.
    """

    viewers: int = 1000
    minutes: float = 60.0
    speed: float = 1.0
    ways: tuple[str, ...] = WAYS
    history: int = 100_000
    connections: int = 10
    seed: int = 1
    kind: str | None = None
    postgrest: Path | None = None
    faults: tuple[str, ...] = ()
    settings: Mapping[str, float] = field(default_factory=dict)
    margin_s: float = 300.0

    def real_s(self, seconds: float) -> float:
        """How long seconds of the scenario take, in seconds."""
        return seconds / self.speed

    @property
    def patience(self) -> str:
        """Options of a connection whose statements do not outlast the margin."""
        return f"-c statement_timeout={max(1, int(self.margin_s * 1000))}"

    def way(self, number: int) -> str:
        """The way of a viewer."""
        return self.ways[number % len(self.ways)]


@dataclass(frozen=True, slots=True)
class Scaled:
    """Settings for a run at some speed.

    Attributes:
        settings: Key and value.
        held: Those whose bounds did not let them follow, by key, in words.
    """

    settings: dict[str, float]
    held: dict[str, str]


def scaled(defaults: Mapping[str, tuple[float, float, float]], speed: float) -> Scaled:
    """The settings that make a scenario pass faster.

    Args:
        defaults: Value, minimum and maximum of each setting that there is.
        speed: How much faster.
    """
    if speed == 1:
        return Scaled({}, {})
    found, held = {}, {}
    for key in (*DIVIDED, *MULTIPLIED):
        value, least, most = defaults[key]
        wanted = value / speed if key in DIVIDED else value * speed
        found[key] = round(min(max(wanted, least), most), 3)
        if abs(found[key] - wanted) > 0.001 * wanted:
            held[key] = f"{key} is {found[key]:g}, not {wanted:g}: its bounds are {least:g} and {most:g}"
    if _WINDOW in held:
        # As many messages a second as in the window that there should be: who keeps to the limit has to be let in.
        limit, _, most = defaults[_LIMIT]
        found[_LIMIT] = min(ceil(limit * found[_WINDOW] * speed / defaults[_WINDOW][0]), int(most))
        held[_WINDOW] += f"; so {_LIMIT} is {found[_LIMIT]:g}, not {limit:g}"
    return Scaled(found, held)
