"""Fallback messages: what a page holds, what became of hidden ones, and how fast to poll (R10)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from psycopg.types.json import Jsonb

from tests.support.actors import new_id
from tests.support.cast import EVERYBODY, USERS, WEBINAR, Cast, assemble
from tests.support.cost import cost_of
from tests.support.database import EventliveDatabase, Furnish
from tests.support.faults import break_function
from tests.support.messages import bodies, change, hide, poll, post, said
from tests.support.races import NOTHING, Step, footprint


@pytest.fixture(scope="module")
def assembled(furnish: Furnish) -> str:
    """The database of ``cast``, to be copied."""
    return furnish(assemble)


@pytest.fixture
def cast(open_copy: Callable[[str], EventliveDatabase], assembled: str) -> Cast:
    """Everybody, in a webinar for signed-in users."""
    return Cast(open_copy(assembled))


# ------------------------------------------------------------------------------------------------ polling


def conversation(cast: Cast, number: int) -> None:
    """That many messages, by hand: text-1, text-2, …"""
    cast.db.admin.execute(
        "insert into eventlive.webinar_messages"
        " (webinar_id, message_id, change_id, user_id, client_message_id, body)"
        " select %s, i, i, %s, gen_random_uuid(), 'text-' || i from generate_series(1, %s) i",
        [WEBINAR, USERS["speaker"], number],
    )
    cast.db.admin.execute("insert into eventlive.webinar_message_feeds values (%s, %s)", [WEBINAR, number])


def test_pages_follow_each_other_without_a_gap(cast: Cast) -> None:
    conversation(cast, 25)
    attendee, seen, cursor, pages = cast.actor("attendee"), [], 0, []
    while True:
        page = poll(attendee, cursor, limit=10)
        pages.append((len(page["messages"]), page["cursor"], page["more"]))
        seen += bodies(page)
        cursor = page["cursor"]
        if not page["more"]:
            break
    assert pages == [(10, 10, True), (10, 20, True), (5, 25, False)]
    assert seen == [f"text-{n}" for n in range(1, 26)]
    again = poll(attendee, cursor)
    assert (again["messages"], again["cursor"], again["more"]) == ([], 25, False)


@pytest.mark.parametrize(("stored", "first", "last"), [(0, 1, 0), (3, 1, 3), (10, 1, 10), (11, 2, 11), (25, 16, 25)])
def test_the_end_is_the_last_page(cast: Cast, stored: int, first: int, last: int) -> None:
    if stored:
        conversation(cast, stored)
    page = poll(cast.actor("attendee"), -1, limit=10)
    assert bodies(page) == [f"text-{n}" for n in range(first, last + 1)]
    assert (page["cursor"], page["more"]) == (last, False)


def test_a_cursor_ahead_of_everything_stays_as_behind_a_replica(cast: Cast) -> None:
    conversation(cast, 3)
    page = poll(cast.actor("attendee"), 9)
    assert (page["messages"], page["cursor"]) == ([], 9)


def test_more_than_the_limit_of_the_server_is_cut_not_refused(cast: Cast) -> None:
    conversation(cast, 250)
    attendee = cast.actor("attendee")
    assert len(poll(attendee)["messages"]) == 50
    assert len(poll(attendee, limit=2_147_483_647)["messages"]) == 200
    assert len(poll(attendee, -1, limit=2_147_483_647)["messages"]) == 200
    change(cast.db, settings={"messages_poll_max": 7})
    page = poll(attendee, limit=200)
    assert (len(page["messages"]), page["cursor"], page["more"]) == (7, 7, True)


def test_only_the_author_is_told_the_id_that_the_client_made(cast: Cast) -> None:
    client_message_id = new_id()
    post(cast.actor("attendee"), client_message_id=client_message_id)
    change(cast.db, access_policy="guest_allowed")
    told = {
        name: poll(cast.actor(name))["messages"][0]["client_message_id"]
        for name in ("attendee", "guest", "host", "service")
    }
    assert told == {"attendee": str(client_message_id), "guest": None, "host": None, "service": None}


def test_messages_of_another_webinar_are_not_in_it(cast: Cast) -> None:
    webinar_id = cast.db.webinar(host=USERS["attendee"])
    post(cast.actor("attendee"), webinar_id=webinar_id)
    assert poll(cast.actor("attendee"))["messages"] == []


def test_polling_writes_nothing_and_works_where_nothing_may_be_written(cast: Cast) -> None:
    conversation(cast, 5)
    attendee = cast.actor("attendee")
    step = Step(attendee, "webinar_messages_poll", {"webinar_id": WEBINAR})
    attendee.call("webinar_messages_poll", webinar_id=WEBINAR)
    assert footprint(cast.db, step) == NOTHING
    for name in ("attendee", "host", "service"):
        actor = cast.actor(name)
        actor.connection.execute("set default_transaction_read_only = on")
        assert len(poll(actor)["messages"]) == 5
    attendee.connection.execute("set default_transaction_isolation = 'repeatable read'")
    assert len(poll(attendee)["messages"]) == 5


def test_a_page_costs_the_same_in_a_hundred_thousand_messages(cast: Cast) -> None:
    conversation(cast, 200)
    attendee, costs = cast.actor("attendee"), []
    for number in (200, 100_000):
        cast.db.admin.execute("delete from eventlive.webinar_messages")
        cast.db.admin.execute("delete from eventlive.webinar_message_feeds")
        conversation(cast, number)
        cast.db.admin.execute("vacuum (analyze) eventlive.webinar_messages")
        buffers = {}
        for after in (0, 99_000, -1):
            for _ in range(2):
                cost = cost_of(attendee, "webinar_messages_poll", webinar_id=WEBINAR, after=after % number, limit=50)
            if after == -1:
                cost = cost_of(attendee, "webinar_messages_poll", webinar_id=WEBINAR, after=-1, limit=50)
            buffers[after] = cost.buffers
        costs.append(buffers)
    small, large = costs
    assert all(large[after] <= small[after] + 4 for after in large), costs
    assert max(large.values()) <= 40


# ------------------------------------------------------------------------------------------------ hiding


def test_who_has_a_message_learns_that_it_was_hidden_and_shown_again(cast: Cast) -> None:
    attendee, host = cast.actor("attendee"), cast.actor("host")
    first, second = post(attendee, "first"), post(attendee, "second")
    cursor = poll(attendee)["cursor"]
    assert hide(host, first["message_id"]) == {
        "webinar_id": str(WEBINAR), "message_id": 1, "hidden": True, "changed": True,
    }  # fmt: skip
    page = poll(attendee, cursor)
    assert [(m["message_id"], m["hidden"], m["body"]) for m in page["messages"]] == [(1, True, None)]
    assert page["cursor"] > cursor

    hide(host, first["message_id"], hidden=False)
    page = poll(attendee, page["cursor"])
    assert [(m["message_id"], m["hidden"], m["body"]) for m in page["messages"]] == [(1, False, "first")]
    assert [m["message_id"] for m in poll(attendee)["messages"]] == [second["message_id"], first["message_id"]]
    assert poll(attendee)["messages"][1] | {"created": True} == first


def test_nobody_but_staff_reads_what_was_hidden(cast: Cast) -> None:
    attendee, client_message_id = cast.actor("attendee"), new_id()
    hide(cast.actor("host"), post(attendee, "rude", client_message_id=client_message_id)["message_id"])
    change(cast.db, access_policy="guest_allowed")
    seen = {name: bodies(poll(cast.actor(name)))[0] for name in EVERYBODY if name != "ejected"}
    assert {name for name, body in seen.items() if body} == {"host", "moderator", "admin", "service"}
    again = post(attendee, "rude", client_message_id=client_message_id)
    assert (again["hidden"], again["body"], again["created"]) == (True, None, False)


def test_hiding_again_changes_nothing_and_leaves_nothing_behind(cast: Cast) -> None:
    host = cast.actor("host")
    message_id = post(cast.actor("attendee"))["message_id"]
    assert hide(host, message_id, hidden=False)["changed"] is False
    assert hide(host, message_id)["changed"] is True
    before = cast.db.contents()
    assert hide(host, message_id)["changed"] is False
    step = Step(host, "webinar_message_hide", {"webinar_id": WEBINAR, "message_id": message_id})
    assert footprint(cast.db, step) == NOTHING
    assert cast.db.contents() == before


def test_a_message_of_another_webinar_is_not_found(cast: Cast) -> None:
    webinar_id = cast.db.webinar(host=USERS["attendee"])
    message_id = post(cast.actor("attendee"), webinar_id=webinar_id)["message_id"]
    error = cast.actor("host").refused("webinar_message_hide", webinar_id=WEBINAR, message_id=message_id)
    assert (error.status, error.token) == (404, "message_not_found")


def test_a_hiding_that_takes_no_number_would_never_be_heard(cast: Cast) -> None:
    break_function(
        cast.db, "webinar_message_hide", "set hidden = _hidden, change_id = v_change_id", "set hidden = _hidden"
    )
    attendee = cast.actor("attendee")
    message_id = post(attendee)["message_id"]
    cursor = poll(attendee)["cursor"]
    hide(cast.actor("host"), message_id)
    assert poll(attendee, cursor)["messages"] == []


# ------------------------------------------------------------------------------------------------ pace and switch


def test_the_next_poll_is_the_paced_interval_with_jitter(cast: Cast) -> None:
    cast.db.admin.execute("update eventlive.webinar_live set fallback_poll_interval_s = 100, pacing_jitter = 0.2")
    attendee = cast.actor("attendee")
    told = [poll(attendee)["next_poll_s"] for _ in range(40)]
    assert all(80 <= seconds <= 120 for seconds in told)
    assert len(set(told)) > 10
    assert min(told) < 95
    assert max(told) > 105


@pytest.mark.parametrize(
    "audience", [1_000, 10_000, 50_000, pytest.param(300_000, marks=[pytest.mark.heavy, pytest.mark.large])]
)
def test_polls_a_second_stay_at_the_target_whatever_the_audience(cast: Cast, audience: int) -> None:
    """The jitter goes both ways alike, so the rate of a client is one in the interval."""
    db = cast.db
    db.admin.execute(
        "insert into eventlive.webinar_user_sessions"
        " (webinar_id, session_id, entered_at, last_heartbeat_at, expires_at, interval_s)"
        " select %s, gen_random_uuid(), now(), now(), now() + interval '1 day', 300 from generate_series(1, %s)",
        [WEBINAR, audience],
    )
    db.value("select eventlive.refresh_webinar_live(%s)", WEBINAR)
    db.admin.execute("update eventlive.webinar_live set pacing_jitter = 0")
    rate = audience / poll(cast.actor("attendee"))["next_poll_s"]
    assert rate <= 100.1
    assert rate >= 99 or audience < 1_001


def test_where_it_is_switched_off_a_page_is_told_how_long_to_wait_and_posting_goes_on(cast: Cast) -> None:
    attendee = cast.actor("attendee")
    change(cast.db, settings={"fallback_enabled": False})
    told = []
    for _ in range(20):
        error = attendee.refused("webinar_messages_poll", webinar_id=WEBINAR)
        assert (error.status, error.token) == (429, "fallback_disabled")
        assert error.retry_after_s
        told.append(error.retry_after_s)
    assert all(270 <= seconds <= 330 for seconds in told)
    assert len(set(told)) > 1
    assert post(attendee)["created"]
    change(cast.db, settings={})
    assert len(poll(attendee)["messages"]) == 1


def test_waiting_for_the_switch_is_paced_to_the_audience_too(cast: Cast) -> None:
    change(cast.db, settings={"fallback_enabled": False})
    cast.db.admin.execute("update eventlive.webinar_live set fallback_poll_interval_s = 1000")
    error = cast.actor("attendee").refused("webinar_messages_poll", webinar_id=WEBINAR)
    assert error.retry_after_s
    assert 900 <= error.retry_after_s <= 1100


def test_the_switch_is_no_way_to_tell_a_draft_from_nothing(cast: Cast) -> None:
    change(cast.db, settings={"fallback_enabled": False}, status="draft")
    assert said(cast.actor("stranger"), "webinar_messages_poll") == "webinar_not_found"
    assert said(cast.actor("host"), "webinar_messages_poll") == "fallback_disabled"


def test_one_webinar_is_switched_off_and_not_the_other(cast: Cast) -> None:
    webinar_id = cast.db.webinar(host=USERS["attendee"])
    cast.db.admin.execute(
        "update eventlive.webinars set settings = %s where id = %s", [Jsonb({"fallback_enabled": False}), WEBINAR]
    )
    assert said(cast.actor("attendee"), "webinar_messages_poll") == "fallback_disabled"
    assert poll(cast.actor("attendee"), webinar_id=webinar_id)["messages"] == []


def test_messages_go_with_their_webinar(cast: Cast) -> None:
    post(cast.actor("attendee"))
    cast.db.admin.execute("delete from eventlive.webinars where id = %s", [WEBINAR])
    assert cast.db.count("webinar_messages") == cast.db.count("webinar_message_feeds") == 0


def test_a_number_never_comes_twice_though_all_messages_were_removed(cast: Cast) -> None:
    attendee = cast.actor("attendee")
    for _ in range(3):
        post(attendee)
    cursor = poll(attendee)["cursor"]
    cast.db.admin.execute("delete from eventlive.webinar_messages")
    post(attendee, "later")
    assert bodies(poll(attendee, cursor)) == ["later"]
