"""On a hot standby: dashboards, dry runs and the health of jobs work there; runs are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest

from eventlive_db.server import Server
from tests.support.database import EventliveDatabase
from tests.support.jobs import JOBS, everything, health, present, run, sessions, work
from tests.support.own_server import own_server


@dataclass(frozen=True)
class Standby:
    """A standby, and what its primary said before."""

    db: EventliveDatabase
    webinar_id: UUID
    rows: dict[str, list[str]]
    replies: dict[str, Any]
    work: dict[str, list[tuple[Any, ...]]]


CALLS = ("webinar_stats_access", "webinar_participants")


@pytest.fixture(scope="module")
def standby(pg_server: Server) -> Iterator[Standby]:
    if pg_server.kind not in {"installed", "embedded"}:
        pytest.skip("a server that is stopped and started again has to be of this machine: --pg-kind installed")
    with own_server(pg_server.kind) as server:
        with server.database() as db:
            webinar_id = db.webinar()
            present(db, webinar_id, count=3)
            present(db, webinar_id, count=2, expires_in="-2 hours")
            sessions(db, webinar_id, count=2)
            sessions(db, webinar_id, count=2, expires_in="-2 hours")
            run(db, "rollup_live")
            run(db, "purge_messages")
            # One that runs at the moment of the copy, for all that a standby can tell; locks are not replicated.
            db.admin.execute("insert into eventlive.job_runs (job_name, started_at) values ('purge_messages', now())")
            service = db.service()
            replies = {name: service.call(name, webinar_id=webinar_id) for name in CALLS}
            said = (everything(db), replies, {job: work(db, job) for job in JOBS})
            assert health(db, "purge_messages") == "failing"
        server.stop()
        (server.data / "standby.signal").touch()
        server.start()
        with server.database() as db:
            assert db.value("select pg_is_in_recovery()") is True
            yield Standby(db, webinar_id, *said)


def test_a_dashboard_is_told_the_same_there(standby: Standby) -> None:
    service = standby.db.service()
    assert {name: service.call(name, webinar_id=standby.webinar_id) for name in CALLS} == standby.replies
    assert standby.replies["webinar_stats_access"]["current_participants"] == 3
    assert len(standby.replies["webinar_participants"]["participants"]) == 3


def test_a_dry_run_says_the_same_there(standby: Standby) -> None:
    assert {job: work(standby.db, job) for job in JOBS} == standby.work
    assert standby.work["close_expired_sessions"]
    assert standby.work["purge_presence"]
    assert everything(standby.db) == standby.rows


def test_the_health_of_jobs_is_told_there_and_no_run_is_taken_for_dead(standby: Standby) -> None:
    states = dict(standby.db.rows("select name, state from eventlive.job_health()"))
    assert states == {job: "ok" if job in {"rollup_live", "purge_messages"} else "never_ran" for job in JOBS}
    since = "select running_since is not null from eventlive.job_health() where name = 'purge_messages'"
    assert standby.db.value(since) is True


def test_a_run_is_refused_there(standby: Standby) -> None:
    with (
        psycopg.connect(standby.db.dsn, autocommit=True) as connection,
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
    ):
        run(standby.db, "rollup_live", connection)
    assert everything(standby.db) == standby.rows
