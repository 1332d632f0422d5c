"""The verifier's own view of the database: as the owner of the schema, on one connection that never waits for long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from eventlive_db.client.options import connect_options
from eventlive_db.verify.thresholds import DEFAULTS

APPLICATION = "eventlive-db verify"
STATEMENT_TIMEOUT_S = 30
_SETTINGS = "select set_config('statement_timeout', %s, true), set_config('search_path', 'pg_catalog, pg_temp', true)"
_LOGGED = ("debug5", "debug4", "debug3", "debug2", "debug1", "info", "notice", "warning", "error")


def named(dsn: str) -> str:
    """The DSN, with a name by which our connections are seen."""
    return make_conninfo(dsn, application_name=APPLICATION)


class Database:
    """One connection, in autocommit mode; rows are read and what the canary made is removed as the schema's owner.

    Args:
        dsn: Whoever connects may act as the owner of the schema ``eventlive``; else less is seen, and nothing tried.

    Raises:
        psycopg.Error: It cannot be connected to.
    """

    def __init__(self, dsn: str) -> None:
        # A failure shows where it was and never how one gets in: psycopg keeps passwords out of its messages.
        self._connection: psycopg.Connection[Any] = psycopg.connect(
            named(dsn), autocommit=True, **connect_options(named(dsn))
        )
        self.owner: str | None = None
        try:
            # Since 16 a role may be a member of another and still not be allowed to become it.
            member = "SET" if self._connection.info.server_version >= 160000 else "MEMBER"
            self.owner = self.value(
                "select n.nspowner::regrole::text from pg_namespace n"
                " where n.nspname = 'eventlive' and pg_has_role(session_user, n.nspowner, %s)",
                member,
            )
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of a query; its parameters one by one, or a single mapping of those that have names."""
        return self._rows(None, query, parameters)

    def owned(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of a query, asked as the owner."""
        return self._rows(self.owner, query, parameters)

    def _rows(self, role: str | None, query: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        with self._connection.transaction():
            # For this transaction alone: behind a pooler the session is somebody else's next.
            self._connection.execute(_SETTINGS, [f"{STATEMENT_TIMEOUT_S}s"])
            if role:
                # The text of a regrole is quoted where it has to be.
                self._connection.execute(sql.SQL("set local role {}").format(sql.SQL(role)))
            given = parameters[0] if parameters and isinstance(parameters[0], Mapping) else parameters
            return self._connection.execute(query.encode(), given or None).fetchall()

    def value(self, query: str, *parameters: object) -> Any:
        """The first value of the first row; ``None`` where there is none."""
        rows = self.rows(query, *parameters)
        return rows[0][0] if rows else None

    def is_there(self, looked_up: str) -> bool:
        """Whether something exists. Asked first: naming what does not would put the very error that is looked for
        into the server's log.

        Args:
            looked_up: A call of one of the functions ``to_reg…``.
        """
        return self.owned(f"select {looked_up} is not null") == [(True,)]

    def thresholds(self) -> dict[str, float]:
        """The thresholds that are set in the database, by key; where there are none, what the package ships."""
        found = dict(DEFAULTS)
        try:
            if not self.is_there("to_regclass('eventlive.settings')"):
                return found
            rows = self.owned(
                "select s.key, s.value::text::double precision from eventlive.settings s"
                " where s.key = any (%s) and jsonb_typeof(s.value) = 'number'",
                list(DEFAULTS),
            )
        except psycopg.errors.InsufficientPrivilege:
            return found
        return found | dict(rows)

    def why_errors_are_not_logged(self) -> str | None:
        """Why a log without errors would prove nothing, if the server is set to log none."""
        level = self.value("select current_setting('log_min_messages')")
        if level in _LOGGED:
            return None
        return f"log_min_messages is {level}: the server logs no errors"


def why_no_canary(database: Database, roles: Sequence[str]) -> tuple[str, str] | None:
    """What stands in the way of making a canary webinar and, above all, of removing it; with advice.

    Args:
        database: The database.
        roles: Those that the canary's callers take on over psycopg; none where they call over HTTP.
    """
    if database.value("select pg_is_in_recovery()"):
        return "this is a standby, which takes no writes", "Give the DSN of the primary."
    if not database.value("select exists (select from pg_namespace n where n.nspname = 'eventlive')"):
        return "there is no schema eventlive", "eventlive-db migrate up"
    who = database.value("select session_user::text")
    if database.owner is None:
        return f"{who} may not act as the owner of the schema, and so could not remove the canary", (
            f"grant the owner to it, or connect as an administrator: grant eventlive_owner to {who}"
        )
    if not database.is_there("to_regprocedure('eventlive.delete_webinar(uuid)')"):
        return "there is no eventlive.delete_webinar(uuid) to remove the canary with", "eventlive-db migrate up"
    missing = [role for role in roles if not database.value(_MAY_BECOME, role)]
    if missing:
        return f"{who} may not become {', '.join(missing)}", f"grant {', '.join(missing)} to {who}"
    return None


_MAY_BECOME = (
    "select pg_has_role(session_user, r.oid, case when current_setting('server_version_num')::integer >= 160000"
    " then 'SET' else 'MEMBER' end) from pg_roles r where r.rolname = %s"
)
