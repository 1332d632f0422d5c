"""What is exposed beside the functions: the views of the contract, the tables behind them, and what is somebody else's.

By catalog alone: nothing is read as anybody, so that no refusal is in the log that is judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from eventlive_db.client.calls import API_SCHEMA
from eventlive_db.client.contract import FUNCTIONS
from eventlive_db.verify.database import Database
from eventlive_db.verify.model import Check, State, no_data, passed
from eventlive_db.verify.triggers import Trigger

_SIGNED_IN = frozenset({"authenticated", "service_role"})

VIEWS: Mapping[str, frozenset[str]] = {
    "event_access_logs": _SIGNED_IN,
    "profiles": _SIGNED_IN,
    "registrations": _SIGNED_IN,
    "webinar_allowed_emails": _SIGNED_IN,
    "webinar_live_presence": _SIGNED_IN,
    "webinar_user_sessions": _SIGNED_IN,
    "webinars": _SIGNED_IN | {"anon"},
}
"""Views of the contract, each over the table of its name, with the roles that read them."""

_WRITTEN = {("profiles", "service_role"): frozenset({"INSERT", "UPDATE", "DELETE"})}
_COLUMNS_ALONE = {
    *(("webinar_live_presence", role) for role in _SIGNED_IN),
    *(("webinar_user_sessions", role) for role in _SIGNED_IN),
    *(("webinars", role) for role in ("anon", "authenticated")),
}
"""Who may read some columns of a table: the others hold tokens, or what only its staff may see."""

_OF_OURS = frozenset({*FUNCTIONS, "pre_request"})

_READABLE = """
    select v.relname::text, r.rolname::text,
           has_schema_privilege(r.oid, n.oid, 'usage') and has_table_privilege(r.oid, v.oid, 'select')
           and not exists (
               select from pg_rewrite w
                 join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
                where w.ev_class = v.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> v.oid
                  and d.refobjsubid > 0
                  and not has_column_privilege(r.oid, d.refobjid, d.refobjsubid::smallint, 'select')
           )
      from pg_class v
      join pg_namespace n on n.oid = v.relnamespace
     cross join pg_roles r
     where n.nspname = %s and v.relkind = 'v' and v.relname = any (%s) and r.rolname = any (%s)
"""
_HELD = """
    select c.relname::text, r.rolname::text,
           array(
               select p
                 from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
                where has_table_privilege(r.oid, c.oid, p)
           ),
           array(
               select p from unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p
                where has_any_column_privilege(r.oid, c.oid, p)
           )
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     cross join pg_roles r
     where n.nspname = 'eventlive' and c.relkind in ('r', 'p', 'v', 'm', 'f') and r.rolname = any (%s)
     order by c.relname, r.rolname
"""
_COLUMNS = """
    select c.relname::text, r.rolname::text, a.attname::text
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     cross join pg_roles r
     where n.nspname = 'eventlive' and c.relname = any (%s) and r.rolname = any (%s)
       and has_column_privilege(r.oid, c.oid, a.attnum, 'select')
       and not exists (
           select from pg_rewrite w
             join pg_class v on v.oid = w.ev_class
             join pg_namespace m on m.oid = v.relnamespace
             join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
            where m.nspname = %s and v.relname = c.relname and d.refclassid = 'pg_class'::regclass
              and d.refobjid = c.oid and d.refobjsubid = a.attnum
       )
     order by c.relname, r.rolname, a.attnum
"""
_INVOKER = """
    exists (
        select from pg_options_to_table(c.reloptions) o
         where o.option_name = 'security_invoker' and o.option_value::boolean
    )
"""
_OWNERS_VIEWS = f"""
    select c.relname::text
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = %s and c.relname = any (%s) and c.relkind = 'v' and not {_INVOKER}
     order by c.relname
"""  # noqa: S608  # the condition above
# With the rights of its owner, who may be one that row security does not hold. What leads to the schema through nothing
# but its name, or that of a view, is no matter of ours; names are read as Postgres does, whatever their case. A view
# with the rights of who asks goes no further than that role may.
_STRANGERS = f"""
    with recursive read as (
        select distinct c.oid as view, t.oid as relation, t.relkind as kind, m.nspname = 'eventlive' as ours
          from pg_class c
          join pg_rewrite w on w.ev_class = c.oid
          join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
          join pg_class t on d.refclassid = 'pg_class'::regclass and t.oid = d.refobjid and t.oid <> c.oid
          join pg_namespace m on m.oid = t.relnamespace
         where c.relkind in ('v', 'm')
    ), shows as (
        select c.oid as view
          from pg_class c
         where c.relkind in ('v', 'm') and not {_INVOKER}
           and exists (select from read r where r.view = c.oid and r.ours)
        union
        select r.view from shows s join read r on r.relation = s.view
    ), asks as (
        select r.oid as role from pg_roles r where r.rolname in ('anon', 'authenticated')
    ), exposed as (
        select c.oid as view, c.relname::text as name, a.role, c.oid as reads
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
         cross join asks a
         where n.nspname = %(schema)s and c.relkind in ('v', 'm') and c.relname <> all (%(ours)s)
           and has_any_column_privilege(a.role, c.oid, 'select')
        union
        select x.view, x.name, x.role, r.relation
          from exposed x
          join pg_class c on c.oid = x.reads
          join read r on r.view = x.reads and r.kind in ('v', 'm')
         where not {_INVOKER} or has_any_column_privilege(x.role, r.relation, 'select')
    ), definers as (
        select p.oid as function
          from pg_proc p
          join pg_namespace n on n.oid = p.pronamespace
         where p.prosecdef and p.prokind in ('f', 'p')
           and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
           and n.nspname not in ('eventlive', 'pg_catalog', 'information_schema')
           and not (n.nspname = %(schema)s and p.proname = any (%(ours)s))
           and exists (
               select
                 from (
                       select 'eventlive' as name
                        union all
                       select c.relname from shows s join pg_class c on c.oid = s.view
                      ) k
                where pg_get_functiondef(p.oid) ~* ('\\m' || regexp_replace(k.name, '(\\W)', '\\\\\\1', 'g') || '\\M')
           )
    )
    select p.proname::text
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = %(schema)s and p.oid in (select f.function from definers f)
       and exists (select from asks a where has_function_privilege(a.role, p.oid, 'execute'))
    union
    select x.name
      from exposed x
      join pg_class c on c.oid = x.reads
     where not {_INVOKER} and exists (select from read r where r.view = x.reads and r.ours)
    union
    select x.name
      from exposed x
      join pg_rewrite w on w.ev_class = x.reads
      join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_proc'::regclass
      join definers f on f.function = d.refobjid
     where has_function_privilege(x.role, f.function, 'execute')
     order by 1
