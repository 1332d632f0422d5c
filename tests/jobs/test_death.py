"""A runner or the server is killed in the middle of each job: nothing is done twice, and somebody is told."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest

from tests.jobs.scene import (
    JOBS,
    Figures,
    bare_runner,
    closed_gate,
    do_not_wait,
    figures,
    give_work,
    health,
    jobs,
    jobs_json,
    program,
    runs,
    samples,
    wait_after_step,
    wait_until_gone,
    waiting,
)
from tests.support.database import EventliveDatabase
from tests.support.own_server import OwnServer, own_server, wait_for

pytestmark = pytest.mark.heavy

STEPS = [*((job, 2) for job in JOBS if job != "rotate_event_logs"), *(("rotate_event_logs", n) for n in (1, 2, 3, 4))]

DONE: dict[str, Figures] = {
    "close_expired_sessions": {"closed": [("expired", 100.0, 1)] * 3, "open": 3, "in_default": 15},
    "purge_job_runs": {"old_runs": 1},
    "purge_messages": {"old_messages": 0},
    "purge_presence": {"present": 3},
    "purge_sessions": {"old_sessions": 0},
    "purge_timelines": {"old_buckets": 0},
    "rollup_live": {"samples_agree": True},
    "rotate_event_logs": {"in_default": 0, "tables_beside": 0},
}
"""What each job leaves when it has done its work, and done it once."""


def assert_done(db: EventliveDatabase, job: str, before: Figures) -> None:
    """A job has done all of its work, and nothing else has changed."""
    after = figures(db)
    expected = before | DONE[job]
    if job != "purge_job_runs":
        del after["old_runs"], expected["old_runs"]
    assert after == expected, job


def seen_dead(db: EventliveDatabase, job: str) -> None:
    """The run that died counts as a failure, though nobody could record it."""
    assert runs(db, job)[-1] == (False, None)
    assert health(db)[job] == "failing"
    text = jobs("check", dsn=db.dsn, status=1)
    assert f"{job}: failing: ended without a word: it failed, was cancelled or killed" in text


def seen_mended(db: EventliveDatabase, job: str) -> None:
    """The next run has recorded the death, and is well itself."""
    *_, (dead, error), last = runs(db, job)
    assert dead
    assert (error or "").startswith("ended without a word")
    assert last == (True, None)
    assert health(db)[job] == "ok"


@pytest.mark.parametrize(("job", "step"), STEPS)
def test_a_runner_that_is_killed_in_the_middle(job: str, step: int, db: EventliveDatabase) -> None:
    give_work(db)
    before = figures(db)
    wait_after_step(db, step)
    with closed_gate(db):
        with bare_runner(job, dsn=db.dsn) as runner:
            wait_for("the runner at the gate", lambda: waiting(db) == 1)
            assert health(db)[job] == "running"
            runner.kill()
        # The gate is closed: the session ends because its runner is gone.
        wait_until_gone(db, job)
        seen_dead(db, job)
        if job == "rollup_live":
            assert samples(db) == [1, 0, 0], "what was committed stays, what was not is gone"
    do_not_wait(db)
    assert jobs_json("run", job, dsn=db.dsn)["passed"]
    seen_mended(db, job)
    assert_done(db, job, before)
    if job == "rollup_live":
        assert samples(db) == [2, 1, 1], "each run that counted a webinar is one sample"
        assert jobs_json("run", job, dsn=db.dsn)["passed"]
        assert samples(db) == [3, 2, 2]


def test_a_job_that_nobody_kills_is_not_seen_as_dead(db: EventliveDatabase) -> None:
    give_work(db)
    before = figures(db)
    for job in JOBS:
        assert jobs_json("run", job, dsn=db.dsn)["passed"]
        assert_done(db, job, before)
        before |= DONE[job]
    assert not db.rows("select from eventlive.job_runs where error is not null")


def test_what_is_done_twice_or_not_at_all_is_seen(db: EventliveDatabase) -> None:
    give_work(db)
    before = figures(db)
    with pytest.raises(AssertionError, match="close_expired_sessions"):
        assert_done(db, "close_expired_sessions", before)
    assert jobs_json("run", "close_expired_sessions", dsn=db.dsn)["passed"]
    assert_done(db, "close_expired_sessions", before)
    db.admin.execute(
        "insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, session_id)"
        " select webinar_id, occurred_at, event, user_id, session_id from eventlive.event_access_logs"
        " where event = 'expired' limit 1"
    )
    with pytest.raises(AssertionError, match="close_expired_sessions"):
        assert_done(db, "close_expired_sessions", before)


@pytest.fixture
def server(pytestconfig: pytest.Config) -> Iterator[OwnServer]:
    kind = pytestconfig.getoption("--pg-kind")
    with own_server(kind if kind in {"installed", "embedded"} else "embedded") as own:
        yield own


def test_a_server_that_is_killed_in_the_middle_of_every_job(server: OwnServer) -> None:
    with server.database() as db:
        give_work(db)
        before = figures(db)
        wait_after_step(db)
        # Not the one that moves tables: it would wait for those that write the log, and not at the gate.
        stopped = [job for job in JOBS if job != "rotate_event_logs"]
        db.admin.execute("delete from eventlive.job_runs where started_at > now() - interval '1 day'")
        db.admin.execute("update eventlive.jobs set enabled = name = any (%s)", [stopped])
        with program("run", "--loop", "--grace", "0", dsn=db.dsn) as runner:
            with suppress(psycopg.OperationalError), closed_gate(db):
                wait_for("every job at the gate", lambda: waiting(db) == len(stopped))
                server.end(signal.SIGKILL)
            seen = [runner.read_until(": lost: ") for _ in stopped]
            assert {line.split()[1] for line in seen} == {f"{job}:" for job in stopped}
            assert runner.end(signal.SIGTERM)[0] == 0
    server.start()
    with server.database() as db:
        for job in stopped:
            seen_dead(db, job)
        do_not_wait(db)
        db.admin.execute("update eventlive.jobs set enabled = true")
        assert jobs_json("run", *stopped, dsn=db.dsn)["passed"]
        for job in stopped:
            seen_mended(db, job)
            before |= DONE[job]
        assert figures(db) == before
        # The one sample that was committed may be lost with the server: it was not waited for.
        assert samples(db) in ([2, 1, 1], [1, 1, 1])


def test_a_server_that_is_killed_while_the_log_is_rotated(server: OwnServer) -> None:
    with server.database() as db:
        give_work(db)
        before = figures(db)
        wait_after_step(db)
        with program("run", "rotate_event_logs", dsn=db.dsn) as runner:
            with suppress(psycopg.OperationalError), closed_gate(db):
                wait_for("the runner at the gate", lambda: waiting(db) == 1)
                server.end(signal.SIGKILL)
            assert runner.end()[0] == 1
    server.start()
    with server.database() as db:
        seen_dead(db, "rotate_event_logs")
        # That step commits asynchronously, not to keep others waiting: it is there whole, or undone whole.
        after = figures(db)
        assert (after["tables_beside"], after["in_default"]) in {(1, 0), (0, before["in_default"])}
        do_not_wait(db)
        assert jobs_json("run", "rotate_event_logs", dsn=db.dsn)["passed"]
        seen_mended(db, "rotate_event_logs")
        assert_done(db, "rotate_event_logs", before)
