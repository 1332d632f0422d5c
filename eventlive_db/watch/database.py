"""What the database says of itself: ``pg_stat_*``, the settings and the jobs, in one short transaction.

It is read only, with a statement_timeout, and nothing of it outlasts the transaction, so that it also works through a
pooler. A backend that does not answer at all, as when its machine is gone, is given up by cutting the connection.
"""

from __future__ import annotations

import os
import random as chance
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from eventlive_db.schedules import schedule_problem
from eventlive_db.watch import queries
from eventlive_db.watch.errors import WatchError
from eventlive_db.watch.figures import Figures, Holder, Job, TableFigures

_CONNECT_S = 5
_ANSWER_S = 20.0
_BACKOFF_CAP_S = 60.0


class UnreachableError(Exception):
    """The database gave no answer; the message says why, and no password."""


class Database:
    """One connection, made when it is needed and kept.

    Args:
        dsn: Where the database is.
        answer_s: After so many seconds without an answer to all of it the connection is cut.
        random: Gives numbers from 0 up to 1.

    Raises:
        WatchError: The DSN cannot be read.
    """

    def __init__(self, dsn: str, *, answer_s: float = _ANSWER_S, random: Callable[[], float] = chance.random) -> None:
        try:
            conninfo_to_dict(dsn)
        except psycopg.ProgrammingError:
            # Its message repeats the DSN, with the password.
            msg = "the DSN is neither a libpq connection string nor a URI"
            raise WatchError(msg, "It looks like postgresql://user@host/database", token="bad_dsn") from None
        self._dsn, self._answer_s, self._random = dsn, answer_s, random
        self._connection: psycopg.Connection[Any] | None = None
        self._not_before = float("-inf")
        self.failures = 0
        """Tries in a row that failed."""
        self.problem = ""
        """Why the last one did."""

    def read(self, now: float, *, settings: bool) -> Figures | None:
        """Look once; none where it did not answer, or the next try is not due yet.

        The second try comes with the next look; further ones back off exponentially, with full jitter, up to a minute.

        Args:
            now: Seconds that only grow.
            settings: Whether to read the thresholds, too.
        """
        if now < self._not_before:
            return None
        try:
            figures = self._read(settings)
        except UnreachableError as error:
            self.failures += 1
            self.problem = str(error)
            bound = min(_BACKOFF_CAP_S, 2.0 ** min(self.failures, 10))
            self._not_before = now + self._random() * bound if self.failures > 1 else now
            return None
        self.failures, self.problem, self._not_before = 0, "", float("-inf")
        return figures

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, settings: bool) -> Figures:
        try:
            connection = self._connect()
            with self._watchdog(connection), connection.transaction():
                return _figures(connection, settings)
        except psycopg.Error as error:
            # Whatever it was: the next look begins with a connection of its own.
            self.close()
            raise UnreachableError(_one_line(error)) from None

    def _connect(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=_CONNECT_S,
                application_name="eventlive-db watch",
                # Behind a pooler the next transaction may meet another backend.
                prepare_threshold=None,
            )
        return self._connection

    @contextmanager
    def _watchdog(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        descriptor = connection.fileno()

        def cut() -> None:
            with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as same:
                same.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self._answer_s, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _one_line(error: psycopg.Error) -> str:
    state = f"{error.sqlstate}: " if error.sqlstate else ""
    return state + (" ".join(str(error).split())[:300] or type(error).__name__)


def _figures(connection: psycopg.Connection[Any], settings: bool) -> Figures:
    connection.execute("set transaction read only")
    connection.execute("set local statement_timeout = '5s'")
    connection.execute("set local lock_timeout = '2s'")
    connection.execute("set local search_path = ''")
    one = connection.execute(queries.SELF).fetchone()
    assert one is not None  # noqa: S101  # it has no FROM
    role, monitor, next_xid, can_read_settings, settings_hidden, can_ask_jobs = one
    figures = Figures(role=role, may_monitor=monitor, next_xid=int(next_xid))
    if monitor:
        row = connection.execute(queries.CONNECTIONS).fetchone()
        assert row is not None  # noqa: S101  # it is an aggregate
        figures.connections, figures.connection_limit, figures.lock_waiters = map(int, row)
        figures.holders = [Holder(*row) for row in connection.execute(queries.HOLDERS)]
    figures.tables = [TableFigures(*row) for row in connection.execute(queries.TABLES)]
    if can_ask_jobs:
        figures.jobs = [_job(*row) for row in connection.execute(queries.JOBS)]
    if settings and can_read_settings:
        rows = connection.execute(queries.SETTINGS).fetchall()
        figures.settings = rows if rows or not settings_hidden else None
    figures.settings_asked = settings
    return figures


def _job(name: str, state: str, detail: str | None, success_age_s: float | None, schedule: str | None) -> Job:
    """A job as it is: whatever else is wrong comes from a schedule that no runner can read."""
    problem = schedule_problem(schedule) if schedule is not None and state != "disabled" else ""
    return Job(name, "bad_schedule", problem, success_age_s) if problem else Job(name, state, detail, success_age_s)
