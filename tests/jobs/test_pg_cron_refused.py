"""A real pg_cron that is not let in: its entries are made, none of their runs begins, and somebody is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from eventlive_db.server import Server
from tests.jobs.scene import JOBS, health, jobs, jobs_json
from tests.support.database import EventliveDatabase
from tests.support.own_server import DATABASE, OwnServer, own_server, wait_for
from tests.support.pg_cron import require_pg_cron

pytestmark = pytest.mark.heavy

HOME = "postgres"
"""Where pg_cron is: its default, and not where the jobs are."""

MEMBER, PASSWORD = "cron_member", "not to be told"
LOADED = {"shared_preload_libraries": "pg_cron", "cron.database_name": HOME}
WORKERS = {"cron.use_background_workers": "on"}


@dataclass(frozen=True)
class Scene:
    """A server that wants a password of everybody who comes by TCP, and a plain role of its own."""

    server: OwnServer

    @property
    def dsn(self) -> str:
        """The jobs, as the plain role."""
        return make_conninfo(self.server.dsn, user=MEMBER, password=PASSWORD)

    def home(self) -> psycopg.Connection[tuple[object, ...]]:
        """The database of pg_cron, as a superuser."""
        return psycopg.connect(make_conninfo(self.server.dsn, dbname=HOME), autocommit=True)

    def restart(self, **settings: str) -> None:
        """Start it again, with these settings."""
        self.server.stop()
        self.server.start(**LOADED, **settings)

    def run_at_the_next_start(self) -> None:
        """Have pg_cron begin each entry when the server starts, rather than at the next full minute."""
        with closing(self.home()) as connection:
            connection.execute("select cron.alter_job(jobid, schedule => '@reboot') from cron.job")

    def wait_until_all_have(self, status: str) -> None:
        """Wait until the last run of each entry has ended so."""
        last = "select distinct on (jobid) status from cron.job_run_details order by jobid, runid desc"
        with closing(self.home()) as connection:
            wait_for(
                f"{status} runs of pg_cron",
                lambda: connection.execute(last.encode()).fetchall() == [(status,)] * len(JOBS),
            )


@pytest.fixture(scope="module")
def scene(pg_server: Server) -> Iterator[Scene]:
    require_pg_cron(pg_server)
    with own_server("installed") as server:
        found = Scene(server)
        found.restart()
        with closing(found.home()) as admin:
            admin.execute("create extension pg_cron")
            admin.execute(f"create role {MEMBER} login password '{PASSWORD}' in role eventlive_owner".encode())
            admin.execute(f"grant usage on schema cron to {MEMBER}".encode())
            function = "cron.schedule_in_database(text, text, text, text, text, boolean)"
            admin.execute(f"grant execute on function {function} to {MEMBER}".encode())
        yield found


@pytest.fixture
def db(scene: Scene) -> Iterator[EventliveDatabase]:
    """The jobs; all have run, no further time of theirs comes, and nothing is scheduled."""
    scene.restart()
    with scene.server.database() as database:
        database.admin.execute("update eventlive.jobs set schedule = '0 0 29 2 *'")
        assert jobs_json("run", "--all", dsn=scene.server.dsn)["passed"]
        yield database
    with closing(scene.home()) as admin:
        admin.execute("delete from cron.job")
        admin.execute("delete from cron.job_run_details")


def notes(text: str) -> list[str]:
    """What is said of all entries."""
    return [line for line in text.splitlines() if line.startswith("note: ")]


def make_due(db: EventliveDatabase) -> None:
    """Two minutes pass, and the jobs are to run each minute."""
    db.admin.execute("update eventlive.jobs set schedule = '* * * * *', last_success_at = now() - interval '2 minutes'")
    db.admin.execute(
        "update eventlive.job_runs set started_at = now() - interval '2 minutes',"
        " finished_at = now() - interval '2 minutes'"
    )
    db.admin.execute("update eventlive.jobs set max_age = interval '1 day'")


def test_it_is_told_when_entries_are_made_and_found_when_none_of_them_runs(scene: Scene, db: EventliveDatabase) -> None:
    text = jobs("schedule", "--cron-database", HOME, dsn=scene.dsn)
    assert text.count(": created\n") == len(JOBS)
    [note] = notes(text)
    # This role may not see how pg_cron is set up.
    assert note.startswith("note: unless cron.use_background_workers is on, which this role may not see, pg_cron")
    assert f" as {MEMBER}, " in note
    assert "pg_hba.conf" in note
    assert note.endswith("'jobs check --cron-database postgres' says what came of it")
    assert PASSWORD not in text
    check = ["check", "--cron-database", HOME]
    assert jobs(*check, dsn=scene.dsn) == "all jobs are well\n", "pg_cron has run nothing yet"

    scene.run_at_the_next_start()
    scene.restart()
    scene.wait_until_all_have("failed")
    with closing(EventliveDatabase(scene.server.dsn)) as again:
        assert set(health(again).values()) == {"ok"}, "the database knows nothing of it"
        [note] = jobs_json(*check, dsn=scene.dsn)["notes"]
        assert note.startswith("pg_cron could not run close_expired_sessions, purge_job_runs, ")
        assert ": connection failed: pg_cron connects to localhost port " in note

        # Nobody else runs them: that is no matter of max_age.
        make_due(again)
        assert set(health(again).values()) == {"ok"}
        found = jobs_json(*check, dsn=scene.dsn, status=1)
        assert {(p["job"], p["state"]) for p in found["problems"]} == {(job, "failing") for job in JOBS}
        assert all("; pg_cron: connection failed: " in p["detail"] for p in found["problems"])
        # Without the name of the database, the role sees no pg_cron.
        assert jobs("check", dsn=scene.dsn) == "all jobs are well\n"
        # A superuser sees where it is.
        assert len(jobs_json("check", dsn=scene.server.dsn, status=1)["problems"]) == len(JOBS)
        again.admin.execute("update eventlive.jobs set enabled = false")
        assert jobs(*check, dsn=scene.dsn) == "all jobs are well\n"
        again.admin.execute("update eventlive.jobs set enabled = true")
        # Somebody else runs them: they are well, and pg_cron is not.
        assert jobs_json("run", "--all", dsn=scene.dsn)["passed"]
        assert len(jobs_json(*check, dsn=scene.dsn)["notes"]) == 1
    [note] = notes(jobs("schedule", "--cron-database", HOME, dsn=scene.dsn))
    assert note.startswith("note: the last run that pg_cron tried was 'connection failed': ")


def test_background_workers_need_no_password(scene: Scene, db: EventliveDatabase) -> None:
    jobs("schedule", "--cron-database", HOME, dsn=scene.dsn)
    scene.run_at_the_next_start()
    scene.restart()
    scene.wait_until_all_have("failed")
    scene.restart(**WORKERS)
    scene.wait_until_all_have("succeeded")
    with closing(EventliveDatabase(scene.server.dsn)) as again:
        assert set(health(again).values()) == {"ok"}
        counted = again.rows("select job_name, count(*) from eventlive.job_runs where error is null group by 1")
        assert {name: count >= 2 for name, count in counted} == dict.fromkeys(JOBS, True)
    assert jobs_json("check", "--cron-database", HOME, dsn=scene.dsn)["notes"] == []
    # A superuser sees the setting; the role sees that its runs ended well.
    assert notes(jobs("schedule", dsn=scene.server.dsn)) == []
    assert notes(jobs("schedule", "--cron-database", HOME, dsn=scene.dsn)) == []


def test_a_superuser_is_told_what_is_so(scene: Scene, db: EventliveDatabase) -> None:
    [note] = notes(jobs("schedule", dsn=scene.server.dsn))
    assert note.startswith("note: pg_cron connects to localhost port ")
    assert " as postgres, " in note
    assert notes(jobs("schedule", "--print", dsn=scene.server.dsn)) == []
    assert notes(jobs("unschedule", dsn=scene.server.dsn)) == []


def test_a_database_without_pg_cron_is_said_only_to_who_names_it(scene: Scene, db: EventliveDatabase) -> None:
    [note] = jobs_json("check", "--cron-database", DATABASE, dsn=scene.dsn)["notes"]
    assert note.startswith(f"pg_cron is not in the database {DATABASE}")
    [note] = jobs_json("check", "--cron-database", "nowhere", dsn=scene.dsn)["notes"]
    assert note.startswith("pg_cron in the database nowhere cannot be asked: ")
    assert PASSWORD not in note
    assert jobs_json("check", dsn=scene.dsn)["notes"] == []
