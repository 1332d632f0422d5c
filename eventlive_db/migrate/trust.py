"""Whether what lies in the schema ``eventlive`` is ours, found out before anything in it is read or written.

Whoever may create schemas can make ``eventlive`` first, with a view or a trigger that runs a function of theirs as the
role that migrates. So catalogs are asked first, and nothing else.
"""

from __future__ import annotations

from typing import Any, Literal

import psycopg

from eventlive_db.migrate.errors import MigrateError

SAFE_SEARCH_PATH = "pg_catalog, pg_temp"
"""Under it no function, operator or type of another schema is picked up."""

HINT = "Find out who made it and why. Then drop it, or install in another database."

# Both queries give (object, owner, problem) and expect SAFE_SEARCH_PATH. Neither runs anything that a user defined.
STRANGE_TABLES = """\
with ours (relname, attname, typname) as (
    values
        ('alembic_version', 'version_num', 'varchar'),
        ('installation', 'only_row', 'bool'),
        ('installation', 'api_schema', 'text'),
        ('installation', 'owner', 'text'),
        ('installation', 'api_schema_existed', 'bool'),
        ('installation', 'granted', 'jsonb')
),
present as (
    select c.*,
           c.oid as relation,
           n.nspowner,
           coalesce(c.xmin = pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid, false) as made_now,
           case c.relkind
               when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
               when 'm' then 'materialized view' when 'f' then 'foreign table' when 'c' then 'type'
               when 'S' then 'sequence' else 'index'
           end as kind
      from pg_catalog.pg_namespace n
      join pg_catalog.pg_class c on c.relnamespace = n.oid
     where n.nspname = 'eventlive' and c.relname in ('alembic_version', 'installation')
),
judged as (
    select p.*,
           case
               when p.relkind <> 'r' then 'it is not an ordinary table'
               when p.relispartition or p.reloftype <> 0 or exists (
                   select from pg_catalog.pg_inherits h where h.inhrelid = p.relation or h.inhparent = p.relation
               ) then 'it inherits or is inherited from'
               when exists (select from pg_catalog.pg_trigger t where t.tgrelid = p.relation) then 'it has a trigger'
               when exists (select from pg_catalog.pg_rewrite r where r.ev_class = p.relation) then 'it has a rule'
               when exists (select from pg_catalog.pg_policy y where y.polrelid = p.relation) then 'it has a policy'
               when exists (
                   select from pg_catalog.pg_index x
                    where x.indrelid = p.relation
                      and (not x.indisprimary or x.indexprs is not null or x.indpred is not null)
               ) then 'it has an index that is not ours'
               when exists (
                   select from pg_catalog.pg_constraint k
                    where k.conrelid = p.relation
                      and k.contype not in ('p', 'n')
                      and not (
                        p.relname = 'installation'
                        and k.contype = 'c'
                        and pg_catalog.pg_get_expr(k.conbin, k.conrelid) = 'only_row'
                      )
               ) then 'it has a constraint that is not ours'
               when exists (
                   select from pg_catalog.pg_attribute a
                     left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
                    where a.attrelid = p.relation
                      and a.attnum > 0
                      and not a.attisdropped
                      and (
                        a.attidentity <> ''
                        or a.attgenerated <> ''
                        or d.adbin is not null and not (
                            p.relname = 'installation'
                            and a.attname = 'only_row'
                            and pg_catalog.pg_get_expr(d.adbin, d.adrelid) = 'true'
                        )
                      )
               ) then 'it has a default that is not ours'
               when exists (
                   select
                     from (
                        select a.attname::text, case when tn.nspname = 'pg_catalog' then t.typname::text end as typname
                          from pg_catalog.pg_attribute a
                          left join pg_catalog.pg_type t on t.oid = a.atttypid
                          left join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
                         where a.attrelid = p.relation and a.attnum > 0 and not a.attisdropped
                     ) as has
                     full join (
                        select o.attname, o.typname from ours o where o.relname = p.relname
                     ) as wanted on wanted.attname = has.attname and wanted.typname = has.typname
                    where has.attname is null or wanted.attname is null
               ) then 'its columns are not ours'
               when p.relowner <> p.nspowner and not p.made_now then 'its owner is not the owner of the schema'
               when p.relname = 'alembic_version' and not p.made_now and not exists (
                   select from present i where i.relname = 'installation'
               ) then 'it is there without eventlive.installation'
           end as problem
      from present p
)
select pg_catalog.format('%s eventlive.%I', j.kind, j.relname) as object,
       pg_catalog.pg_get_userbyid(j.relowner)::text as owner,
       j.problem
  from judged j
 where j.problem is not null
 order by j.relname desc"""

