"""A client role stays what it is: no other role, no code of the owner's, no way into the private schema (R17)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.support.database import EventliveDatabase

CLIENTS = ("anon", "authenticated", "service_role")

Check = Callable[[EventliveDatabase], list[Any]]


@contextmanager
def logged_in(db: EventliveDatabase, role: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of a login role that may become that client role and no other, as of a gateway for it alone."""
    name, password = f"gate_{uuid4().hex[:12]}", "wanted-where-one-is-asked-for"
    db.admin.execute(f"create role {name} login noinherit password '{password}' in role {role}".encode())
    try:
        dsn = psycopg.conninfo.make_conninfo(db.dsn, user=name, password=password)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"set role {role}".encode())
            yield connection
    finally:
        db.admin.execute(f"drop role {name}".encode())


def reachable(db: EventliveDatabase) -> list[str]:
    """Roles that a client role can become, and attributes it has."""
    found = []
    for role in CLIENTS:
        with logged_in(db, role) as connection:
            others = db.rows("select rolname from pg_roles where rolname <> %s and rolname not like 'gate_%%'", role)
            for (other,) in others:
                for statement in (f'set role "{other}"', f'set session authorization "{other}"'):
                    try:
                        with connection.transaction(force_rollback=True):
                            connection.execute(statement.encode())
                    except psycopg.errors.InsufficientPrivilege:
                        continue
                    found.append(f"{role}: {statement}")
    attributes = "rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls or rolcanlogin"
    found += [
        f"{name} has attributes"
        for (name,) in db.rows(
            f"select rolname from pg_roles where rolname = any (%s) and ({attributes})", list(CLIENTS)
        )
    ]
    return found


def memberships(db: EventliveDatabase) -> list[str]:
    """Roles that a client role, or the owner, is a member of."""
    return [
        f"{member} is a member of {role}"
        for member, role in db.rows(
            "select m.member::regrole::text, m.roleid::regrole::text from pg_auth_members m"
            " where m.member::regrole::text = any (%s)",
            [*CLIENTS, "eventlive_owner"],
        )
    ]


def powers_of_the_owner(db: EventliveDatabase) -> list[str]:
    """What the role that the functions run as could do beside its own schemas."""
    return [
        name
        for (name,) in db.rows(
            "select rolname from pg_roles where rolname = 'eventlive_owner'"
            " and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls or rolcanlogin)"
        )
    ]


def definers(db: EventliveDatabase) -> list[str]:
    """Definer functions that a caller could bend, or call by name: without a search path, or in an exposed schema."""
    return [
        name
        for (name,) in db.rows(
            "select p.oid::regprocedure::text from pg_proc p"
            " where p.prosecdef and p.pronamespace in ('eventlive'::regnamespace, 'eventlive_api'::regnamespace)"
            "   and (p.pronamespace = 'eventlive_api'::regnamespace"
            "        or not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false))"
        )
    ]


def doors(db: EventliveDatabase) -> list[str]:
    """Ways for a client role to name something in the private schema, whatever the search path."""
    statements = [
        "select from eventlive.webinars",
        "set search_path = eventlive; select from webinars",
        "select eventlive.current_user_id()",
        "select current_user_id()",
        "create view pg_temp.v as select id from eventlive.webinars",
        "create table pg_temp.t (like eventlive.webinars)",
        "create function pg_temp.f() returns int begin atomic select 1 from eventlive.webinars; end",
        "select null::eventlive.webinars",
        "select 'eventlive.webinars'::regclass",
        "copy eventlive.webinars to stdout",
        "lock table eventlive.webinars",
        "comment on table eventlive.webinars is 'mine'",
        "create table eventlive.mine ()",
        "create function eventlive_api.mine() returns int return 1",
        "alter view eventlive_api.webinars set (security_invoker = false)",
        "create policy mine on eventlive.webinars using (true)",
    ]
    found = []
    # Who may not use a schema does not find what is in it by its bare name.
    shut = (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedTable)
    for role in CLIENTS:
        connection = db.acting(role, "")
        for statement in statements:
            try:
                with connection.transaction(force_rollback=True):
                    connection.execute(statement.encode())
            except shut:
                continue
            found.append(f"{role}: {statement}")
    return found


def settings_that_stay(db: EventliveDatabase) -> list[str]:
    """What one request leaves on a connection of a pool for the next one, whose caller is somebody else."""
    user, webinar_id = db.user(), db.webinar()
    user.call("webinar_enter", webinar_id=webinar_id, session_id=uuid4())
    user.call("webinar_presence_ping", webinar_id=webinar_id)
    seen = user.connection.execute(
        "select s.name, current_setting(s.name, true)"
        "  from unnest(array['request.jwt.claims', 'role', 'eventlive.synchronous_commit']) as s (name)"
    ).fetchall()
    return [f"{name} = {value}" for name, value in seen if value not in {None, "", "none"}]


CHECKS: list[tuple[Check, str, str]] = [
    (reachable, "grant service_role to anon", "revoke service_role from anon"),
    (reachable, "grant eventlive_owner to authenticated", "revoke eventlive_owner from authenticated"),
    (reachable, "alter role authenticated bypassrls", "alter role authenticated nobypassrls"),
    (memberships, "grant authenticated to anon", "revoke authenticated from anon"),
    (powers_of_the_owner, "alter role eventlive_owner bypassrls", "alter role eventlive_owner nobypassrls"),
    (definers, "alter function eventlive.webinar_enter set search_path = public", ""),
    (definers, "alter function eventlive_api.webinar_enter security definer", ""),
    (doors, "grant usage on schema eventlive to anon", ""),
    (doors, "grant create on schema eventlive_api to service_role", ""),
    (doors, "alter view eventlive_api.webinars owner to authenticated", ""),
    (
        settings_that_stay,
        (
            "create or replace function eventlive_api.webinar_presence_ping(_webinar_id uuid) returns void"
            " language plpgsql as"
            " $$ begin perform set_config('request.jwt.claims', current_setting('request.jwt.claims'), false); end $$"
        ),
        "",
    ),
]


@pytest.mark.parametrize(
    ("check", "fault", "undo"), CHECKS, ids=[f"{check.__name__}-{n}" for n, (check, _, _) in enumerate(CHECKS)]
)
def test_there_is_none_and_a_fault_is_seen(db: EventliveDatabase, check: Check, fault: str, undo: str) -> None:
    assert check(db) == []
    try:
        db.admin.execute(fault.encode())
        assert check(db)
    finally:
        if undo:  # roles are shared by all databases
            db.admin.execute(undo.encode())
