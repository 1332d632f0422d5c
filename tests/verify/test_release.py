"""What is installed: behind, ahead, unreadable, revoked, missing; and how the jobs do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from psycopg.conninfo import make_conninfo

from eventlive_db.migrate import Options, upgrade
from eventlive_db.resources import migrations_dir
from eventlive_db.verify import Report, State, Trigger, Verdict
from eventlive_db.verify.canary import PsycopgDoor
from eventlive_db.verify.place import installed_schema
from eventlive_db.verify.release import newest_migration
from eventlive_db.verify.run import Question, verify
from tests.support.database import EventliveDatabase
from tests.verify.stand import LOGS_AND_CANARY, check_of, look


def test_the_newest_migration_is_the_one_that_nothing_follows() -> None:
    sources = [path.read_text() for path in (migrations_dir() / "versions").glob("*.py")]
    assert not any(f'down_revision = "{newest_migration()}"' in source for source in sources)


def test_a_migrated_database_is_at_head_and_then_behind_or_ahead(make_database: Callable[[], str]) -> None:
    dsn = make_database()
    upgrade(Options(dsn=dsn))
    with closing(EventliveDatabase(dsn)) as db:
        report = look(db, "schema", "functions")
        assert report.verdict is Verdict.GO, report.checks
        db.admin.execute("update eventlive.alembic_version set version_num = '0001'")
        assert look(db, "schema").triggers == [Trigger.SCHEMA_BEHIND]
        db.admin.execute("update eventlive.alembic_version set version_num = '9999'")
        assert check_of(look(db, "schema"), "migrations").state is State.NO_DATA


def test_a_schema_that_no_migration_installed_is_no_pass(db: EventliveDatabase) -> None:
    report = look(db, "schema")
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert "there is no eventlive.alembic_version" in check_of(report, "migrations").says


def test_every_function_is_there_and_granted(db: EventliveDatabase) -> None:
    assert look(db, "functions").verdict is Verdict.GO


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "revoke execute on function eventlive_api.webinar_leave(uuid, uuid, uuid) from anon",
            "anon may not call webinar_leave",
        ),
        ("revoke usage on schema eventlive_api from authenticated", "authenticated may not call webinar_enter"),
        ("drop function eventlive_api.webinar_presence_ping(uuid)", "webinar_presence_ping is missing"),
        (
            "alter function eventlive_api.webinar_presence_ping(uuid) rename to ping",
            "webinar_presence_ping is missing",
        ),
        (
            "create function eventlive_api.webinar_presence_ping(_webinar_id text) returns void return null",
            "webinar_presence_ping is there 2 times",
        ),
    ],
)
def test_a_function_that_cannot_be_called_fails(db: EventliveDatabase, statement: str, says: str) -> None:
    db.admin.execute(statement.encode())
    report = look(db, "functions")
    assert report.triggers[0] is Trigger.FUNCTION_NOT_CALLABLE
    assert says in check_of(report, "contract").says


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("grant execute on all functions in schema eventlive_api to anon", "anon may call webinar_stats_access"),
        (
            "grant execute on function eventlive_api.webinar_presence_ping(uuid) to public",
            "public may call webinar_presence_ping",
        ),
        (
            "grant execute on function eventlive_api.webinar_presence_ping_many(uuid, uuid[]) to authenticated",
            "1 grants in excess: authenticated may call webinar_presence_ping_many",
        ),
    ],
)
def test_a_function_that_others_may_call_fails(db: EventliveDatabase, statement: str, says: str) -> None:
    db.admin.execute(statement.encode())
    report = look(db, "functions")
    assert report.triggers == [Trigger.FUNCTION_EXPOSED]
    assert says in check_of(report, "grants").says


def test_a_job_whose_row_is_gone_fails(db: EventliveDatabase) -> None:
    run_all_jobs(db)
    assert look(db, "jobs").verdict is Verdict.GO
    db.admin.execute("delete from eventlive.jobs where name = 'rollup_live'")
    report = look(db, "jobs")
    assert report.triggers == [Trigger.JOB_FAILING]
    assert "rollup_live is missing" in check_of(report, "jobs").says


@pytest.mark.parametrize("schedule", ["nonsense", "0 0 30 2 *", "* * * * * *", "0 0 L * *", "@daily"])
def test_a_job_with_a_schedule_that_nobody_can_read_fails_unless_it_is_switched_off(
    db: EventliveDatabase, schedule: str
) -> None:
    run_all_jobs(db)
    db.admin.execute("update eventlive.jobs set schedule = %s where name = 'purge_messages'", [schedule])
    report = look(db, "jobs")
    assert report.triggers == [Trigger.JOB_FAILING]
    assert f"purge_messages: the schedule {schedule!r} cannot be read" in check_of(report, "jobs").says
    db.admin.execute("update eventlive.jobs set enabled = false where name = 'purge_messages'")
    assert check_of(look(db, "jobs"), "jobs").state is State.PASSED


def test_without_what_reads_schedules_nobody_can_tell(db: EventliveDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    run_all_jobs(db)
    monkeypatch.setitem(sys.modules, "cronsim", None)
    check = check_of(look(db, "jobs"), "jobs")
    assert check.state is State.NO_DATA
    assert "pip install" in check.advice


def test_a_job_that_is_switched_off_is_named_and_of_some_it_is_no_pass(db: EventliveDatabase) -> None:
    run_all_jobs(db)
    db.admin.execute("update eventlive.jobs set enabled = false where name like 'purge\\_%'")
    purges = ["purge_job_runs", "purge_messages", "purge_presence", "purge_sessions", "purge_timelines"]
    check = check_of(look(db, "jobs"), "jobs")
    assert check.state is State.PASSED
    assert check.says == f"3 jobs are well; disabled: {', '.join(purges)}"
    for name in ("rollup_live", "close_expired_sessions", "rotate_event_logs"):
        db.admin.execute("update eventlive.jobs set enabled = (name <> %s)", [name])
        check = check_of(look(db, "jobs"), "jobs")
        assert check.state is State.NO_DATA
        assert check.says == f"{name} is disabled"
    db.admin.execute("update eventlive.jobs set enabled = false")
    report = look(db, "jobs")
    assert report.verdict is Verdict.COULD_NOT_TELL
    for name in (*purges, "rollup_live"):
        assert f"{name} is disabled" in check_of(report, "jobs").says


def run_all_jobs(db: EventliveDatabase) -> None:
    """Each, once."""
    for (name,) in db.rows("select name from eventlive.jobs order by name"):
        db.admin.execute("call eventlive.run_job(%s)", [name])


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ("('rollup', 'ok', null), ('purge', 'disabled', null), ('rotate', 'running', null)", State.PASSED),
        ("('rollup', 'ok', null), ('purge', 'failing', 'division by zero')", State.FAILED),
        ("('rollup', 'late', 'no success for 1 day')", State.FAILED),
        ("('rollup', 'ok', null), ('purge', 'missing', null)", State.FAILED),
        ("('rollup', 'ok', null), ('purge', 'a state of tomorrow', null)", State.NO_DATA),
        ("('rollup', 'disabled', null)", State.NO_DATA),
        ("('rollup', 'ok', null), ('purge', 'never_ran', 'does a runner run?')", State.NO_DATA),
    ],
)
def test_jobs_that_fail_or_are_late_fail_and_what_never_ran_is_no_pass(
    db: EventliveDatabase, values: str, state: State
) -> None:
    db.admin.execute("drop function if exists eventlive.job_health() cascade")
    db.admin.execute(
        "create function eventlive.job_health() returns table (name text, state text, detail text, schedule text)"
        " language sql as"
        f" $$ select v.*, '* * * * *' from (values {values.replace('null', 'null::text')}) v $$".encode()
    )
    report = look(db, "jobs")
    assert check_of(report, "jobs").state is state
    assert report.triggers == ([Trigger.JOB_FAILING] if state is State.FAILED else [])


def test_a_database_without_the_health_of_jobs_is_no_pass(db: EventliveDatabase) -> None:
    db.admin.execute("drop function if exists eventlive.job_health() cascade")
    assert check_of(look(db, "jobs"), "jobs").state is State.NO_DATA


def test_of_a_database_without_the_schema_nobody_can_tell(empty_database: str) -> None:
    asked = Question(
        datetime.now(UTC),
        without=LOGS_AND_CANARY - {"dod-4"},
        dsn=empty_database,
        open_door=lambda: PsycopgDoor(empty_database),
    )
    canary, one = verify(asked).checks
    assert (one.group, one.state, one.says) == ("schema", State.NO_DATA, "there is no schema eventlive")
    assert (canary.group, canary.state, canary.says) == ("dod-4", State.NO_DATA, "there is no schema eventlive")
    report = verify(Question(datetime.now(UTC), without=LOGS_AND_CANARY | {"schema"}, dsn=empty_database))
    assert [check.group for check in report.checks] == ["functions"]
    assert report.verdict is Verdict.COULD_NOT_TELL


@pytest.fixture
def in_public(make_database: Callable[[], str]) -> Iterator[EventliveDatabase]:
    """A database that has the functions in public, with somebody else's."""
    dsn = make_database()
    with closing(EventliveDatabase(dsn)) as db:
        db.admin.execute("create function public.mine() returns integer return 1")
        upgrade(Options(dsn=dsn, api_schema="public"))
        yield db


