"""Every object has its owner, its search path, its row security and a comment (R17).

Who may do what with it is in ``tests/security``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.cast import WEBINAR
from tests.support.database import EventliveDatabase

IN_SCHEMAS = "in ('eventlive'::regnamespace, 'eventlive_api'::regnamespace)"

Check = Callable[[EventliveDatabase], list[Any]]


def column(db: EventliveDatabase, query: str) -> list[Any]:
    """The values of a query with one column."""
    return [value for (value,) in db.rows(query)]


# None of them may have a SET clause: a procedure that commits must not, what a clause sets ends with the function, and
# a ping cannot afford one. They run as whoever calls, and qualify their names: until the path is set, which two of them
# do first of all, or throughout.
NEEDS_NO_PATH = {
    "eventlive.begin_batch": "begin perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);",
    "eventlive.run_job": "begin commit; perform eventlive.begin_batch();",
    "eventlive.claimed_user_id": (
        "declare v_claims pg_catalog.text := pg_catalog.current_setting('request.jwt.claims', true);"
        " begin if v_claims is null or v_claims operator(pg_catalog.=) '' then return null; end if;"
        " if pg_catalog.left(v_claims, 1) operator(pg_catalog.<>) '{' then"
        " perform eventlive.raise_error('invalid_claims'); end if;"
        " return (v_claims::pg_catalog.json operator(pg_catalog.->>) 'sub')::pg_catalog.uuid;"
        " exception when"
    ),
}


def without_search_path(db: EventliveDatabase) -> list[str]:
    """Functions that resolve names by the search path of whoever calls; a bound body need not set one."""
    found = db.rows(
        "select p.oid::regprocedure::text, p.prosecdef, regexp_replace(p.prosrc, '--[^\n]*', '', 'g') from pg_proc p"
        f" where p.pronamespace {IN_SCHEMAS}"
        "   and not (coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)"
        "            or (p.prosqlbody is not null and not p.prosecdef))"
    )
    return [
        name
        for name, is_definer, source in found
        if is_definer or NEEDS_NO_PATH.get(name.partition("(")[0], "never") not in " ".join(source.split())
    ]


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


CHECKS: list[tuple[Check, str]] = [
    (without_search_path, "alter function eventlive.webinar_enter reset search_path"),
    (without_search_path, "alter function eventlive.webinar_enter set search_path = pg_catalog, public"),
    (without_search_path, "alter function eventlive.webinar_enter set search_path = ''"),
    (without_search_path, "alter function eventlive.webinar_reply security definer"),
    (without_search_path, "alter procedure eventlive.run_job security definer"),
    (
        without_search_path,
        (
            "create or replace function eventlive.begin_batch() returns void language plpgsql as"
            " 'begin perform set_config(''role'', ''eventlive_owner'', true); end'"
        ),
    ),
    (without_search_path, "alter function eventlive.claimed_user_id security definer"),
    (without_row_security, "alter table eventlive.jobs disable row level security"),
    (without_row_security, "drop policy jobs_service on eventlive.jobs"),
    (owned_by_others, "alter function eventlive.webinar_enter owner to current_user"),
    (owned_by_others, "alter view eventlive_api.webinars owner to current_user"),
    (views_of_the_owner, "alter view eventlive_api.webinars reset (security_invoker)"),
    (without_comment, "comment on column eventlive.registrations.nickname is null"),
    (without_comment, "comment on policy registrations_own on eventlive.registrations is null"),
    (without_comment, "comment on trigger webinars_refresh_live on eventlive.webinars is null"),
    (without_comment, "create index faulty on eventlive.registrations (role)"),
    (
        bare_helpers,
        "alter policy registrations_own on eventlive.registrations using (user_id = eventlive.current_user_id())",
    ),
]
IDS = [f"{check.__name__}-{number}" for number, (check, _) in enumerate(CHECKS)]


@pytest.mark.parametrize(("check", "fault"), CHECKS, ids=IDS)
def test_the_schema_passes_the_check_and_a_fault_does_not(db: EventliveDatabase, check: Check, fault: str) -> None:
    assert check(db) == []
    db.admin.execute(fault.encode())
    assert check(db)


def test_the_service_writes_profiles_through_the_view(db: EventliveDatabase) -> None:
    connection = db.acting("service_role", '{"role":"service_role"}')
    connection.execute("insert into eventlive_api.profiles (user_id, display_name) values (%s, 'Ana')", [WEBINAR])
    connection.execute("update eventlive_api.profiles set is_admin = true")
    assert db.rows("select display_name, is_admin from eventlive.profiles") == [("Ana", True)]
    connection.execute("delete from eventlive_api.profiles")
    assert db.count("profiles") == 0
