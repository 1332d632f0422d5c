"""close_expired_sessions: which sessions it ends, when they are said to have ended, and with how much watch time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from eventlive_db.server import Server
from tests.support.actors import in_background, new_id
from tests.support.database import EventliveDatabase
from tests.support.invariants import assert_invariants
from tests.support.jobs import (
    batch_size,
    changed,
    cleared,
    everything,
    fault,
    job_database,
    live,
    open_statement,
    run,
    sessions,
    start,
    work,
)
from tests.support.races import Step, held, settled
from tests.support.scene import said

JOB = "close_expired_sessions"


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    with job_database(pg_server, schema_template) as database:
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    return cleared(module_db)


def stored(db: EventliveDatabase, session_id: UUID) -> dict[str, Any]:
    """The row of a session."""
    names = ("entered_at", "last_heartbeat_at", "expires_at", "exited_at", "exit_reason", "watched_seconds")
    [row] = db.rows(f"select {', '.join(names)} from eventlive.webinar_user_sessions where session_id = %s", session_id)
    return dict(zip(names, row, strict=True))


def logged(db: EventliveDatabase, session_id: UUID) -> list[tuple[str, datetime, Decimal, UUID | None]]:
    """What the visit log has of its end."""
    return db.rows(
        "select event, occurred_at, (detail ->> 'watched_seconds')::numeric, user_id"
        " from eventlive.event_access_logs where session_id = %s and event <> 'entered'",
        session_id,
    )


@pytest.mark.parametrize("guest", [False, True], ids=["user", "guest"])
def test_a_session_that_expired_ends_when_it_expired_with_what_it_watched(
    jobs_db: EventliveDatabase, guest: bool
) -> None:
    webinar_id, user_id = jobs_db.webinar(), None if guest else new_id()
    [session_id] = sessions(jobs_db, webinar_id, expires_in="-2 hours", user_id=user_id)
    before = stored(jobs_db, session_id)
    assert changed(jobs_db, JOB) == 1
    after = stored(jobs_db, session_id)
    # 750 s since the last sign of life, of which 1.5 intervals of 300 s count.
    ends = {"exited_at": before["expires_at"], "exit_reason": "expired", "watched_seconds": Decimal("450.000000")}
    assert after == before | ends
    assert logged(jobs_db, session_id) == [("expired", before["expires_at"], Decimal(450), user_id)]
    assert_invariants(jobs_db)


def test_only_what_is_open_and_over_is_closed(jobs_db: EventliveDatabase) -> None:
    webinar_id = jobs_db.webinar()
    kept = sessions(jobs_db, webinar_id, expires_in="1 minute") + sessions(jobs_db, webinar_id, exited_ago="1 hour")
    gone = sessions(jobs_db, webinar_id, expires_in="-1 microsecond", count=2)
    before = {session_id: stored(jobs_db, session_id) for session_id in kept}
    assert changed(jobs_db, JOB) == 2
    assert {session_id: stored(jobs_db, session_id) for session_id in kept} == before
    assert all(stored(jobs_db, session_id)["exit_reason"] == "expired" for session_id in gone)


def test_a_second_run_changes_nothing(jobs_db: EventliveDatabase) -> None:
    sessions(jobs_db, jobs_db.webinar(), expires_in="-1 hour", count=3)
    assert changed(jobs_db, JOB) == 3
    before = everything(jobs_db, "jobs", "job_runs")
    assert run(jobs_db, JOB) | {"run_id": None} == {
        "job": JOB, "outcome": "done", "run_id": None, "rows": 0, "batches": 0}  # fmt: skip
    assert everything(jobs_db, "jobs", "job_runs") == before


def test_what_an_ended_webinar_left_is_closed_as_of_its_end(jobs_db: EventliveDatabase) -> None:
    webinar_id = jobs_db.webinar(settings={"close_batch_size": 1})
    waiting = sessions(jobs_db, webinar_id, expires_in="5 minutes", count=2)
    [expired] = sessions(jobs_db, webinar_id, expires_in="-1 hour")
    service = jobs_db.service()
    assert service.call("webinar_set_status", webinar_id=webinar_id, status="ended")["remaining"]
    [closed_at] = live(jobs_db, webinar_id, "closed_at")
    # It is the end of the webinar that counts, not when a job came round to it.
    jobs_db.shift_time("1 hour")
    jobs_db.admin.execute("update eventlive.webinar_live set closed_at = closed_at - interval '1 hour'")
    assert changed(jobs_db, JOB) == 2
    for session_id in waiting:
        row = stored(jobs_db, session_id)
        assert (row["exit_reason"], row["exited_at"]) == ("webinar_ended", closed_at - timedelta(hours=1))
        # Up to the end: 750 s before it expires, 300 s of which were still to come.
        assert row["watched_seconds"] == Decimal("450.000000")
    assert stored(jobs_db, expired)["exit_reason"] == "expired"
    assert {len(logged(jobs_db, session_id)) for session_id in [*waiting, expired]} == {1}
    assert not jobs_db.rows("select 1 from eventlive.webinar_user_sessions where exited_at is null")


def end_and_reopen(db: EventliveDatabase) -> UUID:
    """A session that the end of its webinar left open, for a job to close; it is live again before the job's turn."""
    webinar_id = db.webinar(settings={"close_batch_size": 1})
    sessions(db, webinar_id, count=2)
    service = db.service()
    assert service.call("webinar_set_status", webinar_id=webinar_id, status="ended")["remaining"]
    [step] = work(db, JOB)
    service.call("webinar_set_status", webinar_id=webinar_id, status="live")
    db.value("select eventlive.job_step('close_expired_sessions', %s, %s, %s, %s)", *step)
    return webinar_id


