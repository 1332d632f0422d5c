"""What a policy asks of the caller it asks once a statement, however many rows there are (R17)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventlive_db.client.calls import SET_IDENTITY
from tests.support.cast import WEBINAR, Cast, assemble
from tests.support.database import EventliveDatabase

VIEWS = (
    "webinars",
    "registrations",
    "webinar_live_presence",
    "webinar_user_sessions",
    "event_access_logs",
    "webinar_allowed_emails",
    "profiles",
)
CALLERS = ("guest", "attendee", "host", "admin", "service")

# Per-row evaluation must not hide behind an index that takes the helper as its key.
WITHOUT_INDEXES = "set enable_indexscan = off; set enable_indexonlyscan = off; set enable_bitmapscan = off"


@pytest.fixture
def cast(db: EventliveDatabase) -> Cast:
    """The webinar and its people."""
    return assemble(db, access_policy="guest_allowed")


def fill(db: EventliveDatabase, rows: int) -> None:
    """That many further rows in every table."""
    db.admin.execute(
        f"""
        insert into eventlive.webinars (slug, status)
            select 'w' || gen_random_uuid(), 'live' from generate_series(1, {rows});
        insert into eventlive.registrations (webinar_id, user_id)
            select '{WEBINAR}', gen_random_uuid() from generate_series(1, {rows});
        insert into eventlive.webinar_live_presence
            select webinar_id, user_id, now(), now(), now(), 60, 300 from eventlive.registrations
            on conflict do nothing;
        insert into eventlive.webinar_user_sessions
            (webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, interval_s)
            select webinar_id, gen_random_uuid(), user_id, now(), now(), now(), 300 from eventlive.registrations;
        insert into eventlive.event_access_logs (webinar_id, occurred_at, event)
            select '{WEBINAR}', now(), 'entered' from generate_series(1, {rows});
        insert into eventlive.webinar_allowed_emails
            select '{WEBINAR}', gen_random_uuid() || '@example.com' from generate_series(1, {rows});
        insert into eventlive.profiles select gen_random_uuid() from generate_series(1, {rows});
        """.encode()
    )


def helper_calls(cast: Cast, view: str, caller: str) -> dict[str, int]:
    """How often each function of the private schema runs while a caller reads a whole view."""
    connection = cast.db.connect()
    connection.execute(WITHOUT_INDEXES)
    with connection.transaction():
        connection.execute("set local track_functions = 'all'")
        connection.execute(SET_IDENTITY, cast.actor(caller).identity.settings())
        connection.execute(f"select * from eventlive_api.{view}".encode())
        connection.execute("set local role none")
        calls = connection.execute(
            "select funcname, calls from pg_stat_xact_user_functions where schemaname = 'eventlive'"
        ).fetchall()
    return dict(calls)


def readings() -> Iterator[tuple[str, str]]:
    """View and caller, where the caller may read the view."""
    for view in VIEWS:
        for caller in CALLERS:
            if caller != "guest" or view == "webinars":
                yield view, caller


def test_every_view_is_read(db: EventliveDatabase) -> None:
    views = {name for (name,) in db.rows("select viewname from pg_views where schemaname = 'eventlive_api'")}
    assert views == set(VIEWS)


def test_a_hundred_times_the_rows_cost_no_further_call_of_a_helper(cast: Cast) -> None:
    fill(cast.db, 3)
    few = {reading: helper_calls(cast, *reading) for reading in readings()}
    fill(cast.db, 300)
    many = {reading: helper_calls(cast, *reading) for reading in readings()}
    assert many == few
    assert many["registrations", "host"]["staffed_webinar_ids"] >= 1
    assert max(max(calls.values(), default=0) for calls in many.values()) < 20


@pytest.mark.parametrize(
    ("view", "caller", "helper", "policy", "bare"),
    [
        ("event_access_logs", "host", "staffed_webinar_ids", "event_access_logs_staff", "webinar_id = any ({})"),
        ("profiles", "attendee", "current_user_id", "profiles_own", "user_id = {}"),
        ("webinars", "attendee", "joined_webinar_ids", "webinars_joined", "id = any ({})"),
    ],
    ids=["staffed_webinar_ids", "current_user_id", "joined_webinar_ids"],
)
def test_a_policy_with_a_bare_helper_is_seen(
    cast: Cast, view: str, caller: str, helper: str, policy: str, bare: str
) -> None:
    fill(cast.db, 50)
    if view == "webinars":  # or the other policies let the rows pass before the helper is asked
        cast.db.admin.execute("update eventlive.webinars set access_policy = 'invite_only'")
    assert helper_calls(cast, view, caller)[helper] < 10
    expression = bare.format(f"eventlive.{helper}()")
    cast.db.admin.execute(f"alter policy {policy} on eventlive.{view} using ({expression})".encode())
    assert helper_calls(cast, view, caller)[helper] >= 50
