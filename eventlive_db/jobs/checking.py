"""Whether all jobs are well, with what pg_cron knows of those that are not."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from eventlive_db.jobs import pg_cron
from eventlive_db.jobs.catalog import Health, Job, Look, health, look
from eventlive_db.jobs.errors import JobsError, describe
from eventlive_db.jobs.pg_cron_runs import CronRun, last_runs
from eventlive_db.jobs.schedules import TOLERANCE, parse_schedule, trusted
from eventlive_db.jobs.session import connect


@dataclass(frozen=True, slots=True)
class Problem:
    """A job that needs somebody.

    Attributes:
        job: Its name.
        state: failing, late, never_ran, missing, or bad_schedule.
        detail: A sentence.
    """

    job: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """What was found.

    Attributes:
        jobs: All of them.
        looked: The same as their runner sees them.
        problems: Those that are not well.
        notes: What else is to be known.
    """

    jobs: list[Health]
    looked: Look
    problems: list[Problem]
    notes: list[str]

    @property
    def healthy(self) -> bool:
        """Whether nobody need look."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Said:
    """What pg_cron says: the jobs that have an active entry, and the last runs of those entries."""

    scheduled: frozenset[str] = frozenset()
    runs: tuple[tuple[str, CronRun], ...] = ()


def check(connection: psycopg.Connection[Any], dsn: str, cron_database: str | None = None) -> Check:
    """Look at all jobs.

    Args:
        connection: To their database.
        dsn: The same, for the database in which pg_cron is, where that is another.
        cron_database: That one, where this role may not see which it is.

    Raises:
        psycopg.Error: It cannot be told.
    """
    jobs, looked = health(connection), look(connection)
    said, notes = _ask(connection, dsn, [job.name for job in jobs], cron_database)
    starts = {job.name: job for job in looked.jobs}
    problems, unable = [], dict[str, list[str]]()
    for job in jobs:
        failed = [run for name, run in said.runs if name == job.name and run.failed_after(job.last_success_at)]
        suffix = f"; pg_cron: {failed[0].why}" if failed else ""
        if job.bad_schedule:
            # Whatever else is wrong comes from this.
            problems.append(Problem(job.name, "bad_schedule", job.bad_schedule))
        elif not job.healthy:
            problems.append(Problem(job.name, job.state, job.detail + suffix))
        elif not failed or job.state == "disabled":
            continue
        elif job.running_since is None and _overdue(starts.get(job.name), looked.now):
            problems.append(Problem(job.name, "failing", f"was due, and nobody has begun it{suffix}"))
        else:
            # Something else runs it.
            unable.setdefault(failed[0].why, []).append(job.name)
    notes += [f"pg_cron could not run {', '.join(names)}: {why}" for why, names in unable.items()]
    notes += [
        f"pg_cron has no active entry for {job.name}, though it has others: run 'jobs schedule'"
        for job in jobs
        if said.scheduled and job.state not in {"disabled", "missing"} and job.name not in said.scheduled
    ]
    return Check(jobs, looked, problems, notes)


def _ask(
    connection: psycopg.Connection[Any], dsn: str, names: list[str], cron_database: str | None
) -> tuple[_Said, list[str]]:
    """What pg_cron says, in whichever database it is; or why it cannot be asked."""
    database = connection.info.dbname
    home = cron_database or pg_cron.cron_database(connection) or database
    try:
        if home == database:
            return _ask_pg_cron(connection, database, names), []
        with closing(connect(dsn, "check", database=home)) as other:
            return _ask_pg_cron(other, database, names), []
    except JobsError as error:
        # Without pg_cron something else runs them, and so it does where this role has no part in it.
        if error.token not in {"no_pg_cron", "pg_cron_not_allowed", "old_pg_cron"}:
            raise
        return _Said(), [str(error)] if cron_database else []
    except psycopg.Error as error:
        return _Said(), [f"pg_cron in the database {home} cannot be asked: {describe(error)}"]


def _ask_pg_cron(connection: psycopg.Connection[Any], database: str, names: list[str]) -> _Said:
    pg_cron.find_cron(connection)
    jobs = {pg_cron.command(name): name for name in names}
    active = [e for e in pg_cron.entries(connection, database) if e.active and e.command in jobs]
    runs = last_runs(connection, active)
    return _Said(
        frozenset(jobs[entry.command] for entry in active),
        tuple((jobs[run.entry.command], run) for run in runs),
    )


def _overdue(job: Job | None, now: datetime) -> bool:
    """Whether a time of its schedule has passed, not only just, and nobody has begun it."""
    last = trusted(job.last_start, now) if job else None
    if job is None or last is None:
        return False
    at = parse_schedule(job.schedule).next_after(last, last)
    return at is not None and at + TOLERANCE <= now
