"""purge_presence: who was long gone, or was there when the webinar ended, is forgotten; who came back is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventlive_db.server import Server
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.jobs import (
    batch_size,
    changed,
    clear,
    deletions,
    fault,
    job_database,
    present,
    run,
    set_number,
    work,
)


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    with job_database(pg_server, schema_template) as database:
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    clear(module_db)
    return module_db


def pinged_in_between(db: EventliveDatabase) -> int:
    """Presence that was long gone when the job made its list, and is back before its turn; how many rows stay."""
    webinar_id = db.webinar()
    [user_id] = present(db, webinar_id, expires_in="-2 hours")
    [step] = work(db, "purge_presence")
    db.user(user_id).call("webinar_presence_ping", webinar_id=webinar_id)
    db.value("select eventlive.job_step('purge_presence', %s, %s, %s, %s)", *step)
    return db.count("webinar_live_presence")


def test_presence_renewed_since_it_was_listed_stays(jobs_db: EventliveDatabase) -> None:
    assert pinged_in_between(jobs_db) == 1


def test_without_the_second_look_it_would_go(jobs_db: EventliveDatabase) -> None:
    with fault(jobs_db, "purge_presence_step", "and (p.expires_at <= v_before or v_ended)", ""):
        assert pinged_in_between(jobs_db) == 0


def test_presence_goes_when_it_is_long_expired(jobs_db: EventliveDatabase) -> None:
    webinar_id = jobs_db.webinar()
    kept = [*present(jobs_db, webinar_id), *present(jobs_db, webinar_id, expires_in="-59 minutes")]
    present(jobs_db, webinar_id, expires_in="-1 hour", count=2)
    assert changed(jobs_db, "purge_presence") == 2
    assert {user_id for (user_id,) in jobs_db.rows("select user_id from eventlive.webinar_live_presence")} == set(kept)
    set_number(jobs_db, "presence_retention_s", 0)
    assert changed(jobs_db, "purge_presence") == 1
    assert jobs_db.count("registrations") == 4


def test_presence_of_an_ended_webinar_goes_at_once_unless_it_is_live_again(jobs_db: EventliveDatabase) -> None:
    webinar_id = jobs_db.webinar(settings={"close_batch_size": 1})
    present(jobs_db, webinar_id, count=3)
    service = jobs_db.service()
    service.call("webinar_set_status", webinar_id=webinar_id, status="ended")
    [step] = work(jobs_db, "purge_presence")
    assert step[3] == 2
    service.call("webinar_set_status", webinar_id=webinar_id, status="live")
    assert jobs_db.value("select eventlive.job_step('purge_presence', %s, %s, %s, %s)", *step) == 0
    with service.transaction() as transaction:
        transaction.call("webinar_set_status", webinar_id=webinar_id, status="ended")
        assert changed(jobs_db, "purge_presence") == 0
    assert changed(jobs_db, "purge_presence") == 1
    assert jobs_db.count("webinar_live_presence") == 0


def test_presence_that_a_ping_holds_is_passed_over(jobs_db: EventliveDatabase) -> None:
    webinar_id = jobs_db.webinar()
    user_id, _ = present(jobs_db, webinar_id, expires_in="-2 hours", count=2)
    with jobs_db.user(user_id).transaction() as transaction:
        transaction.call("webinar_presence_ping", webinar_id=webinar_id)
        assert changed(jobs_db, "purge_presence") == 1
    assert jobs_db.rows("select user_id, expires_at > now() from eventlive.webinar_live_presence") == [(user_id, True)]


def test_presence_goes_in_batches(jobs_db: EventliveDatabase) -> None:
    batch_size(jobs_db, 3)
    for count in (7, 2):
        present(jobs_db, jobs_db.webinar(), expires_in="-2 hours", count=count)
    gone = deletions(jobs_db, "eventlive.webinar_live_presence", lambda: run(jobs_db, "purge_presence"))
    assert sorted(gone) == [1, 2, 3, 3]


def test_who_comes_back_after_a_purge_is_present_again(jobs_db: EventliveDatabase) -> None:
    webinar_id, user, session_id = jobs_db.webinar(), jobs_db.user(), new_id()
    user.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
    jobs_db.shift_time("6 minutes")
    jobs_db.admin.execute("update eventlive.webinar_live_presence set expires_at = now() - interval '2 hours'")
    assert changed(jobs_db, "purge_presence") == 1
    assert user.call("webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)["state"] == "open"
    assert jobs_db.count("webinar_live_presence") == 1
