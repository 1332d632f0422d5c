"""Statistics and those who are present, as the client reads them: all of the reply, and all of the pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from eventlive_db.client import AsyncClient, Call, Client, Identity, pages, rpc
from eventlive_db.client import errors as e
from tests.client.conftest import Shell
from tests.support.database import EventliveDatabase

SERVICE = Identity.service()


@dataclass(frozen=True)
class Room:
    """A webinar in which some are present."""

    webinar_id: UUID
    host: Identity
    present: list[UUID]


@pytest.fixture
def room(db: EventliveDatabase) -> Room:
    """Seven who watch, a guest among the others, counted once."""
    host_id = uuid4()
    webinar_id = db.webinar(host=host_id, access_policy="guest_allowed")
    users = [db.user() for _ in range(7)]
    for actor in (*users, db.guest()):
        actor.call("webinar_enter", webinar_id=webinar_id, session_id=uuid4())
    db.admin.execute("call eventlive.run_job('rollup_live')")
    return Room(webinar_id, Identity.user(host_id), sorted(user.user_id for user in users if user.user_id))


def test_all_of_the_statistics_is_read(shell: Shell, room: Room) -> None:
    began = datetime.now(UTC)
    stats = shell.call(rpc.webinar_stats_access(room.webinar_id), room.host)
    assert (stats.status, stats.current_participants, stats.current_guests, stats.registered) == ("live", 7, 1, 8)
    assert (stats.total_attendees, stats.max_concurrent_participants, stats.avg_concurrent_participants) == (8, 8, 8)
    assert stats.peak_time == stats.as_of
    assert stats.next_poll_s > 0
    [bucket] = stats.timeline
    assert bucket.time_bucket <= stats.as_of < bucket.time_bucket + timedelta(seconds=bucket.bucket_s)
    assert (bucket.sample_count, bucket.last_participants, bucket.max_guests, bucket.avg_participants) == (1, 7, 1, 7)
    assert (stats.extra, bucket.extra) == ({}, {})
    later = shell.call(rpc.webinar_stats_access(room.webinar_id, began + timedelta(days=1)), SERVICE)
    assert later.timeline == ()
    again = shell.call(rpc.webinar_stats_access(room.webinar_id, bucket.time_bucket), SERVICE)
    assert again.timeline == stats.timeline


def test_before_anybody_came_there_is_no_peak(shell: Shell, db: EventliveDatabase) -> None:
    stats = shell.call(rpc.webinar_stats_access(db.webinar()), SERVICE)
    assert (stats.peak_time, stats.timeline, stats.avg_concurrent_participants) == (None, (), 0)


def test_a_page_is_read_and_says_whether_there_is_another(shell: Shell, room: Room) -> None:
    first = shell.call(rpc.webinar_participants(room.webinar_id, limit=5), room.host)
    assert [one.user_id for one in first.participants] == room.present[:5]
    assert (first.cursor, first.more) == (room.present[4], True)
    one = first.participants[0]
    assert (one.role, one.name, one.extra) == ("attendee", None, {})
    assert one.joined_at <= one.last_seen_at
    last = shell.call(rpc.webinar_participants(room.webinar_id, first.cursor, 5), room.host)
    assert [one.user_id for one in last.participants] == room.present[5:]
    assert not last.more


def test_where_nobody_is_the_page_is_empty_and_has_no_cursor(shell: Shell, db: EventliveDatabase) -> None:
    page = shell.call(rpc.webinar_participants(db.webinar()), SERVICE)
    assert (page.participants, page.cursor, page.more) == ((), None, False)


def test_an_attendee_is_told_nothing(shell: Shell, room: Room) -> None:
    attendee = Identity.user(room.present[0])
    requests: list[Call[Any]] = [rpc.webinar_stats_access(room.webinar_id), rpc.webinar_participants(room.webinar_id)]
    for request in requests:
        with pytest.raises(e.ForbiddenError) as caught:
            shell.call(request, attendee)
        assert caught.value.token == "not_allowed"


def with_threads(dsn: str, room: Room, limit: int | None) -> list[UUID]:
    """Everybody, by the iterator of threads."""
    with Client(dsn) as client:
        return [one.user_id for one in pages.participants(client.as_user(room.host), room.webinar_id, limit)]


def with_asyncio(dsn: str, room: Room, limit: int | None) -> list[UUID]:
    """Everybody, by that of asyncio."""

    async def run() -> list[UUID]:
        async with AsyncClient(dsn) as client:
            found = pages.participants_async(client.as_user(room.host), room.webinar_id, limit)
            return [one.user_id async for one in found]

    return asyncio.run(run())


@pytest.mark.parametrize("everybody", [with_threads, with_asyncio])
@pytest.mark.parametrize("limit", [1, 3, 6, 7, 8, None])
def test_all_pages_together_are_everybody_once(
    db: EventliveDatabase, room: Room, everybody: Callable[[str, Room, int | None], list[UUID]], limit: int | None
) -> None:
    assert everybody(db.dsn, room, limit) == room.present


@pytest.mark.parametrize("everybody", [with_threads, with_asyncio])
def test_where_nobody_is_there_are_no_pages(
    db: EventliveDatabase, room: Room, everybody: Callable[[str, Room, int | None], list[UUID]]
) -> None:
    db.admin.execute("delete from eventlive.webinar_live_presence")
    assert everybody(db.dsn, room, None) == []
