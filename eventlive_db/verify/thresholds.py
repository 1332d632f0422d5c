"""The thresholds: those of the alerts, so that a verdict and an alarm never differ, and a few of our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from eventlive_db.verify.rates import Window

DEFAULTS: Mapping[str, float] = {
    "alert_http_400_per_min": 10,
    "alert_http_409_per_min": 50,
    "alert_http_5xx_per_min": 10,
    "alert_http_404_per_min": 50,
    "alert_http_401_per_min": 50,
    "alert_auth_p95_s": 5,
}
"""Keys of ``eventlive.settings``, and what holds where the database does not have them or is not asked."""

_SILENCE = timedelta(minutes=10)
_PAUSE = timedelta(minutes=3)
_INSTANT = timedelta(seconds=30)
"""Between the last line of a log and its being read."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is too much.

    Attributes:
        settings: By key of ``eventlive.settings``.
        auth_growth: So many times the calls to the auth service before the release are an explosion.
        auth_per_request: So many calls to it for each hot-path request are one, too; the incident had 1.
        auth_floor_per_min: Below so many calls a minute nothing explodes.
        bad_share: From this part of all answers on, those of one bad kind are suspicious.
        bad_floor_per_min: So many of them a minute, and that part of all, are too many.
        bad_few: Fewer of them in all are life,
        bad_part_of_few: unless they are this part of all answers.
        bad_most: This part of all answers is too many, however few there are a minute.
        bad_least: Among fewer answers than this no part is too many.
        bad_growth: So many times the part that they had before the release is the release's doing.
        silence: A log that ends so long before the end of the window says nothing about the rest of it; ``None`` for
            ten minutes, or half of a shorter window but no less than 30 seconds.
        clock_skew: A log may be so far ahead of our clock.
        unparsed: So many lines may be unreadable.
    """

    settings: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULTS))
    auth_growth: float = 3.0
    auth_per_request: float = 0.5
    auth_floor_per_min: float = 10.0
    bad_share: float = 0.05
    bad_floor_per_min: float = 10.0
    bad_few: int = 5
    bad_part_of_few: float = 0.2
    bad_most: float = 0.5
    bad_least: int = 20
    bad_growth: float = 2.0
    silence: timedelta | None = None
    clock_skew: timedelta = timedelta(minutes=2)
    unparsed: int = 0

    def silence_in(self, window: Window) -> timedelta:
        """How long before the end of a window a log may end, and how long there may be nothing between two files."""
        return self.silence or max(min(_SILENCE, window.length / 2), _INSTANT)

    def pause_in(self, window: Window) -> timedelta:
        """How long nothing may succeed after many successes; clients that came together call together, too."""
        return self.silence or min(_PAUSE, window.length / 2)

    @property
    def http_400_per_min(self) -> float:
        """400s a minute that raise the alarm."""
        return self.settings["alert_http_400_per_min"]

    @property
    def http_409_per_min(self) -> float:
        """409s a minute that raise the alarm."""
        return self.settings["alert_http_409_per_min"]

    @property
    def auth_p95_s(self) -> float:
        """The p95 of the auth service, in seconds."""
        return self.settings["alert_auth_p95_s"]
