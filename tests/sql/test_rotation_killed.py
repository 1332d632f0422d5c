"""The rotation of the visit log is killed, at any point: the next run finishes, and no event is lost or doubled."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import psycopg
import pytest

from eventlive_db.server import Server
from tests.support.actors import Background, in_background, wait_until_blocked
from tests.support.database import EventliveDatabase
from tests.support.event_log import STEPS, EventLog, neglect, write
from tests.support.own_server import OwnServer, own_server
from tests.support.races import closed_gate

pytestmark = pytest.mark.heavy

POINTS = [f"{where} of {verb}" for verb in STEPS for where in ("beginning", "end")]

ASIDE = {"beginning of check", "end of check", "beginning of attach", "end of attach"}
"""Where a part of the log is aside, and not seen in it."""


def stopped(log: EventLog, session: psycopg.Connection[object]) -> Background:
    """Start a run, and return when it is where it pauses."""
    run = in_background(lambda: log.rotate(session))
    wait_until_blocked(log.db.admin, session.info.backend_pid)
    return run


def states(log: EventLog) -> list[tuple[bool, str | None]]:
    """Each run of the job: whether it has an end, and how its error begins."""
    return log.db.rows(
        "select finished_at is not null, split_part(error, ':', 1) from eventlive.job_runs order by run_id"
    )


@pytest.mark.parametrize("point", POINTS)
def test_the_run_after_a_killed_one_finishes(db: EventliveDatabase, point: str) -> None:
    log = EventLog(db)
    keep, _ = neglect(log)
    where, _, verb = point.split()
    log.pause(verb, where)
    session = db.connect()
    with closed_gate(db):
        run = stopped(log, session)
        db.admin.execute("select pg_terminate_backend(%s, 10000)", [session.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        run.result()
    # Whoever writes now finds the log as it was before the step or after it.
    for when, name in (("0 s", "now"), ("-1 day", "late"), ("-300 days", "older"), ("-600 days", "past")):
        log.write(when, name)
    new = ["late", "now", "older"]
    seen = set(log.names())
    caught = {"caught 1", "caught 2", "caught 3"}
    assert seen >= {*keep, *new} - (caught if point in ASIDE else set())
    log.rotate()
    log.rotate()
    assert [name for name in log.names() if name != "past"] == sorted([*keep, *new])
    assert log.work() == []
    assert log.covered()
    assert log.db.value("select count(*) from eventlive.event_access_logs_default") == 0
    assert [name for name in log.tables() if name.endswith(("_expired", "_draining"))] == []
    assert states(log) == [(True, "ended without a word"), (True, None), (True, None)]


@pytest.fixture(scope="module")
def server(pg_server: Server) -> Iterator[OwnServer]:
    if pg_server.kind not in {"installed", "embedded"}:
        pytest.skip("a server that is killed and started again has to be of this machine: --pg-kind installed")
    with own_server(pg_server.kind) as server:
        yield server


def test_nothing_is_lost_when_the_server_is_killed_in_each_step_in_turn(server: OwnServer) -> None:
    """Seven servers die, each one step further than the one before it."""
    with server.database() as database:
        keep, _ = neglect(EventLog(database))
    for verb in STEPS:
        with server.database() as database:
            log = EventLog(database)
            unpaused = database.value("select pg_get_functiondef('eventlive.rotate_event_logs_step'::regproc)")
            log.pause(verb, "end")
            session = psycopg.connect(server.dsn, autocommit=True)
            holder = psycopg.connect(server.dsn, autocommit=True)
            holder.execute("select pg_advisory_lock(4711)")
            run = stopped(log, session)
            server.end(signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                run.result()
            session.close()
            holder.close()
        server.start()
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute(unpaused.encode())
            write(connection, "0 s", verb)
    with server.database() as database:
        log = EventLog(database)
        log.rotate()
        assert log.names() == sorted([*keep, *STEPS])
        assert (log.work(), log.caught()) == ([], [])
        assert len(states(log)) == len(STEPS) + 1
