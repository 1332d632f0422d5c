"""Nobody but the roles of the matrix was granted anything, and none of them may pass it on (R17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.security.matrix import ROLES, SCHEMAS

Databases = Callable[..., str]

# An owner may pass on what is its own.
_GRANTS = """
    with objects (name, owner, acl) as (
        select 'schema ' || nspname, nspowner, nspacl from pg_namespace where nspname = any (%(schemas)s)
        union all
        select c.oid::regclass::text, c.relowner, c.relacl
          from pg_class c where c.relnamespace = any (%(schemas)s::regnamespace[])
        union all
        select c.oid::regclass || '.' || a.attname, c.relowner, a.attacl
          from pg_attribute a join pg_class c on c.oid = a.attrelid
         where c.relnamespace = any (%(schemas)s::regnamespace[])
        union all
        select p.oid::regprocedure::text, p.proowner, p.proacl
          from pg_proc p where p.pronamespace = any (%(schemas)s::regnamespace[])
        union all
        select t.oid::regtype::text, t.typowner, t.typacl
          from pg_type t where t.typnamespace = any (%(schemas)s::regnamespace[])
    )
    select format('%%s: %%s to %%s%%s', o.name, a.privilege_type, coalesce(r.rolname, 'public'),
                  case when a.is_grantable then ', who may pass it on' else '' end)
      from objects o
     cross join aclexplode(o.acl) a
      left join pg_roles r on r.oid = a.grantee
     where a.grantee <> o.owner and (a.is_grantable or coalesce(r.rolname, 'public') <> all (%(roles)s))
     order by 1
"""


def grants(admin: psycopg.Connection[Any]) -> list[str]:
    """Privileges of other roles, and those that may be passed on."""
    return [told for (told,) in admin.execute(_GRANTS, {"schemas": list(SCHEMAS), "roles": list(ROLES)})]


@pytest.mark.parametrize("template", ["plain_template", "generous_template"])
def test_nobody_else_was_granted_anything(
    make_database: Databases, request: pytest.FixtureRequest, template: str
) -> None:
    with psycopg.connect(make_database(request.getfixturevalue(template))) as admin:
        assert grants(admin) == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("grant usage on schema eventlive to {role}", "schema eventlive: USAGE to {role}"),
        ("grant select on eventlive.jobs to {role}", "eventlive.jobs: SELECT to {role}"),
        ("grant select (name) on eventlive.jobs to {role}", "eventlive.jobs.name: SELECT to {role}"),
        ("grant execute on function eventlive.is_service() to {role}", "eventlive.is_service(): EXECUTE to {role}"),
        ("grant usage on type eventlive.jobs to {role}", "eventlive.jobs: USAGE to {role}"),
        (
            "grant select on eventlive_api.registrations to authenticated with grant option",
            "eventlive_api.registrations: SELECT to authenticated, who may pass it on",
        ),
    ],
)
def test_a_grant_to_somebody_else_is_told(
    make_database: Databases, plain_template: str, nobody: str, fault: str, told: str
) -> None:
    role = f"{nobody}_other"
    with psycopg.connect(make_database(plain_template)) as admin, admin.transaction(force_rollback=True):
        admin.execute(f'create role "{role}"'.encode())
        admin.execute(fault.format(role=role).encode())
        assert grants(admin) == [told.format(role=role)]
