"""What cannot be read is reported by line and token, and costs nothing else."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import eventlive_db.load.attendance as attendance_package
from eventlive_db.load.attendance import (
    AttendanceError,
    FileFault,
    RowFault,
    parse_attendance,
    read_attendance,
)

SAMPLES = Path(attendance_package.__file__).parents[1] / "samples"
HEADER = "Name (Original Name),User Email,Join Time,Leave Time,Duration (Minutes),Guest\n"
TIMES = "2024-10-28 10:00:00,2024-10-28 10:30:00,30,No"
GOOD_BEFORE = f"Ann,ann@example.com,{TIMES}\n"
GOOD_AFTER = f'"Two\nLines",two@example.com,{TIMES}\nBob,,{TIMES}\n'

FAULTS = {
    "row_without_leave_time": (RowFault.MISSING_LEAVE_TIME, "Cy,cy@example.com,2024-10-28 10:00:00,,0,No\n"),
    "row_without_join_time": (RowFault.MISSING_JOIN_TIME, "Cy,cy@example.com,--,2024-10-28 10:00:00,0,No\n"),
    "row_with_leave_before_join": (
        RowFault.LEAVE_BEFORE_JOIN,
        "Cy,cy@example.com,2024-10-28 10:00:01,2024-10-28 10:00:00,0,No\n",
    ),
    "row_with_unparsable_join": (
        RowFault.UNPARSABLE_TIME,
        "Cy,cy@example.com,soon,2024-10-28 10:00:00,0,No\n",
    ),
    "row_with_unparsable_leave": (
        RowFault.UNPARSABLE_TIME,
        "Cy,cy@example.com,2024-10-28 10:00:00,2024-02-30 10:00:00,0,No\n",
    ),
    "row_before_the_calendar_begins": (
        RowFault.UNPARSABLE_TIME,
        "Cy,cy@example.com,0001-01-01T00:00:00+14:00,2024-10-28 10:00:00,0,No\n",
    ),
    "row_with_a_column_too_many": (RowFault.WRONG_COLUMN_COUNT, f"Roe, Cy,cy@example.com,{TIMES}\n"),
    "row_with_columns_missing": (RowFault.WRONG_COLUMN_COUNT, "Cy,cy@example.com\n"),
    "row_without_name_and_email": (RowFault.NO_PERSON, f",,{TIMES}\n"),
    "row_that_stands_twice": (RowFault.DUPLICATE_ROW, GOOD_BEFORE),
    "row_with_a_nul_byte": (RowFault.NUL_BYTE, f"C\0y,cy@example.com,{TIMES}\n"),
    "row_with_an_overlong_name": (RowFault.OVERLONG_FIELD, f"{'x' * 501},cy@example.com,{TIMES}\n"),
    "row_longer_than_csv_allows": (
        RowFault.OVERLONG_FIELD,
        f"{'x' * (csv.field_size_limit() + 1)},cy@example.com,{TIMES}\n",
    ),
    "row_with_a_quote_never_closed": (RowFault.BAD_QUOTING, f'"Cy,cy@example.com,{TIMES}\n'),
    "row_with_a_quote_closed_inside": (RowFault.BAD_QUOTING, f'"C"y,cy@example.com,{TIMES}\n'),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_faulty_row_is_reported_by_line_and_token_and_loses_nothing_else(kind: str) -> None:
    token, row = FAULTS[kind]
    file = parse_attendance((HEADER + GOOD_BEFORE + GOOD_AFTER + row + f"Dee,dee@example.com,{TIMES}\n").encode())
    assert [(problem.line, problem.token) for problem in file.problems] == [(6, token)]
    assert [(row.lines, row.name) for row in file.rows] == [
        ((2,), "Ann"),
        ((3,), "Two\nLines"),
        ((5,), "Bob"),
        ((7,), "Dee"),
    ]


def test_every_fault_at_once_is_reported_and_every_good_row_kept() -> None:
    text = HEADER + GOOD_BEFORE + "".join(row for _, row in FAULTS.values()) + GOOD_AFTER
    file = parse_attendance(text.encode())
    expected = [(line, token) for line, (token, _) in enumerate(FAULTS.values(), start=3)]
    assert [(problem.line, problem.token) for problem in file.problems] == expected
    assert [row.name for row in file.rows] == ["Ann", "Two\nLines", "Bob"]


def test_quote_never_closed_on_the_last_line_loses_that_line_alone() -> None:
    file = parse_attendance((HEADER + GOOD_BEFORE + '"Cy,cy@example.com').encode())
    assert [(problem.line, problem.token) for problem in file.problems] == [(3, RowFault.BAD_QUOTING)]
    assert len(file.rows) == 1


def test_open_quote_that_a_later_quote_seems_to_close_loses_that_line_alone() -> None:
    text = f'{HEADER}"Cy,cy@example.com\n", Lee",lee@example.com,{TIMES}\nBob,,{TIMES}\n'
    file = parse_attendance(text.encode())
    assert [(problem.line, problem.token) for problem in file.problems] == [(2, RowFault.BAD_QUOTING)]
    assert [row.name for row in file.rows] == [", Lee", "Bob"]


def test_row_over_two_lines_with_a_fault_is_reported_where_it_starts() -> None:
    text = f'{HEADER}"Cy\nRoe",cy@example.com,2024-10-28 10:00:00,,,\nBob,,{TIMES}\n'
    file = parse_attendance(text.encode())
    assert [(problem.line, problem.token) for problem in file.problems] == [(2, RowFault.MISSING_LEAVE_TIME)]
    assert [row.lines for row in file.rows] == [(4,)]


def test_zero_seconds_and_missing_columns_at_the_end_are_no_fault() -> None:
    file = parse_attendance((HEADER + "Cy,cy@b.c,2024-10-28 10:00:00,2024-10-28 10:00:00\n").encode())
    assert [row.seconds for row in file.rows] == [0.0]
    assert file.problems == ()


def test_faults_of_a_teams_log_are_reported_where_they_stand() -> None:
    lines = (
        "Full Name\tUser Action\tTimestamp",
        "Ann\tJoined\t10/28/2024, 9:00:00 AM",
        "Bob\tLeft\t10/28/2024, 9:01:00 AM",
        "Cy\tDanced\t10/28/2024, 9:02:00 AM",
        "Dee\tJoined\tearly",
        "Eve\tJoined\t10/28/2024, 9:30:00 AM",
        "Eve\tLeft\t10/28/2024, 9:20:00 AM",
        "Flo\tJoined\t",
        "Ann\tLeft\t10/28/2024, 9:40:00 AM",
        "Ann\tJoined\t10/28/2024, 9:50:00 AM",
    )
    file = parse_attendance("\n".join(lines).encode())
    assert [(problem.line, problem.token) for problem in file.problems] == [
        (3, RowFault.LEFT_WITHOUT_JOIN),
        (4, RowFault.UNKNOWN_ACTION),
        (5, RowFault.UNPARSABLE_TIME),
        (7, RowFault.LEAVE_BEFORE_JOIN),
        (8, RowFault.UNPARSABLE_TIME),
        (10, RowFault.MISSING_LEAVE_TIME),
    ]
    assert [row.lines for row in file.rows] == [(2, 9)]


def test_faults_of_a_section_that_is_not_counted_are_not_reported() -> None:
    text = (
        "2. Participants\nName\tFirst Join\tLast Leave\nAnn\tnever\tnever\n"
        "3. In-Meeting Activities\nName\tJoin Time\tLeave Time\nAnn\t2024-10-28 10:00\t2024-10-28 10:30\n"
    )
    file = parse_attendance(text.encode())
    assert file.problems == ()
    assert len(file.rows) == 1


def test_shipped_faulty_sample_reports_one_of_each() -> None:
    file = read_attendance(SAMPLES / "zoom_meeting_faulty.csv")
    assert [(problem.line, problem.token.value) for problem in file.problems] == [
        (6, "missing_leave_time"),
        (7, "missing_join_time"),
        (8, "leave_before_join"),
        (11, "unparsable_time"),
        (12, "wrong_column_count"),
        (13, "wrong_column_count"),
        (14, "no_person"),
        (15, "duplicate_row"),
        (16, "bad_quoting"),
        (17, "overlong_field"),
    ]
    assert [row.lines for row in file.rows] == [(5,), (9,), (18,), (19,)]


@pytest.mark.parametrize(
    ("data", "token"),
    [
        (b"", FileFault.EMPTY_FILE),
        (b" \r\n\t\n", FileFault.EMPTY_FILE),
        (b"\xef\xbb\xbf", FileFault.EMPTY_FILE),
        (b"\xff\xfe", FileFault.EMPTY_FILE),
        (b"PK\x03\x04" + HEADER.encode(), FileFault.BINARY_FILE),
        (bytes(range(256)) * 8, FileFault.BINARY_FILE),
        (b"a,b,c\n1,2,3\n", FileFault.NO_HEADER),
        (b'"Name,Join Time,Leave Time\n', FileFault.NO_HEADER),
        (b'Name,Join Time,Leave Time,"Que\n', FileFault.NO_HEADER),
    ],
)
def test_file_with_nothing_to_read_is_refused_with_a_token_and_a_hint(data: bytes, token: FileFault) -> None:
    with pytest.raises(AttendanceError) as caught:
        parse_attendance(data)
    assert caught.value.token == token
    assert caught.value.hint in str(caught.value)


def test_missing_header_names_the_columns_looked_for_and_those_seen() -> None:
    with pytest.raises(AttendanceError, match=r"'Join Time' and 'Leave Time'.* saw 'Colour', 'Shape', 'Size'"):
        parse_attendance(b"Fruit\nColour;Shape;Size\n1;2;3\n")


def test_export_of_unique_users_is_told_how_to_export_the_joins() -> None:
    with pytest.raises(AttendanceError) as caught:
        parse_attendance(b"Name (Original Name),User Email,Total Duration (Minutes),Guest\nAnn,a@b.c,30,No\n")
    assert "Show unique users" in caught.value.hint


def test_header_without_a_row_gives_no_rows_and_says_so() -> None:
    file = parse_attendance(HEADER.encode())
    assert (file.rows, file.problems) == ((), ())
    assert "The file has a header but no row under it." in file.notes


def test_missing_file_directory_and_impossible_path_are_refused(tmp_path: Path) -> None:
    for path, token in (
        (tmp_path / "gone.csv", FileFault.MISSING_FILE),
        (tmp_path, FileFault.IS_DIRECTORY),
        (tmp_path / "x\0y", FileFault.UNREADABLE_FILE),
        (tmp_path / ("x" * 5000), FileFault.UNREADABLE_FILE),
    ):
        with pytest.raises(AttendanceError) as caught:
            read_attendance(path)
        assert caught.value.token == token


def test_file_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventlive_db.load.attendance.reader.MAX_FILE_BYTES", 100)
    path = tmp_path / "big.csv"
    path.write_bytes(b"x" * 101)
    with pytest.raises(AttendanceError) as caught:
        read_attendance(path)
    assert caught.value.token == FileFault.FILE_TOO_LARGE
