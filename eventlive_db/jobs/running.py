"""One run of a job: the call, its repeats, and the record of its failure."""

from __future__ import annotations

import random as chance
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg import errors as pg

from eventlive_db.jobs.catalog import STOPPED, begun_since
from eventlive_db.jobs.errors import describe, is_lost
from eventlive_db.jobs.session import connect_for_run

ATTEMPTS = 5
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 60.0
_CANCEL_S = 2.0
# Somebody else holds what it needs, and will not for long.
_PASSING = (pg.LockNotAvailable, pg.DeadlockDetected)
_BEGUN = "select r.run_id from eventlive.job_runs r where r.job_name = %s and r.finished_at is null"
_TAKE_BACK = "update eventlive.job_runs r set error = %s where r.job_name = %s and r.run_id = any (%s)"


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run.

    Attributes:
        job: The job.
        outcome: ``done``; ``running``: elsewhere, at this moment; ``begun_elsewhere``: another runner was first;
            ``disabled``; ``failed``; ``stopped``: because the runner ends; ``lost``: there is no database.
        rows: Rows it changed.
        batches: Transactions it took.
        attempts: Calls that were made.
        seconds: How long all of it took.
        error: Why it failed, with the SQLSTATE; empty where it did not.
        note: What else is to be said.
    """

    job: str
    outcome: str
    rows: int = 0
    batches: int = 0
    attempts: int = 0
    seconds: float = 0.0
    error: str = ""
    note: str = ""

    @property
    def failed(self) -> bool:
        """Whether it did not do what it should."""
        return self.outcome in {"failed", "stopped", "lost"}


class Runner:
    """Runs one job once. ``cancel`` may be called by another thread.

    Args:
        dsn: Where the database is; not a pooler that shares sessions.
        name: The job.
        unless_since: Do nothing where somebody has started it since then.
        attempts: Calls to make, at most, while others hold what it needs.
        random: Gives numbers from 0 up to 1, for the waits between them.
    """

    def __init__(
        self,
        dsn: str,
        name: str,
        *,
        unless_since: datetime | None = None,
        attempts: int = ATTEMPTS,
        random: Callable[[], float] = chance.random,
    ) -> None:
        self.name = name
        self._dsn, self._unless_since, self._attempts, self._random = dsn, unless_since, attempts, random
        self._lock = threading.Lock()
        self._calling: psycopg.Connection[Any] | None = None
        self._cancelled = threading.Event()
        self._failed_runs: list[int] = []

    def run(self) -> Run:
        """Run it, and record a failure in the database as well as that can be done."""
        began = time.monotonic()
        try:
            with connect_for_run(self._dsn, self.name) as connection:
                run = self._run(connection)
                if run.outcome == "stopped" and self._failed_runs:
                    note = self._take_back(connection)
                    run = replace(run, note=run.note or note)
        except psycopg.Error as error:
            run = Run(self.name, "lost", error=describe(error))
        return replace(run, seconds=time.monotonic() - began)

    def _run(self, connection: psycopg.Connection[Any]) -> Run:
        if self._unless_since and begun_since(connection, self.name, self._unless_since):
            return Run(self.name, "begun_elsewhere")
        for attempt in range(1, self._attempts + 1):
            if self._cancelled.is_set():
                break
            try:
                reply = self._call(connection)
            except psycopg.Error as error:
                run = self._failure(connection, error, attempt)
                if run.outcome != "failed" or attempt == self._attempts or not isinstance(error, _PASSING):
                    return run
                # Full jitter: those who met here do not meet again.
                wait_s = min(_FIRST_WAIT_S * 2.0 ** min(attempt, 10), _LONGEST_WAIT_S)
                self._cancelled.wait(self._random() * wait_s)
            else:
                rows, batches = int(reply["rows"]), int(reply["batches"])
                return Run(self.name, reply["outcome"], rows, batches, attempt)
        return Run(self.name, "stopped", attempts=attempt - 1, error=STOPPED)

    def _failure(self, connection: psycopg.Connection[Any], error: psycopg.Error, attempt: int) -> Run:
        """What an error of the call means; recorded, where there is a database left."""
        if is_lost(error, closed=connection.closed):
            return Run(self.name, "lost", attempts=attempt, error=describe(error))
        stopped = self._cancelled.is_set() and isinstance(error, (pg.QueryCanceled, *_PASSING))
        said = STOPPED if stopped else describe(error)
        note = self._record(connection, said)
        return Run(self.name, "stopped" if stopped else "failed", attempts=attempt, error=said, note=note)

    def cancel(self) -> None:
        """End the call that is under way, and make no further one. What it has committed stays."""
        self._cancelled.set()
        with self._lock:
            if self._calling is not None:
                # Where the server cannot be reached for this, the call has come to its end, or will.
                with suppress(psycopg.Error):
                    self._calling.cancel_safe(timeout=_CANCEL_S)

    def _call(self, connection: psycopg.Connection[Any]) -> dict[str, Any]:
        with self._lock:
            self._calling = connection
        try:
            row = connection.execute("call eventlive.run_job(%s)", [self.name]).fetchone()
        finally:
            with self._lock:
                self._calling = None
        assert row is not None  # noqa: S101  # a procedure with an inout parameter returns it
        reply: dict[str, Any] = row[0]
        return reply

    def _record(self, connection: psycopg.Connection[Any], said: str) -> str:
        """Record the failure; say so where it cannot be done."""
        try:
            with connection.transaction():
                connection.execute("select eventlive.begin_batch()")
                begun = connection.execute(_BEGUN, [self.name]).fetchone()
                row = connection.execute("select eventlive.fail_job(%s, %s)", [self.name, said]).fetchone()
        except psycopg.Error as error:
            return f"this could not be recorded ({describe(error)}); the next run records that this one died"
        if row and row[0]:
            self._failed_runs += begun if begun and said != STOPPED else ()
            return ""
        # It failed before it began, or a pooler has given the session to another.
        return "nothing was recorded: this session ran no job; a pooler that shares sessions does not do"

    def _take_back(self, connection: psycopg.Connection[Any]) -> str:
        """Have its attempts count as not begun, as the run does: they failed for what may have passed."""
        try:
            with connection.transaction():
                connection.execute("select eventlive.begin_batch()")
                connection.execute(_TAKE_BACK, [STOPPED, self.name, self._failed_runs])
        except psycopg.Error as error:
            return f"its attempts stay recorded as failures ({describe(error)})"
        return ""
