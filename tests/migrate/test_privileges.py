"""Migrating without superuser, and under default privileges that give everything away."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from eventlive_db.migrate import (
    MigrateError,
    Names,
    Options,
    StatementError,
    build_declared,
    compare,
    downgrade,
    read_catalog,
    status,
    upgrade,
)
from tests.migrate.conftest import CLIENT_ROLES, People, ask, connected, run, whole_catalog

DatabaseOf = Callable[[str], tuple[str, str]]


@pytest.mark.parametrize("api_schema", ["eventlive_api", "public"])
def test_a_role_with_createrole_and_its_database_is_enough(
    people: People, database_of: DatabaseOf, api_schema: str
) -> None:
    boss, migrator = people.name("boss"), people.make("migrator", "createrole")
    dsn, admin_dsn = database_of(migrator)
    before = whole_catalog(admin_dsn)
    upgrade(Options(dsn, api_schema, boss))
    assert status(dsn).up_to_date
    assert ask(admin_dsn, f"select rolcanlogin, rolsuper, rolbypassrls from pg_roles where rolname = '{boss}'") == [
        (False, False, False)
    ]
    assert set(ask(admin_dsn, "select distinct tableowner::text from pg_tables where schemaname = 'eventlive'")) == {
        (boss,)
    }
    downgrade(Options(dsn), "0003")
    upgrade(Options(dsn))
    downgrade(Options(dsn), "base")
    assert whole_catalog(admin_dsn) == before


def test_create_on_the_database_is_enough_where_it_belongs_to_somebody_else(
    people: People, make_database: Callable[..., str]
) -> None:
    boss, migrator = people.name("boss"), people.make("migrator", "createrole")
    dsn = make_database()
    with connected(dsn) as admin:
        admin.execute(f"grant create on database {admin.info.dbname} to {migrator}".encode())
        own = psycopg.conninfo.make_conninfo(dsn, user=migrator)
    before = whole_catalog(dsn)
    upgrade(Options(own, owner=boss))
    downgrade(Options(own), "base")
    assert whole_catalog(dsn) == before


@pytest.mark.parametrize("api_schema", ["eventlive_api", "public"])
def test_a_role_that_may_not_make_roles_owns_everything_itself(
    people: People, database_of: DatabaseOf, api_schema: str
) -> None:
    migrator = people.make("migrator")
    dsn, admin_dsn = database_of(migrator)
    before = whole_catalog(admin_dsn)
    upgrade(Options(dsn, api_schema, migrator))
    assert status(dsn).up_to_date
    downgrade(Options(dsn), "base")
    assert whole_catalog(admin_dsn) == before


def test_a_member_of_the_owner_may_go_on_where_another_one_began(people: People, database_of: DatabaseOf) -> None:
    boss, first, second = people.make("boss"), people.make("first"), people.make("second")
    dsn, admin_dsn = database_of(first)
    with connected(admin_dsn) as admin:
        admin.execute(f"grant {boss} to {first}, {second}".encode())
        admin.execute(f"grant create on database {admin.info.dbname} to {second}".encode())
    upgrade(Options(dsn, owner=boss), "0002")
    upgrade(Options(psycopg.conninfo.make_conninfo(admin_dsn, user=second)))
    assert status(dsn).up_to_date


def test_without_the_right_to_make_the_owner_nothing_happens_and_the_way_out_is_named(
    people: People, database_of: DatabaseOf
) -> None:
    boss, migrator = people.name("boss"), people.make("migrator")
    dsn, admin_dsn = database_of(migrator)
    before = whole_catalog(admin_dsn)
    with pytest.raises(StatementError, match=f"role {boss} is missing and {migrator} may not create it") as caught:
        upgrade(Options(dsn, owner=boss))
    assert caught.value.sqlstate == "42501"
    assert "--owner" in str(caught.value)
    assert whole_catalog(admin_dsn) == before


def test_an_owner_that_the_migrator_may_not_become_is_refused(people: People, database_of: DatabaseOf) -> None:
    boss, migrator = people.make("boss"), people.make("migrator")
    dsn, admin_dsn = database_of(migrator)
    before = whole_catalog(admin_dsn)
    with pytest.raises(StatementError, match="hint: ") as caught:
        upgrade(Options(dsn, owner=boss))
    assert caught.value.sqlstate == "42501"
    assert whole_catalog(admin_dsn) == before


def test_without_create_on_the_database_nothing_happens(people: People, make_database: Callable[..., str]) -> None:
    migrator = people.make("migrator")
    dsn = make_database()
    before = whole_catalog(dsn)
    with pytest.raises(MigrateError, match="42501: permission denied for database"):
        upgrade(Options(psycopg.conninfo.make_conninfo(dsn, user=migrator), owner=migrator))
    assert whole_catalog(dsn) == before


@pytest.mark.parametrize("giver", ["the migrating role", "the owner"])
def test_default_privileges_like_those_of_supabase_give_nobody_anything(
    people: People, database_of: DatabaseOf, make_database: Callable[..., str], giver: str
) -> None:
    migrator = people.make("migrator", "createrole")
    boss = migrator if giver == "the migrating role" else people.make("boss")
    dsn, admin_dsn = database_of(migrator)
    if boss != migrator:
        run(admin_dsn, f"grant {boss} to {migrator}")
    everybody = ", ".join(CLIENT_ROLES)
    for kind in ("tables", "functions", "sequences"):
        run(
            admin_dsn,
            f"alter default privileges for role {boss} in schema public grant all on {kind} to {everybody}",
            f"alter default privileges for role {boss} grant all on {kind} to {everybody}"
            if kind != "sequences"
            else "select 1",
        )
    upgrade(Options(dsn, "public", boss))

    names, built = Names("public", boss), make_database()
    with connected(built) as declared, connected(admin_dsn) as database:
        build_declared(declared, names)
        differences = compare(read_catalog(declared, names), read_catalog(database, names), strict=True)
    assert [found for found in differences if not found.object.startswith("default privileges")] == []
    machinery = [
        key
        for key in whole_catalog(admin_dsn).entries
        if key[0] in {"table eventlive.installation", "table eventlive.alembic_version"} and key[1].startswith("grant ")
    ]
    assert machinery
    assert all(aspect.endswith(f" to {boss}") for _, aspect in machinery)
