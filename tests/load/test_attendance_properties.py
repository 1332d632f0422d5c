"""What holds for every export: what was written comes back, and nothing else is ever raised."""
# ruff: noqa: RUF001 - exports are written with these very characters

from __future__ import annotations

import codecs
import contextlib
import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.load.attendance import Attendance, AttendanceError, expected_watch_seconds, parse_attendance

HEADERS = (
    ("Name (Original Name)", "User Email", "Join Time", "Leave Time"),
    ("Nombre (nombre original)", "E-mail del usuario", "Hora para unirse", "Hora para salir"),
    ("Nom (nom original)", "Adresse e-mail de l’utilisateur", "Heure d’arrivée", "Heure de départ"),
    ("Name (ursprünglicher Name)", "E-Mail", "Beitrittszeit", "Austrittszeit"),
    ("full name", "EMAIL", "first join", "last leave"),
)
TIME_FORMATS = (
    (False, "%m/%d/%Y %I:%M:%S %p"),
    (False, "%m/%d/%y, %I:%M:%S\u202f%p"),
    (True, "%d/%m/%Y %H:%M:%S"),
    (True, "%d.%m.%Y, %H:%M:%S"),
    (False, "%Y-%m-%d %H:%M:%S"),
    (True, "%Y-%m-%dT%H:%M:%S"),
    (False, "%b %d, %Y %I:%M:%S %p"),
)
ENCODINGS = (
    (b"", "utf-8"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (b"", "utf-16-be"),
)
PREAMBLE: tuple[list[str], ...] = (
    ["Meeting ID", "Topic", "Start Time", "User Email"],
    ["852 1848", "Demo; a, b\nc", "", "host@b.c"],
    [],
)


@dataclass(frozen=True)
class Variant:
    """One way to write an export."""

    header: tuple[str, str, str, str]
    day_first: bool
    time_format: str
    bom: bytes
    encoding: str
    delimiter: str
    newline: str
    quote_all: bool
    preamble: bool
    offset_hours: int


variants = st.builds(
    lambda time, code, **rest: Variant(day_first=time[0], time_format=time[1], bom=code[0], encoding=code[1], **rest),
    time=st.sampled_from(TIME_FORMATS),
    code=st.sampled_from(ENCODINGS),
    header=st.sampled_from(HEADERS),
    delimiter=st.sampled_from(",;\t"),
    newline=st.sampled_from(["\n", "\r\n"]),
    quote_all=st.booleans(),
    preamble=st.booleans(),
    offset_hours=st.integers(-12, 14),
)
NAME_LETTERS = "abcxyzABC019 \t\n\"',;:.|#()@-+=/\\_éüßÑžøİıﬁ\u00a0\u2028\u200f\u0301김민佐藤مرحباПривет😀𝒜"
names = st.text(NAME_LETTERS, max_size=20).map(str.strip).filter(lambda name: name not in {"-", "--"})
emails = st.one_of(st.none(), st.from_regex(r"[a-zA-Z0-9.]{1,9}@[a-z]{1,9}\.(com|org)", fullmatch=True))
moments = st.integers(0, 30 * 365 * 86400).map(lambda s: datetime(2001, 1, 1, tzinfo=UTC) + timedelta(seconds=s))
rows = st.builds(
    lambda name, email, start, seconds: Attendance((), name, email, start, start + timedelta(seconds=seconds)),
    name=names,
    email=emails,
    start=moments,
    seconds=st.integers(0, 90_000),
).filter(lambda row: bool(row.name or row.email))


def render(sessions: list[Attendance], variant: Variant) -> tuple[bytes, list[int]]:
    """The export, and the line on which each row starts."""
    zone = timezone(timedelta(hours=variant.offset_hours))
    out = io.StringIO(newline="")
    writer = csv.writer(
        out,
        delimiter=variant.delimiter,
        lineterminator=variant.newline,
        quoting=csv.QUOTE_ALL if variant.quote_all else csv.QUOTE_MINIMAL,
    )
    if variant.preamble:
        writer.writerows(PREAMBLE)
    writer.writerow(variant.header)
    lines = []
    for row in sessions:
        lines.append(out.getvalue().count("\n") + 1)
        times = (moment.astimezone(zone).strftime(variant.time_format) for moment in (row.joined_at, row.left_at))
        writer.writerow([row.name, row.email or "", *times])
    return variant.bom + out.getvalue().encode(variant.encoding), lines


@given(st.lists(rows, max_size=8, unique=True), variants)
def test_what_is_written_in_any_variant_is_read_back(sessions: list[Attendance], variant: Variant) -> None:
    data, lines = render(sessions, variant)
    zone = timezone(timedelta(hours=variant.offset_hours))
    file = parse_attendance(data, timezone=zone, day_first=variant.day_first)
    assert file.problems == ()
    expected = [
        Attendance((line,), row.name, row.email, row.joined_at, row.left_at)
        for line, row in zip(lines, sessions, strict=True)
    ]
    assert list(file.rows) == expected


@given(st.lists(rows, min_size=1, max_size=6, unique=True), variants, st.data())
def test_one_broken_line_costs_no_other_row(sessions: list[Attendance], variant: Variant, data: st.DataObject) -> None:
    rendered, lines = render(sessions, variant)
    text = rendered[len(variant.bom) :].decode(variant.encoding)
    physical = io.StringIO(text, newline="").readlines()
    position = data.draw(st.integers(0, len(sessions)))
    at = (lines[position] if position < len(sessions) else len(physical) + 1) - 1
    broken = data.draw(st.sampled_from(['"open', "one cell", '"a"b', variant.delimiter * 9 + "x"]))
    physical.insert(at, broken + variant.newline)
    zone = timezone(timedelta(hours=variant.offset_hours))
    file = parse_attendance(
        variant.bom + "".join(physical).encode(variant.encoding), timezone=zone, day_first=variant.day_first
    )
    assert [problem.line for problem in file.problems] == [at + 1]
    assert [row.joined_at for row in file.rows] == [row.joined_at for row in sessions]


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_an_attendance_error(data: bytes) -> None:
    with contextlib.suppress(AttendanceError):
        parse_attendance(data)


@given(st.sampled_from(HEADERS), st.sampled_from(ENCODINGS), st.text(max_size=300), st.booleans())
def test_arbitrary_text_under_a_header_raises_nothing(
    header: tuple[str, ...], code: tuple[bytes, str], body: str, log: bool
) -> None:
    head = "Full Name,User Action,Timestamp" if log else ",".join(header)
    data = code[0] + f"{head}\n{body}".encode(code[1], errors="replace")
    with contextlib.suppress(AttendanceError):
        file = parse_attendance(data)
        assert all(row.joined_at <= row.left_at for row in file.rows)


@given(st.lists(rows, max_size=12))
def test_union_is_never_more_than_the_sum_and_never_less_than_the_longest(sessions: list[Attendance]) -> None:
    watch = expected_watch_seconds(sessions)
    assert watch.union_seconds <= watch.summed_seconds
    for person in watch.people:
        longest = max(row.seconds for row in sessions if row.person_key == person.person_key)
        assert longest <= person.union_seconds <= person.summed_seconds
