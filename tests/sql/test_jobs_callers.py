"""Who may run a job, from where, and that what the caller's session is set to makes no difference."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from eventlive_db.server import Server
from tests.support.database import EventliveDatabase
from tests.support.jobs import changed, cleared, everything, fault, job_database, present, run, sessions, work


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    with job_database(pg_server, schema_template) as database:
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    return cleared(module_db)


@pytest.fixture
def worker(jobs_db: EventliveDatabase) -> Iterator[psycopg.Connection[Any]]:
    """A connection of a member of the owner, an ordinary role."""
    name, password = f"worker_{secrets.token_hex(8)}", secrets.token_hex(16)
    jobs_db.admin.execute(f"create role {name} login password '{password}' in role eventlive_owner".encode())
    try:
        with psycopg.connect(make_conninfo(jobs_db.dsn, user=name, password=password), autocommit=True) as connection:
            yield connection
    finally:
        jobs_db.admin.execute(f"drop role {name}".encode())


def test_a_member_of_the_owner_runs_all_of_them(jobs_db: EventliveDatabase, worker: psycopg.Connection[Any]) -> None:
    jobs = [name for (name,) in jobs_db.rows("select name from eventlive.jobs")]
    present(jobs_db, jobs_db.webinar(), expires_in="-3 hours")
    outcomes = {name: run(jobs_db, name, worker) for name in jobs}
    assert {outcome["outcome"] for outcome in outcomes.values()} == {"done"}
    assert outcomes["purge_presence"]["rows"] == 1
    for query in ("select state from eventlive.job_health()", "select step from eventlive.job_work('rollup_live')"):
        assert worker.execute(query).fetchall()
    # The role and the path are the caller's again.
    assert worker.execute("select current_user = session_user, current_setting('lock_timeout')").fetchone() == (
        True,
        "0",
    )


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
@pytest.mark.parametrize(
    "query",
    [
        "call eventlive.run_job('rollup_live')",
        "select eventlive.job_step('rollup_live', null, null, null, null)",
        "select * from eventlive.job_work('rollup_live')",
        "select * from eventlive.job_health()",
        "select eventlive.fail_job('rollup_live', 'x')",
        "select eventlive.begin_batch()",
    ],
)
def test_a_client_role_cannot(jobs_db: EventliveDatabase, role: str, query: str) -> None:
    connection = jobs_db.connect()
    connection.execute(f"set role {role}".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(query.encode())
    # Nor where the schema were open to it.
    jobs_db.admin.execute(f"grant usage on schema eventlive to {role}".encode())
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(query.encode())
    finally:
        jobs_db.admin.execute(f"revoke usage on schema eventlive from {role}".encode())


def leaves_a_lock(db: EventliveDatabase) -> bool:
    """Whether a call inside a transaction, which is refused, leaves the job locked."""
    before = everything(db)
    with closing(db.connect()) as connection:
        with pytest.raises(psycopg.errors.InvalidTransactionTermination), connection.transaction():
            run(db, "rollup_live", connection)
        assert everything(db) == before
        return str(run(db, "rollup_live")["outcome"]) != "done"


def test_inside_a_transaction_it_is_refused_and_nothing_is_left(jobs_db: EventliveDatabase) -> None:
    assert not leaves_a_lock(jobs_db)


def test_if_it_were_refused_later_the_job_would_stay_locked(jobs_db: EventliveDatabase) -> None:
    with fault(
        jobs_db,
        "run_job",
        "    commit;\n    perform eventlive.begin_batch();\n    v_begun",
        "    perform eventlive.begin_batch();\n    v_begun",
    ):
        assert leaves_a_lock(jobs_db)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_another_isolation_level_is_refused(
    jobs_db: EventliveDatabase, worker: psycopg.Connection[Any], level: str
) -> None:
    present(jobs_db, jobs_db.webinar(), expires_in="-3 hours")
    before = everything(jobs_db)
    name = worker.info.user
    jobs_db.admin.execute(f"alter role {name} set default_transaction_isolation = '{level}'".encode())
    worker.execute(f"set default_transaction_isolation = '{level}'".encode())
    with pytest.raises(psycopg.Error) as caught:
        run(jobs_db, "purge_presence", worker)
    assert (caught.value.sqlstate, caught.value.diag.message_detail) == ("PT400", "isolation_not_supported")
    assert everything(jobs_db) == before
    assert changed(jobs_db, "purge_presence") == 1


TYPES = ("text", "bigint", "integer", "numeric", "timestamptz", "uuid", "jsonb")
TRAPS = {
    **{
        f"op_{kind}_{number}({kind}, {kind})": (result, f"operator {operator} (leftarg = {kind}, rightarg = {kind}")
        for kind in TYPES
        for number, (operator, result) in enumerate(
            {"<>": "boolean", "=": "boolean", ">": "boolean", "+": "bigint"}.items()
        )
    },
    "set_config(text, text, boolean)": ("text", ""),
    "clock_timestamp()": ("timestamptz", ""),
    "pg_try_advisory_lock(bigint)": ("boolean", ""),
    "pg_advisory_unlock(bigint)": ("boolean", ""),
    "jsonb_build_object(text, text, text, text)": ("jsonb", ""),
}


@contextmanager
def traps(db: EventliveDatabase) -> Iterator[psycopg.Connection[Any]]:
    """A session that finds functions, operators, types and tables of its own before those of the system."""
    db.admin.execute(
        """
        create schema traps;
        create table traps.sprung (what text);
        create function traps.spring(_what text) returns boolean language sql
            as $$ insert into traps.sprung values (_what); select true $$;
        grant usage on schema traps to public;
        grant insert, select on traps.sprung to public;
        """
    )
    for signature, (result, operator) in TRAPS.items():
        db.admin.execute(
            f"create function traps.{signature} returns {result} language plpgsql as"
            f" $$ begin perform traps.spring($q${signature}$q$); return null; end $$".encode()
        )
        if operator:
            made = operator.replace("operator ", "operator traps.")
            db.admin.execute(f"create {made}, function = traps.{signature.partition('(')[0]})".encode())
    with closing(db.connect()) as connection:
        for name in ("text", "jsonb", "int8", "int4", "uuid", "timestamptz", "bool"):
            trap = f"pg_temp.{name} as pg_catalog.{name} check (traps.spring('type {name}'))"
            connection.execute(f"create domain {trap}".encode())
        for name in ("job_runs", "jobs", "settings", "webinars", "webinar_live"):
            connection.execute(f"create temporary table {name} (like eventlive.{name})".encode())
        connection.execute("set search_path = pg_temp, traps, pg_catalog")
        try:
            yield connection
        finally:
            db.admin.execute("drop schema traps cascade")


def sprung(db: EventliveDatabase) -> list[str]:
    """Run each job in a session full of traps, and return those that were sprung."""
    webinar_id = db.webinar()
    present(db, webinar_id, expires_in="-3 hours")
    sessions(db, webinar_id, expires_in="-3 hours")
    with traps(db) as connection:
        db.admin.execute("delete from traps.sprung")
        for (job,) in db.rows("select name from eventlive.jobs"):
            row = connection.execute("call eventlive.run_job(%s::pg_catalog.text)", [job]).fetchone()
            assert row
            assert row[0]["outcome"] == "done"
        return [what for (what,) in db.rows("select distinct what from traps.sprung")]


def test_nothing_in_the_session_of_the_caller_is_taken_for_what_it_is_not(jobs_db: EventliveDatabase) -> None:
    assert sprung(jobs_db) == []


def test_with_the_callers_path_it_would_be(jobs_db: EventliveDatabase) -> None:
    own_path = "perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);"
    with fault(jobs_db, "begin_batch", own_path, ""), traps(jobs_db) as connection:
        # What it leads to, no matter: a trap that was sprung is lost where the run fails for it.
        with contextlib.suppress(psycopg.Error):
            connection.execute("call eventlive.run_job('rollup_live')")
        connection.execute("set search_path = pg_catalog")
        assert jobs_db.rows("select 1 from traps.sprung") or jobs_db.count("job_runs") == 0


def test_a_dry_run_takes_no_lock_that_matters(jobs_db: EventliveDatabase) -> None:
    sessions(jobs_db, jobs_db.webinar(), expires_in="-3 hours")
    with jobs_db.admin.transaction():
        jobs_db.admin.execute("set transaction read only")
        for (job,) in jobs_db.rows("select name from eventlive.jobs"):
            work(jobs_db, job)
        assert jobs_db.value("select pg_current_xact_id_if_assigned() is null")
