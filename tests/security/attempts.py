"""What a role can really do: each operation tried on each object, and undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from tests.security.matrix import Matrix

# Postgres says so before it looks at privileges: the view cannot be written, it is no table, the column is generated.
_NO_WAY = ("55000", "42809", "428C9")

_RELATIONS = """
select c.oid::regclass::text, case c.relkind when 'v' then 'views' else 'tables' end,
       array(
           select a.attname::text from pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum
       )
  from pg_class c
 where c.relnamespace in ('eventlive'::regnamespace, 'eventlive_api'::regnamespace) and c.relkind in ('r', 'p', 'v')
 order by 1
"""

_FUNCTIONS = """
select p.oid::regprocedure::text,
       format('%s %I.%I(%s)', case p.prokind when 'p' then 'call' else 'select' end,
              p.pronamespace::regnamespace, p.proname, array_to_string(array(
           select 'null::' || format_type(u.type, null)
             from unnest(p.proargtypes::oid[]) with ordinality as u (type, position) order by u.position
       ), ', '))
  from pg_proc p
 where p.pronamespace in ('eventlive'::regnamespace, 'eventlive_api'::regnamespace)
 order by 1
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view.

    Attributes:
        name: Qualified.
        kind: ``tables`` or ``views``.
        columns: All of them.
    """

    name: str
    kind: str
    columns: tuple[str, ...]


def relations(admin: psycopg.Connection[Any]) -> list[Relation]:
    """The tables and views of both schemas."""
    with admin.transaction():
        admin.execute("set local search_path = pg_catalog, pg_temp")
        return [Relation(name, kind, tuple(columns)) for name, kind, columns in admin.execute(_RELATIONS)]


def functions(admin: psycopg.Connection[Any]) -> dict[str, str]:
    """The functions of both schemas, each with a call of it."""
    with admin.transaction():
        admin.execute("set local search_path = pg_catalog, pg_temp")
        return dict(admin.execute(_FUNCTIONS.encode()).fetchall())


def outcome(connection: psycopg.Connection[Any], statement: str) -> str:
    """``may``, ``may not`` or ``no way``, and of what Postgres says who refused; all that was done is undone."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement.encode())
    except psycopg.errors.InsufficientPrivilege as error:
        message = str(error.diag.message_primary)
        # A row that a policy refuses was written with the right to write.
        return message if message.startswith("permission denied") else "may"
    except psycopg.Error as error:
        return "no way" if error.sqlstate in _NO_WAY else "may"
    return "may"


def surprises(
    connection: psycopg.Connection[Any], matrix: Matrix, role: str, found: list[Relation], calls: dict[str, str]
) -> list[str]:
    """Everything that the role of the connection may do and the matrix says it may not, and the other way round."""
    told = []

    def judge(what: str, expected: bool, statement: str) -> None:
        said = outcome(connection, statement)
        if (said == "may") is not expected:
            told.append(f"{role}: {what}: {said}")

    for relation in found:
        name = relation.name
        for column in relation.columns:
            judge(f"select {column} of {name}", _on(matrix, role, "select", name, column),
                  f'select "{column}" from {name} where false')  # fmt: skip
        updated = {
            c for c in relation.columns if outcome(connection, f'update {name} set "{c}" = null where false') == "may"
        }
        wanted = {c for c in relation.columns if _on(matrix, role, "update", name, c)}
        # Through a view only what the role may update in the table behind it.
        if updated - wanted or (relation.kind == "tables" and wanted - updated) or bool(wanted) is not bool(updated):
            told.append(f"{role}: update of {name}: {sorted(updated)} instead of {sorted(wanted)}")
        judge(f"insert into {name}", matrix.may(role, "insert", name), f"insert into {name} default values")
        judge(f"delete from {name}", matrix.may(role, "delete", name), f"delete from {name} where false")
        judge(f"truncate {name}", matrix.may(role, "truncate", name), f"truncate {name}")
    for name, call in calls.items():
        said = outcome(connection, call)
        # One that it may execute may well run into something inside that it may not.
        kind = "procedure" if call.startswith("call ") else "function"
        refused = said == f"permission denied for {kind} {name.partition('(')[0].partition('.')[2]}"
        if refused is matrix.may(role, "execute", name):
            told.append(f"{role}: execute {name}: {said}")
    return told


def _on(matrix: Matrix, role: str, privilege: str, name: str, column: str) -> bool:
    columns = matrix.columns(role, privilege, name)
    return columns is None or column in columns
