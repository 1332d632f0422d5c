"""Times as people give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from eventlive_db.verify import VerifyError
from eventlive_db.verify.times import lasting, parse_duration, parse_time

NOW = datetime(2026, 8, 1, 14, 0, tzinfo=UTC)
NOON = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2h",
        "120m",
        "1h60m",
        "7200s",
        "2026-08-01T12:00:00Z",
        "2026-08-01T12:00:00.000+00:00",
        "2026-08-01T14:00:00+02:00",
        "2026-08-01 14:00:00 +0200",
        "2026-08-01 14:00:00 +02:00",
        " 2026-08-01T12:00Z ",
        "1785585600",
        "@1785585600",
        "1785585600 +0200",
    ],
)
def test_a_moment_can_be_said_in_many_ways(text: str) -> None:
    assert parse_time(text, NOW) == NOON


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("2026-08-01T12:00:00", "no_time_zone"),
        ("2026-08-01", "no_time_zone"),
        ("yesterday", "not_a_time"),
        ("", "not_a_time"),
        ("2h ago", "not_a_time"),
        ("0s", "not_a_duration"),
        ("999999999999d", "not_a_duration"),
        ("v1.2.3", "not_a_time"),
    ],
)
def test_what_could_mean_several_moments_or_none_is_refused(text: str, token: str) -> None:
    with pytest.raises(VerifyError) as caught:
        parse_time(text, NOW)
    assert caught.value.token == token
    assert caught.value.advice


def test_durations() -> None:
    assert parse_duration("1h30m") == timedelta(minutes=90)
    assert [lasting(seconds) for seconds in (0.2, 59, 60, 3661, 90000)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h 1 min",
        "1 d 1 h",
    ]
