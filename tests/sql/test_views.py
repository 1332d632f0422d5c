"""What each caller sees: in the views, and by the policies of the tables alone (R17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.actors import Actor, new_id
from tests.support.cast import ELSEWHERE, EVERYBODY, USERS, WEBINAR, Cast, assemble
from tests.support.database import EventliveDatabase, Furnish
from tests.support.tables import read_table

# own: rows of the caller; ours, elsewhere: of the one webinar or the other; denied: an error instead of rows.
VISIBLE = """
view                    guest   stranger  attendee  speaker  ejected  moderator  host      host_elsewhere
registrations           denied  own       own       own      own      ours       ours+own  elsewhere
webinar_live_presence   denied  own       own       own      own      ours       ours+own  elsewhere
webinar_user_sessions   denied  own       own       own      own      ours       ours+own  elsewhere
event_access_logs       denied  none      none      none     none     ours       ours      elsewhere
webinar_allowed_emails  denied  none      none      none     none     ours       ours      elsewhere
profiles                denied  own       own       own      own      own        own       own
"""

VISIBLE_TO_OTHERS = """
view                    viewer_elsewhere  admin  service
registrations           own               all    all
webinar_live_presence   own               all    all
webinar_user_sessions   own               all    all
event_access_logs       none              all    all
webinar_allowed_emails  none              all    all
profiles                own               own    all
"""

# Tables without a view: what their policies would show if a view or a grant were added.
VISIBLE_IN_TABLES = """
table                stranger  attendee  moderator  host      host_elsewhere  admin    service
webinar_messages     own       own       ours       ours+own  elsewhere       all      all
webinar_live         none      none      ours       ours      elsewhere       all      all
webinar_message_feeds none     none      ours       ours      elsewhere       all      all
webinar_access_logs  none      none      ours       ours      elsewhere       all      all
settings             none      none      none       none      none            none     all
jobs                 none      none      none       none      none            none     all
job_runs             none      none      none       none      none            none     all
"""

# A row is a webinar, a cell whether the caller sees it.
VISIBLE_WEBINARS = """
webinar                  guest stranger listed attendee speaker ejected moderator host host_elsewhere admin service
live_auth                no    yes      yes    yes      yes     yes     yes       yes  yes            yes   yes
live_guest_allowed       yes   yes      yes    yes      yes     yes     yes       yes  yes            yes   yes
live_invite_only         no    no       yes    yes      yes     yes     yes       yes  no             yes   yes
live_email_auth          no    no       yes    yes      yes     yes     yes       yes  no             yes   yes
scheduled_guest_allowed  yes   yes      yes    yes      yes     yes     yes       yes  yes            yes   yes
ended_invite_only        no    no       yes    yes      yes     yes     yes       yes  no             yes   yes
draft_guest_allowed      no    no       no     no       yes     no      yes       yes  no             yes   yes
draft_invite_only        no    no       no     no       yes     no      yes       yes  no             yes   yes
"""

# Webinar and user of a row, null where it has none, and what else tells it apart.
KEYS = {
    "registrations": "webinar_id, user_id",
    "webinar_live_presence": "webinar_id, user_id",
    "webinar_user_sessions": "webinar_id, user_id, session_id",
    "event_access_logs": "webinar_id, user_id, event_id",
    "webinar_allowed_emails": "webinar_id, null::uuid, email",
    "profiles": "null::uuid, user_id",
    "webinar_messages": "webinar_id, user_id, message_id",
    "webinar_live": "webinar_id, null::uuid",
    "webinar_message_feeds": "webinar_id, null::uuid",
    "webinar_access_logs": "webinar_id, null::uuid",
    "settings": "null::uuid, null::uuid, key",
    "jobs": "null::uuid, null::uuid, name",
    "job_runs": "null::uuid, null::uuid, run_id",
}

Rows = list[tuple[Any, ...]]


VIEWS = read_table(VISIBLE, VISIBLE_TO_OTHERS)
TABLES = {**VIEWS, **read_table(VISIBLE_IN_TABLES)}
WEBINARS = read_table(VISIBLE_WEBINARS)


def with_rows(db: EventliveDatabase) -> None:
    """Rows of everybody in every table."""
    cast = assemble(db, access_policy="guest_allowed")
    db.register(ELSEWHERE, USERS["host"])
    for webinar_id, name in (
        (WEBINAR, "attendee"), (WEBINAR, "moderator"), (WEBINAR, "host"), (WEBINAR, "guest"),
        (ELSEWHERE, "host"), (ELSEWHERE, "viewer_elsewhere"), (ELSEWHERE, "guest"),
    ):  # fmt: skip
        cast.actor(name).call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
    for webinar_id in (WEBINAR, ELSEWHERE):
        db.allow_email(webinar_id, "ana@example.com")
        db.admin.execute(
            "insert into eventlive.webinar_access_logs (webinar_id, time_bucket) values (%s, '2030-01-01')",
            [webinar_id],
        )
        db.admin.execute(
            "insert into eventlive.webinar_messages"
            " (webinar_id, user_id, client_message_id, body, message_id, change_id)"
            " select webinar_id, user_id, gen_random_uuid(), 'hi', n, n"
            "   from (select r.*, row_number() over () as n from eventlive.registrations r where webinar_id = %s) r",
            [webinar_id],
        )
        db.admin.execute("insert into eventlive.webinar_message_feeds values (%s, 1)", [webinar_id])
    db.admin.execute("insert into eventlive.profiles (user_id) values (%s), (%s)", [USERS["attendee"], USERS["host"]])
    db.admin.execute("insert into eventlive.jobs values ('a_job', '* * * * *', '1 hour', true, null, 'A job.')")
    db.admin.execute("insert into eventlive.job_runs (job_name, started_at) values ('a_job', now())")


@pytest.fixture(scope="module")
def assembled(furnish: Furnish) -> str:
    """The database of ``cast``, to be copied."""
    return furnish(with_rows)


@pytest.fixture
def cast(open_copy: Callable[[str], EventliveDatabase], assembled: str) -> Cast:
    """Rows of everybody in every table."""
    return Cast(open_copy(assembled))


def ask(actor: Actor, query: str) -> Rows | str:
    """Rows of a query by that caller; ``denied`` where the privilege is missing."""
    try:
        with actor.transaction() as transaction:
            return transaction.connection.execute(query.encode()).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        return "denied"


def expected(cast: Cast, relation: str, caller: str, word: str) -> Rows | str:
    """The rows that a word of the tables stands for."""
    if word == "denied":
        return word
    rows = cast.db.rows(f"select {KEYS[relation]} from eventlive.{relation}")
    user_id = USERS.get(caller)
    parts = set(word.split("+"))
    return [
        row
        for row in rows
        if "all" in parts
        or ("own" in parts and user_id is not None and row[1] == user_id)
        or ("ours" in parts and row[0] == WEBINAR)
        or ("elsewhere" in parts and row[0] == ELSEWHERE)
    ]


def seen(cast: Cast, schema: str, relation: str, caller: str) -> Rows | str:
    """The rows that a caller gets, each as often as it is sent."""
    return ask(cast.actor(caller), f"select {KEYS[relation]} from {schema}.{relation}")


def compare(cast: Cast, schema: str, relation: str, words: dict[str, str]) -> dict[str, bool]:
    """Caller to whether they see what the word says."""
    result = {}
    for caller, word in words.items():
        actual, wanted = seen(cast, schema, relation, caller), expected(cast, relation, caller, word)
        result[caller] = actual == wanted or sorted(map(str, actual)) == sorted(map(str, wanted))
    return result


@pytest.mark.parametrize(("view", "words"), VIEWS.items(), ids=list(VIEWS))
def test_every_caller_sees_the_rows_that_are_theirs(cast: Cast, view: str, words: dict[str, str]) -> None:
    assert set(words) == set(EVERYBODY)
    assert compare(cast, "eventlive_api", view, words) == dict.fromkeys(words, True)


@pytest.mark.parametrize("table", [name for name in TABLES if name != "profiles"])
def test_the_policies_alone_show_no_more_than_that(cast: Cast, table: str) -> None:
    words = TABLES[table]
    cast.db.admin.execute("grant usage on schema eventlive to authenticated, service_role")
    cast.db.admin.execute(f"grant select on eventlive.{table} to authenticated, service_role".encode())
    assert compare(cast, "eventlive", table, words) == dict.fromkeys(words, True)


def test_the_words_of_the_tables_stand_for_different_rows(cast: Cast) -> None:
    for view in VIEWS:
        if view != "profiles":
            sizes = [len(expected(cast, view, "host", word)) for word in ("none", "ours", "all")]
            assert sizes == sorted(set(sizes)), view
        if view not in {"event_access_logs", "webinar_allowed_emails"}:
            assert expected(cast, view, "attendee", "own"), view


def test_every_view_is_in_the_tables(db: EventliveDatabase) -> None:
    views = {name for (name,) in db.rows("select viewname from pg_views where schemaname = 'eventlive_api'")}
    assert views == set(VIEWS) | {"webinars"}
    tables = {name for (name,) in db.rows("select tablename from pg_tables where schemaname = 'eventlive'")}
    assert tables - {"event_access_logs_default"} == set(KEYS) | {"webinars"}


@pytest.mark.parametrize(("row", "words"), WEBINARS.items(), ids=list(WEBINARS))
def test_every_caller_sees_the_webinars_open_to_them(db: EventliveDatabase, row: str, words: dict[str, str]) -> None:
    status, _, access_policy = row.partition("_")
    cast = assemble(db, status=status, access_policy=access_policy)
    db.allow_email(WEBINAR, "ana@example.com")
    listed = db.user(email="Ana@example.com", email_verified=True)
    sees = {
        caller: "yes" if (WEBINAR,) in ask(actor, "select id from eventlive_api.webinars") else "no"
        for caller, actor in ((name, listed if name == "listed" else cast.actor(name)) for name in words)
    }
    assert sees == words


def test_an_address_that_is_not_verified_shows_no_webinar(db: EventliveDatabase) -> None:
    assemble(db, access_policy="invite_only")
    db.allow_email(WEBINAR, "ana@example.com")
    assert ask(db.user(email="ana@example.com"), "select id from eventlive_api.webinars") == []


@pytest.mark.parametrize(
    ("view", "caller", "fault"),
    [
        ("event_access_logs", "attendee", "alter view eventlive_api.event_access_logs set (security_invoker = false)"),
        (
            "webinar_allowed_emails",
            "stranger",
            "alter table eventlive.webinar_allowed_emails disable row level security",
        ),
        ("profiles", "stranger", "create policy open on eventlive.profiles for select using (true)"),
        ("registrations", "attendee", "drop policy registrations_own on eventlive.registrations"),
        ("registrations", "host", "revoke select on eventlive_api.registrations from authenticated"),
        (
            "event_access_logs",
            "guest",
            "grant select on eventlive_api.event_access_logs, eventlive.event_access_logs to anon",
        ),
    ],
    ids=["view-of-the-owner", "table-without-rls", "open-policy", "policy-gone", "grant-gone", "granted-to-anon"],
)
def test_a_fault_in_what_is_visible_is_seen(cast: Cast, view: str, caller: str, fault: str) -> None:
    words = {caller: VIEWS[view][caller]}
    assert compare(cast, "eventlive_api", view, words) == {caller: True}
    cast.db.admin.execute(fault.encode())
    assert compare(cast, "eventlive_api", view, words) == {caller: False}


@pytest.mark.parametrize("caller", EVERYBODY)
def test_nobody_reads_a_leave_token_or_what_the_browser_said_of_itself(cast: Cast, caller: str) -> None:
    session = {
        "webinar_id": WEBINAR,
        "session_id": UUID(int=0x701),
        "client": {"agent": "canary", "campaign": "spring"},
    }
    token = cast.actor("attendee").call("webinar_enter", **session)["leave_token"]
    for view in VIEWS:
        rows = str(ask(cast.actor(caller), f"select v::text from eventlive_api.{view} v"))
        assert token not in rows
        assert "canary" not in rows
        # The visit log is where hosts see referrers and campaigns.
        assert ("spring" in rows) is (
            view == "event_access_logs" and caller in {"moderator", "host", "admin", "service"}
        )
    stored = cast.db.value("select s::text from eventlive.webinar_user_sessions s where client <> '{}'")
    assert token in stored
    assert "canary" in stored


@pytest.mark.parametrize("view", sorted({*VIEWS} - {"profiles", "event_access_logs", "webinar_allowed_emails"}))
@pytest.mark.parametrize("verb", ["insert into {} default values", "delete from {}", "update {} set webinar_id = null"])
def test_a_write_is_refused_by_privileges_and_to_the_owner_by_the_view(cast: Cast, view: str, verb: str) -> None:
    statement = verb.format(f"eventlive_api.{view}").encode()
    for role in ("anon", "authenticated", "service_role"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            cast.db.acting(role, "").execute(statement)
    cast.db.register(WEBINAR, new_id())
    cast.actor("attendee").call("webinar_enter", webinar_id=WEBINAR, session_id=new_id())
    before = cast.db.contents()
    with pytest.raises(psycopg.Error) as caught:
        cast.db.admin.execute(statement)
    assert caught.value.sqlstate == "PT403"
    assert cast.db.contents() == before
