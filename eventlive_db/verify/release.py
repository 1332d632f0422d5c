"""What is installed: the migration that the database is at, the functions, the jobs. Nothing is called or changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg

from eventlive_db.client.calls import API_SCHEMA
from eventlive_db.client.contract import FUNCTIONS
from eventlive_db.errors import AdvisedError
from eventlive_db.resources import migrations_dir
from eventlive_db.schedules import schedule_problem
from eventlive_db.verify.database import Database
from eventlive_db.verify.model import Check, State, no_data, passed
from eventlive_db.verify.triggers import Trigger

_VERSION = re.compile(r"(\d{4})_\w+\.py")
# Asked first: a refusal would be an error in the log that is judged.
_RIGHTS = """
    select has_schema_privilege(session_user, n.oid, 'usage') and has_table_privilege(session_user, c.oid, 'select'),
           coalesce(has_table_privilege(o.oid, c.oid, 'select'), false)
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      left join pg_roles o on o.oid = to_regrole(%s)
     where n.nspname = 'eventlive' and c.relname = 'alembic_version'
"""

_WELL = frozenset({"ok", "running"})
_ILL = frozenset({"failing", "late", "missing"})
_NEEDED = frozenset({"rollup_live", "close_expired_sessions", "rotate_event_logs"})
"""Jobs without which the product stops working in minutes or days, and not for want of space."""


def newest_migration() -> str:
    """The newest step that this package brings."""
    return max(
        found[1] for path in (migrations_dir() / "versions").iterdir() if (found := _VERSION.fullmatch(path.name))
    )


def check_schema(database: Database) -> Check:
    """Whether the database is at the newest migration of this package."""
    newest = newest_migration()
    advice = "Connect as whoever migrates; or --without schema, where the schema was not installed by migrations."
    rights = database.rows(_RIGHTS, database.owner)
    if not rights:
        return no_data("schema", "migrations", "there is no eventlive.alembic_version", advice)
    [(own, owners)] = rights
    if not own and not owners:
        return no_data("schema", "migrations", "eventlive.alembic_version may not be read", advice)
    # It belongs to whoever migrates, who need not be the owner of the rest.
    ask = database.rows if own else database.owned
    rows = ask("select v.version_num from eventlive.alembic_version v")
    at = ", ".join(sorted(row[0] for row in rows)) or "none"
    if at == newest:
        return passed("schema", "migrations", f"at {at}, the newest of this package")
    if at != "none" and at > newest:
        says = f"at {at}, and this package knows them up to {newest}"
        return no_data("schema", "migrations", says, "Verify with the package that was released.")
    says = f"at {at}, and this package is made for {newest}"
    return Check("schema", "migrations", State.FAILED, says, "eventlive-db migrate up", Trigger.SCHEMA_BEHIND)


def check_functions(database: Database, api_schema: str = API_SCHEMA) -> Iterator[Check]:
    """Whether each function of the contract is there, as the client calls it, for the roles that need it."""
    problems: list[str] = []
    for function in FUNCTIONS.values():
        problems += _problems(
            database, api_schema, function.name, list(function.roles), [p.name for p in function.parameters]
        )
    if problems:
        says = f"{len(problems)} cannot be called: {'; '.join(problems)}"
        advice = "eventlive-db migrate diff shows what was changed by hand."
        yield Check("functions", "contract", State.FAILED, says, advice, Trigger.FUNCTION_NOT_CALLABLE, len(problems))
        return
    yield passed("functions", "contract", f"all {len(FUNCTIONS)} functions of the contract are there and granted")


def _problems(database: Database, api_schema: str, name: str, roles: list[str], parameters: list[str]) -> Iterator[str]:
    rows = database.rows(
        "select p.oid, p.proargnames::text[] from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname = %s and p.proname = %s",
        api_schema,
        name,
    )
    if len(rows) != 1:
        yield f"{name} is there {len(rows)} times" if rows else f"{name} is missing"
        return
    [(oid, arguments)] = rows
    if missing := [parameter for parameter in parameters if parameter not in (arguments or [])]:
        yield f"{name} has no parameter {', '.join(missing)}"
    for role, allowed in database.rows(
        "select r.rolname, has_schema_privilege(r.oid, %s, 'usage')"
        " and has_function_privilege(r.oid, %s::oid, 'execute')"
        " from pg_roles r where r.rolname = any (%s)",
        api_schema,
        oid,
        roles,
    ):
        if not allowed:
            yield f"{role} may not call {name}"


def check_jobs(database: Database) -> Check:
    """Whether every job has run when it should."""
    advice = "Connect as whoever migrates, at the newest migration; or --without jobs."
    try:
        if not database.is_there("to_regprocedure('eventlive.job_health()')"):
            return no_data("jobs", "jobs", "there is no eventlive.job_health()", advice)
        rows = database.owned(
            "select j.name::text, j.state::text, j.detail::text, j.schedule::text from eventlive.job_health() j"
        )
    except psycopg.errors.InsufficientPrivilege as error:
        return no_data("jobs", "jobs", f"eventlive.job_health(): {_first_line(error)}", advice)
    try:
        return _judge_jobs([_Job(*row) for row in rows])
    except AdvisedError as error:
        return no_data("jobs", "jobs", str(error), error.advice or advice)


@dataclass(frozen=True, slots=True)
class _Job:
    """A row of ``eventlive.job_health()``; no schedule where the job's own row is gone."""

    name: str
    state: str
    detail: str | None
    schedule: str | None

    @property
    def says(self) -> str:
        """How it does."""
        return f"{self.name} is {self.state}{f' ({self.detail})' if self.detail else ''}"

    @property
    def problem(self) -> str:
        """Why it does badly; empty where it does not. What no runner can read does not run, however it does so far."""
        if self.state in _ILL:
            return self.says
        unread = self.schedule is not None and self.state != "disabled" and schedule_problem(self.schedule)
        return f"{self.name}: {unread}" if unread else ""


def _judge_jobs(jobs: Sequence[_Job]) -> Check:
    if ill := [problem for job in jobs if (problem := job.problem)]:
        advice = "eventlive.job_runs has the errors; eventlive-db jobs check says more."
        return Check("jobs", "jobs", State.FAILED, "; ".join(ill), advice, Trigger.JOB_FAILING, len(ill))
    disabled = [job.name for job in jobs if job.state == "disabled"]
    unsure = [job.says for job in jobs if job.state not in _WELL | {"disabled"}]
    if unsure or not jobs or _NEEDED & set(disabled) or len(disabled) == len(jobs):
        says = "; ".join([*unsure, *(f"{name} is disabled" for name in disabled)]) or "there is no job"
        advice = "Wait until each has run once, and switch on what is disabled; or --without jobs."
        return no_data("jobs", "jobs", says, advice)
    if disabled:
        says = f"{len(jobs) - len(disabled)} jobs are well; disabled: {', '.join(disabled)}"
        return passed("jobs", "jobs", says)
    return passed("jobs", "jobs", f"all {len(jobs)} jobs are well")


def _first_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip().splitlines()[0]
