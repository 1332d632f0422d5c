"""The log of a real PostgREST: each request is found once, whatever is done to the file meanwhile."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import httpx

from eventlive_db.logs import Follower, LogEvent, LogFormat, detect_format, read_events
from tests.support.http_door import TIMEOUT_S
from tests.support.http_server import running
from tests.support.own_server import wait_for

Request = tuple[str | None, str | None, int | None]
MISSING = "/registrations?select=id"
# By default PostgREST logs only what ended with 500 or more; with warn from 400, which is what the alarms need.
LOG_ALL = 'log-level = "info"\n'
PING = "/rpc/webinar_presence_ping"


def requests(events: list[LogEvent]) -> Counter[Request]:
    return Counter((event.method, event.path, event.status) for event in events if event.status)


def polled(events: list[LogEvent], follower: Follower) -> Counter[Request]:
    """Add what there is; the requests that there are then."""
    events += follower.poll()
    return requests(events)


def test_requests_are_found_once_through_renames_and_truncations(
    migrated: str, configured: Callable[[str], str]
) -> None:
    with (
        running(configured(migrated) + LOG_ALL) as server,
        httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as client,
    ):
        log = server.child.log
        events: list[LogEvent] = []

        def ask() -> None:
            """Make requests, and wait until the log has as many."""
            made: Counter[Request] = Counter()
            for _ in range(3):
                made["GET", MISSING, client.get(MISSING).status_code] += 1
                body = {"_webinar_id": "00000000-0000-0000-0000-000000000000"}
                made["POST", PING, client.post(PING, json=body).status_code] += 1
            assert made["GET", MISSING, 400] == 3, made
            before = requests(events)
            wait_for("the requests", lambda: polled(events, follower) >= before + made)
            assert requests(events) == before + made

        with Follower([log], from_start=True) as follower:
            ask()
            log.rename(log.with_suffix(".1"))
            # PostgREST knows nothing of it and writes on.
            ask()
            log.with_suffix(".1").rename(log)
            ask()
            events += follower.poll()
            os.truncate(log, 0)
            # It does not append: before what it writes now there is a hole.
            ask()
            assert log.read_bytes()[:1] == b"\0"
            ask()
            assert follower.unparsed == 0
        assert {event.source for event in events} == {"postgrest"}
        assert any(event.message.startswith("Starting PostgREST") for event in events)
        assert all(event.duration_s is None for event in events)
        assert detect_format(log) is LogFormat.POSTGREST
        assert requests(list(read_events(log)))["GET", MISSING, 400] == 6


def test_a_clean_run_has_no_400(migrated: str, configured: Callable[[str], str]) -> None:
    with (
        running(configured(migrated) + LOG_ALL) as server,
        httpx.Client(base_url=server.url, timeout=TIMEOUT_S) as client,
    ):
        with Follower([server.child.log]) as follower:
            client.get("/")
            events: list[LogEvent] = []
            wait_for("the request", lambda: bool(polled(events, follower)))
        assert [event for event in events if (event.status or 0) >= 400] == []
        assert follower.unparsed == 0
