"""Runs migrations through alembic, without printing.

Alembic keeps the run it is in as a global of the process, so these functions take turns between threads.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from eventlive_db.migrate import session
from eventlive_db.migrate.environment import OPTIONS_KEY
from eventlive_db.migrate.errors import MigrateError, StatementError, describe
from eventlive_db.migrate.options import Options, Step
from eventlive_db.migrate.render import Names
from eventlive_db.resources import migrations_dir

BASE = "base"
"""Stands for a database without the schema."""

_turn = threading.RLock()


@dataclass(frozen=True, slots=True)
class Status:
    """Where a database is.

    Attributes:
        current: Its revision; None where the schema is not installed.
        head: The newest revision of this package.
        pending: Revisions to go, the next first.
        names: The names it was installed with; None where it is not installed.
    """

    current: str | None
    head: str
    pending: tuple[str, ...]
    names: Names | None

    @property
    def up_to_date(self) -> bool:
        """Whether there is nothing to go."""
        return not self.pending


def upgrade(options: Options, revision: str = "head") -> list[Step]:
    """Migrate forward.

    Args:
        options: Which database, with which names.
        revision: Where to: a revision, ``head``, or ``+1``.

    Returns:
        The steps that were taken; none if the database was there already.

    Raises:
        MigrateError: It failed. The step that failed is rolled back; those before it stay.
    """
    return _run(options, lambda config: command.upgrade(config, revision))


def downgrade(options: Options, revision: str) -> list[Step]:
    """Migrate back. Roles stay: they belong to the whole cluster.

    Args:
        options: Which database; ``discard_data`` allows to drop tables that hold data.
        revision: Where to: a revision, ``base``, or ``-1``.

    Returns:
        The steps that were taken.

    Raises:
        MigrateError: It failed, or tables hold data. The step that failed is rolled back; those before it stay.
    """
    return _run(options, lambda config: command.downgrade(config, revision))


def script(options: Options, start: str = BASE, end: str = "head", *, back: bool = False) -> str:
    """The SQL that leads from one revision to another, to be read and run with psql.

    Args:
        options: The names, and whether data may be lost; no database is asked.
        start: The revision of the database it is meant for, ``base`` or ``head``.
        end: The revision it leads to, ``base`` or ``head``.
        back: Whether it is meant to lead back.

    Raises:
        MigrateError: There is no such revision, or the way from one to the other leads in the other direction.
    """
    order = [BASE, *revisions()]
    first, last = _place(start, order), _place(end, order)
    if first == last:
        msg = f"{start} and {end} are the same revision; there is nothing to write"
        raise MigrateError(msg)
    if back != (first > last):
        msg = f"{start} to {end} is the way {'forward; leave out' if back else 'back; add'} --down"
        raise MigrateError(msg)
    buffer = io.StringIO()
    run = command.downgrade if back else command.upgrade
    _run(options, lambda config: run(config, f"{order[first]}:{order[last]}", sql=True), buffer)
    return buffer.getvalue()


def _place(name: str, order: list[str]) -> int:
    known = order[-1] if name == "head" else name
    if known not in order:
        msg = f"there is no revision {name}; there are {', '.join(order)} and head"
        raise MigrateError(msg)
    return order.index(known)


def revisions() -> list[str]:
    """The revisions of this package, the first one first."""
    with _turn:
        directory = ScriptDirectory.from_config(_config())
        return [found.revision for found in directory.walk_revisions()][::-1]


def status(dsn: str | None) -> Status:
    """Where a database is. Changes nothing.

    Args:
        dsn: Which database.

    Raises:
        MigrateError: It cannot be read, or it is at a revision that this package does not have.
    """
    known = revisions()
    with _explained(), session.connect(dsn) as connection:
        current = session.current_revision(connection)
        names = session.recorded_names(connection)
    if current is not None and current not in known:
        msg = f"the database is at revision {current}, which this eventlive-db does not have; "
        msg += "install the version that it was migrated with, or a newer one"
        raise MigrateError(msg)
    done = known.index(current) + 1 if current else 0
    return Status(current, known[-1], tuple(known[done:]), names)


def _config(buffer: io.StringIO | None = None) -> Config:
    config = Config(stdout=io.StringIO(), output_buffer=buffer or io.StringIO())
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _run(options: Options, run: Callable[[Config], Any], buffer: io.StringIO | None = None) -> list[Step]:
    steps: list[Step] = []

    def on_step(step: Step) -> None:
        steps.append(step)
        if options.on_step is not None:
            options.on_step(step)

    with _turn, _explained():
        config = _config(buffer)
        config.attributes[OPTIONS_KEY] = replace(options, on_step=on_step)
        run(config)
    return steps


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what alembic, SQLAlchemy and the driver raise into one kind of error."""
    try:
        yield
    except MigrateError:
        raise
    except CommandError as error:
        msg = f"{error}; 'migrate status' says where the database is"
        raise MigrateError(msg) from error
    except DBAPIError as error:
        statement = _statement_error(error)
        if statement is not None:
            raise statement from error
        cause = error.orig
        msg = describe(cause) if isinstance(cause, psycopg.Error) else str(error)
        raise MigrateError(msg) from error
    except psycopg.Error as error:
        raise MigrateError(describe(error)) from error


def _statement_error(error: BaseException) -> StatementError | None:
    """The statement that failed first, where rolling back failed too because the connection was gone."""
    earlier: BaseException | None = error
    while earlier is not None:
        if isinstance(earlier, StatementError):
            return earlier
        earlier = earlier.__context__
    return None
