"""Nobody can do more than the contract says: privileges, owners, search paths, row security, comments (R17)."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest

from eventlive_db.resources import sql_dir
from tests.support.cast import WEBINAR, assemble
from tests.support.database import EventliveDatabase

CLIENT_ROLES = ("anon", "authenticated", "service_role")
IN_SCHEMAS = "in ('eventlive'::regnamespace, 'eventlive_api'::regnamespace)"

MAY_CALL = {
    "webinar_enter": {"anon", "authenticated"},
    "webinar_session_heartbeat": {"anon", "authenticated"},
    "webinar_leave": {"anon", "authenticated"},
    "webinar_client_settings": {"anon", "authenticated", "service_role"},
    "pre_request": {"anon", "authenticated", "service_role"},
    "webinar_register": {"authenticated"},
    "webinar_presence_ping": {"authenticated"},
    "webinar_presence_ping_many": {"service_role"},
    "webinar_create": {"authenticated", "service_role"},
    "webinar_configure": {"authenticated", "service_role"},
    "webinar_set_status": {"authenticated", "service_role"},
    "webinar_grant_role": {"authenticated", "service_role"},
    "webinar_allow_emails": {"authenticated", "service_role"},
    "webinar_eject": {"authenticated", "service_role"},
}

Check = Callable[[EventliveDatabase], list[Any]]


def column(db: EventliveDatabase, query: str) -> list[Any]:
    """The values of a query with one column."""
    return [value for (value,) in db.rows(query)]


def nameable(db: EventliveDatabase) -> list[str]:
    """Tables, views and functions of the private schema that a client role can name."""
    relations = column(
        db,
        "select format('select from eventlive.%%I', relname) from pg_class"
        " where relnamespace = 'eventlive'::regnamespace and relkind in ('r', 'p', 'v', 'm')",
    )
    functions = column(
        db,
        "select format('select eventlive.%%I(%%s)', p.proname, array_to_string(array("
        "   select 'null::' || format_type(t.type, null)"
        "     from unnest(p.proargtypes::oid[]) with ordinality as t (type, n) order by t.n), ', '))"
        "  from pg_proc p where p.pronamespace = 'eventlive'::regnamespace",
    )
    assert relations
    assert functions
    found = []
    for role in CLIENT_ROLES:
        connection = db.acting(role, "")
        for statement in relations + functions:
            try:
                connection.execute(statement.encode())
            except psycopg.errors.InsufficientPrivilege as error:
                if "schema eventlive" in str(error):
                    continue
            except psycopg.Error:
                pass
            found.append(f"{role}: {statement}")
    return found


def writable(db: EventliveDatabase) -> list[str]:
    """Relations of either schema, sequences included, on which a client role holds more than SELECT."""
    return column(
        db,
        "select distinct format('%%s: %%s %%s', a.role, a.privilege, c.oid::regclass)"
        "  from pg_class c"
        " cross join lateral ("
        "   select grantee, privilege_type from aclexplode(c.relacl)"
        "   union select x.grantee, x.privilege_type"
        "     from pg_attribute t, aclexplode(t.attacl) x where t.attrelid = c.oid"
        " ) as g (grantee, privilege)"
        " cross join lateral (select g.grantee::regrole::text, g.privilege) as a (role, privilege)"
        f" where c.relnamespace {IN_SCHEMAS} and g.grantee <> c.relowner and g.privilege <> 'SELECT' order by 1",
    )


def readable_secrets(db: EventliveDatabase) -> list[str]:
    """Columns with a leave token or with what a browser said of itself that a client role may read."""
    return column(
        db,
        "select format('%%s: %%s.%%s', r.rolname, c.oid::regclass, a.attname)"
        "  from pg_class c join pg_attribute a on a.attrelid = c.oid, pg_roles r"
        f" where c.relnamespace {IN_SCHEMAS} and a.attname in ('leave_token', 'client')"
        "   and c.relkind in ('r', 'p', 'v', 'm') and r.rolname in ('anon', 'authenticated', 'service_role')"
        "   and has_column_privilege(r.oid, c.oid, a.attnum, 'select')",
    )


def open_to_public(db: EventliveDatabase) -> list[str]:
    """Functions that everybody may execute, by the access list or as a role that owns nothing finds out."""
    return column(
        db,
        "select p.oid::regprocedure::text from pg_proc p"
        f" where p.pronamespace {IN_SCHEMAS}"
        "   and (has_function_privilege('pg_monitor', p.oid, 'execute') or exists ("
        "     select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0))",
    )


def without_search_path(db: EventliveDatabase) -> list[str]:
    """Functions that resolve names by the search path of whoever calls; a definer must have an empty one."""
    return column(
        db,
        "select p.oid::regprocedure::text from pg_proc p"
        f" where p.pronamespace {IN_SCHEMAS}"
        "   and not (coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)"
        "            or (p.prosqlbody is not null and not p.prosecdef))",
    )


def without_row_security(db: EventliveDatabase) -> list[str]:
    """Tables on which row security is off, or which nobody could read by any policy."""
    return column(
        db,
        "select c.oid::regclass::text from pg_class c"
        f" where c.relnamespace {IN_SCHEMAS} and c.relkind in ('r', 'p')"
        "   and not (c.relrowsecurity and exists (select from pg_policy p where p.polrelid = c.oid))",
    )


def owned_by_others(db: EventliveDatabase) -> list[str]:
    """Objects that do not belong to eventlive_owner."""
    return column(
        db,
        f"select oid::regclass::text from pg_class where relnamespace {IN_SCHEMAS}"
        "  and relowner <> 'eventlive_owner'::regrole"
        f" union all select oid::regprocedure::text from pg_proc where pronamespace {IN_SCHEMAS}"
        "  and proowner <> 'eventlive_owner'::regrole"
        " union all select nspname::text from pg_namespace where nspname like 'eventlive%%'"
        "  and nspowner <> 'eventlive_owner'::regrole",
    )


def views_of_the_owner(db: EventliveDatabase) -> list[str]:
    """Views that read as their owner instead of as the caller."""
    return column(
        db,
        "select c.oid::regclass::text from pg_class c"
        f" where c.relnamespace {IN_SCHEMAS} and c.relkind = 'v'"
        "   and not coalesce('security_invoker=true' = any (c.reloptions), false)",
    )


def without_comment(db: EventliveDatabase) -> list[str]:
    """Tables, columns, views, functions, policies, triggers and indexes that do not say what they are for."""
    mine = f"c.relnamespace {IN_SCHEMAS}"
    return column(
        db,
        "select what from ("
        f" select oid::regprocedure::text, obj_description(oid, 'pg_proc') from pg_proc where pronamespace {IN_SCHEMAS}"
        f" union all select c.oid::regclass::text, obj_description(c.oid, 'pg_class') from pg_class c where {mine}"
        "   and c.relkind in ('r', 'p', 'v') or c.relkind = 'i' and c.oid in ("
        f"    select i.indexrelid from pg_index i join pg_class c on c.oid = i.indrelid where {mine}"
        "     and not exists (select from pg_constraint k where k.conindid = i.indexrelid))"
        " union all select c.relname || '.' || a.attname, col_description(c.oid, a.attnum)"
        f"  from pg_class c join pg_attribute a on a.attrelid = c.oid where {mine}"
        "   and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped"
        " union all select c.relname || '.' || p.polname, obj_description(p.oid, 'pg_policy')"
        f"  from pg_policy p join pg_class c on c.oid = p.polrelid where {mine}"
        " union all select c.relname || '.' || t.tgname, obj_description(t.oid, 'pg_trigger')"
        f"  from pg_trigger t join pg_class c on c.oid = t.tgrelid where {mine} and not t.tgisinternal"
        " union all select n.nspname, obj_description(n.oid, 'pg_namespace') from pg_namespace n"
        "   where n.nspname = 'eventlive'"
        ") as o (what, comment) where coalesce(btrim(comment), '') = '' order by 1",
    )


def bare_helpers(db: EventliveDatabase) -> list[str]:
    """Policies that call a helper outside a sub-select, and so once a row."""
    found = []
    for policy, text in db.rows(
        "select tablename || '.' || policyname, concat(qual, ' ', with_check) from pg_policies"
        " where schemaname = 'eventlive'"
    ):
        calls = re.findall(r"\beventlive\.\w+\(", text)
        if len(calls) != len(re.findall(r"\( ?SELECT eventlive\.\w+\(", text)):
            found.append(policy)
    return found


SERVICE_WRITES = [
    f"service_role: {privilege} eventlive{schema}.profiles"
    for privilege in ("DELETE", "INSERT", "UPDATE")
    for schema in ("", "_api")
]

NOTHING: list[str] = []
CHECKS: list[tuple[Check, list[str], str]] = [
    (nameable, NOTHING, "grant usage on schema eventlive to authenticated"),
    (writable, SERVICE_WRITES, "grant update (nickname) on eventlive.registrations to authenticated"),
    (writable, SERVICE_WRITES, "grant truncate on eventlive_api.webinars to public"),
    (readable_secrets, NOTHING, "grant select (leave_token) on eventlive.webinar_user_sessions to service_role"),
    (open_to_public, NOTHING, "create function eventlive_api.faulty() returns int language sql return 1"),
    (open_to_public, NOTHING, "grant execute on function eventlive.require_user() to public"),
    (without_search_path, NOTHING, "alter function eventlive.webinar_enter reset search_path"),
    (without_search_path, NOTHING, "alter function eventlive.webinar_enter set search_path = pg_catalog, public"),
    (without_search_path, NOTHING, "alter function eventlive.webinar_enter set search_path = ''"),
    (without_search_path, NOTHING, "alter function eventlive.webinar_reply security definer"),
    (without_row_security, NOTHING, "alter table eventlive.jobs disable row level security"),
    (without_row_security, NOTHING, "drop policy jobs_service on eventlive.jobs"),
    (owned_by_others, NOTHING, "alter function eventlive.webinar_enter owner to current_user"),
    (owned_by_others, NOTHING, "alter view eventlive_api.webinars owner to current_user"),
    (views_of_the_owner, NOTHING, "alter view eventlive_api.webinars reset (security_invoker)"),
    (without_comment, NOTHING, "comment on column eventlive.registrations.nickname is null"),
    (without_comment, NOTHING, "comment on policy registrations_own on eventlive.registrations is null"),
    (without_comment, NOTHING, "comment on trigger webinars_refresh_live on eventlive.webinars is null"),
    (without_comment, NOTHING, "create index faulty on eventlive.registrations (role)"),
    (
        bare_helpers,
        NOTHING,
        "alter policy registrations_own on eventlive.registrations using (user_id = eventlive.current_user_id())",
    ),
]
IDS = [f"{check.__name__}-{number}" for number, (check, _, _) in enumerate(CHECKS)]


@pytest.mark.parametrize(("check", "expected", "fault"), CHECKS, ids=IDS)
def test_the_schema_passes_the_check_and_a_fault_does_not(
    db: EventliveDatabase, check: Check, expected: list[str], fault: str
) -> None:
    assert sorted(check(db)) == sorted(expected)
    db.admin.execute(fault.encode())
    assert len(check(db)) > len(expected)


@pytest.mark.parametrize("function", MAY_CALL)
def test_execute_is_granted_to_those_who_are_named(db: EventliveDatabase, function: str) -> None:
    for schema in ("eventlive_api", "eventlive"):  # the body is called with the rights of the caller
        granted = column(
            db,
            "select r.rolname from pg_proc p, pg_roles r where r.rolname in ('anon', 'authenticated', 'service_role')"
            f" and p.oid = '{schema}.{function}'::regproc and has_function_privilege(r.oid, p.oid, 'execute')",
        )
        assert set(granted) == MAY_CALL[function], schema


def test_every_public_function_is_named_above(db: EventliveDatabase) -> None:
    query = "select proname from pg_proc where pronamespace = 'eventlive_api'::regnamespace"
    assert set(column(db, query)) == set(MAY_CALL)


@pytest.mark.parametrize("role", CLIENT_ROLES)
def test_no_view_can_be_written_but_profiles_by_the_service(db: EventliveDatabase, role: str) -> None:
    assemble(db)
    connection = db.acting(role, "")
    before = db.contents()
    for view in column(db, "select viewname from pg_views where schemaname = 'eventlive_api'"):
        [first] = column(
            db,
            f"select attname from pg_attribute where attrelid = 'eventlive_api.{view}'::regclass and attnum = 1",
        )
        for statement in (
            f"insert into eventlive_api.{view} ({first}) values ('{WEBINAR}')",
            f"update eventlive_api.{view} set {first} = {first}",
            f"delete from eventlive_api.{view}",
        ):
            if view == "profiles" and role == "service_role":
                continue
            # A view that Postgres cannot write through says so first (55000).
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
                connection.execute(statement.encode())
    assert db.contents() == before


def test_the_service_writes_profiles_through_the_view(db: EventliveDatabase) -> None:
    connection = db.acting("service_role", '{"role":"service_role"}')
    connection.execute("insert into eventlive_api.profiles (user_id, display_name) values (%s, 'Ana')", [WEBINAR])
    connection.execute("update eventlive_api.profiles set is_admin = true")
    assert db.rows("select display_name, is_admin from eventlive.profiles") == [("Ana", True)]
    connection.execute("delete from eventlive_api.profiles")
    assert db.count("profiles") == 0


def test_generous_default_privileges_add_none(db: EventliveDatabase, empty_database: str) -> None:
    with closing(EventliveDatabase(empty_database)) as generous:
        for kind in ("tables", "functions"):
            generous.admin.execute(
                f"alter default privileges for role eventlive_owner grant all on {kind} to anon, authenticated".encode()
            )
        with generous.admin.transaction():
            for path in sorted(sql_dir().glob("*/*.sql")):
                generous.admin.execute(path.read_bytes())
        for check in (writable, readable_secrets, open_to_public):
            assert sorted(check(generous)) == sorted(check(db)), check.__name__
