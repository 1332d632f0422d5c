"""Times as exports write them, the order of day and month, and time zones."""
# ruff: noqa: RUF001 - exports are written with these very characters

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from eventlive_db.load.attendance import AttendanceFile, RowFault, parse_attendance
from eventlive_db.load.attendance.times import read_time

MORNING = datetime(2024, 10, 28, 9, 58, 13)  # noqa: DTZ001 - exports carry no zone
EVENING = datetime(2024, 10, 28, 21, 58, 13)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10/28/2024 09:58:13 AM", MORNING),
        ("10/28/2024 09:58:13 PM", EVENING),
        ("2024-10-28 09:58:13", MORNING),
        ("2024/10/28 9:58:13", MORNING),
        ("2024-10-28T21:58:13", EVENING),
        ("10/28/24, 9:58:13 AM", MORNING),
        ("10/28/24, 9:58:13\u202fPM", EVENING),
        ("10/28/2024, 9:58:13\u00a0a.\u00a0m.", MORNING),
        ("Oct 28, 2024 9:58:13 AM", MORNING),
        ("Oct 28, 2024 21:58:13", EVENING),
        ("October 28, 2024 at 9:58:13 PM", EVENING),
        ("28 Oct 2024 09:58:13", MORNING),
        ("28-Oct-2024 09:58:13", MORNING),
        ("28 de octubre de 2024 9:58:13 p. m.", EVENING),
        ("28. Okt. 2024, 21:58:13", EVENING),
        ("28.10.2024 09:58:13", MORNING),
        ("28.10.24, 21:58:13", EVENING),
        ("28/10/2024 09:58:13", MORNING),
        ("28-10-2024 09:58:13", MORNING),
        ("2024. 10. 28. 오후 9:58:13", EVENING),
        ("2024/10/28 上午9:58:13", MORNING),
        ("2024-10-28T09:58:13Z", MORNING.replace(tzinfo=UTC)),
        ("2024-10-28T11:58:13+02:00", MORNING.replace(tzinfo=UTC)),
        ("2024-10-28T04:58:13.000-0500", MORNING.replace(tzinfo=UTC)),
        ("10/28/2024 9:58:13 AM UTC", MORNING.replace(tzinfo=UTC)),
        ("10/28/2024 12:00:00 AM", datetime(2024, 10, 28)),  # noqa: DTZ001
        ("10/28/2024 12:00 PM", datetime(2024, 10, 28, 12)),  # noqa: DTZ001
    ],
)
def test_time_is_read_as_its_writer_meant_it(text: str, expected: datetime) -> None:
    reading = read_time(text)
    assert reading is not None
    assert (reading.month_first or reading.day_first) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "28",
        "09:58:13",
        "2024-10-28",
        "13/13/2024 09:58",
        "10/28/2024 13:00 PM",
        "10/28/2024 0:30 AM",
        "10/28/2024 24:00",
        "10/28/024 10:00",
        "2024-10-28 09:58:13 PST",
        "2024-10-28T09:58:13+99:00",
        "2024-10/28 09:58",
        "Smarch 13, 2024 10:00",
        "٢٠٢٤-١٠-٢٨ 09:58",
    ],
)
def test_text_that_is_no_date_and_time_is_not_guessed_at(text: str) -> None:
    assert read_time(text) is None


def table(*joins: str, leave: str = "") -> bytes:
    lines = ["Name,Join Time,Leave Time", *(f"P{n},{join},{leave or join}" for n, join in enumerate(joins))]
    return "\n".join(lines).encode()


def joined(file: AttendanceFile) -> list[str]:
    return [row.joined_at.strftime("%d.%m. %H:%M") for row in file.rows]


def test_one_value_that_can_only_be_day_first_decides_the_whole_file() -> None:
    file = parse_attendance(table("05/06/2024 10:00", "13/06/2024 10:00"))
    assert joined(file) == ["05.06. 10:00", "13.06. 10:00"]
    assert not any("two ways" in note for note in file.notes)


def test_one_value_that_can_only_be_month_first_decides_the_whole_file() -> None:
    file = parse_attendance(table("06/05/2024 10:00", "06/13/2024 10:00"))
    assert joined(file) == ["05.06. 10:00", "13.06. 10:00"]
    assert not any("two ways" in note for note in file.notes)


def test_undecidable_order_is_month_first_and_says_so() -> None:
    file = parse_attendance(table("05/06/2024 10:00"))
    assert joined(file) == ["06.05. 10:00"]
    assert any("'05/06/2024 10:00' can be read two ways" in note for note in file.notes)


def test_order_the_user_gives_is_kept() -> None:
    file = parse_attendance(table("05/06/2024 10:00"), day_first=True)
    assert joined(file) == ["05.06. 10:00"]
    assert not any("two ways" in note for note in file.notes)


def test_same_day_and_month_leaves_nothing_to_decide() -> None:
    assert not any("two ways" in note for note in parse_attendance(table("05/05/2024 10:00")).notes)


def test_contradicting_dates_follow_the_majority_and_the_rest_is_reported() -> None:
    file = parse_attendance(table("13/06/2024 10:00", "14/06/2024 10:00", "06/15/2024 10:00", "05/06/2024 10:00"))
    assert joined(file) == ["13.06. 10:00", "14.06. 10:00", "05.06. 10:00"]
    assert [(problem.line, problem.token) for problem in file.problems] == [(4, RowFault.UNPARSABLE_TIME)]
    assert any("only be day/month" in note for note in file.notes)


def test_local_times_are_converted_to_utc_and_offsets_win() -> None:
    file = parse_attendance(
        table("2024-10-26 10:00", "2024-10-26T10:00Z", "2024-10-26T10:00+05:00", leave="2024-10-26 13:00"),
        timezone=ZoneInfo("Europe/Berlin"),
    )
    assert joined(file) == ["26.10. 08:00", "26.10. 10:00", "26.10. 05:00"]
    assert all(row.joined_at.tzinfo is UTC and row.left_at.tzinfo is UTC for row in file.rows)
    assert any("read as Europe/Berlin" in note for note in file.notes)


def test_no_note_on_the_zone_where_every_time_carries_one() -> None:
    assert not any("zone" in note for note in parse_attendance(table("2024-10-26T10:00Z")).notes)


def test_header_that_says_utc_wins_over_the_given_zone() -> None:
    data = b"Name,First Join (UTC),Last Leave (UTC)\nAnn,2024-10-26 10:00,2024-10-26 11:00\n"
    assert joined(parse_attendance(data, timezone=ZoneInfo("Europe/Berlin"))) == ["26.10. 10:00"]


def test_leave_in_the_hour_that_exists_twice_is_not_before_the_join() -> None:
    berlin = ZoneInfo("Europe/Berlin")  # clocks went from 03:00 back to 02:00 on 27 October 2024
    file = parse_attendance(table("2024-10-27 02:50", leave="2024-10-27 02:10"), timezone=berlin)
    assert [row.seconds for row in file.rows] == [20 * 60]
    assert file.problems == ()
