"""rollup_live's timeline: each sample in one bucket, the one of its time, whatever length the buckets have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from eventlive_db.server import Server
from tests.support.database import EventliveDatabase
from tests.support.jobs import changed, clear, fault, job_database, live, present, run, sessions

ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
NOON = datetime(2031, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    """The database, in which a test says what time it is when an audience is counted."""
    with (
        job_database(pg_server, schema_template) as database,
        fault(database, "rollup_live_step", ":= clock_timestamp()", ":= current_setting('a_test.now')::timestamptz"),
    ):
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    clear(module_db)
    return module_db


def sample(db: EventliveDatabase, webinar_id: UUID, now: datetime, participants: int, guests: int = 0) -> None:
    """Count so many people at that time."""
    db.admin.execute("delete from eventlive.webinar_live_presence; delete from eventlive.webinar_user_sessions")
    present(db, webinar_id, count=participants, expires_in="10 years")
    sessions(db, webinar_id, count=guests, expires_in="10 years")
    db.admin.execute("select set_config('a_test.now', %s, false)", [now.isoformat()])
    assert db.value("select eventlive.rollup_live_step(%s)", webinar_id) == 1


def configure(db: EventliveDatabase, webinar_id: UUID, bucket_s: int) -> None:
    """Change the length of the webinar's buckets."""
    db.admin.execute(
        "update eventlive.webinars set settings = settings || %s where id = %s",
        [Jsonb({"timeline_bucket_s": bucket_s}), webinar_id],
    )


def timeline(db: EventliveDatabase, webinar_id: UUID) -> list[tuple[Any, ...]]:
    """All of it."""
    return db.rows(
        "select time_bucket, bucket_s, sample_count, sum_participants, min_participants, max_participants,"
        " last_participants, sum_guests, min_guests, max_guests, last_guests, updated_at"
        " from eventlive.webinar_access_logs where webinar_id = %s order by time_bucket",
        webinar_id,
    )


@dataclass
class Model:
    """The timeline as it ought to be: buckets on the grid of their length, which do not overlap."""

    buckets: dict[datetime, tuple[int, list[tuple[datetime, int, int]]]] = field(default_factory=dict)

    def add(self, length: int, now: datetime, participants: int, guests: int) -> None:
        """Put a sample where it belongs."""
        length = next(known for known in (900, 300, 60) if length >= known)
        begin = now - (now - ORIGIN) % timedelta(seconds=length)
        if self.buckets:
            last = max(self.buckets)
            if last + timedelta(seconds=self.buckets[last][0]) > begin:
                length = self.buckets[last][0]
                begin = now - (now - ORIGIN) % timedelta(seconds=length)
        self.buckets.setdefault(begin, (length, []))[1].append((now, participants, guests))

    def rows(self) -> list[tuple[Any, ...]]:
        """As they are stored."""
        result = []
        for begin, (length, samples) in sorted(self.buckets.items()):
            people, guests = [p for _, p, _ in samples], [g for _, _, g in samples]
            row: tuple[Any, ...] = (begin, length, len(samples))
            for counts in (people, guests):
                row += (sum(counts), min(counts), max(counts), counts[-1])
            result.append((*row, samples[-1][0]))
        return result


def assert_timeline(db: EventliveDatabase, webinar_id: UUID, model: Model) -> None:
    """Fail where the timeline is another one, has overlaps, or does not add up to what webinar_live says."""
    rows = timeline(db, webinar_id)
    assert rows == model.rows()
    for (begin, length, *_), (later, *_) in pairwise(rows):
        assert begin + timedelta(seconds=length) <= later
    assert live(db, webinar_id, "sample_count", "sum_participants", "sum_guests") == (
        sum(row[2] for row in rows), sum(row[3] for row in rows), sum(row[7] for row in rows))  # fmt: skip


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.000001, 17, 59.999999, 60, 61.5, 200, 299.999999, 300, 450, 899.999999, 900, 4000]),
        st.sampled_from([None, None, 60, 100, 300, 500, 900]),
        st.integers(0, 3),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(steps=STEPS)
def test_every_sample_is_in_the_bucket_of_its_time(
    module_db: EventliveDatabase, steps: list[tuple[float, int | None, int, int]]
) -> None:
    clear(module_db)
    webinar_id, model, now, length = module_db.webinar(), Model(), NOON, 300
    for seconds, change, participants, guests in steps:
        if change:
            length = change
            configure(module_db, webinar_id, length)
        now += timedelta(seconds=seconds)
        sample(module_db, webinar_id, now, participants, guests)
        model.add(length, now, participants, guests)
    assert_timeline(module_db, webinar_id, model)


