"""A picture of what lies in some schemas of a database, made of text that two databases can be compared by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg

from eventlive_db.migrate.render import Names
from eventlive_db.migrate.trust import is_plain_table

SETTING = "setting"
"""Kind of object that stands for a shipped row of ``eventlive.settings``."""

VALUE_IN_FORCE = "value"
"""Aspect of a setting that its owner may change."""

_MACHINERY = frozenset({"table eventlive.alembic_version", "table eventlive.installation"})

_USER_SCHEMAS = """
select array_agg(n.nspname::text order by n.nspname)
  from pg_namespace n
 where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
"""

_SETTINGS = """
select format('setting %s', s.key), a.aspect, a.value
  from eventlive.settings s
 cross join lateral jsonb_each_text(to_jsonb(s) - 'key') as a (aspect, value)
"""


@dataclass(frozen=True, slots=True)
class Catalog:
    """What lies in some schemas.

    Attributes:
        entries: ``(object, aspect) -> value``, such as
            ``("table eventlive.webinars", "column slug") -> "text not null storage x"``.
    """

    entries: dict[tuple[str, str], str]

    def lines(self) -> list[str]:
        """One sorted line for each entry; line breaks inside a value are escaped."""
        return sorted(
            f"{object_} | {aspect} | {value}".replace("\\", "\\\\").replace("\n", "\\n")
            for (object_, aspect), value in self.entries.items()
        )

    def objects(self) -> frozenset[str]:
        """The objects."""
        return frozenset(object_ for object_, _ in self.entries)


def our_schemas(names: Names) -> tuple[str, str]:
    """The schemas that this package has objects in."""
    return ("eventlive", names.api_schema)


def read_catalog(
    connection: psycopg.Connection[Any],
    names: Names | None = None,
    *,
    schemas: Iterable[str] | None = None,
    machinery: bool = False,
) -> Catalog:
    """Read the catalog, in a transaction of its own.

    Covered: schemas, tables, partitions, views, sequences, columns, constraints, indexes, triggers, rules, policies,
    functions, types, owners, privileges and default privileges, options, comments, and the rows of
    ``eventlive.settings``. What else lies in the schemas is listed by name.

    Args:
        connection: No transaction is open.
        names: The names in this database.
        schemas: Schemas to read; default: ours. An empty list stands for every schema but the system's.
        machinery: Whether to list the migrations' own tables too.
    """
    names = names or Names()
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("set local search_path = ''")  # so that names of other schemas are written out
        connection.execute("set local quote_all_identifiers = off")
        chosen = list(our_schemas(names) if schemas is None else schemas)
        if not chosen:
            row = connection.execute(_USER_SCHEMAS).fetchone()
            chosen = list(row[0] or []) if row else []
        query = files(__package__).joinpath("catalog.sql").read_text(encoding="utf-8")
        rows = connection.execute(query.encode(), {"schemas": chosen, "owner": names.owner}).fetchall()
        if "eventlive" in chosen and is_plain_table(connection, "settings"):
            rows += connection.execute(_SETTINGS.encode()).fetchall()
    entries = {
        (object_, aspect): value or ""
        for object_, aspect, value in rows
        if value is not None and (machinery or object_ not in _MACHINERY)
    }
    return Catalog(entries)
