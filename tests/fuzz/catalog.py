"""What there is to call and to read in the exposed schema, as the catalog has it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.database import EventliveDatabase

ROLES = ("anon", "authenticated", "service_role")

_FUNCTIONS = """
    select p.oid, p.proname,
           array(select r from unnest(%s::text[]) r where has_function_privilege(r, p.oid, 'execute'))
      from pg_proc p
     where p.pronamespace = 'eventlive_api'::regnamespace and p.prokind = 'f'
     order by p.proname, p.oid"""

_PARAMETERS = """
    select a.name, format_type(a.type, null), a.position > p.pronargs - p.pronargdefaults
      from pg_proc p
     cross join lateral (
            select u.name, u.type, row_number() over (order by u.n) as position
              from unnest(
                       p.proargnames,
                       coalesce(p.proallargtypes, p.proargtypes::oid[]),
                       coalesce(p.proargmodes, array_fill('i'::"char", array[p.pronargs]))
                   ) with ordinality as u (name, type, mode, n)
             where u.mode in ('i', 'b', 'v')
           ) a
     where p.oid = %s
     order by a.position"""

_KEYS = """
    select c.relname,
           coalesce(
               (
                    select array_agg(a.attname::text order by k.n)
                      from pg_constraint p
                     cross join unnest(p.conkey) with ordinality as k (attnum, n)
                      join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
                     where p.conrelid = c.oid and p.contype = 'p'
               ),
               array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0)
           )
      from pg_class c
     where c.relnamespace = 'eventlive'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
     order by 1"""

_VIEWS = """
    select c.oid, c.relname, array(select r from unnest(%s::text[]) r where has_table_privilege(r, c.oid, 'select'))
      from pg_class c
     where c.relnamespace = 'eventlive_api'::regnamespace and c.relkind in ('v', 'm', 'r', 'p', 'f')
     order by c.relname"""

_COLUMNS = """
    select a.attname, format_type(a.atttypid, null)
      from pg_attribute a
     where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
     order by a.attnum"""

# Words that mean something: what the constraints of columns list, and the settings.
_WORDS = """
    select a.attname, array_agg(distinct m[1] order by m[1])
      from pg_constraint c
      join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
     cross join regexp_matches(pg_get_constraintdef(c.oid), '''(\\w{2,40})''::text', 'g') as m
     where c.connamespace = 'eventlive'::regnamespace and c.contype = 'c' and cardinality(c.conkey) = 1
     group by a.attname
     union all
    select s.key, '{}' from eventlive.settings s
     order by 1"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function."""

    name: str
    type: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A function, and the client roles that may call it."""

    name: str
    parameters: tuple[Parameter, ...]
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class View:
    """A view, its columns with their types, and the client roles that may read it."""

    name: str
    columns: dict[str, str]
    roles: frozenset[str]


def functions(db: EventliveDatabase) -> list[Function]:
    """Every function of the exposed schema."""
    return [
        Function(name, tuple(Parameter(*row) for row in db.rows(_PARAMETERS, oid)), frozenset(roles))
        for oid, name, roles in db.rows(_FUNCTIONS, list(ROLES))
    ]


def views(db: EventliveDatabase) -> list[View]:
    """Everything in the exposed schema that can be read."""
    return [
        View(name, dict(db.rows(_COLUMNS, oid)), frozenset(roles)) for oid, name, roles in db.rows(_VIEWS, list(ROLES))
    ]


def keys(db: EventliveDatabase) -> dict[str, tuple[str, ...]]:
    """The tables behind, and the columns that tell their rows apart."""
    return {table: tuple(columns) for table, columns in db.rows(_KEYS)}


def words(db: EventliveDatabase) -> dict[str, list[str]]:
    """The words that some column, and so some parameter, takes, by its name; and the settings, which take numbers."""
    return dict(db.rows(_WORDS))