def test_in_a_webinar_that_is_live_again_it_goes_on(jobs_db: EventliveDatabase) -> None:
    end_and_reopen(jobs_db)
    reasons = jobs_db.rows("select exit_reason from eventlive.webinar_user_sessions order by 1")
    assert reasons == [("webinar_ended",), (None,)]


def test_without_a_second_look_at_the_webinar_it_would_not(jobs_db: EventliveDatabase) -> None:
    with fault(
        jobs_db,
        "close_expired_sessions_step",
        "\n    select l.closed_at into",
        "\n    v_closed_at := clock_timestamp(); --",
    ):
        end_and_reopen(jobs_db)
    assert jobs_db.rows("select 1 from eventlive.webinar_user_sessions where exited_at is null") == []


def test_a_change_of_status_under_way_is_not_waited_for(jobs_db: EventliveDatabase) -> None:
    webinar_id = jobs_db.webinar(settings={"close_batch_size": 1})
    sessions(jobs_db, webinar_id, expires_in="-1 hour", count=2)
    with jobs_db.service().transaction() as transaction:
        assert transaction.call("webinar_set_status", webinar_id=webinar_id, status="ended")["closed_sessions"] == 1
        assert changed(jobs_db, JOB) == 0
    assert changed(jobs_db, JOB) == 1
    assert_invariants(jobs_db)


def test_a_heartbeat_under_way_is_left_alone(jobs_db: EventliveDatabase) -> None:
    webinar_id, user, session_id = jobs_db.webinar(), jobs_db.user(), new_id()
    user.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
    jobs_db.shift_time("6 minutes")
    with user.transaction() as transaction:
        beat = transaction.call("webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)
        assert said(beat) == "open"
        # Listed by what can be seen from elsewhere, it seems long over.
        step = (webinar_id, [session_id], "close", 1)
        with fault(jobs_db, "close_expired_sessions_step", "s.expires_at <= v_now", "true"):
            assert jobs_db.value("select eventlive.job_step('close_expired_sessions', %s, %s, %s, %s)", *step) == 0
    assert stored(jobs_db, session_id)["exited_at"] is None
    assert_invariants(jobs_db)


def close_while_locked(db: EventliveDatabase) -> bool:
    """Whether the job gets by a session that somebody holds, without waiting for it."""
    sessions(db, db.webinar(), expires_in="-1 hour", count=2)
    with held(db, "select from eventlive.webinar_user_sessions limit 1 for update"):
        running = start(db, JOB)
        try:
            return int(running.result()["rows"]) == 1
        except psycopg.errors.LockNotAvailable:
            return False
        finally:
            running.connection.close()


def test_a_session_that_somebody_holds_is_passed_over(jobs_db: EventliveDatabase) -> None:
    assert close_while_locked(jobs_db)
    assert changed(jobs_db, JOB) == 1


def test_without_skip_locked_the_run_would_fail(jobs_db: EventliveDatabase) -> None:
    with fault(jobs_db, "close_expired_sessions_step", "skip locked", ""):
        assert not close_while_locked(jobs_db)


def test_who_ends_a_webinar_waits_for_the_jobs_transaction_and_finds_its_sessions_closed(
    jobs_db: EventliveDatabase,
) -> None:
    webinar_id = jobs_db.webinar()
    sessions(jobs_db, webinar_id, expires_in="-1 hour")
    [(_, ids, _, _)] = work(jobs_db, JOB)
    ending = Step(jobs_db.service(), "webinar_set_status", {"webinar_id": webinar_id, "status": "ended"})
    with open_statement(jobs_db, "select eventlive.close_expired_sessions_step(%s, %s)", webinar_id, ids):
        background = in_background(ending.attempt)
        assert settled(jobs_db, background, ending.actor)
    assert background.result()["closed_sessions"] == 0
    assert_invariants(jobs_db)


def test_a_transaction_closes_no_more_than_a_batch(jobs_db: EventliveDatabase) -> None:
    batch_size(jobs_db, 4)
    for count in (9, 4, 1):
        sessions(jobs_db, jobs_db.webinar(), expires_in="-1 hour", count=count)
    assert sorted(row[3] for row in work(jobs_db, JOB)) == [1, 1, 4, 4, 4]
    assert run(jobs_db, JOB)["batches"] == 5
    transactions = jobs_db.rows("select count(*) from eventlive.webinar_user_sessions group by xmin::text order by 1")
    assert transactions == [(1,), (1,), (4,), (4,), (4,)]


def test_a_clock_that_was_put_back_ends_no_session_before_its_last_heartbeat(jobs_db: EventliveDatabase) -> None:
    webinar_id = jobs_db.webinar(settings={"close_batch_size": 1})
    ids = sessions(jobs_db, webinar_id, expires_in="2 hours", count=2)
    jobs_db.service().call("webinar_set_status", webinar_id=webinar_id, status="ended")
    run(jobs_db, JOB)
    for session_id in ids:
        row = stored(jobs_db, session_id)
        assert (row["exited_at"], row["watched_seconds"]) == (row["last_heartbeat_at"], 0)
    assert_invariants(jobs_db)
