"""Where the rules look: which schemas, which of them clients may see, and who the clients are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from eventlive_db.lint.errors import LintError

PRIVATE_SCHEMA = "eventlive"
CLIENT_ROLES = ("anon", "authenticated")

# Those that functions and views on top of the private schema live in, where a client may see them.
_EXPOSED_WITH = """
select distinct n.nspname::text
  from (
        select p.pronamespace
          from pg_depend d
          join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
          join pg_proc inner_p on d.refclassid = 'pg_proc'::regclass and inner_p.oid = d.refobjid
         where inner_p.pronamespace = any (%(private)s::text[]::regnamespace[])
        union all
        select v.relnamespace
          from pg_depend d
          join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
          join pg_class v on v.oid = r.ev_class
          join pg_class c on d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid
         where c.relnamespace = any (%(private)s::text[]::regnamespace[])
       ) as o (schema_oid)
  join pg_namespace n on n.oid = o.schema_oid
 where n.nspname <> all (%(private)s::text[])
   and exists (
        select from pg_roles r where r.rolname = any (%(clients)s) and has_schema_privilege(r.oid, n.oid, 'usage')
   )
 order by 1
"""

_USABLE = """
select n.nspname::text
  from pg_namespace n
 where n.nspname = any (%(schemas)s)
   and exists (
        select from pg_roles r where r.rolname = any (%(clients)s) and has_schema_privilege(r.oid, n.oid, 'usage')
   )
 order by 1
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where the rules look.

    Attributes:
        schemas: All schemas that are looked at.
        exposed: Those of them that clients call and read by name, such as the ``db-schemas`` of PostgREST.
        clients: The roles that anybody may act as.
    """

    schemas: tuple[str, ...]
    exposed: tuple[str, ...]
    clients: tuple[str, ...]

    def query(self, text: str) -> sql.Composed:
        """A rule's query, which may name ``schemas``, ``tables`` and the other parts of ``scope.sql``."""
        named = _named(text)
        parts = sql.SQL(_ours(f"with {','.join(named)}" if named else "")).format(
            schemas=sql.Literal(list(self.schemas)),
            exposed=sql.Literal(list(self.exposed)),
            clients=sql.Literal(list(self.clients)),
        )
        query = sql.SQL(_ours(text.strip().rstrip(";")))
        return sql.SQL("{} select * from ({}) as found").format(parts, query)


def _named(text: str) -> list[str]:
    """The parts of ``scope.sql`` that a query takes, directly or for another part; those that others name first."""
    taken: list[str] = []
    for name, part in reversed(_parts()):
        if re.search(rf"\b{name}\b", "\n".join([text, *taken])):
            taken.insert(0, part)
    return taken


@cache
def _parts() -> tuple[tuple[str, str], ...]:
    """Name and text of each part; one names only those above it."""
    template = files(__package__).joinpath("scope.sql").read_text(encoding="utf-8")
    return tuple(
        (match[1], match[0]) for match in re.finditer(r"^(\w+) as \(\n.*?\n\)", template, re.MULTILINE | re.DOTALL)
    )


def _ours(text: Any) -> LiteralString:
    """Text from a file of this package, and from no input."""
    ours: LiteralString = text
    return ours


def find_scope(
    connection: psycopg.Connection[Any],
    schemas: Sequence[str] = (),
    exposed: Sequence[str] = (),
    clients: Sequence[str] = (),
) -> Scope:
    """Work out where to look.

    Args:
        connection: Whose search path is ``pg_catalog``.
        schemas: What to look at; without any, the schema ``eventlive`` and the exposed one on top of it.
        exposed: Which of them clients use by name; without any, those on which a client has USAGE.
        clients: The client roles; without any, ``anon`` and ``authenticated`` as far as they exist.

    Raises:
        LintError: A schema or role does not exist, or there is nothing to look at.
    """
    _must_exist(connection, "role", "select rolname::text from pg_roles", clients)
    _must_exist(connection, "schema", "select nspname::text from pg_namespace", [*schemas, *exposed])
    roles = list(clients or CLIENT_ROLES)
    if schemas:
        shown = list(exposed) or _names(connection, _USABLE, schemas=list(schemas), clients=roles)
        return Scope(_unique(schemas, shown), tuple(shown), tuple(roles))
    if not _names(connection, "select nspname from pg_namespace where nspname = %(name)s", name=PRIVATE_SCHEMA):
        if not exposed:
            msg = f"there is no schema {PRIVATE_SCHEMA} in this database"
            raise LintError(msg, "Run eventlive-db migrate up first, or name schemas with --schema", token="no_schema")
        return Scope(_unique(exposed), tuple(exposed), tuple(roles))
    shown = list(exposed) or _names(connection, _EXPOSED_WITH, private=[PRIVATE_SCHEMA], clients=roles)
    return Scope(_unique([PRIVATE_SCHEMA], shown), tuple(shown), tuple(roles))


def _unique(*names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in names for name in group))


def _names(connection: psycopg.Connection[Any], query: str, **parameters: object) -> list[str]:
    return [name for (name,) in connection.execute(query.encode(), parameters)]


def _must_exist(connection: psycopg.Connection[Any], kind: str, query: str, names: Sequence[str]) -> None:
    known = set(_names(connection, query)) if names else set()
    for name in names:
        if name not in known:
            msg = f"there is no {kind} {name} in this database"
            raise LintError(msg, "Look at the spelling, and at the database of --dsn", token=f"unknown_{kind}")
