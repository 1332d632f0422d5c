"""A real pg_cron: entries for the jobs, whoever makes them, and what it knows of failures.

They need a Postgres that is installed, with pg_cron: on Debian and Ubuntu the package postgresql-<version>-cron.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventlive_db.jobs import Job, JobsError, ScheduleError, pg_cron
from eventlive_db.resources import sql_dir
from eventlive_db.server import TEST_SETTINGS, Server, open_server
from eventlive_db.server.account import server_account
from eventlive_db.server.rundir import base_directory
from tests.jobs.scene import JOBS, figures, give_work, health, jobs, jobs_json, program, samples, set_number
from tests.support.database import EventliveDatabase
from tests.support.pg_cron import require_pg_cron

HOME, APART = "cron_home", "cron_apart"
MEMBER = "cron_member"
"""A plain role that may run jobs and use pg_cron."""


@dataclass(frozen=True)
class Station:
    """A server with pg_cron in one database, and the schema in that one and in another."""

    home: str
    apart: str

    def member(self, dsn: str) -> str:
        """The same database, as the plain role."""
        return make_conninfo(dsn, user=MEMBER)

    def entries(self) -> list[tuple[str, str, str, str, str]]:
        """All entries: name, schedule, command, database and role."""
        with psycopg.connect(self.home) as connection:
            return connection.execute(
                "select jobname::text, schedule, command, database, username from cron.job order by 1, 5"
            ).fetchall()


@pytest.fixture(scope="module")
def station(pg_server: Server) -> Iterator[Station]:
    require_pg_cron(pg_server)
    with TemporaryDirectory(prefix="eventlive-cron-", dir=base_directory(server_account())) as directory:
        # The server chooses its socket's place when it starts, and pg_cron has to know it before.
        Path(directory).chmod(0o755)
        settings = {
            **TEST_SETTINGS,
            "shared_preload_libraries": "pg_cron",
            "cron.database_name": HOME,
            "cron.host": f"{directory}/sockets",
        }
        with open_server(kind="installed", settings=settings) as server:
            found = Station(server.create_database(HOME), server.create_database(APART))
            (Path(directory) / "sockets").symlink_to(str(conninfo_to_dict(found.home)["host"]))
            for dsn in (found.home, found.apart):
                with psycopg.connect(dsn) as connection:
                    for path in sorted(sql_dir().glob("*/*.sql")):
                        connection.execute(path.read_bytes())
            with psycopg.connect(found.home, autocommit=True) as admin:
                admin.execute("create extension pg_cron")
                admin.execute(f"create role {MEMBER} login in role eventlive_owner".encode())
                admin.execute(f"grant usage on schema cron to {MEMBER}".encode())
            yield found


@pytest.fixture
def home(station: Station) -> Iterator[EventliveDatabase]:
    """The database with pg_cron in it; nothing is scheduled, and no run is remembered.

    No time of the schedules comes: pg_cron would run a job in the middle of a test.
    """
    with closing(EventliveDatabase(station.home)) as database:
        for dsn in (station.home, station.apart):
            with psycopg.connect(dsn, autocommit=True) as admin:
                admin.execute("update eventlive.jobs set schedule = '0 0 29 2 *'")
        yield database
        database.admin.execute("delete from cron.job")
        database.admin.execute("delete from cron.job_run_details")
        for dsn in (station.home, station.apart):
            with psycopg.connect(dsn, autocommit=True) as admin:
                admin.execute("delete from eventlive.webinars")
                admin.execute("delete from eventlive.job_runs")
                admin.execute("update eventlive.jobs set enabled = true, last_success_at = null")
                admin.execute("update eventlive.settings set value = default_value")


def expected(schedules: dict[str, str], database: str, role: str, suffix: str = "") -> list[tuple[str, ...]]:
    return [
        (f"eventlive:{name}{suffix}", schedule, f"call eventlive.run_job('{name}')", database, role)
        for name, schedule in sorted(schedules.items())
    ]


def schedules(db: EventliveDatabase) -> dict[str, str]:
    return dict(db.rows("select name, schedule from eventlive.jobs where enabled"))


@pytest.mark.parametrize("role", ["postgres", MEMBER])
def test_each_job_that_is_enabled_has_one_entry_and_again_is_no_harm(
    role: str, station: Station, home: EventliveDatabase
) -> None:
    dsn = make_conninfo(station.home, user=role)
    assert jobs("schedule", dsn=dsn).count(": created\n") == len(JOBS)
    assert station.entries() == expected(schedules(home), HOME, role)
    assert jobs("schedule", dsn=dsn).count(": unchanged\n") == len(JOBS)
    assert station.entries() == expected(schedules(home), HOME, role)

    home.admin.execute("update eventlive.jobs set schedule = '1-59/2 0 29 2 *' where name = 'rollup_live'")
    home.admin.execute("update eventlive.jobs set enabled = false where name = 'purge_presence'")
    text = jobs("schedule", dsn=dsn)
    assert "eventlive:rollup_live: changed" in text
    assert "eventlive:purge_presence: removed" in text
    assert station.entries() == expected(schedules(home), HOME, role)

    home.admin.execute("select cron.schedule('another', '0 0 1 1 *', 'select 1')")
    assert jobs("unschedule", dsn=dsn).count(": removed\n") == len(JOBS) - 1
    assert [entry[2] for entry in station.entries()] == ["select 1"], "what is not ours stays"
    assert jobs("unschedule", dsn=dsn) == "there is no entry\n"


def test_printed_sql_changes_nothing_and_does_the_same(station: Station, home: EventliveDatabase) -> None:
    script = jobs("schedule", "--print", dsn=station.home)
    assert station.entries() == []
    home.admin.execute(script.encode())
    assert station.entries() == expected(schedules(home), HOME, "postgres")
    assert jobs("schedule", "--print", dsn=station.home) == ""
    home.admin.execute(jobs("unschedule", "--print", dsn=station.home).encode())
    assert station.entries() == []


def test_jobs_of_another_database_are_scheduled_from_where_pg_cron_is(
    station: Station, home: EventliveDatabase
) -> None:
    jobs("schedule", dsn=station.home)
    jobs("schedule", dsn=station.apart)
    jobs("schedule", dsn=station.apart)
    both = expected(schedules(home), HOME, "postgres") + expected(schedules(home), APART, "postgres", f"@{APART}")
    assert station.entries() == sorted(both)
    jobs("unschedule", dsn=station.home)
    assert station.entries() == expected(schedules(home), APART, "postgres", f"@{APART}")
    jobs("unschedule", dsn=station.apart)
    assert station.entries() == []

    # A plain role cannot see where pg_cron is, and needs one more grant.
    member = station.member(station.apart)
    assert f"pg_cron is not in the database {APART}" in jobs("schedule", dsn=member, status=2)
    text = jobs("schedule", "--cron-database", HOME, dsn=member, status=2)
    assert "grant execute on function cron.schedule_in_database" in text
    assert station.entries() == []
    function = "cron.schedule_in_database(text, text, text, text, text, boolean)"
    home.admin.execute(f"grant execute on function {function} to {MEMBER}".encode())
    jobs("schedule", "--cron-database", HOME, dsn=member)
    home.admin.execute(f"revoke execute on function {function} from {MEMBER}".encode())
    assert station.entries() == expected(schedules(home), APART, MEMBER, f"@{APART}")


def test_a_role_that_may_not_use_pg_cron_is_told_what_it_needs(station: Station, home: EventliveDatabase) -> None:
    home.admin.execute(f"revoke usage on schema cron from {MEMBER}".encode())
    try:
        text = jobs("schedule", dsn=station.member(station.home), status=2)
    finally:
        home.admin.execute(f"grant usage on schema cron to {MEMBER}".encode())
    assert f"grant usage on schema cron to {MEMBER}" in text


def test_what_another_role_has_scheduled_is_told(station: Station, home: EventliveDatabase) -> None:
    jobs("schedule", dsn=station.member(station.home))
    assert f"{MEMBER} has an entry for it, too" in jobs("schedule", dsn=station.home)
    assert jobs("unschedule", dsn=station.home).count(": removed\n") == 2 * len(JOBS)


def test_a_schedule_in_seconds_becomes_one_of_a_minute_where_pg_cron_is_old(
    station: Station, home: EventliveDatabase
) -> None:
    home.admin.execute("update eventlive.jobs set schedule = '10 seconds' where name = 'rollup_live'")
    text = jobs("schedule", dsn=station.home)
    version = home.value("select extversion from pg_extension where extname = 'pg_cron'")
    if version < "1.5":
        assert "eventlive:rollup_live: created; note: pg_cron 1.4 cannot do '10 seconds'" in text
        assert ("eventlive:rollup_live", "* * * * *") in {entry[:2] for entry in station.entries()}
    else:
        assert ("eventlive:rollup_live", "10 seconds") in {entry[:2] for entry in station.entries()}


@pytest.mark.parametrize(
    ("schedule", "version", "becomes"),
    [
        ("10 seconds", (1, 4), "* * * * *"),
        ("10 seconds", (1, 6), "10 seconds"),
        ("60 seconds", (1, 6), "* * * * *"),
        ("600 seconds", (1, 6), "*/10 * * * *"),
        ("9000 seconds", (1, 6), "*/59 * * * *"),
        ("17 3 * * *", (1, 4), "17 3 * * *"),
    ],
)
def test_schedules_as_pg_cron_can_read_them(schedule: str, version: tuple[int, ...], becomes: str) -> None:
    cron = pg_cron.Cron(version, HOME, "postgres")
    text, note = pg_cron.schedule_for(Job("rollup_live", schedule, True, None), cron)
    assert text == becomes
    assert bool(note) == (text != schedule)


def test_a_schedule_that_cannot_be_read_schedules_nothing() -> None:
    found = [Job("rollup_live", "* * * * *", True, None), Job("purge_messages", "often", True, None)]
    with pytest.raises(ScheduleError, match="purge_messages: the schedule 'often'"):
        pg_cron.plan(pg_cron.Cron((1, 4), HOME, "postgres"), found, [], HOME)


def test_without_pg_cron_it_says_how_to_get_it(db: EventliveDatabase) -> None:
    with closing(psycopg.connect(db.dsn, autocommit=True)) as connection, pytest.raises(JobsError) as caught:
        pg_cron.find_cron(connection)
    assert caught.value.token == "no_pg_cron"
    for command in ("schedule", "unschedule"):
        text = jobs(command, dsn=db.dsn, status=2)
        assert "create extension pg_cron" in text
        assert "eventlive-db jobs run" in text


@pytest.mark.parametrize("role", ["postgres", MEMBER])
def test_old_records_of_pg_cron_about_the_jobs_are_forgotten(
    role: str, station: Station, home: EventliveDatabase
) -> None:
    set_number(home, "job_batch_size", 1000)
    home.admin.execute(
        "insert into cron.job_run_details (runid, database, username, command, status, start_time, end_time)"
        " select row_number() over (), %s, r.role, c.command, 'succeeded', now() - a.age, now() - a.age"
        " from (values (%s), ('postgres')) as r (role)"
        " cross join (values ('call eventlive.run_job(''rollup_live'')'), ('select 1')) as c (command)"
        " cross join (values (interval '31 days'), (interval '29 days')) as a (age) group by 3, 4, a.age",
        [HOME, role],
    )
    [run] = jobs_json("run", "purge_job_runs", dsn=make_conninfo(station.home, user=role))["runs"]
    assert run["outcome"] == "done", run
    left = home.rows(
        "select username, command, count(*) from cron.job_run_details"
        " where end_time < now() - interval '30 days' group by 1, 2 order by 1, 2"
    )
    # Those of its own, and nothing that is not about jobs.
    ours = [found for found in left if found[1] != "select 1"]
    assert ours == ([] if role == "postgres" else [("postgres", "call eventlive.run_job('rollup_live')", 1)])
    assert home.value("select count(*) from cron.job_run_details where end_time > now() - interval '30 days'") in {2, 4}


def test_the_check_knows_what_pg_cron_said_and_which_job_has_no_entry(
    station: Station, home: EventliveDatabase
) -> None:
    assert jobs_json("run", "--all", dsn=station.home)["passed"]
    assert jobs_json("check", dsn=station.home)["notes"] == [], "no job has an entry: something else runs them"
    jobs("schedule", dsn=station.home)
    assert jobs("check", dsn=station.home) == "all jobs are well\n"
    home.admin.execute("select cron.unschedule('eventlive:purge_messages')")
    found = jobs_json("check", dsn=station.home)
    assert found["notes"] == [
        "pg_cron has no active entry for purge_messages, though it has others: run 'jobs schedule'"
    ]
    assert "note: pg_cron has no active entry for purge_messages" in jobs("check", dsn=station.home)

    home.admin.execute("insert into eventlive.job_runs (job_name, started_at) values ('rollup_live', now())")
    record(home, 1, "failed", "ERROR:  out of\norder")
    [problem] = jobs_json("check", dsn=station.home, status=1)["problems"]
    assert problem["detail"].endswith("; pg_cron: ERROR: out of order")
    # What ended well since then is not the cause, nor what failed before the last success.
    record(home, 2, "succeeded", "CALL")
    [problem] = jobs_json("check", dsn=station.home, status=1)["problems"]
    assert "pg_cron" not in problem["detail"]
    record(home, 3, "failed", "ERROR:  of yesterday", "1 day")
    [problem] = jobs_json("check", dsn=station.home, status=1)["problems"]
    assert "pg_cron" not in problem["detail"]
    record(home, 4, "failed", "ERROR:  of today", "0 s")
    record(home, 5, "running", "")
    [problem] = jobs_json("check", dsn=station.home, status=1)["problems"]
    assert problem["detail"].endswith("; pg_cron: ERROR: of today")
    # Seen from another database, it is asked where it is.
    jobs("run", "--all", dsn=station.apart)
    jobs("schedule", dsn=station.apart)
    home.admin.execute(f"select cron.unschedule('eventlive:rollup_live@{APART}')".encode())
    assert "no active entry for rollup_live" in jobs("check", dsn=station.apart)


def record(home: EventliveDatabase, number: int, status: str, message: str, ago: str | None = None) -> None:
    """A run of rollup_live, as pg_cron records it: without a time where it could not begin."""
    home.admin.execute(
        "insert into cron.job_run_details"
        " (jobid, runid, database, username, command, status, return_message, start_time)"
        " select j.jobid, %s, j.database, j.username, j.command, %s, %s, now() - %s::interval from cron.job j"
        " where j.jobname = 'eventlive:rollup_live'",
        [number, status, message, ago],
    )


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_it_runs_the_jobs_beside_two_other_runners_and_nothing_is_done_twice(
    station: Station, home: EventliveDatabase
) -> None:
    """Waits for the next full minute, at which all three begin: this pg_cron knows no seconds."""
    give_work(home)
    set_number(home, "job_lock_timeout_s", 10)
    before = figures(home)
    home.admin.execute(
        "insert into eventlive.job_runs (job_name, started_at, finished_at)"
        " select name, now(), now() from eventlive.jobs"
    )
    home.admin.execute("update eventlive.jobs set schedule = '* * * * *'")
    with ExitStack() as stack:
        runners = [stack.enter_context(program("run", "--loop", dsn=station.home)) for _ in range(2)]
        for runner in runners:
            runner.read_until("looking after 8 jobs")
        jobs("schedule", dsn=station.member(station.home))
        wait_until(lambda: len(ended(home)) == len(JOBS))
        for runner in runners:
            runner.read_until("rollup_live: ")
            status, output = runner.end(signal.SIGTERM)
            assert (status, "failed" in output) == (0, False), output
    assert ended(home) == [(MEMBER, "succeeded")] * len(JOBS)
    after = figures(home)
    assert after["closed"] == [("expired", 100.0, 1)] * 3
    assert after["events"] == before["events"]
    assert (after["open"], after["present"], after["in_default"], after["tables_beside"]) == (3, 3, 0, 0)
    assert set(health(home).values()) == {"ok"}
    assert min(samples(home)) >= 1
    assert after["samples_agree"]


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that a full minute brings."""
    for _ in range(6000):
        if holds():
            return
        time.sleep(0.02)
    pytest.fail("pg_cron did not run the jobs")


def ended(home: EventliveDatabase) -> list[tuple[str, str]]:
    """The runs by pg_cron that have ended, each job's first."""
    return home.rows(
        "select distinct on (command) username, status from cron.job_run_details where end_time is not null"
        " order by command, runid"
    )
