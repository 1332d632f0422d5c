"""Jobs as entries of pg_cron: who has which, and what would have to change.

Known here are pg_cron 1.3 and later: 1.4 brought ``schedule_in_database``, 1.5 schedules in seconds. An entry belongs
to the role that made it, which runs it and alone sees it, but for superusers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors as pg

from eventlive_db.jobs.catalog import Job
from eventlive_db.jobs.errors import JobsError, ScheduleError
from eventlive_db.jobs.schedules import IntervalSchedule, parse_schedule
from eventlive_db.jobs.session import read

PREFIX = "eventlive:"
GET_IT = (
    "Preload it (shared_preload_libraries = 'pg_cron'; on Debian the package postgresql-<version>-cron) and run, in the"
    " database that cron.database_name names: create extension pg_cron. Or let cron or systemd run"
    " 'eventlive-db jobs run'"
)

_HERE = """
select e.extversion,
       pg_catalog.has_schema_privilege('cron', 'usage'),
       current_user::text,
       pg_catalog.current_database()::text
  from pg_catalog.pg_extension e
 where e.extname = 'pg_cron'
"""
_ENTRIES = """
select j.jobid, j.jobname::text, j.schedule, j.command, j.active, j.username, j.database, j.nodename, j.nodeport
  from cron.job j
 where j.jobname::text like 'eventlive:%%' or j.command like 'call eventlive.run\\_job(%%'
 order by j.jobname, j.username
"""


@dataclass(frozen=True, slots=True)
class Cron:
    """The pg_cron of a server.

    Attributes:
        version: Such as ``(1, 4)``.
        database: Where it keeps its entries.
        role: Who asks.
    """

    version: tuple[int, ...]
    database: str
    role: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of pg_cron that runs one of the jobs, and where pg_cron connects to for it."""

    id: int
    name: str
    schedule: str
    command: str
    active: bool
    role: str
    database: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Step:
    """One change to the entries.

    Attributes:
        action: ``create``, ``change``, ``remove`` or ``keep``.
        name: Of the entry.
        statement: SQL that makes the change, without parameters; empty where there is none to make.
        note: What else is to be said.
    """

    action: str
    name: str
    statement: str
    note: str = ""


def setting(connection: psycopg.Connection[Any], name: str) -> str | None:
    """What a setting of pg_cron says; none where it is not loaded or this role may not know."""
    try:
        [(found,)] = read(connection, "select pg_catalog.current_setting(%s, true)", f"cron.{name}")
    except pg.InsufficientPrivilege:
        return None
    return found or None


def cron_database(connection: psycopg.Connection[Any]) -> str | None:
    """The database in which pg_cron keeps its entries; none where it is not loaded or this role may not know."""
    return setting(connection, "database_name")


def find_cron(connection: psycopg.Connection[Any]) -> Cron:
    """The pg_cron of the database that this connection leads to.

    Raises:
        JobsError: There is none, it is too old, or this role may not use it.
    """
    rows = read(connection, _HERE)
    if not rows:
        raise JobsError(f"pg_cron is not in the database {connection.info.dbname}", GET_IT, token="no_pg_cron")
    version, allowed, role, database = rows[0]
    if not allowed:
        raise JobsError(
            f"the role {role} may not use pg_cron",
            f"A superuser grants it: grant usage on schema cron to {quoted_name(role)}",
            token="pg_cron_not_allowed",
        )
    numbers = tuple(int(number) for number in re.findall(r"\d+", version.partition("-")[0]))
    if numbers < (1, 3):
        raise JobsError(f"pg_cron {version} knows no names of entries", "1.3 or newer is needed", token="old_pg_cron")
    return Cron(numbers, database, role)


def entries(connection: psycopg.Connection[Any], database: str) -> list[Entry]:
    """The entries that run jobs of a database, as far as this role sees them."""
    return [entry for entry in (Entry(*row) for row in read(connection, _ENTRIES)) if entry.database == database]


def command(name: str) -> str:
    """What an entry runs."""
    return f"call eventlive.run_job({quoted(name)})"