"""  # noqa: S608  # the condition above
_ROLES = ("anon", "authenticated", "service_role")


def check_views(database: Database, api_schema: str = API_SCHEMA) -> Check:
    """Whether each view of the contract is there, and can be read by whom it is for."""
    rows = database.rows(_READABLE, api_schema, list(VIEWS), list(_ROLES))
    readable = {(view, role): can for view, role, can in rows}
    there = {view for view, _ in readable}
    problems = [f"{view} is missing" for view in VIEWS if view not in there]
    problems += [
        f"{role} may not read {view}"
        for view, roles in VIEWS.items()
        for role in sorted(roles)
        if not readable.get((view, role), True)
    ]
    if problems:
        says = f"{len(problems)} cannot be read: {'; '.join(problems)}"
        advice = "eventlive-db migrate diff shows what was changed by hand."
        return Check("functions", "views", State.FAILED, says, advice, Trigger.VIEW_NOT_READABLE, len(problems))
    return passed("functions", "views", f"all {len(VIEWS)} views of the contract are there and can be read")


def check_tables(database: Database, api_schema: str = API_SCHEMA) -> Check:
    """Whether nobody may read or write more of schema eventlive than the contract says."""
    name = "table grants"
    rows = database.rows(_HELD, list(_ROLES))
    if not rows:
        return no_data("functions", name, "there is no table in schema eventlive", "eventlive-db migrate up")
    problems = [problem for row in rows for problem in _excess(*row)]
    problems += [
        f"{role} may read {table}.{column}"
        for table, role, column in database.rows(_COLUMNS, list(VIEWS), list(_ROLES), api_schema)
        if (table, role) in _COLUMNS_ALONE and f"{role} may select from {table}" not in problems
    ]
    problems += [
        f"view {view} shows what its owner may see (security_invoker is off)"
        for (view,) in database.rows(_OWNERS_VIEWS, api_schema, list(VIEWS))
    ]
    if problems:
        says = f"{len(problems)} grants in excess: {'; '.join(problems)}"
        advice = "Revoke them; eventlive-db migrate diff shows what was changed by hand."
        return Check("functions", name, State.FAILED, says, advice, Trigger.DATA_EXPOSED, len(problems))
    return passed("functions", name, "nobody may read or write a table that is not for them")


def _excess(table: str, role: str, whole: list[str], parts: list[str]) -> Iterator[str]:
    """What a role may do with a table and should not."""
    reads = {"SELECT"} if role in VIEWS.get(table, ()) else set()
    written = _WRITTEN.get((table, role), frozenset())
    allowed = written | (reads if (table, role) not in _COLUMNS_ALONE else set())
    for privilege in sorted(set(whole) - allowed):
        yield f"{role} may {_VERBS[privilege]} {table}"
    for privilege in sorted(set(parts) - set(whole) - reads - written):
        yield f"{role} may {_VERBS[privilege]} {table}, some columns"


_VERBS = {
    "SELECT": "select from",
    "INSERT": "insert into",
    "UPDATE": "update",
    "DELETE": "delete from",
    "TRUNCATE": "truncate",
    "REFERENCES": "refer to",
    "TRIGGER": "put triggers on",
}


def check_strangers(database: Database, api_schema: str = API_SCHEMA, known: Collection[str] = ()) -> Check:
    """Whether something of somebody else in the exposed schema shows what row security hides; nobody here can tell.

    Args:
        database: The database.
        api_schema: The exposed schema.
        known: What somebody has looked at.
    """
    name = "of others"
    rows = database.rows(_STRANGERS, {"schema": api_schema, "ours": [*_OF_OURS, *VIEWS]})
    found = {row[0] for row in rows}
    if unknown := sorted(found - set(known)):
        says = f"with the rights of their owner, for anybody or for all who are signed in: {', '.join(unknown)}"
        advice = "See that it shows nobody more than the contract does; then say --known and its name."
        return no_data("functions", name, says, advice)
    says = f"looked at by somebody: {', '.join(sorted(found))}" if found else "nothing that passes row security"
    return passed("functions", name, says)
