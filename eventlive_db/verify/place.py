"""Where the functions of the contract are: in the exposed schema, whose name is chosen at the installation."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from eventlive_db.client.calls import API_SCHEMA
from eventlive_db.client.contract import FUNCTIONS
from eventlive_db.verify.database import Database

# Asked first: a refusal would be an error in the log that is judged. It belongs to the owner of the rest.
_READABLE = """
    select has_schema_privilege(r.oid, n.oid, 'usage') and has_table_privilege(r.oid, c.oid, 'select')
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      join pg_roles u on u.rolname = session_user
      join pg_roles r on r.oid = coalesce(to_regrole(%s)::oid, u.oid)
     where n.nspname = 'eventlive' and c.relname = 'installation'
"""
_HAS_OURS = """
    select exists (
        select from pg_proc p
          join pg_namespace n on n.oid = p.pronamespace
         where n.nspname = %s and p.proname = any (%s)
    )
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look.

    Attributes:
        schema: The exposed schema.
        installed: Whether there is anything of EventLive.
        nothing_there: Why nothing can be told of the functions, and advice; none where they can be looked at.
    """

    schema: str
    installed: bool = True
    nothing_there: tuple[str, str] | None = None


def find_place(database: Database, named: str | None) -> Place:
    """See where the functions are.

    Args:
        database: The database.
        named: The exposed schema, where somebody named it; else it is the one installed.
    """
    if not database.value("select exists (select from pg_namespace n where n.nspname = 'eventlive')"):
        nothing = "there is no schema eventlive", "eventlive-db migrate up; or correct --dsn."
        return Place(named or API_SCHEMA, False, nothing)
    recorded = _recorded(database)
    schema = named or recorded or API_SCHEMA
    # Where they were installed they have to be: that they are gone is a failure.
    if schema == recorded or database.value(_HAS_OURS, schema, list(FUNCTIONS)):
        return Place(schema)
    advice = f"They were installed in {recorded}: leave out --api-schema." if recorded else "Name it with --api-schema."
    return Place(schema, True, (f"there is no function of the contract in schema {schema}", advice))


def installed_schema(dsn: str) -> str:
    """The exposed schema as it was installed; its usual name where that cannot be found out."""
    try:
        with Database(dsn) as database:
            return find_place(database, None).schema
    except psycopg.Error:
        # Whoever connects next says why.
        return API_SCHEMA


def _recorded(database: Database) -> str | None:
    if database.value(_READABLE, database.owner) is not True:
        return None
    rows = database.owned("select i.api_schema::text from eventlive.installation i")
    return str(rows[0][0]) if rows else None
