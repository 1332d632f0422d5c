"""A webinar that ends ends for everybody at once; a viewer who is thrown out stays out."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from tests.support.actors import Actor, in_background, new_id, wait_until_blocked
from tests.support.cast import ELSEWHERE, USERS, WEBINAR, Cast, assemble
from tests.support.database import EventliveDatabase, Furnish
from tests.support.faults import break_function
from tests.support.tables import cells

ATTENDEE = USERS["attendee"]

# From a row to a column. "same" changes nothing.
TRANSITIONS = """
from       draft    scheduled  live     ended
draft      same     changes    changes  refused
scheduled  changes  same       changes  changes
live       refused  refused    same     changes
ended      refused  refused    changes  same
"""


def set_status(cast: Cast, status: str) -> dict[str, object]:
    """The host changes the status."""
    reply: dict[str, object] = cast.actor("host").call("webinar_set_status", webinar_id=WEBINAR, status=status)
    return reply


def entered(actor: Actor, webinar_id: UUID = WEBINAR) -> dict[str, object]:
    """Enter, and have what names the session."""
    session: dict[str, object] = {"webinar_id": webinar_id, "session_id": new_id()}
    actor.call("webinar_enter", **session)
    return session


def state(actor: Actor, session: dict[str, object]) -> str:
    """What the session learns at its next heartbeat."""
    return str(actor.call("webinar_session_heartbeat", **session)["state"])


@pytest.fixture(scope="module")
def assembled(furnish: Furnish) -> str:
    """The database of ``cast``, to be copied."""
    return furnish(lambda db: assemble(db, access_policy="guest_allowed", settings={"close_batch_size": 2}))


@pytest.fixture
def cast(open_copy: Callable[[str], EventliveDatabase], assembled: str) -> Cast:
    """Everybody, in a webinar that guests may enter, and which closes two sessions at a time."""
    return Cast(open_copy(assembled))


def open_sessions(db: EventliveDatabase, webinar_id: UUID = WEBINAR) -> int:
    """How many sessions have not been closed."""
    query = "select count(*) from eventlive.webinar_user_sessions where exited_at is null and webinar_id = %s"
    return int(db.value(query, webinar_id))


@pytest.mark.parametrize(("present", "wanted", "word"), cells(TRANSITIONS))
def test_a_status_changes_as_the_table_says(db: EventliveDatabase, present: str, wanted: str, word: str) -> None:
    cast = assemble(db, status=present)
    before = db.contents()
    if word == "refused":
        error = cast.actor("host").refused("webinar_set_status", webinar_id=WEBINAR, status=wanted)
        assert error.token == "status_change_refused"
        assert error.payload["status"] == present
        may = error.payload["may_become"]
        assert isinstance(may, list)
        assert set(may) == {to for of, to, outcome in cells(TRANSITIONS) if of == present and outcome != "refused"}
    else:
        reply = set_status(cast, wanted)
        assert (reply["status"], reply["changed"], reply["remaining"]) == (wanted, word == "changes", False)
        assert db.value("select status from eventlive.webinars where id = %s", WEBINAR) == wanted
    assert (db.contents() == before) is (word != "changes")


def test_ending_closes_sessions_and_presence_in_batches_until_none_remain(cast: Cast) -> None:
    for name in ("attendee", "moderator", "speaker", "host", "guest"):
        entered(cast.actor(name))
    elsewhere = entered(cast.actor("viewer_elsewhere"), ELSEWHERE)
    replies = [set_status(cast, "ended") for _ in range(4)]
    assert [(reply["closed_sessions"], reply["remaining"], reply["changed"]) for reply in replies] == [
        (2, True, True), (2, True, False), (1, False, False), (0, False, False),
    ]  # fmt: skip
    assert cast.db.rows(
        "select distinct exit_reason, replaced_by from eventlive.webinar_user_sessions where webinar_id = %s", WEBINAR
    ) == [("webinar_ended", None)]
    assert cast.db.rows("select webinar_id, user_id from eventlive.webinar_live_presence") == [
        (ELSEWHERE, USERS["viewer_elsewhere"])
    ]
    assert cast.db.value("select count(*) from eventlive.event_access_logs where event = 'webinar_ended'") == 5
    assert state(cast.actor("viewer_elsewhere"), elsewhere) == "open"


def test_every_session_ends_at_the_same_time_whenever_it_is_closed(cast: Cast) -> None:
    for name in ("attendee", "moderator", "guest"):
        entered(cast.actor(name))
    while set_status(cast, "ended")["remaining"]:
        pass
    ended = "select distinct exited_at from eventlive.webinar_user_sessions where webinar_id = %s"
    [(exited_at,)] = cast.db.rows(ended, WEBINAR)
    assert exited_at == cast.db.value("select closed_at from eventlive.webinar_live where webinar_id = %s", WEBINAR)


def test_a_session_that_is_not_closed_yet_learns_the_end_at_its_heartbeat_and_is_not_renewed(cast: Cast) -> None:
    sessions = [(cast.actor(name), entered(cast.actor(name))) for name in ("attendee", "moderator", "speaker", "guest")]
    set_status(cast, "ended")
    assert open_sessions(cast.db) == 2
    before = cast.db.contents()
    for actor, session in sessions:
        assert state(actor, session) == "webinar_ended"
    assert cast.db.contents() == before


@pytest.mark.parametrize("mended", [True, False])
def test_who_leaves_or_is_ejected_after_the_end_was_there_until_the_end(cast: Cast, mended: bool) -> None:
    if not mended:
        break_function(cast.db, "close_sessions", "when l.closed_at <= _at then 'webinar_ended'", "")
    actors = [cast.actor(name) for name in ("attendee", "moderator", "speaker", "guest", "admin")]
    replies = [actor.call("webinar_enter", webinar_id=WEBINAR, session_id=new_id()) for actor in actors]
    set_status(cast, "ended")
    left = cast.db.rows("select session_id, user_id from eventlive.webinar_user_sessions where exited_at is null")
    assert len(left) == 3
    for session_id, user_id in left:
        if user_id == USERS["speaker"]:
            cast.actor("host").call("webinar_eject", webinar_id=WEBINAR, user_id=user_id)
            continue
        [reply] = [reply for reply in replies if reply["session"]["session_id"] == str(session_id)]
        cast.actor("guest").call(
            "webinar_leave", webinar_id=WEBINAR, session_id=session_id, leave_token=reply["leave_token"]
        )
    reasons = {reason for (reason,) in cast.db.rows("select exit_reason from eventlive.webinar_user_sessions")}
    assert (reasons == {"webinar_ended"}) is mended
    [(exited_at,)] = cast.db.rows("select distinct exited_at from eventlive.webinar_user_sessions")
    assert exited_at == cast.db.value("select closed_at from eventlive.webinar_live where webinar_id = %s", WEBINAR)


def test_a_heartbeat_that_renews_after_the_end_is_seen(cast: Cast) -> None:
    actor = cast.actor("attendee")
    sessions = [entered(actor) for _ in range(3)]
    set_status(cast, "ended")
    cast.db.admin.execute("update eventlive.webinar_user_sessions set last_heartbeat_at = now() - interval '4 min'")
    assert {state(actor, session) for session in sessions} == {"webinar_ended"}
    break_function(cast.db, "webinar_session_heartbeat", "and l.closed_at is null", "")
    assert {state(actor, session) for session in sessions} == {"webinar_ended", "open"}


def test_nobody_comes_into_a_webinar_that_has_ended(cast: Cast) -> None:
    set_status(cast, "ended")
    for name in ("attendee", "host", "admin", "guest"):
        error = cast.actor(name).refused("webinar_enter", webinar_id=WEBINAR, session_id=new_id())
        assert error.token == "webinar_ended", name
    assert cast.actor("attendee").refused("webinar_presence_ping", webinar_id=WEBINAR).token == "webinar_ended"
    assert cast.actor("stranger").refused("webinar_register", webinar_id=WEBINAR).token == "webinar_ended"


def test_a_webinar_that_goes_on_lets_people_in_again(cast: Cast) -> None:
    old = entered(cast.actor("attendee"))
    set_status(cast, "ended")
    set_status(cast, "live")
    assert state(cast.actor("attendee"), old) == "webinar_ended"
    assert state(cast.actor("attendee"), entered(cast.actor("attendee"))) == "open"


def test_an_ejected_user_is_out_everywhere_and_learns_it_at_the_heartbeat(cast: Cast) -> None:
    user = cast.actor("attendee")
    sessions = [entered(user), entered(user)]
    reply = cast.actor("host").call("webinar_eject", webinar_id=WEBINAR, user_id=ATTENDEE)
    assert reply["closed_sessions"] == 2
    assert [state(user, session) for session in sessions] == ["ejected", "ejected"]
    assert cast.db.count("webinar_live_presence") == 0
    assert cast.db.value("select count(*) from eventlive.event_access_logs where event = 'ejected'") == 2
    before = cast.db.contents()
    assert user.refused("webinar_enter", **sessions[0]).token == "ejected"
    assert user.refused("webinar_enter", webinar_id=WEBINAR, session_id=new_id()).token == "ejected"
    assert user.refused("webinar_presence_ping", webinar_id=WEBINAR).token == "ejected"
    assert user.refused("webinar_register", webinar_id=WEBINAR).token == "ejected"
    gateway = cast.actor("service").call("webinar_presence_ping_many", webinar_id=WEBINAR, user_ids=[ATTENDEE])
    assert gateway == {"refreshed": 0, "not_registered": [str(ATTENDEE)]}
    assert cast.db.contents() == before


def test_ejecting_somebody_who_is_not_watching_is_logged_once(cast: Cast) -> None:
    for _ in range(2):
        cast.actor("host").call("webinar_eject", webinar_id=WEBINAR, user_id=ATTENDEE)
    log = cast.db.rows("select event, user_id, session_id from eventlive.event_access_logs")
    assert log == [("ejected", ATTENDEE, None)]


def test_ejecting_again_changes_nothing(cast: Cast) -> None:
    entered(cast.actor("attendee"))
    cast.actor("host").call("webinar_eject", webinar_id=WEBINAR, user_id=ATTENDEE)
    before = cast.db.contents()
    again = cast.actor("host").call("webinar_eject", webinar_id=WEBINAR, user_id=ATTENDEE)
    assert again["closed_sessions"] == 0
    assert cast.db.contents() == before


def test_an_ejection_counts_in_its_webinar_alone(cast: Cast) -> None:
    cast.db.register(ELSEWHERE, ATTENDEE)
    elsewhere = entered(cast.actor("attendee"), ELSEWHERE)
    cast.actor("host").call("webinar_eject", webinar_id=WEBINAR, user_id=ATTENDEE)
    assert state(cast.actor("attendee"), elsewhere) == "open"
    cast.actor("attendee").call("webinar_presence_ping", webinar_id=ELSEWHERE)


def test_an_ejected_guest_learns_it_at_the_heartbeat_and_cannot_use_the_session_again(cast: Cast) -> None:
    guest = cast.actor("guest")
    session, other = entered(guest), entered(guest)
    assert cast.actor("moderator").call("webinar_eject", **session)["closed_sessions"] == 1
    assert state(guest, session) == "ejected"
    assert guest.refused("webinar_enter", **session).token == "session_ejected"
    assert state(guest, other) == "open"


@pytest.mark.parametrize("caller", ["host", "moderator", "admin", "service"])
def test_a_host_cannot_be_ejected(cast: Cast, caller: str) -> None:
    session = entered(cast.actor("host"))
    before = cast.db.contents()
    error = cast.actor(caller).refused("webinar_eject", webinar_id=WEBINAR, user_id=USERS["host"])
    assert (error.token, bool(error.payload)) == ("not_allowed", True)
    assert cast.db.contents() == before
    assert state(cast.actor("host"), session) == "open"


@pytest.mark.parametrize("name", ["speaker", "moderator", "attendee"])
def test_everybody_but_a_host_can_be_ejected_by_a_moderator(cast: Cast, name: str) -> None:
    colleague = new_id()
    cast.db.register(WEBINAR, colleague, role="moderator")
    cast.db.user(colleague).call("webinar_eject", webinar_id=WEBINAR, user_id=USERS[name])
    error = cast.actor(name).refused("webinar_enter", webinar_id=WEBINAR, session_id=new_id())
    assert error.token == "ejected"


def test_an_ejected_moderator_is_no_longer_staff(cast: Cast) -> None:
    error = cast.actor("ejected").refused("webinar_eject", webinar_id=WEBINAR, user_id=ATTENDEE)
    assert error.token == "not_allowed"


@pytest.mark.parametrize("name", ["stranger", "viewer_elsewhere"])
def test_somebody_who_is_not_registered_cannot_be_ejected(cast: Cast, name: str) -> None:
    error = cast.actor("host").refused("webinar_eject", webinar_id=WEBINAR, user_id=USERS[name])
    assert error.token == "invalid_argument"


def test_an_ejection_that_leaves_the_presence_is_seen(cast: Cast) -> None:
    entered(cast.actor("attendee"))
    break_function(cast.db, "webinar_eject", "presence p where", "presence p where false and")
    cast.actor("host").call("webinar_eject", webinar_id=WEBINAR, user_id=ATTENDEE)
    assert cast.db.count("webinar_live_presence") == 1


@pytest.mark.parametrize("bounded", [True, False])
def test_a_host_does_not_wait_for_ever_for_an_entry_that_stays_open(db: EventliveDatabase, bounded: bool) -> None:
    """Shortened here to what a test can wait for; without it, the negative control, the host waits on."""
    function = "eventlive.webinar_set_status(uuid, text)"
    assert "lock_timeout=5s" in db.value("select proconfig from pg_proc where oid = %s::regprocedure", function)
    db.admin.execute(
        f"alter function {function} {'set lock_timeout = 50' if bounded else 'reset lock_timeout'}".encode()
    )
    webinar_id, host, user = db.webinar(), db.service(), db.user()
    with user.transaction() as entry:
        entry.call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
        if bounded:
            error = host.broken("webinar_set_status", webinar_id=webinar_id, status="ended")
            assert error.sqlstate == "55P03"
        else:
            ending = in_background(lambda: host.call("webinar_set_status", webinar_id=webinar_id, status="ended"))
            wait_until_blocked(db.admin, host.pid)
    if not bounded:
        assert ending.result()["changed"]
