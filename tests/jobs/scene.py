"""Work for each of the eight jobs, runners as programs, and a point in the middle of a job where it waits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from eventlive_db.cli.jobs import app
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.own_server import wait_for
from tests.support.races import GATE

ROOT = Path(__file__).resolve().parents[2]

JOBS = (
    "close_expired_sessions",
    "purge_job_runs",
    "purge_messages",
    "purge_presence",
    "purge_sessions",
    "purge_timelines",
    "rollup_live",
    "rotate_event_logs",
)
OWNER = "eventlive_owner"

# The steps as they are, with a place to wait after each: its changes are made, and not yet committed.
_WAIT_AFTER_STEP = f"""
alter function eventlive.job_step(text, uuid, uuid[], text, bigint) rename to job_step_itself;
create function eventlive.job_step(_name text, _webinar_id uuid, _ids uuid[], _step text, _amount bigint)
returns bigint language plpgsql as $$
declare
    v_rows bigint := eventlive.job_step_itself(_name, _webinar_id, _ids, _step, _amount);
    v_step integer := coalesce(nullif(current_setting('test.steps', true), ''), '0')::integer + 1;
begin
    perform set_config('test.steps', v_step::text, false);
    if v_step = %s then
        perform pg_advisory_lock_shared({GATE});
        perform pg_advisory_unlock_shared({GATE});
    end if;
    return v_rows;
