"""What is an alarm: rows of ``eventlive.settings``, or their defaults."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from eventlive_db.watch.window import HORIZON_S

PREFIX = "alert_"
"""What the keys of these settings begin with."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The settings ``alert_…``, with the defaults that hold where a key is missing.

    Attributes:
        window_s: Length of the sliding window, in seconds, :data:`~eventlive_db.watch.window.HORIZON_S` at most.
        cooldown_s: An alarm that goes on is not told again sooner, in seconds.
        http_400_per_min: Answers with status 400 a minute.
        http_401_per_min: Answers with status 401 a minute.
        http_404_per_min: Answers with status 404 a minute.
        http_409_per_min: Answers with status 409 a minute.
        http_5xx_per_min: Answers with a status from 500 to 599 a minute.
        auth_p95_s: 95th percentile of the calls to the auth service, in seconds.
        realtime_disconnects_per_min: Realtime connections that end, a minute.
        connections_ratio: Share of the connections that ordinary roles may open.
        xmin_age_s: Age of the oldest transaction that keeps dead rows from being removed, in seconds.
        dead_tuple_ratio: Share of dead rows in a table of ``eventlive``.
        hot_ratio_min: Least share of heap-only updates of presence and sessions.
        lock_waiters: Backends that wait for a lock.
    """

    window_s: float = 60
    cooldown_s: float = 900
    http_400_per_min: float = 10
    http_401_per_min: float = 50
    http_404_per_min: float = 50
    http_409_per_min: float = 50
    http_5xx_per_min: float = 10
    auth_p95_s: float = 5
    realtime_disconnects_per_min: float = 100
    connections_ratio: float = 0.8
    xmin_age_s: float = 600
    dead_tuple_ratio: float = 0.5
    hot_ratio_min: float = 0.9
    lock_waiters: float = 5

    @property
    def whole_window_s(self) -> int:
        """The window in whole seconds, within what is remembered."""
        return min(max(round(self.window_s), 1), HORIZON_S)

    @classmethod
    def of_settings(cls, rows: Iterable[tuple[str, object]]) -> tuple[Self, list[str]]:
        """Thresholds from rows of key and value, and a sentence for each value that cannot be used.

        Keys of other settings are none of our business.
        """
        names = {f"{PREFIX}{field.name}": field.name for field in dataclasses.fields(cls)}
        found: dict[str, float] = {}
        problems = []
        for key, value in rows:
            if key not in names:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                problems.append(f"the setting {key} is no number from 0 up: its default holds")
            else:
                found[names[key]] = value
        return cls(**found), problems
