"""A webinar that has just filled, before statistics know of it: no call reads those of the others.

Autovacuum analyzes a table after a fifth of it has changed. Where many webinars have been, that is long after the doors
of the next one have opened; till then the planner thinks that hardly anybody is there, and that reading all of them is
as good as finding one.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from tests.support.actors import Actor
from tests.support.cost import cost_of
from tests.support.database import EventliveDatabase, Furnish
from tests.support.faults import break_function

WEBINAR = UUID(int=0xE1)
AUDIENCE = 1_000
HOST, USER, TOKEN = UUID(int=0xA0), UUID(int=0xA1), UUID(int=0xF1)
SESSION, OTHER_SESSION = UUID(int=0xB1), UUID(int=0xB2)

# In each table ten thousand rows of a thousand webinars that are over; then statistics are taken, then all come.
_HISTORY = """
    insert into eventlive.webinars (slug, status) select 'earlier-' || i, 'ended' from generate_series(1, 1000) i;
    insert into eventlive.registrations (webinar_id, user_id)
    select w.id, gen_random_uuid() from eventlive.webinars w, generate_series(1, 10);
    insert into eventlive.webinar_user_sessions (webinar_id, session_id, user_id, entered_at, last_heartbeat_at,
        expires_at, exited_at, exit_reason, interval_s)
    select r.webinar_id, gen_random_uuid(), r.user_id, '2026-01-01', '2026-01-01', '2026-01-02', '2026-01-01', 'left',
           300
      from eventlive.registrations r;
    insert into eventlive.webinar_messages (webinar_id, message_id, user_id, client_message_id, body, change_id)
    select w.id, i, gen_random_uuid(), gen_random_uuid(), 'Hello', i
      from eventlive.webinars w, generate_series(1, 10) i;
    insert into eventlive.webinars (id, slug, status, access_policy, duplicate_login_policy)
    values (%(webinar)s, 'now', 'live', 'guest_allowed', 'replace_oldest');
"""
_ALL_COME = """
    insert into eventlive.registrations (webinar_id, user_id, role)
    values (%(webinar)s, %(host)s, 'host'), (%(webinar)s, %(user)s, 'attendee');
    insert into eventlive.registrations (webinar_id, user_id)
    select %(webinar)s, gen_random_uuid() from generate_series(1, %(audience)s);
    insert into eventlive.webinar_live_presence
    select r.webinar_id, r.user_id, x.at, x.at, x.at + interval '1 hour', 60, 300
      from eventlive.registrations r, (select clock_timestamp() - interval '5 minutes' as at) x
     where r.webinar_id = %(webinar)s;
    insert into eventlive.webinar_user_sessions (
        webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, interval_s, leave_token)
    select r.webinar_id, case r.user_id when %(user)s then %(session)s else gen_random_uuid() end, r.user_id,
           x.at, x.at, x.at + interval '1 hour', 300, %(token)s
      from eventlive.registrations r, (select clock_timestamp() - interval '5 minutes' as at) x
     where r.webinar_id = %(webinar)s;
    insert into eventlive.webinar_messages (webinar_id, message_id, user_id, client_message_id, body, change_id)
    select r.webinar_id, n, r.user_id, gen_random_uuid(), 'Hello', n
      from (select *, 10000 + row_number() over () as n from eventlive.registrations where webinar_id = %(webinar)s) r;
