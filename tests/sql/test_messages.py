"""Fallback messages: who may read, post and hide, and what is refused (R10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.support.actors import new_id
from tests.support.cast import EVERYBODY, USERS, WEBINAR, Cast, assemble
from tests.support.database import EventliveDatabase, Furnish
from tests.support.messages import change, hide, poll, post, refused, said
from tests.support.races import NOTHING, Step, footprint
from tests.support.tables import cells


@pytest.fixture(scope="module")
def assembled(furnish: Furnish) -> str:
    """The database of ``cast``, to be copied."""
    return furnish(assemble)


@pytest.fixture
def cast(open_copy: Callable[[str], EventliveDatabase], assembled: str) -> Cast:
    """Everybody, in a webinar for signed-in users."""
    return Cast(open_copy(assembled))


# ------------------------------------------------------------------------------------------------ who may do what

MAY_READ = """
webinar                                guest               stranger           attendee           speaker        ejected  moderator  host  admin  service
live,auth,auto_register                guests_not_allowed  not_registered     ok                 ok             ejected  ok         ok    ok     ok
live,guest_allowed,auto_register       ok                  ok                 ok                 ok             ejected  ok         ok    ok     ok
live,guest_allowed,registered_only     not_registered      not_registered     ok                 ok             ejected  ok         ok    ok     ok
live,invite_only,auto_register         guests_not_allowed  not_registered     ok                 ok             ejected  ok         ok    ok     ok
live,email_auth,auto_register          guests_not_allowed  not_registered     ok                 ok             ejected  ok         ok    ok     ok
scheduled,auth,auto_register           guests_not_allowed  not_registered     ok                 ok             ejected  ok         ok    ok     ok
draft,guest_allowed,auto_register      webinar_not_found   webinar_not_found  webinar_not_found  ok             ejected  ok         ok    ok     ok
ended,guest_allowed,auto_register      webinar_ended       webinar_ended      webinar_ended      webinar_ended  ejected  ok         ok    ok     ok
"""  # noqa: E501

MAY_POST = """
webinar                                guest   stranger           attendee           speaker        ejected  moderator      host           admin           service
live,auth,auto_register                denied  not_registered     ok                 ok             ejected  ok             ok             not_registered  denied
live,guest_allowed,auto_register       denied  not_registered     ok                 ok             ejected  ok             ok             not_registered  denied
scheduled,invite_only,auto_register    denied  not_registered     ok                 ok             ejected  ok             ok             not_registered  denied
draft,auth,auto_register               denied  webinar_not_found  webinar_not_found  ok             ejected  ok             ok             not_registered  denied
ended,auth,auto_register               denied  webinar_ended      webinar_ended      webinar_ended  ejected  webinar_ended  webinar_ended  webinar_ended   denied
"""  # noqa: E501

MAY_HIDE = """
webinar                   guest   stranger     attendee     speaker      ejected      moderator  host  admin  service  host_elsewhere
live,auth,auto_register   denied  not_allowed  not_allowed  not_allowed  not_allowed  ok         ok    ok     ok       not_allowed
draft,auth,auto_register  denied  not_allowed  not_allowed  not_allowed  not_allowed  ok         ok    ok     ok       not_allowed
ended,auth,auto_register  denied  not_allowed  not_allowed  not_allowed  not_allowed  ok         ok    ok     ok       not_allowed
"""  # noqa: E501


def in_webinar(cast: Cast, properties: str) -> None:
    """Make the webinars such ones."""
    status, access_policy, entry_policy = properties.split(",")
    change(cast.db, status=status, access_policy=access_policy, entry_policy=entry_policy)


@pytest.mark.parametrize(("webinar", "caller", "expected"), cells(MAY_READ))
def test_who_may_read(cast: Cast, webinar: str, caller: str, expected: str) -> None:
    in_webinar(cast, webinar)
    assert said(cast.actor(caller), "webinar_messages_poll") == expected


@pytest.mark.parametrize(("webinar", "caller", "expected"), cells(MAY_POST))
def test_who_may_post(cast: Cast, webinar: str, caller: str, expected: str) -> None:
    in_webinar(cast, webinar)
    before = cast.db.contents()
    arguments: dict[str, object] = {"client_message_id": new_id(), "kind": "chat", "body": "Hello"}
    assert said(cast.actor(caller), "webinar_message_post", **arguments) == expected
    assert (cast.db.contents() == before) is (expected != "ok")


@pytest.mark.parametrize(("webinar", "caller", "expected"), cells(MAY_HIDE))
def test_who_may_hide(cast: Cast, webinar: str, caller: str, expected: str) -> None:
    message_id = post(cast.actor("attendee"))["message_id"]
    in_webinar(cast, webinar)
    assert said(cast.actor(caller), "webinar_message_hide", message_id=message_id) == expected
    assert cast.db.value("select hidden from eventlive.webinar_messages") is (expected == "ok")


def test_nobody_is_registered_by_reading_or_posting(cast: Cast) -> None:
    change(cast.db, access_policy="guest_allowed")
    before = cast.db.contents()
    for name in EVERYBODY:
        said(cast.actor(name), "webinar_messages_poll")
    assert refused(cast.actor("stranger")) == "not_registered"
    assert cast.db.contents() == before


def test_an_administrator_who_is_registered_posts_also_in_a_draft(cast: Cast) -> None:
    cast.db.register(WEBINAR, USERS["admin"])
    change(cast.db, status="draft")
    assert post(cast.actor("admin"))["created"]


@pytest.mark.parametrize("name", ["attendee", "speaker", "moderator", "host"])
def test_answers_come_from_those_who_are_more_than_attendees(cast: Cast, name: str) -> None:
    if name == "attendee":
        assert refused(cast.actor(name), kind="answer") == "not_allowed"
        assert post(cast.actor(name), kind="question")["kind"] == "question"
    else:
        assert post(cast.actor(name), kind="answer")["kind"] == "answer"


# ------------------------------------------------------------------------------------------------ posting


def test_a_message_is_stored_and_answered_as_it_was_said(cast: Cast) -> None:
    attendee, client_message_id = cast.actor("attendee"), new_id()
    reply = post(attendee, "Grüße 🎥", client_message_id=client_message_id, kind="question")
    assert reply | {"created_at": None} == {
        "message_id": 1,
        "user_id": str(USERS["attendee"]),
        "kind": "question",
        "body": "Grüße 🎥",
        "hidden": False,
        "created_at": None,
        "client_message_id": str(client_message_id),
        "created": True,
    }
    [message] = poll(attendee)["messages"]
    assert message == {key: value for key, value in reply.items() if key != "created"}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("  two  words \n", "two  words"),
        ("\t\n first\nsecond\n\n", "first\nsecond"),
        ("first\r\nsecond\r\n", "first\nsecond"),
        ("a\tb", "a\tb"),
        ("x" * 2000, "x" * 2000),
        (" " * 3000 + "x", "x"),
        ("é" * 2000, "é" * 2000),
        ("🎥" * 2000, "🎥" * 2000),
        ("مرحبا \u200f\u00a0", "مرحبا \u200f\u00a0"),
        ("<script>alert(1)</script> & 'quotes' \\ \"", "<script>alert(1)</script> & 'quotes' \\ \""),
    ],
)
def test_the_text_is_stored_without_blanks_around_it(cast: Cast, given: str, stored: str) -> None:
    assert post(cast.actor("attendee"), given)["body"] == stored
    assert cast.db.value("select body from eventlive.webinar_messages") == stored


CONTROLS = [chr(code) for code in (*range(1, 32), 127, *range(128, 160)) if chr(code) not in "\t\n"]


def test_a_control_character_is_refused(cast: Cast) -> None:
    attendee, before = cast.actor("attendee"), cast.db.contents()
    for character in CONTROLS:
        assert refused(attendee, f"a{character}b") == "invalid_argument", ascii(character)
    assert cast.db.contents() == before


def test_the_length_is_a_setting_that_clients_are_sent(cast: Cast) -> None:
    attendee = cast.actor("attendee")
    assert refused(attendee, "x" * 2001) == "invalid_argument"
    change(cast.db, settings={"message_max_length": 4000})
    assert len(post(attendee, "x" * 4000)["body"]) == 4000
    assert refused(attendee, "x" * 4001) == "invalid_argument"
    change(cast.db, settings={"message_max_length": 5})
    error = attendee.refused(
        "webinar_message_post", webinar_id=WEBINAR, client_message_id=new_id(), kind="chat", body="123456"
    )
    assert error.payload == {"argument": "_body", "must_be": "at most 5 characters"}
    assert attendee.call("webinar_client_settings", webinar_id=WEBINAR)["message_max_length"] == 5


@pytest.mark.parametrize("again", [{}, {"body": "something else"}, {"kind": "question"}], ids=["same", "body", "kind"])
def test_a_repeat_is_the_stored_message_and_leaves_nothing_behind(cast: Cast, again: dict[str, object]) -> None:
    attendee, client_message_id = cast.actor("attendee"), new_id()
    first = post(attendee, client_message_id=client_message_id)
    before = cast.db.contents()
    repeat: dict[str, Any] = {"client_message_id": client_message_id, **again}
    assert post(attendee, **repeat) == first | {"created": False}
    arguments: dict[str, object] = {"client_message_id": client_message_id, "kind": "chat", "body": "Hello"}
    step = Step(attendee, "webinar_message_post", {"webinar_id": WEBINAR, **arguments})
    assert footprint(cast.db, step) == NOTHING
    assert cast.db.contents() == before


def test_a_repeat_is_answered_also_when_no_more_may_be_posted(cast: Cast) -> None:
    change(cast.db, settings={"message_rate_limit": 1})
    attendee, client_message_id = cast.actor("attendee"), new_id()
    first = post(attendee, client_message_id=client_message_id)
    assert refused(attendee) == "too_many_messages"
    change(cast.db, status="ended")
    assert post(attendee, client_message_id=client_message_id) == first | {"created": False}


def test_the_same_id_of_another_user_or_webinar_is_another_message(cast: Cast) -> None:
    client_message_id = new_id()
    one = post(cast.actor("attendee"), client_message_id=client_message_id)
    other = post(cast.actor("speaker"), client_message_id=client_message_id)
    webinar_id = cast.db.webinar(host=USERS["attendee"])
    elsewhere = post(cast.actor("attendee"), webinar_id=webinar_id, client_message_id=client_message_id)
    assert [one["created"], other["created"], elsewhere["created"]] == [True] * 3
    assert [one["message_id"], other["message_id"], elsewhere["message_id"]] == [1, 2, 1]


def test_the_numbers_of_a_webinar_have_no_gaps_where_posts_were_refused_or_undone(cast: Cast) -> None:
    attendee = cast.actor("attendee")
    post(attendee)
    refused(attendee, "x" * 5000)
    usual: dict[str, object] = {"webinar_id": WEBINAR, "client_message_id": new_id(), "kind": "chat", "body": "x"}
    with attendee.transaction() as transaction:
        assert transaction.call("webinar_message_post", **usual)["message_id"] == 2
        raise psycopg.Rollback
    assert post(attendee)["message_id"] == 2


# ------------------------------------------------------------------------------------------------ the rate


def test_a_user_may_post_so_many_messages_in_such_a_time(cast: Cast) -> None:
    change(cast.db, settings={"message_rate_limit": 3, "message_rate_window_s": 20})
    attendee = cast.actor("attendee")
    for _ in range(3):
        post(attendee)
    usual: dict[str, object] = {"webinar_id": WEBINAR, "client_message_id": new_id(), "kind": "chat", "body": "x"}
    error = attendee.refused("webinar_message_post", **usual)
    assert (error.status, error.token) == (429, "too_many_messages")
    assert 18 < float(str(error.payload["retry_after_s"])) <= 20
    assert post(cast.actor("speaker"))["created"]  # each has their own

    def shift(seconds: int) -> None:
        cast.db.admin.execute(
            "update eventlive.webinar_messages set created_at = created_at - %s * interval '1 s' where user_id = %s",
            [seconds, USERS["attendee"]],
        )

    shift(15)
    assert float(str(attendee.refused("webinar_message_post", **usual).payload["retry_after_s"])) <= 5
    shift(5)
    assert post(attendee)["created"]
    assert post(attendee)["created"]
    assert post(attendee)["created"]
    assert refused(attendee) == "too_many_messages"


def test_hidden_messages_count(cast: Cast) -> None:
    change(cast.db, settings={"message_rate_limit": 1})
    hide(cast.actor("host"), post(cast.actor("attendee"))["message_id"])
    assert refused(cast.actor("attendee")) == "too_many_messages"


def test_who_posts_too_much_costs_no_write(cast: Cast) -> None:
    change(cast.db, settings={"message_rate_limit": 1})
    attendee = cast.actor("attendee")
    post(attendee)
    usual: dict[str, object] = {"webinar_id": WEBINAR, "client_message_id": new_id(), "kind": "chat", "body": "x"}
    before = cast.db.value("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    assert attendee.refused("webinar_message_post", **usual).token == "too_many_messages"
    assert cast.db.value("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint") == before
