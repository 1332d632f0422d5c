"""What the database knows of the jobs: schedules, last starts, health, and what there is to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from eventlive_db.jobs.errors import ScheduleError
from eventlive_db.jobs.schedules import TOLERANCE, parse_schedule
from eventlive_db.jobs.session import read

STOPPED = "stopped with its runner"
"""The error of a run that was ended because its runner was asked to end. It counts as if it had not begun."""

MISSING = "is not in eventlive.jobs"
"""What is the matter with a job whose row is gone."""

PUT_BACK = "put its row back, and switch it off there if it is not to run"
"""What is to be done about it."""

UNHEALTHY = frozenset({"failing", "late", "never_ran", "missing"})
"""States of a job in which somebody should look."""

# The quick and frequent ones first: none of them waits for a nightly one.
_JOBS = """
select coalesce(j.name, k.name), j.schedule, j.enabled,
       (
            select r.started_at
              from eventlive.job_runs r
             where r.job_name = j.name and r.error is distinct from %s
             order by r.run_id desc
             limit 1
       ),
       pg_catalog.clock_timestamp()
  from eventlive.known_jobs() k
  full join eventlive.jobs j on j.name = k.name
 order by j.max_age, 1
"""
_HEALTH = """
select h.name, h.state, h.detail, h.schedule, h.max_age, h.last_success_at, h.running_since, h.last_error
  from eventlive.job_health() h
 order by h.name
"""
# The last start counts, as above: an earlier one that lies ahead of it was written by a clock that was wrong.
_BEGUN = """
select l.started_at
  from (
        select r.started_at
          from eventlive.job_runs r
         where r.job_name = %s and r.error is distinct from %s
         order by r.run_id desc
         limit 1
       ) l
 where l.started_at between %s and pg_catalog.clock_timestamp() + %s
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its runner sees it.

    Attributes:
        name: Its name.
        schedule: Its schedule, as it is written.
        enabled: Whether it runs at all.
        last_start: When it was last started, by any runner; none if never.
    """

    name: str
    schedule: str
    enabled: bool
    last_start: datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """All jobs at one moment.

    Attributes:
        jobs: The most frequent first.
        missing: Names of those that are known and have no row any more.
        now: The time by the clock of the database, which is the one that counts.
    """

    jobs: list[Job]
    missing: list[str]
    now: datetime


@dataclass(frozen=True, slots=True)
class Health:
    """How a job does: a row of ``eventlive.job_health()``.

    Attributes:
        name: Its name.
        state: ok, running, disabled, failing, late, never_ran, or missing: its row is gone.
        detail: A sentence.
        schedule: Its schedule, as it is written; none where it is missing.
        max_age: Without a success for this long it is late; none where it is missing.
        last_success_at: End of its last run without an error.
        running_since: When the run that is under way began.
        last_error: Why its last run failed; none where it did not.
    """

    name: str
    state: str
    detail: str
    schedule: str | None
    max_age: timedelta | None
    last_success_at: datetime | None
    running_since: datetime | None
    last_error: str | None

    @property
    def bad_schedule(self) -> str:
        """Why its schedule cannot be read; empty where it can, or where it does not matter."""
        return "" if self.schedule is None or self.state == "disabled" else schedule_problem(self.schedule)

    @property
    def healthy(self) -> bool:
        """Whether nobody need look."""
        return self.state not in UNHEALTHY and not self.bad_schedule


@dataclass(frozen=True, slots=True)
class Work:
    """What a job would do now.

    Attributes:
        job: Its name.
        steps: For each kind of step: how many transactions, and about how many rows.
    """

    job: str
    steps: dict[str, tuple[int, int]]

    @property
    def batches(self) -> int:
        """Transactions."""
        return sum(batches for batches, _rows in self.steps.values())

    @property
    def rows(self) -> int:
        """Rows, about."""
        return sum(rows for _batches, rows in self.steps.values())


def schedule_problem(text: str) -> str:
    """Why a schedule cannot be read; empty where it can."""
    try:
        parse_schedule(text)
    except ScheduleError as error:
        return str(error)
    return ""


def look(connection: psycopg.Connection[Any]) -> Look:
    """Read all jobs."""
    rows = read(connection, _JOBS, STOPPED)
    present = [row for row in rows if row[1] is not None]
    return Look([Job(*row[:4]) for row in present], [row[0] for row in rows if row[1] is None], rows[0][4])


def health(connection: psycopg.Connection[Any]) -> list[Health]:
    """How each job does."""
    return [Health(*row) for row in read(connection, _HEALTH)]


def begun_since(connection: psycopg.Connection[Any], name: str, since: datetime) -> bool:
    """Whether somebody has started a job since then."""
    return bool(read(connection, _BEGUN, name, STOPPED, since, TOLERANCE))


def work(connection: psycopg.Connection[Any], name: str) -> Work:
    """What a job would do now, with the rights and the limits of a run. Changes nothing."""
    steps: dict[str, tuple[int, int]] = {}
    with connection.transaction():
        connection.execute("set transaction read only")
        connection.execute("select eventlive.begin_batch()")
        rows = connection.execute("select w.step, w.amount from eventlive.job_work(%s) w", [name])
        for step, amount in rows:
            kind = step.partition(" ")[0]
            batches, total = steps.get(kind, (0, 0))
            steps[kind] = (batches + 1, total + amount)
    return Work(name, steps)
