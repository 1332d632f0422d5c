"""What is printed where, and that a runner goes on where it cannot be."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eventlive_db.cli.jobs import app
from tests.jobs.scene import JOBS, ROOT, command, environment, health, jobs, jobs_json, runs
from tests.support.database import EventliveDatabase

pytestmark = pytest.mark.heavy

FULL = Path("/dev/full")
REFUSE = """
create function eventlive.refuse() returns trigger language plpgsql as $$
begin
    raise exception 'out of order' using detail = %s, hint = 'Put it in order.';
end
$$;
create trigger refuse after insert on eventlive.webinar_access_logs execute function eventlive.refuse();
"""


def separately(*arguments: str, db: EventliveDatabase) -> Result:
    """Make the command here, with what it printed on each stream."""
    return CliRunner().invoke(app, [*arguments, "--dsn", db.dsn], catch_exceptions=False)


@contextmanager
def nowhere(kind: str) -> Iterator[Any]:
    """What can be opened and not written to."""
    if kind == "full":
        if not FULL.exists():
            pytest.skip("there is no /dev/full here")
        with FULL.open("w") as stream:
            yield stream
        return
    theirs, ours = os.pipe()
    os.close(theirs)
    with os.fdopen(ours, "w") as stream:
        yield stream


def unread(kind: str, *arguments: str, db: EventliveDatabase, err: bool = False) -> tuple[int, str]:
    """Exit status and errors of a program whose output goes nowhere, and on demand its errors too."""
    with nowhere(kind) as stream:
        done = subprocess.run(
            command(*arguments, dsn=db.dsn),
            cwd=ROOT,
            env=environment(),
            stdout=stream,
            stderr=stream if err else subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("full", ("--loop", "--once-each")),
        ("closed", ("--loop", "--once-each", "--json")),
        ("full", ("--all", "--json")),
        ("closed", ("--all",)),
    ],
)
def test_jobs_run_where_nothing_can_be_printed(db: EventliveDatabase, kind: str, options: tuple[str, ...]) -> None:
    status, errors = unread(kind, "run", *options, db=db)
    assert status == 0, errors
    reason = "No space left on device" if kind == "full" else "Broken pipe"
    assert errors == f"eventlive-db: stdout cannot be written to: {reason}\n"
    assert health(db) == dict.fromkeys(JOBS, "ok")


def test_jobs_run_where_not_even_errors_can_be_printed(db: EventliveDatabase) -> None:
    assert unread("full", "run", "--all", db=db, err=True) == (0, "")
    assert unread("full", "run", "--loop", "--once-each", "--max-seconds", "0", db=db, err=True) == (0, "")
    db.admin.execute("update eventlive.jobs set schedule = 'nonsense' where name = 'rollup_live'")
    assert unread("full", "run", db=db, err=True) == (1, "")
    assert health(db) == dict.fromkeys(JOBS, "ok")


@pytest.mark.parametrize("kind", ["full", "closed"])
def test_a_check_that_nobody_can_read_is_1_only_where_a_job_is_not_well(db: EventliveDatabase, kind: str) -> None:
    assert unread(kind, "check", db=db)[0] == 1
    jobs("run", "--all", dsn=db.dsn)
    for arguments in (["check"], ["check", "--json"], ["list"], ["run", "--dry-run", "--all"]):
        status, errors = unread(kind, *arguments, db=db)
        assert (status, errors[:39]) == (2, "eventlive-db: stdout cannot be written "), (arguments, errors)


def test_failures_are_on_stderr_and_everything_else_on_stdout(db: EventliveDatabase) -> None:
    db.admin.execute("alter table eventlive.webinar_live rename to elsewhere")
    db.admin.execute("update eventlive.jobs set schedule = 'nonsense' where name = 'purge_messages'")
    db.admin.execute("delete from eventlive.jobs where name = 'purge_sessions'")
    for options in (("run",), ("run", "--loop", "--once-each")):
        db.admin.execute("delete from eventlive.job_runs")
        done = separately(*options, db=db)
        for text in ("rollup_live: failed: 42P01", "purge_messages: the schedule 'nonsense'", "purge_sessions"):
            assert text in done.stderr
            assert text not in done.stdout
        assert "purge_timelines: done" in done.stdout
        assert ": done" not in done.stderr
    # Whoever reads objects reads them all in one place.
    db.admin.execute("delete from eventlive.job_runs")
    done = separately("run", "--loop", "--once-each", "--json", db=db)
    assert done.stderr == ""
    assert {json.loads(line).get("outcome") for line in done.stdout.splitlines()} == {None, "done", "failed"}


def test_the_advice_of_the_schema_is_told_wherever_its_refusal_is(db: EventliveDatabase) -> None:
    db.admin.execute("create schema elsewhere")
    db.admin.execute("alter table eventlive.event_access_logs_default set schema elsewhere")
    [run] = jobs_json("run", "rotate_event_logs", dsn=db.dsn, status=1)["runs"]
    said = run["error"]
    assert re.fullmatch(r"55000: .+ \(rotation_obstructed\); alter table elsewhere\..+ set schema eventlive", said)
    assert runs(db, "rotate_event_logs") == [(True, said)]
    assert f"rotate_event_logs: failing: {said}\n" in jobs("check", dsn=db.dsn, status=1)
    assert f"rotate_event_logs: failed: {said}\n" in jobs("run", "rotate_event_logs", dsn=db.dsn, status=1)


@pytest.mark.parametrize("detail", ["a_token", "a sentence"])
def test_of_other_errors_the_place_is_told(db: EventliveDatabase, detail: str) -> None:
    db.webinar()
    db.admin.execute((REFUSE % f"'{detail}'").encode())
    text = jobs("run", "rollup_live", dsn=db.dsn, status=1)
    end = "; Put it in order.\n" if detail == "a_token" else "; at PL/pgSQL function eventlive.refuse()"
    assert f"rollup_live: failed: P0001: out of order ({detail}){end}" in text