FAULTS = {
    "a longer bucket is begun in the midst": [("elsif v_last.ends_at > v_bucket then", "elsif false then")],
    "a shorter bucket is begun in the midst": [
        ("if v_last.ends_at > v_now then", "if false then"),
        ("elsif v_last.ends_at > v_bucket then", "elsif false then")],
    "the last one is the largest": [
        ("last_participants = excluded.last_participants",
         "last_participants = greatest(b.last_participants, excluded.last_participants)")],
    "a sample takes the place of another": [("sample_count = b.sample_count + 1", "sample_count = 1")],
    "the sum is that of the first": [("sum_guests = b.sum_guests + excluded.sum_guests", "sum_guests = b.sum_guests")],
}  # fmt: skip


@pytest.mark.parametrize("replaced", FAULTS.values(), ids=list(FAULTS))
def test_the_model_sees_a_sample_in_the_wrong_place(
    jobs_db: EventliveDatabase, replaced: list[tuple[str, str]]
) -> None:
    webinar_id, model = jobs_db.webinar(settings={"timeline_bucket_s": 60}), Model()
    with ExitStack() as faults:
        for old, new in replaced:
            faults.enter_context(fault(jobs_db, "rollup_live_step", old, new))
        for seconds, length, people in ((1, 60, 3), (2, 60, 1), (70, 900, 2), (910, 900, 2), (1000, 60, 2)):
            configure(jobs_db, webinar_id, length)
            sample(jobs_db, webinar_id, NOON + timedelta(seconds=seconds), people, people)
            model.add(length, NOON + timedelta(seconds=seconds), people, people)
    with pytest.raises(AssertionError):
        assert_timeline(jobs_db, webinar_id, model)


@pytest.mark.parametrize(
    ("setting", "length"),
    [(60, 60), (61, 60), (100, 60), (299, 60), (300, 300), (301, 300), (899, 300), (900, 900)],
)
def test_every_setting_allowed_gives_a_length_allowed(jobs_db: EventliveDatabase, setting: int, length: int) -> None:
    webinar_id = jobs_db.webinar(settings={"timeline_bucket_s": setting})
    sample(jobs_db, webinar_id, NOON, 1)
    assert [row[:2] for row in timeline(jobs_db, webinar_id)] == [(NOON, length)]


def test_a_clock_that_is_put_back_stops_nothing(jobs_db: EventliveDatabase) -> None:
    webinar_id = jobs_db.webinar()
    for people, minutes in enumerate((60, 0, 1, 61)):
        sample(jobs_db, webinar_id, NOON + timedelta(minutes=minutes), people)
        assert live(jobs_db, webinar_id, "participants", "as_of") == (people, NOON + timedelta(minutes=minutes))
    assert [row[:4] for row in timeline(jobs_db, webinar_id)] == [
        (NOON, 300, 2, 3), (NOON + timedelta(minutes=60), 300, 2, 3)]  # fmt: skip


def test_nothing_is_sampled_while_nobody_watches_a_webinar_that_is_not_live(jobs_db: EventliveDatabase) -> None:
    webinar_id = jobs_db.webinar(status="scheduled")
    sample(jobs_db, webinar_id, NOON, 0)
    assert timeline(jobs_db, webinar_id) == []
    sample(jobs_db, webinar_id, NOON, 0, 2)
    sample(jobs_db, webinar_id, NOON + timedelta(minutes=10), 0)
    sample(jobs_db, webinar_id, NOON + timedelta(minutes=20), 0)
    # The last one tells that they went.
    assert [(row[0], row[2], row[7]) for row in timeline(jobs_db, webinar_id)] == [
        (NOON, 1, 2), (NOON + timedelta(minutes=10), 1, 0)]  # fmt: skip


def test_an_old_bucket_off_the_grid_is_filled_while_it_is_open(jobs_db: EventliveDatabase) -> None:
    webinar_id = jobs_db.webinar()
    jobs_db.admin.execute(
        "insert into eventlive.webinar_access_logs (webinar_id, time_bucket, bucket_s, sample_count, updated_at)"
        " values (%s, %s, 300, 1, %s)",
        [webinar_id, NOON + timedelta(minutes=2), NOON],
    )
    for minutes in (3, 6, 11):
        sample(jobs_db, webinar_id, NOON + timedelta(minutes=minutes), 1)
    assert [(row[0].minute, row[2]) for row in timeline(jobs_db, webinar_id)] == [(2, 3), (10, 1)]


def test_a_run_that_is_repeated_adds_one_sample_to_each_webinar(jobs_db: EventliveDatabase) -> None:
    webinars = [jobs_db.webinar() for _ in range(3)]
    for number in range(3):
        now = NOON + timedelta(minutes=number)
        jobs_db.admin.execute("select set_config('a_test.now', %s, false)", [now.isoformat()])
        assert changed(jobs_db, "rollup_live") == 3
    for webinar_id in webinars:
        assert [row[2] for row in timeline(jobs_db, webinar_id)] == [3]
        assert live(jobs_db, webinar_id, "sample_count") == (3,)
    assert run(jobs_db, "rollup_live")["batches"] == 3
