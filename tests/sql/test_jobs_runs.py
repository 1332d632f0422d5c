"""Running a job: what is recorded, who may, that it runs once at a time, and how its health is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from eventlive_db.server import Server
from tests.support.actors import wait_until_blocked
from tests.support.database import EventliveDatabase
from tests.support.jobs import (
    JOBS,
    PAUSE,
    batch_size,
    changed,
    cleared,
    everything,
    fault,
    health,
    job_database,
    kill,
    live,
    patiently,
    present,
    run,
    sessions,
    set_number,
    start,
    stopped,
    work,
)
from tests.support.races import closed_gate


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    with job_database(pg_server, schema_template) as database:
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    return cleared(module_db)


def runs(db: EventliveDatabase, job: str) -> list[tuple[Any, ...]]:
    """Its runs: whether they ended, rows, error."""
    return db.rows(
        "select finished_at >= started_at, rows_affected, error from eventlive.job_runs where job_name = %s"
        " order by run_id",
        job,
    )


def busy(db: EventliveDatabase) -> None:
    """Something to do for every job."""
    webinar_id = db.webinar()
    db.admin.execute("update eventlive.webinars set created_at = now() - interval '20 years'")
    sessions(db, webinar_id, expires_in="-3 hours", count=3)
    sessions(db, webinar_id, exited_ago="400 days", count=2)
    present(db, webinar_id, expires_in="-3 hours", count=4)
    db.admin.execute(
        "insert into eventlive.webinar_messages"
        " (webinar_id, message_id, user_id, client_message_id, body, created_at, change_id)"
        " values (%(w)s, 1, %(w)s, %(w)s, 'Hello', now() - interval '200 days', 1)",
        {"w": webinar_id},
    )
    db.admin.execute(
        "insert into eventlive.webinar_access_logs (webinar_id, time_bucket) values (%s, now() - interval '4 years')",
        [webinar_id],
    )
    db.admin.execute(
        "insert into eventlive.job_runs (job_name, started_at, finished_at)"
        " select 'purge_presence', now() - interval '40 days', now() from generate_series(1, 3)"
    )


DOES = {
    "close_expired_sessions": 3,
    "purge_job_runs": 2,
    "purge_messages": 1,
    "purge_presence": 4,
    "purge_sessions": 2,
    "purge_timelines": 1,
    "rollup_live": 1,
}


@pytest.mark.parametrize("job", DOES)
def test_a_run_does_what_the_dry_run_says_and_records_it(jobs_db: EventliveDatabase, job: str) -> None:
    busy(jobs_db)
    before = everything(jobs_db)
    planned = work(jobs_db, job)
    assert everything(jobs_db) == before, "a dry run changes nothing"
    assert sum(amount for *_, amount in planned) == DOES[job]
    began = jobs_db.value("select clock_timestamp()")
    outcome = run(jobs_db, job)
    run_id = jobs_db.value("select max(run_id) from eventlive.job_runs")
    expected = {"job": job, "outcome": "done", "run_id": run_id, "rows": DOES[job], "batches": len(planned)}
    assert outcome == expected
    assert jobs_db.rows(
        "select finished_at >= started_at, started_at > %s, rows_affected, error, j.last_success_at = finished_at"
        " from eventlive.job_runs r join eventlive.jobs j on j.name = r.job_name where run_id = %s",
        began,
        run_id,
    ) == [(True, True, DOES[job], None, True)]
    assert jobs_db.value("select count(*) from pg_locks where locktype = 'advisory'") == 0


@pytest.mark.parametrize("job", [job for job in DOES if job != "rollup_live"])
def test_a_second_run_changes_nothing(jobs_db: EventliveDatabase, job: str) -> None:
    busy(jobs_db)
    run(jobs_db, job)
    before = everything(jobs_db, "jobs", "job_runs")
    assert (work(jobs_db, job), changed(jobs_db, job)) == ([], 0)
    assert everything(jobs_db, "jobs", "job_runs") == before


def test_every_job_can_run(jobs_db: EventliveDatabase) -> None:
    names = [name for (name,) in jobs_db.rows("select name from eventlive.jobs order by name")]
    assert names == list(JOBS)
    assert {run(jobs_db, name)["outcome"] for name in names} == {"done"}
    assert {state for (state,) in jobs_db.rows("select state from eventlive.job_health()")} == {"ok"}


def test_an_unknown_job_is_refused(jobs_db: EventliveDatabase) -> None:
    for name in ("no_such_job", None):
        for query in ("call eventlive.run_job(%s)", "select * from eventlive.job_work(%s)"):
            with pytest.raises(psycopg.errors.UndefinedObject) as caught:
                jobs_db.admin.execute(query.encode(), [name])
            assert caught.value.diag.message_detail == "unknown_job"
    assert jobs_db.count("job_runs") == 0


def test_a_disabled_job_does_not_run(jobs_db: EventliveDatabase) -> None:
    busy(jobs_db)
    jobs_db.admin.execute("update eventlive.jobs set enabled = false where name = 'purge_presence'")
    before = everything(jobs_db)
    outcome = {"job": "purge_presence", "outcome": "disabled", "rows": 0, "batches": 0}
    assert run(jobs_db, "purge_presence") == outcome
    assert everything(jobs_db) == before


# --- once at a time


def test_a_job_that_runs_elsewhere_is_not_run(jobs_db: EventliveDatabase) -> None:
    with stopped(jobs_db) as running:
        assert jobs_db.value("select eventlive.job_holder('rollup_live')") == running.pid
        refusal = {"job": "rollup_live", "outcome": "running", "rows": 0, "batches": 0}
        assert run(jobs_db, "rollup_live") == refusal
        assert run(jobs_db, "purge_presence")["outcome"] == "done"
        assert runs(jobs_db, "rollup_live") == [(None, 0, None)]
    assert running.result()["outcome"] == "done"
    assert runs(jobs_db, "rollup_live") == [(True, 1, None)]


def test_without_the_lock_two_would_run(jobs_db: EventliveDatabase) -> None:
    with fault(jobs_db, "begin_job", "and not pg_try_advisory_lock(eventlive.job_lock_key(_name))", "and false"):
        with stopped(jobs_db) as running, fault(jobs_db, "rollup_live_step", PAUSE, ""):
            assert run(jobs_db, "rollup_live")["outcome"] == "done"
        running.result()
    assert len(runs(jobs_db, "rollup_live")) == 2


def test_a_run_that_was_killed_is_seen_and_the_next_one_goes_on(jobs_db: EventliveDatabase) -> None:
    first, second = sorted(jobs_db.webinar() for _ in range(2))
    patiently(jobs_db)
    end = "    return 1;\nend"
    waiting = f"    if _webinar_id = '{second}' then {PAUSE} end if;\n{end}"
    with fault(jobs_db, "rollup_live_step", end, waiting), closed_gate(jobs_db):
        running = start(jobs_db, "rollup_live")
        wait_until_blocked(jobs_db.admin, running.pid)
        assert health(jobs_db, "rollup_live") == "running"
        kill(jobs_db, running)
    assert health(jobs_db, "rollup_live") == "failing"
    assert runs(jobs_db, "rollup_live") == [(None, 1, None)]
    assert [live(jobs_db, webinar_id, "sample_count") for webinar_id in (first, second)] == [(1,), (0,)]
    assert run(jobs_db, "rollup_live")["rows"] == 2
    assert health(jobs_db, "rollup_live") == "ok"
    [(_, _, died), (_, _, well)] = runs(jobs_db, "rollup_live")
    assert "killed" in died
    assert well is None
    samples = "select webinar_id, sum(sample_count)::integer from eventlive.webinar_access_logs group by 1 order by 1"
    assert jobs_db.rows(samples) == [(first, 2), (second, 1)]
    assert [live(jobs_db, webinar_id, "sample_count") for webinar_id in (first, second)] == [(2,), (1,)]


def test_a_run_that_fails_is_recorded_by_its_runner_or_by_the_next_run(jobs_db: EventliveDatabase) -> None:
    jobs_db.webinar()
    connection = jobs_db.connect()
    with fault(jobs_db, "rollup_live_step", "\nbegin\n", "\nbegin\n    perform 1 / 0;\n"):
        for _ in range(2):
            with pytest.raises(psycopg.errors.DivisionByZero):
                run(jobs_db, "rollup_live", connection)
    assert run(jobs_db, "rollup_live")["outcome"] == "running", "the session of the one that failed has the lock yet"
    fail = "select eventlive.fail_job('rollup_live', %s)"
    assert jobs_db.value(fail, "not mine") is False
    assert connection.execute(fail, ["x" * 3000]).fetchone() == (True,)
    assert connection.execute(fail, ["again"]).fetchone() == (False,)
    assert health(jobs_db, "rollup_live") == "failing"
    assert [error[:5] for _, _, error in runs(jobs_db, "rollup_live")] == ["ended", "xxxxx"]
    assert jobs_db.value("select max(length(error)) from eventlive.job_runs") == 2000
    assert run(jobs_db, "rollup_live")["outcome"] == "done"


@pytest.mark.parametrize("ends", ["finish_job", "fail_job", "begin_job"])
def test_a_clock_that_was_put_back_fails_no_run(jobs_db: EventliveDatabase, ends: str) -> None:
    with stopped(jobs_db) as running:
        jobs_db.admin.execute("update eventlive.job_runs set started_at = now() + interval '1 hour'")
        if ends == "begin_job":
            kill(jobs_db, running)
    if ends == "fail_job":
        with (
            fault(jobs_db, "rollup_live_step", "\nbegin\n", "\nbegin\n    perform 1 / 0;\n"),
            pytest.raises(psycopg.Error),
        ):
            run(jobs_db, "rollup_live")
        jobs_db.admin.execute(
            "update eventlive.job_runs set started_at = now() + interval '1 hour', finished_at = null"
        )
        assert jobs_db.value("select eventlive.fail_job('rollup_live', 'x')") is True
    assert run(jobs_db, "rollup_live")["outcome"] == "done"
    assert {row[0] for row in runs(jobs_db, "rollup_live")} == {True}


def test_without_care_for_that_it_would(jobs_db: EventliveDatabase) -> None:
    with fault(jobs_db, "finish_job", "greatest(v_now, r.started_at)", "v_now"), stopped(jobs_db) as running:
        jobs_db.admin.execute("update eventlive.job_runs set started_at = now() + interval '1 hour'")
    with pytest.raises(psycopg.errors.CheckViolation):
        running.result()


# --- old runs


def test_old_runs_are_forgotten_but_for_the_last_and_the_last_good_one(jobs_db: EventliveDatabase) -> None:
    batch_size(jobs_db, 2)
    jobs_db.admin.execute(
        "insert into eventlive.job_runs (job_name, started_at, finished_at, error)"
        " select j.job, now() - r.age::interval, now(), r.error"
        "   from (values ('purge_presence'), ('rollup_live')) as j (job),"
        "        (values (1, '90 days', null), (2, '31 days', null), (3, '30 days', 'bad'), (4, '30 days', 'worse'),"
        "                (5, '30 days', 'worst')) as r (place, age, error)"
        "  order by j.job, r.place"
    )
    jobs_db.admin.execute(
        "insert into eventlive.job_runs (job_name, started_at)"
        " values ('rollup_live', now() - interval '29 days 23 hours')"
    )
    assert run(jobs_db, "purge_job_runs") | {"run_id": 0} == {
        "job": "purge_job_runs", "outcome": "done", "run_id": 0, "rows": 7, "batches": 4}  # fmt: skip
    kept = "select error, now() - started_at from eventlive.job_runs where job_name = %s order by run_id"
    assert [error for error, _ in jobs_db.rows(kept, "purge_presence")] == [None, "worst"]
    assert [age.days for _, age in jobs_db.rows(kept, "rollup_live")] == [31, 29]
    assert len(runs(jobs_db, "purge_job_runs")) == 1


def test_runs_are_kept_as_long_as_the_setting_says(jobs_db: EventliveDatabase) -> None:
    busy(jobs_db)
    set_number(jobs_db, "job_run_retention_days", 41)
    assert changed(jobs_db, "purge_job_runs") == 0