def of_functions(db: EventliveDatabase, api_schema: str | None = None) -> Report:
    """Look at the functions, and try them."""
    asked = Question(
        datetime.now(UTC),
        without=LOGS_AND_CANARY - {"dod-4"} | {"schema", "jobs"},
        dsn=db.dsn,
        open_door=lambda: PsycopgDoor(db.dsn, api_schema or installed_schema(db.dsn)),
        api_schema=api_schema,
    )
    return verify(asked)


def test_the_exposed_schema_is_the_one_installed(in_public: EventliveDatabase) -> None:
    report = of_functions(in_public)
    assert report.verdict is Verdict.GO, [check for check in report.checks if check.state is not State.PASSED]
    assert check_of(report, "contract").state is State.PASSED
    assert of_functions(in_public, "public").verdict is Verdict.GO
    # What is gone from there is missing.
    in_public.admin.execute("drop function public.webinar_leave(uuid, uuid, uuid)")
    assert Trigger.FUNCTION_NOT_CALLABLE in of_functions(in_public).triggers


def test_of_a_schema_without_our_functions_nobody_can_tell(in_public: EventliveDatabase) -> None:
    for schema in ("eventlive_api", "nowhere"):
        report = of_functions(in_public, schema)
        assert report.verdict is Verdict.COULD_NOT_TELL
        assert {check.group for check in report.checks} == {"dod-4", "functions"}
        for check in report.checks:
            assert check.says == f"there is no function of the contract in schema {schema}"
            assert check.advice == "They were installed in public: leave out --api-schema."
    # All of them gone from where they were installed is a failure.
    in_public.admin.execute("alter schema public rename to elsewhere")
    assert Trigger.FUNCTION_NOT_CALLABLE in of_functions(in_public).triggers


