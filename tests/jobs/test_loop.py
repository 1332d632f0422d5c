"""The runner that stays: nobody waits for a slow job, times that were missed are made up for once, and it ends."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest

from eventlive_db.jobs import JobsError, Loop, Notice, Run, Runner, Stop
from eventlive_db.jobs.catalog import STOPPED
from tests.jobs.scene import (
    JOBS,
    closed_gate,
    figures,
    give_work,
    health,
    jobs,
    program,
    runs,
    samples,
    set_number,
    take_away,
    waiting,
)
from tests.support.database import EventliveDatabase
from tests.support.own_server import OwnServer, own_server, wait_for
from tests.support.races import GATE

pytestmark = pytest.mark.heavy

WAIT = f"""
create function eventlive.wait() returns trigger language plpgsql as $$
begin
    perform pg_advisory_lock_shared({GATE});
    perform pg_advisory_unlock_shared({GATE});
    return old;
end
$$;
create trigger wait before delete on eventlive.webinar_messages for each row execute function eventlive.wait();
select eventlive.set_setting('job_lock_timeout_s', '60');
"""

Tell = Callable[[Run | Notice], None]


def only(db: EventliveDatabase, **schedules: str) -> None:
    """Leave these jobs switched on, with these schedules."""
    db.admin.execute("update eventlive.jobs set enabled = name = any (%s)", [list(schedules)])
    for name, schedule in schedules.items():
        db.admin.execute("update eventlive.jobs set schedule = %s where name = %s", [schedule, name])


def sessions(db: EventliveDatabase) -> int:
    """How many sessions of runners there are."""
    return int(
        db.value(
            "select count(*) from pg_stat_activity"
            " where application_name like 'eventlive-db jobs%%' and datname = current_database()"
        )
    )


def test_each_job_runs_once_and_says_so(db: EventliveDatabase) -> None:
    give_work(db)
    db.admin.execute("delete from eventlive.job_runs")
    lines = jobs("run", "--loop", "--once-each", "--json", dsn=db.dsn).splitlines()
    begun, *told = [json.loads(line) for line in lines]
    assert (begun["event"], begun["text"]) == ("begun", "looking after 8 jobs")
    assert sorted(event["job"] for event in told) == sorted(JOBS)
    assert {(event["event"], event["outcome"]) for event in told} == {("run", "done")}
    assert set(health(db).values()) == {"ok"}
    assert figures(db)["closed"] == [("expired", 100.0, 1)] * 3
    wait_for("the end of all sessions", lambda: sessions(db) == 0)


def test_a_time_ends_it_too(db: EventliveDatabase) -> None:
    only(db, rollup_live="0 0 29 2 *")
    assert ": done, 0 rows" in jobs("run", "--loop", "--max-seconds", "1", dsn=db.dsn)


def test_a_slow_job_holds_up_nobody_and_a_signal_ends_all(db: EventliveDatabase) -> None:
    give_work(db)
    only(db, purge_messages="17 3 * * *", rollup_live="1 second")
    db.admin.execute(WAIT)
    with closed_gate(db), program("run", "--loop", "--grace", "0", dsn=db.dsn) as runner:
        wait_for("the slow job at the gate", lambda: waiting(db) == 1)
        for _ in range(2):
            assert "rollup_live: done, 3 rows" in runner.read_until("rollup_live")
        assert waiting(db) == 1
        assert runner.running
        status, output = runner.end(signal.SIGTERM)
        assert status == 0, output
        assert f"purge_messages: stopped: {STOPPED}" in output
        # The gate is still closed.
        assert waiting(db) == 0
        wait_for("the end of all sessions", lambda: sessions(db) == 0)
    assert runs(db, "purge_messages") == [(True, STOPPED)]
    assert figures(db)["old_messages"] == 3
    assert health(db) | {"purge_messages": "never_ran", "rollup_live": "ok"} == health(db)


def test_a_run_may_end_by_itself_after_a_signal(db: EventliveDatabase) -> None:
    give_work(db)
    only(db, purge_messages="17 3 * * *")
    db.admin.execute(WAIT)
    with ExitStack() as gate:
        gate.enter_context(closed_gate(db))
        with program("run", "--loop", "--grace", "60", dsn=db.dsn) as runner:
            wait_for("the job at the gate", lambda: waiting(db) == 1)
            runner.signal(signal.SIGINT)
            gate.close()
            status, output = runner.end()
    assert (status, "purge_messages: done, 3 rows" in output) == (0, True), output


@pytest.mark.parametrize("ago", ["9 years", "-1 year"])
def test_times_that_were_missed_are_made_up_for_once(ago: str, db: EventliveDatabase) -> None:
    """Also where a clock that was wrong has started the last run in the future."""
    only(db, rollup_live="0 0 * * *")
    db.admin.execute(
        "insert into eventlive.job_runs (job_name, started_at, finished_at)"
        " select 'rollup_live', t.at, t.at from (select now() - %s::interval as at) t",
        [ago],
    )
    jobs("run", "--loop", "--max-seconds", "1", dsn=db.dsn)
    assert len(runs(db, "rollup_live")) == 2


@pytest.mark.parametrize("ahead", ["2 hours", "61 seconds"])
def test_a_start_by_a_clock_that_was_ahead_leaves_no_job_to_another_runner(ahead: str, db: EventliveDatabase) -> None:
    """A runner asks whether another has begun the job since it was due; what lies ahead is no answer to that."""
    only(db, rollup_live="1 second")
    since = db.value("select clock_timestamp()")
    db.admin.execute(
        "insert into eventlive.job_runs (job_name, started_at, finished_at)"
        " select 'rollup_live', t.at, t.at from (select now() + %s::interval as at) t",
        [ahead],
    )
    assert Runner(db.dsn, "rollup_live", unless_since=since).run().outcome == "done"
    assert Runner(db.dsn, "rollup_live", unless_since=since).run().outcome == "begun_elsewhere", "that was one in time"
    director = Director(db, [("done", "")] * 3)
    director.run()
    assert {event.outcome for event in director.told if isinstance(event, Run)} == {"done"}


class Director:
    """Runs a loop, and does something at each thing that it tells.

    Args:
        db: The database.
        script: What to do, in this order, when an event of this kind, or this outcome of a run, is told.
    """

    def __init__(self, db: EventliveDatabase, script: list[tuple[str, str]]) -> None:
        self._db, self._script, self._stop = db, script, Stop()
        self.told: list[Run | Notice] = []

    def run(self) -> None:
        """Run it until the script is at its end."""
        Loop(self._db.dsn, self._tell, look_every_s=0.05, grace_s=0).run(self._stop, max_seconds=60)
        assert not self._script, self.told

    def _tell(self, event: Run | Notice) -> None:
        self.told.append(event)
        kind = event.outcome if isinstance(event, Run) else event.kind
        if self._script and self._script[0][0] == kind:
            statement = self._script.pop(0)[1]
            if statement:
                self._db.admin.execute(statement.encode())
            if not self._script:
                self._stop.ask()


def test_schedules_are_read_again_and_one_that_cannot_be_read_is_told_once(db: EventliveDatabase) -> None:
    only(db, rollup_live="now and then", purge_presence="1 second")
    mend = "update eventlive.jobs set schedule = '* * * * *', enabled = name <> 'purge_presence' where enabled"
    director = Director(db, [("bad_schedule", ""), ("done", mend), ("good_schedule", ""), ("done", "")])
    director.run()
    told = [event.kind for event in director.told if isinstance(event, Notice)]
    assert told == ["begun", "bad_schedule", "good_schedule"]
    assert [event.job for event in director.told if isinstance(event, Run)][-1] == "rollup_live"


def test_a_job_that_is_switched_off_meanwhile_runs_no_more(db: EventliveDatabase) -> None:
    only(db, rollup_live="1 second", purge_presence="2 seconds")
    off = "update eventlive.jobs set enabled = name = 'purge_presence'"
    Director(db, [("done", off), ("done", ""), ("done", ""), ("done", "")]).run()
    assert len(runs(db, "purge_presence")) > len(runs(db, "rollup_live"))


def test_a_job_that_is_missing_is_told_once_and_runs_when_it_is_back(db: EventliveDatabase) -> None:
    """Also where the first look finds it missing."""
    only(db, rollup_live="1 second", purge_presence="1 second")
    take_away(db, "purge_messages", "purge_presence")
    statement = "insert into eventlive.jobs (name, schedule, max_age, description)"
    back = f"{statement} values ('purge_presence', '1 second', '2 hours', 'Back.')"
    off = "update eventlive.jobs set enabled = name = 'purge_presence'"
    again = "delete from eventlive.jobs where name = 'purge_presence'"
    director = Director(db, [("missing", ""), ("missing", ""), ("done", back + "; " + off), ("done", "")])
    director.run()
    assert [(event.kind, event.job) for event in director.told if isinstance(event, Notice)] == [
        ("begun", ""), ("missing", "purge_messages"), ("missing", "purge_presence"),
    ]  # fmt: skip
    done = [event.job for event in director.told if isinstance(event, Run)]
    assert (done[0], done[-1]) == ("rollup_live", "purge_presence")

    only(db, rollup_live="1 second", purge_presence="1 second")
    director = Director(db, [("missing", ""), ("done", again), ("missing", "")])
    director.run()
    assert [event.job for event in director.told if isinstance(event, Notice)] == [
        "", "purge_messages", "purge_presence",
    ]  # fmt: skip


def test_what_fails_is_told_and_run_again_at_the_next_time(db: EventliveDatabase) -> None:
    only(db, rollup_live="1 second")
    db.admin.execute("alter table eventlive.webinar_live rename to elsewhere")
    director = Director(db, [("failed", "alter table eventlive.elsewhere rename to webinar_live"), ("done", "")])
    director.run()
    [_, failed, *_] = director.told
    assert isinstance(failed, Run)
    assert failed.error.startswith("42P01")
    [(ended, error), last] = runs(db, "rollup_live")
    assert (ended, (error or "")[:5], last) == (True, "42P01", (True, None))


def test_a_database_without_the_schema_is_refused_at_the_start(empty_database: str) -> None:
    with pytest.raises(JobsError) as caught:
        Loop(empty_database, lambda _: None).run(Stop(), max_seconds=60)
    assert caught.value.token == "not_installed"


def test_several_runners_at_once_do_nothing_twice(db: EventliveDatabase) -> None:
    give_work(db)
    set_number(db, "job_lock_timeout_s", 10)
    before = figures(db)
    db.admin.execute("update eventlive.jobs set schedule = '1 second'")
    with ExitStack() as stack:
        runners = [stack.enter_context(program("run", "--loop", dsn=db.dsn)) for _ in range(2)]
        for runner in runners:
            runner.read_until("rollup_live: done")

        def all_done() -> bool:
            found = figures(db)
            return bool(len(found["closed"]) == 3 and found["in_default"] == 0 and found["old_messages"] == 0)

        wait_for("all of the work", all_done)
        for runner in runners:
            status, output = runner.end(signal.SIGTERM)
            assert (status, "failed" in output) == (0, False), output
    after = figures(db)
    assert after["closed"] == [("expired", 100.0, 1)] * 3
    assert after["events"] == before["events"]
    assert (after["open"], after["present"], after["tables_beside"]) == (3, 3, 0)
    finished = db.value(
        "select count(*) from eventlive.job_runs where job_name = 'rollup_live' and rows_affected = 3 and error is null"
    )
    assert min(samples(db)) >= finished
    assert after["samples_agree"]


@pytest.fixture
def server(pytestconfig: pytest.Config) -> Iterator[OwnServer]:
    kind = pytestconfig.getoption("--pg-kind")
    with own_server(kind if kind in {"installed", "embedded"} else "embedded") as own:
        yield own


def test_a_database_that_goes_away_is_waited_for(server: OwnServer) -> None:
    with server.database() as db:
        only(db, rollup_live="1 second")
        dsn = db.dsn
    server.stop()
    with program("run", "--loop", "--grace", "0", dsn=dsn) as runner:
        assert "next try in" in runner.read_until("the database is away: ")
        server.start()
        runner.read_until("the database is back")
        runner.read_until("rollup_live: done")
        server.end(signal.SIGKILL)
        runner.read_until("the database is away: ")
        server.start()
        runner.read_until("the database is back")
        runner.read_until("rollup_live: done")
        assert runner.end(signal.SIGTERM)[0] == 0
    with server.database() as db:
        assert health(db)["rollup_live"] == "ok"


def test_the_time_of_an_event_is_in_its_line(db: EventliveDatabase) -> None:
    only(db, rollup_live="* * * * *")
    line = jobs("run", "--loop", "--once-each", dsn=db.dsn)
    assert datetime.strptime(line.split()[0], "%Y-%m-%dT%H:%M:%S%z")
