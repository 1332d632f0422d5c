"""job_health: how each job does, as an operator and an alarm are told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventlive_db.jobs.catalog import STOPPED
from eventlive_db.server import Server
from tests.support.actors import wait_until_blocked
from tests.support.database import EventliveDatabase
from tests.support.jobs import PAUSE, cleared, fault, health, job_database, patiently, run, start, stopped
from tests.support.races import closed_gate


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    with job_database(pg_server, schema_template) as database:
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    return cleared(module_db)


HOUR = "update eventlive.jobs set max_age = '1 hour'"
SUCCESS = "update eventlive.jobs set last_success_at = clock_timestamp() - interval '{}'"
RUN = "insert into eventlive.job_runs (job_name, started_at, finished_at, error) values ('rollup_live', now(), {}, {})"
DIED, WENT_WELL, FAILED = RUN.format("null", "null"), RUN.format("now()", "null"), RUN.format("now()", "'no room'")
ENDED = RUN.format("now()", f"'{STOPPED}'")
STATES: dict[str, tuple[str, list[str]]] = {
    "never_ran": ("never_ran", []),
    "disabled": ("disabled", ["update eventlive.jobs set enabled = false"]),
    "ok: succeeded within max_age": ("ok", [SUCCESS.format("59 minutes")]),
    "late: max_age ago, exactly": ("late", [SUCCESS.format("1 hour")]),
    "failing: the last run did": ("failing", [SUCCESS.format("0"), WENT_WELL, FAILED]),
    "ok: the one before did": ("ok", [SUCCESS.format("0"), FAILED, WENT_WELL]),
    "failing: it died": ("failing", [DIED]),
    "failing, though it succeeded": ("failing", [SUCCESS.format("0"), WENT_WELL, DIED]),
    "failing, which is worse than late": ("failing", [SUCCESS.format("1 day"), FAILED]),
    "late: its success lies ahead": ("late", [SUCCESS.format("-5 minutes")]),
    "ok: its success lies hardly ahead": ("ok", [SUCCESS.format("-30 seconds")]),
    "ok: stopped with its runner": ("ok", [SUCCESS.format("0"), WENT_WELL, ENDED]),
    "failing: stopped with its runner after it failed": ("failing", [SUCCESS.format("0"), FAILED, ENDED]),
    "late: stopped with its runner": ("late", [SUCCESS.format("1 day"), ENDED]),
    "never_ran: stopped with its runner": ("never_ran", [ENDED, ENDED]),
    "disabled, whatever happened": ("disabled", ["update eventlive.jobs set enabled = false", DIED]),
}


@pytest.mark.parametrize(("state", "given"), STATES.values(), ids=list(STATES))
def test_the_health_of_a_job(jobs_db: EventliveDatabase, state: str, given: list[str]) -> None:
    for statement in (HOUR, *given):
        jobs_db.admin.execute(statement.encode())
    [(found, detail)] = jobs_db.rows("select state, detail from eventlive.job_health() where name = 'rollup_live'")
    assert (found, bool(detail)) == (state, True)


def test_a_job_whose_row_is_gone_is_missing(jobs_db: EventliveDatabase) -> None:
    with jobs_db.admin.transaction(force_rollback=True):
        jobs_db.admin.execute("delete from eventlive.jobs where name in ('rollup_live', 'purge_messages')")
        missing = jobs_db.rows("select name, detail is not null from eventlive.job_health() where state = 'missing'")
        assert missing == [("purge_messages", True), ("rollup_live", True)]


def test_the_known_jobs_are_those_that_are_shipped_and_each_can_be_done(jobs_db: EventliveDatabase) -> None:
    known = jobs_db.rows("select name from eventlive.known_jobs() order by 1")
    assert known == jobs_db.rows("select name from eventlive.jobs order by 1")
    for (name,) in known:
        jobs_db.rows("select step from eventlive.job_work(%s)", name)


def test_a_first_run_is_running_until_it_is_late(jobs_db: EventliveDatabase) -> None:
    jobs_db.admin.execute(HOUR.encode())
    with stopped(jobs_db):
        assert health(jobs_db, "rollup_live") == "running"
        jobs_db.admin.execute("update eventlive.job_runs set started_at = clock_timestamp() - interval '1 hour'")
        assert health(jobs_db, "rollup_live") == "late"
        jobs_db.admin.execute("update eventlive.jobs set last_success_at = clock_timestamp()")
        assert health(jobs_db, "rollup_live") == "ok"
    assert health(jobs_db, "rollup_live") == "ok"


def health_while_it_commits(db: EventliveDatabase) -> str:
    """The state of a job whose run is over, but not committed yet."""
    patiently(db)
    run(db, "rollup_live")
    with fault(db, "finish_job", "\nend\n", f"\n    {PAUSE}\nend\n"):
        with closed_gate(db):
            running = start(db, "rollup_live")
            wait_until_blocked(db.admin, running.pid)
            state = health(db, "rollup_live")
        running.result()
    return state


def test_a_run_is_not_taken_for_dead_before_its_end_is_committed(jobs_db: EventliveDatabase) -> None:
    assert health_while_it_commits(jobs_db) == "ok"


def test_with_the_lock_given_back_before_the_commit_it_would_be(jobs_db: EventliveDatabase) -> None:
    with fault(
        jobs_db, "finish_job", "\nend\n", "\n    perform pg_advisory_unlock(eventlive.job_lock_key(_name));\nend\n"
    ):
        assert health_while_it_commits(jobs_db) == "failing"
