"""purge_job_runs where pg_cron is: its records of these jobs go too, each user's own, and nothing else of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from eventlive_db.server import Server
from tests.support.database import EventliveDatabase
from tests.support.jobs import batch_size, deletions, fault, run, set_number
from tests.support.own_server import DATABASE, own_server
from tests.support.pg_cron import require_pg_cron

OURS, OTHER = "call eventlive.run_job('rollup_live')", "call eventlive.runxjob('rollup_live')"


@pytest.fixture(scope="module")
def module_db(pg_server: Server) -> Iterator[EventliveDatabase]:
    """A server with pg_cron, which runs nothing: it has no entries."""
    require_pg_cron(pg_server)
    with own_server(pg_server.kind) as server:
        server.stop()
        server.start(**{"shared_preload_libraries": "pg_cron", "cron.database_name": DATABASE})
        with server.database() as db:
            db.admin.execute("create extension pg_cron")
            yield db


@pytest.fixture
def cron_db(module_db: EventliveDatabase) -> EventliveDatabase:
    module_db.admin.execute("delete from cron.job_run_details; delete from eventlive.job_runs")
    set_number(module_db, "job_batch_size", 1000)
    return module_db


@pytest.fixture
def worker(cron_db: EventliveDatabase) -> Iterator[psycopg.Connection[Any]]:
    """A connection of a member of the owner, an ordinary role."""
    name, password = f"worker_{secrets.token_hex(8)}", secrets.token_hex(16)
    cron_db.admin.execute(f"create role {name} login password '{password}' in role eventlive_owner".encode())
    with psycopg.connect(make_conninfo(cron_db.dsn, user=name, password=password), autocommit=True) as connection:
        yield connection
    cron_db.admin.execute(f"drop owned by {name}; drop role {name}".encode())


def record(db: EventliveDatabase, user: str, command: str, *days: float, ends: bool = True) -> None:
    """Runs that pg_cron remembers."""
    for ago in days:
        db.admin.execute(
            "insert into cron.job_run_details (runid, username, command, start_time, end_time)"
            " select (select coalesce(max(runid), 0) + 1 from cron.job_run_details), %s, %s, x.at,"
            "        case when %s then x.at end"
            "   from (select now() - %s * interval '1 day' as at) x",
            [user, command, ends, ago],
        )


def remembered(db: EventliveDatabase) -> list[tuple[str, str, int]]:
    """What it remembers: of whom, what, how many days old."""
    return db.rows(
        "select username, command, round(extract(epoch from now() - start_time) / 86400)::integer"
        " from cron.job_run_details order by 1, 2, 3"
    )


def test_old_records_of_these_jobs_go(cron_db: EventliveDatabase) -> None:
    record(cron_db, "postgres", OURS, 29, 31, 60)
    record(cron_db, "postgres", OURS, 50, ends=False)
    record(cron_db, "postgres", OTHER, 60)
    assert run(cron_db, "purge_job_runs")["rows"] == 3
    assert remembered(cron_db) == [("postgres", OURS, 29), ("postgres", OTHER, 60)]


def test_records_without_a_time_go_once_there_are_many_newer_ones(cron_db: EventliveDatabase) -> None:
    """pg_cron writes them where it is not let in; one that is just starting has no time either."""
    cron_db.admin.execute(
        "insert into cron.job_run_details (runid, username, command)"
        " select n, 'postgres', %s from unnest(array[1, 2, 10001, 10002]) n",
        [OURS],
    )
    cron_db.admin.execute(
        "insert into cron.job_run_details (runid, username, command) values (3, 'postgres', %s)", [OTHER]
    )
    assert run(cron_db, "purge_job_runs")["rows"] == 1
    assert cron_db.rows("select runid from cron.job_run_details order by 1") == [(2,), (3,), (10001,), (10002,)]


def test_all_of_them_go_however_many_in_batches(cron_db: EventliveDatabase) -> None:
    batch_size(cron_db, 3)
    record(cron_db, "postgres", OURS, *[40] * 8)
    gone = deletions(cron_db, "cron.job_run_details", lambda: run(cron_db, "purge_job_runs"))
    assert gone == [3, 3, 2]


def test_with_one_batch_a_run_most_would_stay(cron_db: EventliveDatabase) -> None:
    batch_size(cron_db, 3)
    record(cron_db, "postgres", OURS, *[40] * 8)
    with fault(cron_db, "run_job", "exit when v_work.step <> 'cron' or v_done < v_limit;", "exit;"):
        run(cron_db, "purge_job_runs")
    assert len(remembered(cron_db)) == 5


def test_a_worker_forgets_its_own(cron_db: EventliveDatabase, worker: psycopg.Connection[Any]) -> None:
    name = worker.info.user
    cron_db.admin.execute(f"grant usage on schema cron to {name}".encode())
    record(cron_db, name, OURS, 40)
    record(cron_db, "postgres", OURS, 40)
    assert run(cron_db, "purge_job_runs", worker)["rows"] == 1
    assert remembered(cron_db) == [("postgres", OURS, 40)]


def test_a_worker_that_has_nothing_to_do_with_pg_cron_runs_all_the_same(
    cron_db: EventliveDatabase, worker: psycopg.Connection[Any]
) -> None:
    record(cron_db, "postgres", OURS, 40)
    cron_db.admin.execute(
        "insert into eventlive.job_runs (job_name, started_at, finished_at)"
        " select 'rollup_live', now() - interval '40 days', now() from generate_series(1, 3)"
    )
    assert run(cron_db, "purge_job_runs", worker)["rows"] == 2
    assert remembered(cron_db) == [("postgres", OURS, 40)]


def test_found_by_its_name_it_would_fail_where_the_owner_may_not_use_the_schema(cron_db: EventliveDatabase) -> None:
    by_catalog = "if exists (\n        select\n          from pg_class c"
    by_name = by_catalog.replace("if", "if to_regclass('cron.job_run_details') is not null and")
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
    with fault(cron_db, "purge_job_runs_work", by_catalog, by_name), refused:
        run(cron_db, "purge_job_runs")
    cron_db.value("select eventlive.fail_job('purge_job_runs', 'as expected')")
