"""A replayed attendance file comes out of the database with the watch time that is in the file."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

import eventlive_db.load
from eventlive_db.load.attendance import Attendance, expected_watch_seconds, read_attendance
from eventlive_db.load.replay import ReplayReport, default_speed, replay
from eventlive_db.server import Server
from tests.support.database import EventliveDatabase

SAMPLE = Path(eventlive_db.load.__file__).parent / "samples" / "zoom_meeting.csv"


@pytest.fixture(scope="module")
def rows() -> tuple[Attendance, ...]:
    """The sample that is in the package."""
    return read_attendance(SAMPLE).rows


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay, and where."""

    db: EventliveDatabase
    report: ReplayReport


CREDIT_TWICE = (
    "create or replace function eventlive.watch_credit("
    "_since timestamptz, _until timestamptz, _at_most_s double precision) returns numeric language sql immutable"
    " return 2 * least(greatest(extract(epoch from _until - _since), 0), _at_most_s::numeric)"
)


@pytest.fixture(scope="module")
def replays(pg_server: Server, schema_template: str, rows: tuple[Attendance, ...]) -> Iterator[tuple[Replayed, ...]]:
    """The file in a few seconds: as it should be, and credited double; at the same time, for each mostly waits."""
    with ExitStack() as stack:
        databases = []
        for change in ("", CREDIT_TWICE):
            name = f"replay_{secrets.token_hex(8)}"
            stack.callback(pg_server.drop_database, name)
            databases.append(EventliveDatabase(pg_server.create_database(name, schema_template)))
            stack.callback(databases[-1].close)
            databases[-1].admin.execute(change.encode())

        async def run_all() -> list[ReplayReport]:
            speed = default_speed(rows, 4)
            return await asyncio.gather(*(replay(db.dsn, rows, speed, 8, lambda _view: None) for db in databases))

        yield tuple(map(Replayed, databases, asyncio.run(run_all())))


def test_the_watch_time_of_the_database_agrees_with_the_file(
    replays: tuple[Replayed, ...], rows: tuple[Attendance, ...]
) -> None:
    db, report = replays[0].db, replays[0].report
    assert report.passed, report
    assert len(report.sessions) == len(rows) == db.count("webinar_user_sessions")
    assert report.people == len({row.person_key for row in rows})
    assert report.file_seconds == expected_watch_seconds(rows).summed_seconds


def test_every_row_is_a_session_of_its_person_and_guests_have_no_user(
    replays: tuple[Replayed, ...], rows: tuple[Attendance, ...]
) -> None:
    db = replays[0].db
    users = {row.person_key for row in rows if not row.is_guest}
    guests = [row for row in rows if row.is_guest]
    assert db.value("select count(distinct user_id) from eventlive.webinar_user_sessions") == len(users)
    assert db.value("select count(*) from eventlive.webinar_user_sessions where user_id is null") == len(guests)
    assert db.value("select count(*) from eventlive.registrations") == len(users)
    assert db.value("select count(*) from eventlive.webinar_user_sessions where exit_reason <> 'left'") == 0


def test_a_database_that_credits_double_is_noticed(replays: tuple[Replayed, ...]) -> None:
    report = replays[1].report
    assert not report.passed
    assert report.disagreeing


def test_the_default_speed_makes_the_file_last_as_long_as_asked_but_never_slower_than_life(
    rows: tuple[Attendance, ...],
) -> None:
    span = (max(r.left_at for r in rows) - min(r.joined_at for r in rows)) / timedelta(seconds=1)
    assert default_speed(rows, 10) == pytest.approx(span / 10)
    assert default_speed(rows, 10 * span) == 1