"""


def just_filled(db: EventliveDatabase) -> None:
    """A long history, of which statistics know, and a thousand who have come since."""
    given = {
        "webinar": WEBINAR, "host": HOST, "user": USER, "session": SESSION, "token": TOKEN, "audience": AUDIENCE,
    }  # fmt: skip
    for statement in _HISTORY.split(";\n")[:-1]:
        db.admin.execute(statement.encode(), given if "%(" in statement else None)
    db.admin.execute("vacuum (analyze)")
    for statement in _ALL_COME.split(";\n")[:-1]:
        db.admin.execute(statement.encode(), given)
    db.admin.execute(
        "update eventlive.webinar_message_feeds set last_change_id = 1000000 where webinar_id = %s", [WEBINAR]
    )


@pytest.fixture(scope="module")
def assembled(furnish: Furnish) -> str:
    return furnish(just_filled)


@pytest.fixture
def hall(open_copy: Callable[[str], EventliveDatabase], assembled: str) -> EventliveDatabase:
    """The database, for one test."""
    return open_copy(assembled)


HERE: dict[str, object] = {"webinar_id": WEBINAR}
TEN = [USER, *(UUID(int=n) for n in range(9))]
MINE = {**HERE, "session_id": SESSION}
CALLS: dict[str, tuple[str, str, dict[str, object]]] = {
    "ping": ("user", "webinar_presence_ping", HERE),
    "first ping": ("absent", "webinar_presence_ping", HERE),
    "heartbeat": ("user", "webinar_session_heartbeat", MINE),
    "heartbeat, presence gone": ("absent", "webinar_session_heartbeat", MINE),
    "enter in another tab": ("user", "webinar_enter", {**HERE, "session_id": OTHER_SESSION}),
    "enter, a retry": ("user", "webinar_enter", MINE),
    "enter, a stranger": ("stranger", "webinar_enter", {**HERE, "session_id": OTHER_SESSION}),
    "enter, a guest": ("guest", "webinar_enter", {**HERE, "session_id": OTHER_SESSION}),
    "leave": ("guest", "webinar_leave", {**MINE, "leave_token": TOKEN}),
    "register": ("stranger", "webinar_register", HERE),
    "settings": ("user", "webinar_client_settings", HERE),
    "poll": ("user", "webinar_messages_poll", {**HERE, "after": 10_990, "limit": 20}),
    "post": (
        "user",
        "webinar_message_post",
        {**HERE, "client_message_id": OTHER_SESSION, "kind": "chat", "body": "Hello"},
    ),
    "hide": ("host", "webinar_message_hide", {**HERE, "message_id": 10_500, "hidden": True}),
    "ping of ten": (
        "service",
        "webinar_presence_ping_many",
        {**HERE, "user_ids": [USER, *(UUID(int=n) for n in range(9))]},
    ),
    "eject": ("host", "webinar_eject", {**HERE, "user_id": USER}),
    "grant a role": ("host", "webinar_grant_role", {**HERE, "user_id": USER, "role": "speaker"}),
    "statistics": ("host", "webinar_stats_access", HERE),
    "a page of participants": ("host", "webinar_participants", {**HERE, "limit": 10}),
}
MOST_ROWS = 60


def rows_read(hall: EventliveDatabase, name: str) -> int:
    """Rows of tables that the statements of a call looked at."""
    who, function, arguments = CALLS[name]
    if who == "absent":
        hall.admin.execute("delete from eventlive.webinar_live_presence where user_id = %s", [USER])
    actors: dict[str, Callable[[], Actor]] = {
        "user": lambda: hall.user(USER),
        "absent": lambda: hall.user(USER),
        "stranger": hall.user,
        "host": lambda: hall.user(HOST),
        "guest": hall.guest,
        "service": hall.service,
    }
    return sum(statement.rows_read for statement in cost_of(actors[who](), function, **arguments).statements)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_reads_few_rows(hall: EventliveDatabase, name: str) -> None:
    assert 0 < rows_read(hall, name) <= MOST_ROWS


BROKEN = {
    "heartbeat": ("webinar_session_heartbeat", "and s.exit_reason is null", "and s.exited_at is null"),
    "leave": ("close_sessions", "and s.exit_reason is null", "and s.exited_at is null"),
    "ping of ten": (
        "webinar_presence_ping_many",
        "p.user_id = a.user_id\n                offset 0",
        "p.user_id = a.user_id",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_look_that_leaves_the_choice_to_the_planner_is_seen(hall: EventliveDatabase, name: str) -> None:
    break_function(hall, *BROKEN[name])
    assert rows_read(hall, name) > AUDIENCE