def plan(cron: Cron, jobs: Sequence[Job], found: Sequence[Entry], database: str) -> list[Step]:
    """What has to change, so that each job that is enabled has one entry.

    Args:
        cron: The pg_cron there is.
        jobs: All jobs.
        found: The entries there are for this database, those of other roles included.
        database: Where the jobs are.

    Raises:
        ScheduleError: The schedule of a job cannot be read.
    """
    own = {entry.name: entry for entry in found if entry.role == cron.role}
    steps = []
    for job in jobs:
        name = entry_name(job.name, database, cron)
        entry = own.pop(name, None)
        if not job.enabled:
            if entry:
                steps.append(removal(entry))
            continue
        schedule, note = schedule_for(job, cron)
        others = sorted({e.role for e in found if e.command == command(job.name) and e.role != cron.role})
        if others:
            note = "; ".join(filter(None, (note, f"{', '.join(others)} has an entry for it, too")))
        if entry and (entry.schedule, entry.command) == (schedule, command(job.name)):
            if not entry.active:
                note = "; ".join(filter(None, (note, "is switched off in cron.job; unschedule it first")))
            steps.append(Step("keep", name, "", note))
        else:
            action = "change" if entry else "create"
            steps.append(Step(action, name, _schedule(name, schedule, job.name, database, cron), note))
    # What is left belongs to a job that is no more.
    return [*steps, *(removal(entry) for entry in own.values())]


def removal(entry: Entry) -> Step:
    """Take an entry away."""
    return Step("remove", entry.name, f"select cron.unschedule({entry.id})")


def entry_name(name: str, database: str, cron: Cron) -> str:
    """The name of an entry. It is unique for a role, whatever the database: so another database's has it in it."""
    return PREFIX + name if database == cron.database else f"{PREFIX}{name}@{database}"


def schedule_for(job: Job, cron: Cron) -> tuple[str, str]:
    """The schedule as this pg_cron can read it, and a note where it is not the same."""
    try:
        schedule = parse_schedule(job.schedule)
    except ScheduleError as error:
        raise ScheduleError(f"{job.name}: {error}") from None
    if not isinstance(schedule, IntervalSchedule):
        return schedule.expression, ""
    if cron.version >= (1, 5) and schedule.seconds < 60:
        return f"{schedule.seconds} seconds", ""
    minutes = min(max(schedule.seconds // 60, 1), 59)
    every = "* * * * *" if minutes == 1 else f"*/{minutes} * * * *"
    version = ".".join(map(str, cron.version))
    return every, f"pg_cron {version} cannot do {job.schedule!r}: it runs at {every!r}"


def _schedule(name: str, schedule: str, job: str, database: str, cron: Cron) -> str:
    arguments = [name, schedule, command(job)]
    if database == cron.database:
        return f"select cron.schedule({', '.join(map(quoted, arguments))})"
    return f"select cron.schedule_in_database({', '.join(map(quoted, [*arguments, database]))})"


def quoted(text: str) -> str:
    """A literal, whatever standard_conforming_strings says: nothing here has a backslash but a strange name."""
    plain = "'" + text.replace("'", "''") + "'"
    return plain if "\\" not in text else " E" + plain.replace("\\", "\\\\")


def quoted_name(text: str) -> str:
    """A role's name for an advice."""
    return text if re.fullmatch(r"[a-z_][a-z0-9_]*", text) else '"' + text.replace('"', '""') + '"'


def apply(connection: psycopg.Connection[Any], steps: Sequence[Step]) -> None:
    """Make the changes, all or none.

    Raises:
        JobsError: This role may not.
    """
    try:
        with connection.transaction():
            connection.execute("set local lock_timeout = '5s'")
            for step in steps:
                if step.statement:
                    connection.execute(step.statement.encode())
    except pg.InsufficientPrivilege as error:
        function = "cron.schedule_in_database(text, text, text, text, text, boolean)"
        raise JobsError(
            f"this role may not schedule: {error.diag.message_primary}",
            f"A superuser grants it: grant usage on schema cron to <role>; where the entries are for another database,"
            f" also: grant execute on function {function} to <role>",
            token="pg_cron_not_allowed",
        ) from None
