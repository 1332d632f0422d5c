"""The watch time an export promises, with overlaps counted twice and once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import eventlive_db.load.attendance as attendance_package
from eventlive_db.load.attendance import Attendance, PersonWatch, expected_watch_seconds, read_attendance

START = datetime(2024, 10, 28, 10, tzinfo=UTC)


def stay(name: str, start: int, end: int, email: str | None = None) -> Attendance:
    return Attendance((2,), name, email, START + timedelta(seconds=start), START + timedelta(seconds=end))


def test_two_devices_at_once_count_twice_in_the_sum_and_once_in_the_union() -> None:
    watch = expected_watch_seconds([stay("Ann", 0, 3600), stay("Ann", 600, 1200), stay("Ann", 3000, 4000)])
    assert watch.people == (PersonWatch("ann", 3, 3600.0 + 600.0 + 1000.0, 4000.0),)


def test_rejoining_adds_up_and_the_break_does_not_count() -> None:
    watch = expected_watch_seconds([stay("Ann", 200, 300), stay("Ann", 0, 100), stay("Ann", 100, 150)])
    assert (watch.summed_seconds, watch.union_seconds) == (250.0, 250.0)


def test_overlap_between_different_people_is_no_overlap() -> None:
    watch = expected_watch_seconds([stay("Ann", 0, 100), stay("Bob", 0, 100), stay("x", 0, 50, email="ANN@b.c")])
    assert [person.person_key for person in watch.people] == ["ann", "bob", "ann@b.c"]
    assert (watch.summed_seconds, watch.union_seconds) == (250.0, 250.0)


def test_nobody_and_nothing_watched_is_zero() -> None:
    assert expected_watch_seconds([]).people == ()
    assert expected_watch_seconds([stay("Ann", 5, 5)]).union_seconds == 0.0


def test_shipped_sample_has_two_people_on_two_devices() -> None:
    path = Path(attendance_package.__file__).parents[1] / "samples" / "zoom_meeting.csv"
    watch = expected_watch_seconds(read_attendance(path).rows)
    twice = {p.person_key: p.summed_seconds - p.union_seconds for p in watch.people if p.sessions > 1}
    assert {key: extra for key, extra in twice.items() if extra} == {
        "olga.petrova@example.com": 1200.0,
        "raj.patel@example.net": 100.0,
    }
    assert (watch.summed_seconds, watch.union_seconds) == (110_370.0, 109_070.0)