def test_whoever_may_not_see_where_it_was_installed_says_it(in_public: EventliveDatabase) -> None:
    role = in_public.value("select 'looker_' || replace(gen_random_uuid()::text, '-', '')")
    in_public.admin.execute(f'create role "{role}" login'.encode())
    try:
        other = make_conninfo(in_public.dsn, user=role)
        assert installed_schema(other) == "eventlive_api"
        without = LOGS_AND_CANARY | {"schema", "jobs"}
        [check] = verify(Question(datetime.now(UTC), without=without, dsn=other)).checks
        assert (check.state, check.advice) == (State.NO_DATA, "Name it with --api-schema.")
        named = verify(Question(datetime.now(UTC), without=without, dsn=other, api_schema="public"))
        assert check_of(named, "contract").state is State.PASSED
    finally:
        in_public.admin.execute(f'drop owned by "{role}"; drop role "{role}"'.encode())


def test_without_a_database_nobody_can_tell() -> None:
    report = verify(Question(datetime.now(UTC), without=LOGS_AND_CANARY))
    assert {check.state for check in report.checks} == {State.NO_DATA}
    everything = verify(Question(datetime.now(UTC), without=LOGS_AND_CANARY | {"schema", "functions", "jobs"}))
    assert everything.checks == []
    assert everything.verdict is Verdict.COULD_NOT_TELL