end
$$;
alter function eventlive.job_step(text, uuid, uuid[], text, bigint) owner to {OWNER};
"""


def wait_after_step(db: EventliveDatabase, number: int = 2) -> None:
    """Make each job wait at the gate after so many steps, before the last one is committed."""
    set_number(db, "job_lock_timeout_s", 60)
    db.admin.execute((_WAIT_AFTER_STEP % number).encode())


def do_not_wait(db: EventliveDatabase) -> None:
    """Take the place to wait away again."""
    db.admin.execute("drop function eventlive.job_step(text, uuid, uuid[], text, bigint)")
    db.admin.execute("alter function eventlive.job_step_itself(text, uuid, uuid[], text, bigint) rename to job_step")


@contextmanager
def closed_gate(db: EventliveDatabase) -> Iterator[None]:
    """Hold everybody who comes to the gate, until the end of the block or of the server."""
    holder = db.connect()
    holder.execute("select pg_advisory_lock(%s)", [GATE])
    yield
    if not holder.broken:
        holder.execute("select pg_advisory_unlock(%s)", [GATE])


def waiting(db: EventliveDatabase) -> int:
    """How many wait at the gate."""
    return int(
        db.value(
            "select count(*) from pg_locks where locktype = 'advisory' and objid = %s and not granted"
            " and database = (select oid from pg_database where datname = current_database())",
            GATE,
        )
    )


def set_number(db: EventliveDatabase, key: str, value: float) -> None:
    """Set a setting."""
    db.admin.execute("select eventlive.set_setting(%s, %s::text::jsonb)", [key, str(value)])


def health(db: EventliveDatabase) -> dict[str, str]:
    """The state of each job."""
    return dict(db.rows("select name, state from eventlive.job_health()"))


def runs(db: EventliveDatabase, job: str) -> list[tuple[bool, str | None]]:
    """Whether each run of a job has ended, and its error."""
    return db.rows(
        "select finished_at is not null, error from eventlive.job_runs where job_name = %s order by run_id", job
    )


def take_away(db: EventliveDatabase, *names: str) -> None:
    """Delete the rows of jobs, and so what they ran."""
    db.admin.execute("delete from eventlive.jobs where name = any (%s)", [list(names)])


def environment() -> dict[str, str]:
    """That of a program of these tests, without a database of its own."""
    return {name: value for name, value in os.environ.items() if name not in {"EVENTLIVE_DSN", "PGDATABASE"}}


def command(*arguments: str, dsn: str) -> list[str]:
    """The commands of this group alone: the whole command line takes longer to start."""
    return [sys.executable, "-c", "from eventlive_db.cli.jobs import app; app()", *arguments, "--dsn", dsn]


def jobs(*arguments: str, dsn: str, status: int = 0) -> str:
    """Make the command in this process; what it printed, errors included."""
    done = CliRunner().invoke(app, [*arguments, "--dsn", dsn], env={"COLUMNS": "200"}, catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.output


def jobs_json(*arguments: str, dsn: str, status: int = 0) -> Any:
    """Run the command, and read the JSON that it printed."""
    done = CliRunner().invoke(app, [*arguments, "--json", "--dsn", dsn], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


class Program:
    """A runner as a program of its own.

    Args:
        command: The program and its arguments.
    """

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """Send a signal, if any, and wait for the end; exit status and output."""
        if number is not None:
            self._process.send_signal(number)
        output, _ = self._process.communicate(timeout=60)
        return self._process.returncode, output

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def read_until(self, text: str) -> str:
        """Read its output up to the line that holds a text, and return that line."""
        assert self._process.stdout
        seen = []
        for line in self._process.stdout:
            seen.append(line)
            if text in line:
                return line
        raise AssertionError("".join(seen))

    def kill(self) -> None:
        """End it as the system does when memory runs out."""
        self._process.kill()
        self._process.communicate()

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None


@contextmanager
def program(*arguments: str, dsn: str) -> Iterator[Program]:
    """Run ``eventlive-db jobs`` during a block; killed at its end, if it has not ended by itself."""
    with _running(command(*arguments, dsn=dsn)) as started:
        yield started


@contextmanager
def bare_runner(job: str, *, dsn: str) -> Iterator[Program]:
    """Run what is behind the command, which starts quickly, during a block."""
    with _running(
        [sys.executable, "-c", f"from eventlive_db.jobs import Runner; Runner({dsn!r}, {job!r}).run()"]
    ) as it:
        yield it


@contextmanager
def _running(command: list[str]) -> Iterator[Program]:
    started = Program(command)
    try:
        yield started
    finally:
        if started.running:
            started.kill()


def samples(db: EventliveDatabase) -> list[int]:
    """How many samples the timeline of each webinar that is live has, in the order in which the job counts them."""
    return [
        count
        for (count,) in db.rows(
            "select l.sample_count from eventlive.webinar_live l join eventlive.webinars w on w.id = l.webinar_id"
            " where w.status = 'live' order by w.id"
        )
    ]


def nobody_runs(db: EventliveDatabase, job: str) -> bool:
    """Whether no session holds the lock of a job."""
    return bool(db.value("select eventlive.job_holder(%s) is null", job))


def wait_until_gone(db: EventliveDatabase, job: str) -> None:
    """Wait until the server has noticed that a runner is dead."""
    wait_for("the end of a dead runner's session", lambda: nobody_runs(db, job))


WATCHED = 100.0
"""Seconds that each of the expired sessions is to be credited, at most."""


def give_work(db: EventliveDatabase) -> None:
    """Give each job at least three transactions of work."""
    set_number(db, "job_batch_size", 1)
    watched, old = [db.webinar(settings={"watch_credit_factor": 1}) for _ in range(3)], db.webinar(status="scheduled")
    db.admin.execute("update eventlive.webinars set created_at = created_at - interval '9 years' where id = %s", [old])
    for webinar_id in watched:
        # One who is there, one who has gone, and one session that has expired: each counts once.
        for here in (True, False):
            user = db.user()
            user.call("webinar_enter", webinar_id=webinar_id, session_id=new_id())
            if not here:
                db.admin.execute(
                    "update eventlive.webinar_user_sessions set entered_at = entered_at - interval '1 day',"
                    " last_heartbeat_at = last_heartbeat_at - interval '1 day',"
                    " expires_at = expires_at - interval '1 day', interval_s = %s where user_id = %s",
                    [WATCHED, user.user_id],
                )
                db.admin.execute(
                    "update eventlive.webinar_live_presence set joined_at = joined_at - interval '1 day',"
                    " last_seen_at = last_seen_at - interval '1 day', expires_at = expires_at - interval '1 day'"
                    " where user_id = %s",
                    [user.user_id],
                )
    db.admin.execute(
        "insert into eventlive.webinar_user_sessions (webinar_id, session_id, entered_at, last_heartbeat_at,"
        " expires_at, exited_at, exit_reason, interval_s)"
        " select %s, gen_random_uuid(), t.at, t.at, t.at, t.at, 'left', 300"
        " from (select now() - interval '8 years' as at) t, generate_series(1, 3)",
        [old],
    )
    db.admin.execute(
        "insert into eventlive.webinar_messages"
        " (webinar_id, message_id, user_id, client_message_id, body, created_at, change_id)"
        " select %s, n, gen_random_uuid(), gen_random_uuid(), 'Hello', now() - interval '8 years', n"
        " from generate_series(1, 3) n",
        [old],
    )
    db.admin.execute(
        "insert into eventlive.webinar_access_logs (webinar_id, time_bucket)"
        " select %s, date_trunc('hour', now()) - interval '8 years' + n * interval '5 minutes'"
        " from generate_series(1, 3) n",
        [old],
    )
    # Of a job that has forgotten none: the last one is kept, and so is the last good one.
    db.admin.execute(
        "insert into eventlive.job_runs (job_name, started_at, finished_at)"
        " select 'purge_job_runs', now() - interval '90 days' + n * interval '1 day', now() - interval '80 days'"
        " from generate_series(1, 4) n"
    )


Figures = dict[str, Any]


def figures(db: EventliveDatabase) -> Figures:
    """What the jobs change, in numbers."""

    def old(table: str, column: str) -> int:
        return int(db.value(f"select count(*) from eventlive.{table} where {column} < now() - interval '30 days'"))

    return {
        "closed": db.rows(
            "select s.exit_reason, s.watched_seconds::float8, (select count(*) from eventlive.event_access_logs e"
            " where e.session_id = s.session_id and e.event = s.exit_reason)"
            " from eventlive.webinar_user_sessions s where s.exit_reason = 'expired'"
        ),
        "open": db.value("select count(*) from eventlive.webinar_user_sessions where exited_at is null"),
        "present": db.count("webinar_live_presence"),
        "old_sessions": old("webinar_user_sessions", "exited_at"),
        "old_messages": old("webinar_messages", "created_at"),
        "old_buckets": old("webinar_access_logs", "time_bucket"),
        "old_runs": old("job_runs", "started_at"),
        "events": db.rows(
            "select event, count(*), count(distinct event_id) from eventlive.event_access_logs"
            " where event <> 'expired' group by event order by event"
        ),
        "in_default": db.value("select count(*) from only eventlive.event_access_logs_default"),
        "tables_beside": db.value(
            "select count(*) from pg_class c where c.relnamespace = 'eventlive'::regnamespace and c.relkind = 'r'"
            " and c.relname like 'event_access_logs%%' and not c.relispartition"
        ),
        "samples_agree": db.value(
            "select coalesce(bool_and(b.sum_participants = b.sample_count * b.max_participants), true)"
            " from eventlive.webinar_access_logs b where b.time_bucket > now() - interval '1 day'"
        ),
    }
