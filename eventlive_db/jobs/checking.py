"""Whether all jobs are well, with what pg_cron knows of those that are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from eventlive_db.jobs import pg_cron
from eventlive_db.jobs.catalog import Health, health
from eventlive_db.jobs.errors import JobsError, describe
from eventlive_db.jobs.session import connect


@dataclass(frozen=True, slots=True)
class Problem:
    """A job that needs somebody.

    Attributes:
        job: Its name.
        state: failing, late, never_ran, or bad_schedule.
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
        problems: Those that are not well.
        notes: What else is to be known.
    """

    jobs: list[Health]
    problems: list[Problem]
    notes: list[str]

    @property
    def healthy(self) -> bool:
        """Whether nobody need look."""
        return not self.problems


def check(connection: psycopg.Connection[Any], dsn: str) -> Check:
    """Look at all jobs.

    Args:
        connection: To their database.
        dsn: The same, for the database in which pg_cron is, where that is another.

    Raises:
        psycopg.Error: It cannot be told.
    """
    jobs = health(connection)
    if not jobs:
        raise JobsError("eventlive.jobs has no rows for this role", "Ask as a member of the owner", token="not_allowed")
    problems = [
        Problem(job.name, job.state, job.detail) if not job.bad_schedule
        # Whatever else is wrong comes from this.
        else Problem(job.name, "bad_schedule", job.bad_schedule)
        for job in jobs
        if not job.healthy
    ]  # fmt: skip
    elsewhere = pg_cron.cron_database(connection)
    if elsewhere is None or elsewhere == connection.info.dbname:
        said, notes = _ask_pg_cron(connection, connection.info.dbname, jobs)
    else:
        try:
            with connect(dsn, "check", database=elsewhere) as other:
                said, notes = _ask_pg_cron(other, connection.info.dbname, jobs)
        except psycopg.Error as error:
            said, notes = {}, [f"pg_cron keeps its entries in the database {elsewhere}: {describe(error)}"]
    return Check(
        jobs,
        [Problem(p.job, p.state, f"{p.detail}; pg_cron: {said[p.job]}") if p.job in said else p for p in problems],
        notes,
    )


def _ask_pg_cron(
    connection: psycopg.Connection[Any], database: str, jobs: list[Health]
) -> tuple[dict[str, str], list[str]]:
    """What pg_cron said of those that are not well, and which of the jobs have no entry though others have."""
    try:
        pg_cron.find_cron(connection)
    except JobsError as error:
        # Without pg_cron something else runs them, and so it does where this role has no part in it.
        if error.token in {"no_pg_cron", "pg_cron_not_allowed", "old_pg_cron"}:
            return {}, []
        raise
    entries = pg_cron.entries(connection, database)
    said = {}
    for job in jobs:
        if job.healthy:
            continue
        message = pg_cron.last_error(connection, job.name, database, job.last_success_at)
        if message:
            said[job.name] = message
    active = {entry.command for entry in entries if entry.active}
    missing = [job.name for job in jobs if job.state != "disabled" and pg_cron.command(job.name) not in active]
    if not active or not missing:
        return said, []
    return said, [
        f"pg_cron has no active entry for {name}, though it has others: run 'jobs schedule'" for name in missing
    ]
