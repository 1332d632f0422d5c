"""Deleting a webinar: whole, in the order of locks of those who are inside, and for administrators of the database."""

from __future__ import annotations

import psycopg
import pytest

from eventlive_db.client import RpcError
from tests.support.actors import in_background, new_id, wait_until_blocked
from tests.support.database import EventliveDatabase


def test_it_takes_everything_but_the_visit_log(db: EventliveDatabase) -> None:
    webinar_id, other = db.webinar(), db.webinar()
    for one in (webinar_id, other):
        db.user().call("webinar_enter", webinar_id=one, session_id=new_id())
    log = db.count("event_access_logs")
    assert db.value("select eventlive.delete_webinar(%s)", webinar_id) is True
    assert db.value("select eventlive.delete_webinar(%s)", webinar_id) is False
    assert db.value("select eventlive.delete_webinar(null)") is False
    for table in ("webinars", "registrations", "webinar_live_presence", "webinar_user_sessions", "webinar_live"):
        assert db.count(table) == 1, table
    assert db.count("event_access_logs") == log


def test_who_comes_in_while_it_goes_finds_no_webinar(db: EventliveDatabase) -> None:
    webinar_id = db.webinar()
    deleter = db.connect()
    deleter.autocommit = False
    deleter.execute("select eventlive.delete_webinar(%s)", [webinar_id])
    user = db.user()
    entering = in_background(lambda: user.refused("webinar_enter", webinar_id=webinar_id, session_id=new_id()))
    wait_until_blocked(db.admin, user.pid)
    deleter.commit()
    refusal = entering.result()
    assert isinstance(refusal, RpcError)
    assert refusal.token == "webinar_not_found"


def test_it_waits_for_who_is_coming_in(db: EventliveDatabase) -> None:
    webinar_id, user = db.webinar(), db.user()
    deleter = db.connect()
    with user.transaction() as step:
        step.call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
        deleting = in_background(
            lambda: deleter.execute("select eventlive.delete_webinar(%s)", [webinar_id]).fetchone()
        )
        wait_until_blocked(db.admin, deleter.info.backend_pid)
    assert deleting.result() == (True,)
    assert db.count("registrations") == 0


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_no_client_may(db: EventliveDatabase, role: str) -> None:
    connection = db.acting(role, "{}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select eventlive.delete_webinar(%s)", [new_id()])


def test_configuring_one_that_is_deleted_meanwhile_finds_no_webinar(db: EventliveDatabase) -> None:
    webinar_id, service = db.webinar(), db.service()
    deleter = db.connect()
    deleter.autocommit = False
    deleter.execute("delete from eventlive.webinars where id = %s", [webinar_id])
    changing = in_background(
        lambda: service.refused("webinar_configure", webinar_id=webinar_id, changes={"title": "x"})
    )
    wait_until_blocked(db.admin, service.pid)
    deleter.commit()
    refusal = changing.result()
    assert isinstance(refusal, RpcError)
    assert refusal.token == "webinar_not_found"