# Relations and functions are refused by the first migration itself. The bootstrap superuser, 10, is not recorded.
STRANGE_OBJECTS = """\
select pg_catalog.pg_describe_object(d.classid, d.objid, 0) as object,
       pg_catalog.pg_get_userbyid(coalesce(s.refobjid, 10))::text as owner,
       'the schema holds it before the installation' as problem
  from pg_catalog.pg_namespace n
  join pg_catalog.pg_depend d
    on d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass and d.refobjid = n.oid
  left join pg_catalog.pg_shdepend s
    on s.dbid = (select b.oid from pg_catalog.pg_database b where b.datname = pg_catalog.current_database())
   and s.classid = d.classid
   and s.objid = d.objid
   and s.deptype = 'o'
 where n.nspname = 'eventlive'
   and d.classid not in (
    'pg_catalog.pg_class'::pg_catalog.regclass,
    'pg_catalog.pg_proc'::pg_catalog.regclass,
    'pg_catalog.pg_default_acl'::pg_catalog.regclass
   )
   and not exists (
    select from pg_catalog.pg_class c where c.relnamespace = n.oid and c.relname = 'installation'
   )
 order by 1"""

# A table that may be read: its rows come from itself alone, and no function of anybody's is called on the way.
_READABLE = """
select not exists (select from pg_catalog.pg_rewrite r where r.ev_class = c.oid)
       and not exists (select from pg_catalog.pg_inherits h where h.inhrelid = c.oid or h.inhparent = c.oid)
       and not exists (
        select
          from pg_catalog.pg_attribute a
          left join pg_catalog.pg_type t on t.oid = a.atttypid
          left join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
           and (a.attgenerated <> '' or tn.nspname is distinct from 'pg_catalog')
       )
       and not exists (
        select
          from pg_catalog.pg_policy y
         where y.polrelid = c.oid and pg_catalog.pg_get_expr(y.polqual, y.polrelid) is distinct from 'true'
       )
  from pg_catalog.pg_namespace n
  join pg_catalog.pg_class c on c.relnamespace = n.oid
 where n.nspname = 'eventlive' and c.relname::text = %s and c.relkind = 'r'
"""

_PRESENT = """
select c.relname::text
  from pg_catalog.pg_namespace n
  join pg_catalog.pg_class c on c.relnamespace = n.oid
 where n.nspname = 'eventlive' and c.relname in ('alembic_version', 'installation')
"""

Purpose = Literal["read", "step back", "step forward"]


def check_own_tables(connection: psycopg.Connection[Any], purpose: Purpose) -> frozenset[str]:
    """Refuse ``eventlive.installation`` and ``eventlive.alembic_version`` unless they are what this package makes.

    They stay as they were found until the transaction ends: locks keep others from changing them.

    Args:
        connection: In a transaction, or with one that the first statement opens. Its search_path is set until then.
        purpose: What comes next in this transaction; a step forward also refuses what an empty schema may not hold.

    Returns:
        Which of the two there are.

    Raises:
        MigrateError: There is something else; the message names it, its owner and the way out.
    """
    connection.execute(f"set local search_path = {SAFE_SEARCH_PATH}".encode())
    _refuse(connection, STRANGE_TABLES)
    if purpose == "step forward":
        _refuse(connection, STRANGE_OBJECTS)
    present = frozenset(name for (name,) in connection.execute(_PRESENT.encode()).fetchall())
    if "installation" in present:
        connection.execute("lock table only eventlive.installation in access share mode")
    if "alembic_version" in present:
        mode = "access share" if purpose == "read" else "share row exclusive"
        connection.execute(f"lock table only eventlive.alembic_version in {mode} mode".encode())
    # What was changed between the first look and the locks.
    _refuse(connection, STRANGE_TABLES)
    return present


def _refuse(connection: psycopg.Connection[Any], query: str) -> None:
    row = connection.execute(query.encode()).fetchone()
    if row is not None:
        object_, owner, problem = row
        msg = f"{object_}, owned by {owner}, was not made by eventlive-db: {problem}\nhint: {HINT}"
        raise MigrateError(msg)


def is_plain_table(connection: psycopg.Connection[Any], name: str) -> bool:
    """Whether a table of the schema ``eventlive`` exists and reading it runs nothing that somebody else wrote.

    Args:
        connection: Under SAFE_SEARCH_PATH or an empty search_path.
        name: Its name.
    """
    row = connection.execute(_READABLE.encode(), [name]).fetchone()
    return bool(row and row[0])
