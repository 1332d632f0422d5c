"""Who may do more than the contract says: grants in excess, and tables without row security. By catalog alone."""

from __future__ import annotations

from collections.abc import Iterator

from eventlive_db.client.calls import API_SCHEMA
from eventlive_db.client.contract import FUNCTIONS
from eventlive_db.verify.database import Database
from eventlive_db.verify.model import Check, State, no_data, passed
from eventlive_db.verify.triggers import Trigger

_ROLES = ("anon", "authenticated", "service_role")
# What a role may do by PUBLIC, or as a member of another, it may do.
_CALLABLE = """
    select p.proname::text,
           exists (
               select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                where a.grantee = 0 and a.privilege_type = 'EXECUTE'
           ),
           array(
               select r.rolname::text from pg_roles r
                where r.rolname = any (%s) and has_function_privilege(r.oid, p.oid, 'execute')
                order by r.rolname
           )
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
     where n.nspname = %s and p.proname = any (%s)
     order by p.proname, p.oid
"""
# Trigger functions cannot be called, whoever may.
_INSIDE = """
    select p.proname::text, r.rolname::text
      from pg_proc p
      join pg_namespace n on n.oid = p.pronamespace
     cross join pg_roles r
     where n.nspname = 'eventlive' and r.rolname = any (%s) and p.prorettype <> 'trigger'::regtype
       and has_function_privilege(r.oid, p.oid, 'execute')
     order by p.proname, p.oid, r.rolname
"""
_ENTERED = """
    select r.rolname::text
      from pg_namespace n
     cross join pg_roles r
     where n.nspname = 'eventlive' and r.rolname = any (%s) and has_schema_privilege(r.oid, n.oid, 'usage, create')
     order by r.rolname
"""
HELPERS = frozenset({"current_user_id", "joined_webinar_ids", "pre_request", "raise_error", "staffed_webinar_ids"})
"""Functions of schema eventlive that row security and the functions of the contract call as whoever asks."""

_TABLES = """
    select c.relname::text, c.relrowsecurity
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'eventlive' and c.relkind in ('r', 'p') and c.relname <> 'alembic_version'
     order by c.relname
"""


def check_grants(database: Database, api_schema: str = API_SCHEMA) -> Check:
    """Whether nobody may call a function that is not for them: of the contract, or of schema eventlive."""
    name = "grants"
    rows = database.rows(_CALLABLE, list(_ROLES), api_schema, list(FUNCTIONS))
    if not rows:
        says = f"there is no function of the contract in schema {api_schema}"
        return no_data("functions", name, says, "eventlive-db migrate up; or name the exposed schema: --api-schema.")
    problems = [problem for row in rows for problem in _excess(*row)]
    problems += [f"{role} may call eventlive.{function}" for function, role in _inside(database)]
    problems += [f"{role} may use schema eventlive" for (role,) in database.rows(_ENTERED, list(_ROLES))]
    if problems:
        says = f"{len(problems)} grants in excess: {'; '.join(problems)}"
        advice = "Revoke them; eventlive-db migrate diff shows what was changed by hand."
        return Check("functions", name, State.FAILED, says, advice, Trigger.FUNCTION_EXPOSED, len(problems))
    return passed("functions", name, "nobody may call a function that is not for them")


def _inside(database: Database) -> Iterator[tuple[str, str]]:
    for function, role in database.rows(_INSIDE, list(_ROLES)):
        called = FUNCTIONS.get(function)
        if function not in HELPERS and (called is None or role not in called.roles):
            yield function, role


def _excess(function: str, public: bool, roles: list[str]) -> Iterator[str]:
    if public:
        yield f"public may call {function}"
        return
    for role in sorted(set(roles) - FUNCTIONS[function].roles):
        yield f"{role} may call {function}"


def check_row_security(database: Database) -> Check:
    """Whether row security is on for each table of schema eventlive, but that of the migrations."""
    name = "row security"
    rows = database.rows(_TABLES)
    if not rows:
        return no_data("functions", name, "there is no table in schema eventlive", "eventlive-db migrate up")
    if off := [table for table, on in rows if not on]:
        says = f"off on {', '.join(off)}"
        advice = "alter table … enable row level security; eventlive-db migrate diff shows what was changed by hand."
        return Check("functions", name, State.FAILED, says, advice, Trigger.ROW_SECURITY_OFF, len(off))
    return passed("functions", name, f"on for all {len(rows)} tables")
