"""Guests watch without an account; their session id is all they have."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from eventlive_db.client import RpcError
from tests.support.actors import Actor, new_id
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function
from tests.support.invariants import assert_invariants

Viewer = tuple[Actor, UUID, UUID]
"""Who watches, in which session, with which leave token."""


@pytest.fixture
def webinar_id(db: EventliveDatabase) -> UUID:
    """A webinar that is open to everybody."""
    return db.webinar(access_policy="guest_allowed")


@pytest.fixture
def enter(webinar_id: UUID) -> Callable[[Actor], Viewer]:
    """Let somebody enter."""

    def enter(actor: Actor) -> Viewer:
        session_id = new_id()
        reply = actor.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
        return actor, session_id, UUID(reply["leave_token"])

    return enter


def exit_reason(db: EventliveDatabase, session_id: UUID) -> object:
    """Why a session is over; none while it is open."""
    return db.value("select exit_reason from eventlive.webinar_user_sessions where session_id = %s", session_id)


def test_a_guest_enters_beats_and_leaves_and_is_registered_and_present_nowhere(
    db: EventliveDatabase, webinar_id: UUID
) -> None:
    guest, session_id = db.guest(), new_id()
    reply = guest.call("webinar_enter", webinar_id=webinar_id, session_id=session_id, client={"agent": "x"})
    assert reply["registration"] is None
    assert reply["session"]["state"] == "open"
    db.shift_time("5 minutes")
    assert guest.call("webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)["state"] == "open"
    token = UUID(reply["leave_token"])
    assert guest.call("webinar_leave", webinar_id=webinar_id, session_id=session_id, leave_token=token) is None
    assert exit_reason(db, session_id) == "left"
    assert (db.count("registrations"), db.count("webinar_live_presence")) == (0, 0)
    assert db.value("select watched_seconds from eventlive.webinar_user_sessions") >= 300
    assert_invariants(db)


@pytest.mark.parametrize(
    ("access_policy", "entry_policy", "token"),
    [
        ("auth", "auto_register", "guests_not_allowed"),
        ("invite_only", "auto_register", "guests_not_allowed"),
        ("email_auth", "auto_register", "guests_not_allowed"),
        ("guest_allowed", "registered_only", "not_registered"),
    ],
)
def test_where_guests_may_not_watch_they_are_refused_and_leave_no_row(
    db: EventliveDatabase, access_policy: str, entry_policy: str, token: str
) -> None:
    webinar_id = db.webinar(access_policy=access_policy, entry_policy=entry_policy)
    before = db.contents()
    error = db.guest().refused("webinar_enter", webinar_id=webinar_id, session_id=new_id())
    assert (error.status, error.token) == (403, token)
    assert db.contents() == before


@pytest.mark.parametrize("function", ["webinar_register", "webinar_presence_ping"])
def test_what_needs_an_account_is_closed_to_the_role_of_guests(
    db: EventliveDatabase, webinar_id: UUID, function: str
) -> None:
    assert db.guest().broken(function, webinar_id=webinar_id).sqlstate == "42501"


REFUSED = ["session_not_found", "session_not_found", "session_not_yours"]


def touches(db: EventliveDatabase, webinar_id: UUID, actor: Actor, session_id: UUID) -> list[str]:
    """What somebody is told who uses a session in each way there is without its leave token."""
    return [
        actor.refused("webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id).token,
        actor.refused("webinar_leave", webinar_id=webinar_id, session_id=session_id, leave_token=new_id()).token,
        actor.refused("webinar_enter", webinar_id=webinar_id, session_id=session_id).token,
    ]


@pytest.mark.parametrize("caller", ["guest", "other user"])
def test_nobody_touches_the_session_of_a_user(
    db: EventliveDatabase, webinar_id: UUID, enter: Callable[[Actor], Viewer], caller: str
) -> None:
    _, session_id, _ = enter(db.user())
    db.shift_time("5 minutes")
    before = db.contents()
    actor = db.guest() if caller == "guest" else db.user()
    assert touches(db, webinar_id, actor, session_id) == REFUSED
    assert db.contents() == before


def test_a_user_does_not_touch_the_session_of_a_guest(
    db: EventliveDatabase, webinar_id: UUID, enter: Callable[[Actor], Viewer]
) -> None:
    _, session_id, _ = enter(db.guest())
    db.shift_time("5 minutes")
    before = db.contents()
    assert touches(db, webinar_id, db.user(), session_id) == REFUSED
    assert db.contents() == before


@pytest.mark.parametrize(
    ("function", "old"),
    [
        ("webinar_session_heartbeat", "and s.user_id is not distinct from v_user_id"),
        ("webinar_leave", "and s.leave_token = _leave_token"),
        ("check_session_is_open", "_session_user_id is distinct from _user_id"),
    ],
)
def test_a_function_that_goes_by_the_session_id_alone_would_be_seen(
    db: EventliveDatabase, webinar_id: UUID, enter: Callable[[Actor], Viewer], function: str, old: str
) -> None:
    break_function(db, function, old, "false" if function == "check_session_is_open" else "")
    _, session_id, _ = enter(db.guest())
    db.shift_time("5 minutes")
    with pytest.raises((pytest.fail.Exception, AssertionError)):
        assert touches(db, webinar_id, db.user(), session_id) == REFUSED


def test_a_guest_who_does_not_know_the_session_of_another_does_not_find_it(
    db: EventliveDatabase, webinar_id: UUID, enter: Callable[[Actor], Viewer]
) -> None:
    _, session_id, _ = enter(db.guest())
    other = db.guest()
    error = other.refused("webinar_session_heartbeat", webinar_id=webinar_id, session_id=new_id())
    assert (error.status, error.token) == (404, "session_not_found")
    assert exit_reason(db, session_id) is None


def test_a_session_is_found_in_its_own_webinar_only(db: EventliveDatabase, enter: Callable[[Actor], Viewer]) -> None:
    guest, session_id, token = enter(db.guest())
    elsewhere = db.webinar(access_policy="guest_allowed")
    where = {"webinar_id": elsewhere, "session_id": session_id}
    assert guest.refused("webinar_session_heartbeat", **where).token == "session_not_found"
    assert guest.refused("webinar_leave", **where, leave_token=token).token == "session_not_found"
    assert exit_reason(db, session_id) is None


def told(error: RpcError) -> tuple[object, ...]:
    """All that a caller learns from an error."""
    return error.status, error.token, error.payload, error.message, error.hint


@pytest.mark.parametrize("caller", ["the guest", "a user"])
def test_a_wrong_token_is_answered_like_a_session_that_does_not_exist(
    db: EventliveDatabase, webinar_id: UUID, enter: Callable[[Actor], Viewer], caller: str
) -> None:
    guest, session_id, _ = enter(db.guest())
    _, _, token_of_another = enter(db.guest())
    actor = guest if caller == "the guest" else db.user()
    wrong = [
        actor.refused("webinar_leave", webinar_id=webinar_id, session_id=session_id, leave_token=new_id()),
        actor.refused("webinar_leave", webinar_id=webinar_id, session_id=session_id, leave_token=token_of_another),
    ]
    unknown = actor.refused("webinar_leave", webinar_id=webinar_id, session_id=new_id(), leave_token=new_id())
    assert {str(told(error)) for error in wrong} == {str(told(unknown))}
    assert exit_reason(db, session_id) is None


@pytest.mark.parametrize("who_watches", ["guest", "user"])
def test_the_token_ends_the_session_for_a_caller_without_authorization(
    db: EventliveDatabase, webinar_id: UUID, enter: Callable[[Actor], Viewer], who_watches: str
) -> None:
    _, session_id, token = enter(db.guest() if who_watches == "guest" else db.user())
    beacon = db.guest()
    for _ in range(2):
        assert beacon.call("webinar_leave", webinar_id=webinar_id, session_id=session_id, leave_token=token) is None
    assert exit_reason(db, session_id) == "left"
    assert db.count("webinar_live_presence") == 0
    assert_invariants(db)


def test_a_guest_who_signs_in_enters_anew_and_the_session_before_remains_a_guests(
    db: EventliveDatabase, webinar_id: UUID, enter: Callable[[Actor], Viewer]
) -> None:
    guest, guest_session, token = enter(db.guest())
    user = db.user()
    assert user.refused("webinar_enter", webinar_id=webinar_id, session_id=guest_session).token == "session_not_yours"
    reply = user.call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
    assert reply["other_sessions"] == [], "the guest before the sign-in is nobody's duplicate login"
    # The tab knows the token of the session that it had as a guest, and ends it.
    user.call("webinar_leave", webinar_id=webinar_id, session_id=guest_session, leave_token=token)
    assert exit_reason(db, guest_session) == "left"
    assert db.rows("select user_id from eventlive.webinar_live_presence") == [(user.user_id,)]
    assert guest.call("webinar_session_heartbeat", webinar_id=webinar_id, session_id=guest_session)["state"] == "left"
    assert_invariants(db)


def test_the_role_authenticated_without_claims_is_a_guest(db: EventliveDatabase, webinar_id: UUID) -> None:
    connection, session_id = db.acting("authenticated", ""), new_id()
    connection.execute(
        "select eventlive_api.webinar_enter(_webinar_id => %s, _session_id => %s)", [webinar_id, session_id]
    )
    assert db.rows("select user_id from eventlive.webinar_user_sessions") == [(None,)]
    guest = db.guest()
    assert guest.call("webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)["state"] == "open"
