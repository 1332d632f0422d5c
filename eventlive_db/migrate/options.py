"""What a run of alembic is told: by our own runner, by ``alembic -x name=value``, or by the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eventlive_db.migrate.errors import MigrateError
from eventlive_db.migrate.render import DEFAULT_API_SCHEMA, DEFAULT_OWNER, Names

DSN_VARIABLE = "EVENTLIVE_DSN"
API_SCHEMA_VARIABLE = "EVENTLIVE_API_SCHEMA"
OWNER_VARIABLE = "EVENTLIVE_OWNER"


@dataclass(frozen=True, slots=True)
class Step:
    """One migration that was run.

    Attributes:
        revision: Its number, such as ``0002``.
        title: What it is about.
        direction: ``up`` or ``down``.
    """

    revision: str
    title: str
    direction: str


@dataclass(frozen=True, slots=True)
class Options:
    """Choices for one run.

    Attributes:
        dsn: libpq connection string or URI; not needed to write SQL.
        api_schema: The exposed schema; None takes what the database was installed with, else the default.
        owner: The owner role; None likewise.
        discard_data: Whether a step back may drop tables that hold data.
        on_step: Called at the end of each step, online just before it commits.
    """

    dsn: str | None = None
    api_schema: str | None = None
    owner: str | None = None
    discard_data: bool = False
    on_step: Callable[[Step], None] | None = None

    @classmethod
    def from_alembic(cls, arguments: Mapping[str, str]) -> Options:
        """From ``-x dsn=… -x api_schema=… -x owner=… -x discard_data=on`` and the environment.

        Raises:
            MigrateError: An argument has another name.
        """
        unknown = set(arguments) - {"dsn", "api_schema", "owner", "discard_data"}
        if unknown:
            msg = f"alembic -x does not know {', '.join(sorted(unknown))}; "
            msg += "there are dsn, api_schema, owner and discard_data"
            raise MigrateError(msg)
        return cls(
            dsn=arguments.get("dsn") or os.environ.get(DSN_VARIABLE),
            api_schema=arguments.get("api_schema") or os.environ.get(API_SCHEMA_VARIABLE) or None,
            owner=arguments.get("owner") or os.environ.get(OWNER_VARIABLE) or None,
            discard_data=arguments.get("discard_data") == "on",
        )

    def names(self, recorded: Names | None = None) -> Names:
        """The names to render.

        Args:
            recorded: What the database was installed with.

        Raises:
            MigrateError: Other names were asked for than those it was installed with.
            NameRefusedError: A name that the SQL cannot carry.
        """
        known = recorded or Names(DEFAULT_API_SCHEMA, DEFAULT_OWNER)
        names = Names(self.api_schema or known.api_schema, self.owner or known.owner)
        if recorded is not None and names != recorded:
            msg = f"this database was installed with --api-schema {recorded.api_schema} --owner {recorded.owner}"
            msg += "; give the same names, or none"
            raise MigrateError(msg)
        return names
