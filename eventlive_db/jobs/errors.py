"""What goes wrong with the runner of jobs. Every message says what to do next."""

from __future__ import annotations

import re

import psycopg
from psycopg import errors as pg

from eventlive_db.errors import AdvisedError


class JobsError(AdvisedError):
    """The jobs cannot be read, run or scheduled."""

    token = "jobs_failed"


class ScheduleError(JobsError):
    """A schedule that means nothing."""

    token = "bad_schedule"


def describe(error: psycopg.Error) -> str:
    """A database error in one line, without the connection string: SQLSTATE, message, detail and the innermost place.

    What the schema itself refuses has a token for its detail: there the advice is told, and no place.
    """
    diag = error.diag
    text = diag.message_primary or " ".join(str(error).split()) or type(error).__name__
    if error.sqlstate:
        text = f"{error.sqlstate}: {text}"
    if diag.message_detail:
        text += f" ({diag.message_detail})"
    if diag.message_hint and re.fullmatch(r"[a-z][a-z_]*", diag.message_detail or ""):
        text += f"; {diag.message_hint}"
    elif diag.context:
        text += f"; at {diag.context.splitlines()[0]}"
    return text


def is_lost(error: psycopg.Error, *, closed: bool) -> bool:
    """Whether there is no database to talk to, rather than one that refuses."""
    return closed or isinstance(
        error, pg.AdminShutdown | pg.CrashShutdown | pg.CannotConnectNow | pg.TooManyConnections
    )


def unusable(error: psycopg.Error) -> JobsError:
    """What to say where the tables and functions of the jobs cannot be used."""
    if isinstance(error, pg.InsufficientPrivilege):
        return JobsError(
            f"this role may not use the jobs: {describe(error)}",
            "Grant it the role that owns the schema: grant eventlive_owner to <role>",
            token="not_allowed",
        )
    if isinstance(error, pg.UndefinedTable | pg.UndefinedFunction | pg.InvalidSchemaName):
        return JobsError(
            "this database has no jobs of eventlive", "Run: eventlive-db migrate up", token="not_installed"
        )
    return JobsError(f"the database does not answer: {describe(error)}", token="no_answer")
