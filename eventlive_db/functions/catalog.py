"""Which functions a database has, and what pglast has to know of each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row

# What extensions bring is left to them.
_FUNCTIONS = """
    select p.oid,
           n.nspname as schema,
           p.proname as name,
           pg_catalog.oidvectortypes(p.proargtypes) as arguments,
           l.lanname as language,
           p.prosrc as source,
           case when p.prosqlbody is not null then pg_catalog.pg_get_function_sqlbody(p.oid) end as atomic,
           p.prokind = 'f' and not p.prosecdef and p.proconfig is null as may_inline,
           case t.typname
               when 'trigger' then 'trigger'
               when 'event_trigger' then 'event_trigger'
               when 'void' then 'void'
               else case when p.proretset then 'setof ' else '' end
                    || case when t.typtype = 'c' or t.typname = 'record' then 'record' else 'text' end
           end as returns,
           coalesce(p.proargnames, '{}') as argument_names,
           coalesce(p.proargmodes::text[], '{}') as argument_modes,
           array(
               select case when a.typtype = 'c' or a.typname = 'record' then 'composite'
                           when a.typcategory = 'A' then 'text[]'
                           when an.nspname = 'pg_catalog' and a.typtype <> 'p'
                               then pg_catalog.format_type(a.oid, null)
                           else 'text'
                      end
                 from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality as u (oid, position)
                 join pg_catalog.pg_type a on a.oid = u.oid
                 join pg_catalog.pg_namespace an on an.oid = a.typnamespace
                order by u.position
           ) as argument_types
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      join pg_catalog.pg_language l on l.oid = p.prolang
      join pg_catalog.pg_type t on t.oid = p.prorettype
     where l.lanname in ('plpgsql', 'sql')
       and p.prokind in ('f', 'p')
       and n.nspname not in ('pg_catalog', 'information_schema')
       and n.nspname not like 'pg\\_%'
       and not exists (
               select
                 from pg_catalog.pg_depend d
                where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
           )
     order by 2, 3, 4
"""

_SCALAR_TYPES = """
    select distinct t.typname
      from pg_catalog.pg_type t
      join pg_catalog.pg_namespace n on n.oid = t.typnamespace
     where t.typtype in ('b', 'd', 'e', 'r', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
"""

_QUALIFIER = re.compile(r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)\.')
_SIGNATURE = re.compile(r'^(?:(?P<schema>"(?:[^"]|"")+"|[^".(]+)\.)?(?P<name>"(?:[^"]|"")+"|[^".(]+)\((?P<args>.*)\)$')


@dataclass(frozen=True, slots=True)
class Routine:
    """A function or procedure in plpgsql or SQL.

    Attributes:
        schema: Its schema.
        name: Its name.
        arguments: The types of its input arguments, as in ``uuid,text``, without schemas.
        language: What it is written in.
        source: Its body; empty for a ``begin atomic`` one.
        atomic: The body of a ``begin atomic`` or ``return`` one, as Postgres prints it; None for others.
        may_inline: A SQL function that the planner may replace by its body if that is a single SELECT.
        header: A ``create function`` statement up to the body, in types that pglast knows.
        oid: In ``pg_proc``.
    """

    schema: str
    name: str
    arguments: str
    language: Literal["plpgsql", "sql"]
    source: str = field(repr=False, default="")
    atomic: str | None = field(repr=False, default=None)
    may_inline: bool = False
    header: str = field(repr=False, default="create function f() returns text")
    oid: int = field(repr=False, default=0)

    @property
    def signature(self) -> str:
        """Such as ``app.take_job(uuid)``."""
        return f"{self.schema}.{self.name}({self.arguments})"


@dataclass(frozen=True, slots=True)
class Catalog:
    """The functions of a database.

    Attributes:
        routines: Those in plpgsql and SQL, in the order of their names.
        scalar_types: Names of its types that have no fields.
    """

    routines: tuple[Routine, ...]
    scalar_types: frozenset[str]


def read_catalog(connection: psycopg.Connection[Any]) -> Catalog:
    """The plpgsql and SQL functions of a database, those of the system and of extensions left out."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_FUNCTIONS).fetchall()
    types = connection.execute(_SCALAR_TYPES).fetchall()
    return Catalog(tuple(_routine(row) for row in rows), frozenset(name for (name,) in types))


def split_signature(printed: str) -> tuple[str, str, str]:
    """Schema, name and argument types of a function as a CONTEXT names it; no schema where it is in the search_path."""
    match = _SIGNATURE.match(printed)
    if match is None:
        return "", printed, ""
    schema, name = (_unquoted(match[group] or "") for group in ("schema", "name"))
    return schema, name, _bare_types(match["args"])


def _unquoted(identifier: str) -> str:
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier


def _bare_types(types: str) -> str:
    return _QUALIFIER.sub("", types).replace(", ", ",")


def _routine(row: dict[str, Any]) -> Routine:
    return Routine(
        schema=row["schema"],
        name=row["name"],
        arguments=_bare_types(row["arguments"]),
        language=row["language"],
        source=row["source"],
        atomic=row["atomic"],
        may_inline=row["may_inline"],
        header=_header(row),
        oid=row["oid"],
    )


def _header(row: dict[str, Any]) -> str:
    """All that pglast has to know is which variables there are, and which of them have fields."""
    types: list[str] = row["argument_types"]
    names: list[str] = row["argument_names"] or [""] * len(types)
    modes: list[str] = row["argument_modes"] or ["i"] * len(types)
    spelled = {"i": "", "v": "", "o": "out ", "b": "inout ", "t": "out "}
    arguments = [
        # An unknown name is taken for a composite type.
        f"{spelled[mode]}{_quoted(name)} {'unknown_row' if type_ == 'composite' else type_}"
        for name, mode, type_ in zip(names, modes, types, strict=True)
    ]
    returns = row["returns"]
    outputs = sum(mode in {"o", "b", "t"} for mode in modes)
    if outputs:
        single = next(type_ for type_, mode in zip(types, modes, strict=True) if mode in {"o", "b", "t"})
        of = "record" if outputs > 1 else "unknown_row" if single == "composite" else single
        returns = f"{'setof ' if returns.startswith('setof') else ''}{of}"
    return f"create function f({', '.join(arguments)}) returns {returns}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if name else ""
