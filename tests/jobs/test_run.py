"""One call runs what is due; a failure is told, recorded and found by the check."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack

import pytest
from psycopg.conninfo import make_conninfo

from eventlive_db.jobs import Runner
from eventlive_db.jobs.catalog import STOPPED
from eventlive_db.jobs.session import connect_for_run
from tests.jobs.scene import (
    JOBS,
    closed_gate,
    do_not_wait,
    figures,
    give_work,
    health,
    jobs,
    jobs_json,
    program,
    runs,
    set_number,
    take_away,
    wait_after_step,
    waiting,
)
from tests.support.database import EventliveDatabase
from tests.support.own_server import wait_for
from tests.support.races import held

pytestmark = pytest.mark.heavy

BREAK = """
create function eventlive.refuse() returns trigger language plpgsql as $$
begin
    raise exception 'out of order' using detail = 'it is';
end
$$;
create trigger refuse before delete on eventlive.webinar_messages execute function eventlive.refuse();
"""


def outcomes(found: dict[str, list[dict[str, object]]]) -> dict[object, object]:
    return {run["job"]: run["outcome"] for run in found["runs"]}


def test_everything_that_never_ran_is_due_and_then_nothing_is(db: EventliveDatabase) -> None:
    # No time of a cron expression passes during this test.
    db.admin.execute("update eventlive.jobs set schedule = '0 0 29 2 *'")
    give_work(db)
    db.admin.execute("delete from eventlive.job_runs")
    planned = {work["job"]: work["rows"] for work in jobs_json("run", "--dry-run", dsn=db.dsn)["jobs"]}
    assert figures(db)["old_messages"] == 3
    assert health(db) == dict.fromkeys(JOBS, "never_ran")

    found = jobs_json("run", dsn=db.dsn)
    assert outcomes(found) == dict.fromkeys(JOBS, "done")
    assert {run["job"]: run["rows"] for run in found["runs"]} == planned
    assert found["runs"][0]["job"] == "rollup_live", "the one that may wait least comes first"

    assert jobs("run", dsn=db.dsn) == "nothing is due\n"
    assert set(jobs_json("run", "--all", dsn=db.dsn)["runs"][0]) >= {"job", "outcome", "rows", "batches", "error"}
    assert jobs("check", dsn=db.dsn) == "all jobs are well\n"
    [listed] = [job for job in jobs_json("list", dsn=db.dsn)["jobs"] if job["name"] == "rollup_live"]
    assert (listed["state"], listed["next_start_at"]) == ("ok", "2028-02-29T00:00:00+00:00")
    assert "purge_timelines" in jobs("list", dsn=db.dsn)


def test_a_dry_run_changes_nothing(db: EventliveDatabase) -> None:
    give_work(db)
    before, contents = figures(db), db.contents()
    text = jobs("run", "--all", "--dry-run", dsn=db.dsn)
    assert "purge_messages: about 3 rows in 3 batches" in text
    assert "    swap: " in text
    assert jobs("run", "purge_job_runs", "--dry-run", dsn=db.dsn).startswith("purge_job_runs: about 3 rows")
    assert (figures(db), db.contents()) == (before, contents)


def test_a_failure_is_told_recorded_and_found_and_the_next_run_mends_it(db: EventliveDatabase) -> None:
    give_work(db)
    db.admin.execute(BREAK)
    text = jobs("run", "purge_messages", "rollup_live", dsn=db.dsn, status=1)
    assert "purge_messages: failed: P0001: out of order (it is); at PL/pgSQL function eventlive.refuse()" in text
    assert "rollup_live: done" in text, "one that fails does not keep the next one from its turn"
    [(ended, error)] = runs(db, "purge_messages")
    assert ended
    assert (error or "").startswith("P0001: out of order (it is)")
    assert db.value("select eventlive.job_holder('purge_messages')") is None

    found = jobs_json("check", dsn=db.dsn, status=1)
    [problem] = [problem for problem in found["problems"] if problem["job"] == "purge_messages"]
    assert (problem["state"], found["healthy"]) == ("failing", False)
    assert problem["detail"].startswith("P0001: out of order")
    assert "purge_messages: failing: P0001" in jobs("check", dsn=db.dsn, status=1)

    db.admin.execute("drop trigger refuse on eventlive.webinar_messages")
    assert jobs_json("run", "--all", dsn=db.dsn)["passed"]
    assert figures(db)["old_messages"] == 0
    assert jobs_json("check", dsn=db.dsn)["healthy"]


def test_a_lock_that_another_one_holds_is_waited_for_a_few_times(db: EventliveDatabase) -> None:
    give_work(db)
    set_number(db, "job_lock_timeout_s", 0.001)
    with held(db, "lock table eventlive.event_access_logs in access exclusive mode"):
        found = jobs_json("run", "rotate_event_logs", "--attempts", "3", dsn=db.dsn, status=1)
    [run] = found["runs"]
    assert (run["outcome"], run["attempts"], run["error"][:5]) == ("failed", 3, "55P03")
    assert [error[:5] for _, error in runs(db, "rotate_event_logs") if error] == ["55P03"] * 3
    assert health(db)["rotate_event_logs"] == "failing"
    # Free again: the first attempt does it.
    [run] = jobs_json("run", "rotate_event_logs", "--attempts", "3", dsn=db.dsn)["runs"]
    assert (run["outcome"], run["attempts"]) == ("done", 1)
    assert health(db)["rotate_event_logs"] == "ok"


def test_a_lock_that_comes_free_meanwhile_is_no_failure(db: EventliveDatabase) -> None:
    give_work(db)
    holder = db.connect()
    holder.execute("begin; lock table eventlive.event_access_logs in access exclusive mode")
    with program("run", "rotate_event_logs", "--attempts", "1000", dsn=db.dsn) as runner:
        wait_for("a first attempt", lambda: bool(db.rows("select from eventlive.job_runs where error like '55P03%%'")))
        holder.execute("rollback")
        status, output = runner.end()
    assert (status, "rotate_event_logs: done" in output) == (0, True), output
    assert health(db)["rotate_event_logs"] == "ok"


def test_two_runners_at_once_one_runs_and_the_other_says_so(db: EventliveDatabase) -> None:
    give_work(db)
    wait_after_step(db)
    with ExitStack() as gate:
        gate.enter_context(closed_gate(db))
        with program("run", "close_expired_sessions", dsn=db.dsn) as first:
            wait_for("the first runner at the gate", lambda: waiting(db) == 1)
            [second] = jobs_json("run", "close_expired_sessions", dsn=db.dsn)["runs"]
            assert (second["outcome"], second["failed"], second["batches"]) == ("running", False, 0)
            assert jobs("run", "close_expired_sessions", dsn=db.dsn).endswith("runs elsewhere at this moment\n")
            assert jobs_json("list", dsn=db.dsn)["jobs"][0]["running_since"]
            assert db.value(
                "select count(*) from pg_stat_activity"
                " where application_name = 'eventlive-db jobs close_expired_sessions'"
            )
            gate.close()
            status, output = first.end()
    assert (status, output[:38]) == (0, "close_expired_sessions: done, 3 rows i")
    assert figures(db)["closed"] == [("expired", 100.0, 1)] * 3


def test_a_signal_ends_a_run_and_what_is_committed_stays(db: EventliveDatabase) -> None:
    give_work(db)
    wait_after_step(db)
    with closed_gate(db), program("run", "purge_messages", "rollup_live", "--grace", "0", dsn=db.dsn) as runner:
        wait_for("the runner at the gate", lambda: waiting(db) == 1)
        status, output = runner.end(signal.SIGTERM)
    assert status == 1
    assert f"purge_messages: stopped: {STOPPED}" in output
    assert "rollup_live: stopped: not begun" in output
    assert figures(db)["old_messages"] == 2
    assert runs(db, "purge_messages") == [(True, STOPPED)]
    do_not_wait(db)
    # It counts as if it had not begun: it is due.
    db.admin.execute("update eventlive.jobs set schedule = '0 0 29 2 *'")
    assert outcomes(jobs_json("run", dsn=db.dsn))["purge_messages"] == "done"
    assert figures(db)["old_messages"] == 0


def test_a_runner_that_is_stopped_between_attempts_leaves_no_failure(db: EventliveDatabase) -> None:
    give_work(db)
    set_number(db, "job_lock_timeout_s", 0.001)
    retried = "select count(*) > 1 from eventlive.job_runs where error like '55P03%%'"
    with (
        held(db, "lock table eventlive.event_access_logs in access exclusive mode"),
        program("run", "rotate_event_logs", "--attempts", "1000", "--grace", "0", dsn=db.dsn) as runner,
    ):
        wait_for("a second attempt", lambda: bool(db.value(retried)))
        status, output = runner.end(signal.SIGTERM)
    assert (status, f"rotate_event_logs: stopped: {STOPPED}, " in output) == (1, True), output
    assert set(runs(db, "rotate_event_logs")) == {(True, STOPPED)}
    assert health(db)["rotate_event_logs"] == "never_ran"


def test_an_attempt_that_fails_as_it_is_stopped_is_no_failure_and_one_for_good_is(db: EventliveDatabase) -> None:
    give_work(db)
    set_number(db, "job_lock_timeout_s", 0.001)
    seen: list[str] = []

    def stop_the_third() -> float:
        """Called after each attempt but the last."""
        seen.append(health(db)["rotate_event_logs"])
        if len(seen) == 3:
            stopped.cancel()
        return 0.0

    stopped = Runner(db.dsn, "rotate_event_logs", attempts=4, random=stop_the_third)
    failed = Runner(db.dsn, "rotate_event_logs", attempts=2, random=lambda: 0.0)
    with held(db, "lock table eventlive.event_access_logs in access exclusive mode"):
        run = stopped.run()
        assert (run.outcome, run.attempts, run.error, seen) == ("stopped", 3, STOPPED, ["failing"] * 3)
        assert runs(db, "rotate_event_logs") == [(True, STOPPED)] * 3
        assert health(db)["rotate_event_logs"] == "never_ran"
        # What was not stopped stays recorded.
        assert failed.run().outcome == "failed"
        assert stopped.run().outcome == "stopped"
    assert health(db)["rotate_event_logs"] == "failing"


def test_what_is_switched_off_is_no_failure(db: EventliveDatabase) -> None:
    jobs("run", "--all", dsn=db.dsn)
    db.admin.execute("update eventlive.jobs set enabled = false where name = 'rollup_live'")
    db.admin.execute("update eventlive.jobs set last_success_at = now() - interval '9 days' where name = 'rollup_live'")
    assert jobs("run", "rollup_live", dsn=db.dsn) == "rollup_live: is switched off in eventlive.jobs\n"
    assert "rollup_live" not in outcomes(jobs_json("run", "--all", dsn=db.dsn))
    assert jobs("check", dsn=db.dsn) == "all jobs are well\n"
    db.admin.execute("update eventlive.jobs set enabled = true where name = 'rollup_live'")
    assert "rollup_live: late: no success for 9 days" in jobs("check", dsn=db.dsn, status=1)


def test_a_schedule_that_cannot_be_read_is_the_fault_of_that_job_alone(db: EventliveDatabase) -> None:
    db.admin.execute("update eventlive.jobs set schedule = 'now and then' where name = 'rollup_live'")
    text = jobs("run", dsn=db.dsn, status=1)
    assert "rollup_live: the schedule 'now and then' cannot be read" in text
    assert "rollup_live: done" not in text
    assert text.count(": done") == len(JOBS) - 1
    assert jobs_json("run", "rollup_live", dsn=db.dsn)["passed"], "by its name it runs all the same"
    [problem] = jobs_json("check", dsn=db.dsn, status=1)["problems"]
    assert (problem["job"], problem["state"]) == ("rollup_live", "bad_schedule")
    assert "cannot be read" in jobs("list", dsn=db.dsn)


def test_a_job_whose_row_is_gone_is_named(db: EventliveDatabase) -> None:
    assert jobs_json("run", "--all", dsn=db.dsn)["passed"]
    take_away(db, "rollup_live")
    assert jobs("check", dsn=db.dsn, status=1).splitlines() == [
        "rollup_live: missing: is not in eventlive.jobs; put its row back, and switch it off there if it is not to run",
        "1 of 8 jobs are not well",
    ]
    found = jobs_json("check", dsn=db.dsn, status=1)
    [problem] = found["problems"]
    assert (problem["job"], problem["state"], found["healthy"]) == ("rollup_live", "missing", False)
    [job] = [job for job in found["jobs"] if job["name"] == "rollup_live"]
    assert job["healthy"] is False
    assert {job[key] for key in ("schedule", "schedule_problem", "max_age_s", "next_start_at", "last_start_at")} == {
        None
    }
    assert "rollup_live" in jobs("list", dsn=db.dsn)
    assert jobs_json("list", dsn=db.dsn)["jobs"] == found["jobs"]

    # Whoever runs the others is told, unless it is about others.
    for arguments in (["run"], ["run", "--all"]):
        assert "eventlive-db: rollup_live is not in eventlive.jobs; put its row back" in jobs(
            *arguments, dsn=db.dsn, status=1
        )
    assert "rollup_live" not in jobs("run", "purge_messages", dsn=db.dsn)
    assert "Put its row back" in jobs("run", "rollup_live", dsn=db.dsn, status=2)

    # All of them.
    take_away(db, *JOBS)
    problems = jobs_json("check", dsn=db.dsn, status=1)["problems"]
    assert {problem["job"]: problem["state"] for problem in problems} == dict.fromkeys(JOBS, "missing")
    assert jobs("run", dsn=db.dsn, status=1).count("is not in eventlive.jobs") == len(JOBS)
    assert jobs("list", dsn=db.dsn).count("missing") == len(JOBS)


def test_never_ran_is_a_problem(db: EventliveDatabase) -> None:
    found = jobs_json("check", dsn=db.dsn, status=1)
    assert {problem["job"]: problem["state"] for problem in found["problems"]} == dict.fromkeys(JOBS, "never_ran")


def test_a_member_of_the_owner_is_enough_and_defaults_of_a_role_do_no_harm(db: EventliveDatabase) -> None:
    give_work(db)
    role = db.value("select 'runner_' || replace(gen_random_uuid()::text, '-', '')")
    db.admin.execute(f'create role "{role}" login'.encode())
    try:
        other = make_conninfo(db.dsn, user=role)
        assert "may not use the jobs: 42501" in jobs("check", dsn=other, status=2)
        assert "may not use the jobs: 42501" in jobs("run", "--all", dsn=other, status=2)
        db.admin.execute(f'grant eventlive_owner to "{role}"'.encode())
        for name, value in {
            "statement_timeout": "1min",
            "default_transaction_read_only": "on",
            "default_transaction_isolation": "serializable",
            "search_path": "nowhere",
        }.items():
            db.admin.execute(f'alter role "{role}" set {name} = "{value}"'.encode())
        with connect_for_run(other, "rollup_live") as connection:
            kept = connection.execute("show statement_timeout").fetchone()
            assert kept == ("0",), "a job takes as long as it takes"
        assert jobs_json("run", "--all", dsn=other)["passed"]
        assert jobs_json("check", dsn=other)["healthy"]
    finally:
        db.admin.execute(f'drop owned by "{role}"; drop role "{role}"'.encode())


@pytest.mark.parametrize("command", ["list", "run", "check", "schedule", "unschedule"])
def test_what_cannot_be_told_is_2(command: str, empty_database: str) -> None:
    assert "Run: eventlive-db migrate up" in jobs(command, dsn=empty_database, status=2)
    secret = "hunter2"
    away = f"host=127.0.0.1 port=1 user=u password={secret} dbname=d"
    assert secret not in (text := jobs(command, dsn=away, status=2))
    assert "the database does not answer" in text
    assert secret not in (text := jobs(command, dsn=f"postgresql://u:{secret}@[", status=2))
    assert "neither a libpq connection string nor a URI" in text
    assert "which database?" in jobs(command, dsn="", status=2)


def test_what_is_asked_for_wrongly_is_2(db: EventliveDatabase) -> None:
    assert "There are rollup_live, close_expired_sessions" in jobs("run", "nothing", dsn=db.dsn, status=2)
    for wrong in (["rollup_live", "--all"], ["--loop", "--all"], ["--once-each"]):
        jobs("run", *wrong, dsn=db.dsn, status=2)
    assert json.dumps(runs(db, "rollup_live")) == "[]"


def test_what_another_runner_has_begun_meanwhile_is_left_to_it(db: EventliveDatabase) -> None:
    since = db.value("select clock_timestamp()")
    assert Runner(db.dsn, "rollup_live", unless_since=since).run().outcome == "done"
    assert Runner(db.dsn, "rollup_live", unless_since=since).run().outcome == "begun_elsewhere"
    # One that was stopped with its runner counts as if it had not begun.
    db.admin.execute("update eventlive.job_runs set error = %s", [STOPPED])
    assert Runner(db.dsn, "rollup_live", unless_since=since).run().outcome == "done"
    assert len(runs(db, "rollup_live")) == 2
