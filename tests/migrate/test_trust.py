"""Somebody who may only create schemas makes ``eventlive`` first, and waits for a superuser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from eventlive_db.cli.migrate import app
from eventlive_db.migrate import (
    MigrateError,
    Options,
    downgrade,
    find_drift,
    frozen,
    script,
    status,
    upgrade,
)
from eventlive_db.migrate.execute import execute_script
from eventlive_db.migrate.trust import check_own_tables
from tests.migrate.conftest import People, ask, connected, run, whole_catalog
from tests.migrate.test_offline import play

VERSION = "(version_num varchar(32) not null, constraint alembic_version_pkc primary key (version_num))"
INSTALLATION = """(
    only_row boolean primary key default true check (only_row), api_schema text not null, owner text not null,
    api_schema_existed boolean not null, granted jsonb not null
)"""


@dataclass(frozen=True, slots=True)
class Trap:
    """A database in which Mallory may create schemas.

    Attributes:
        mallory: Her role.
        dsn: As the superuser.
        own: As Mallory.
    """

    mallory: str
    dsn: str
    own: str

    def set(self, *statements: str) -> None:
        """Have Mallory make her schemas, a function that notes who runs it, and what else there is."""
        run(
            self.own,
            "create schema mallory",
            "create schema eventlive",
            "create table mallory.caught (who text)",
            """create function mallory.note() returns text language plpgsql as $$
               begin insert into mallory.caught values (current_user); return 'x'; end $$""",
            """create function mallory.fire() returns trigger language plpgsql as $$
               begin insert into mallory.caught values (current_user); return new; end $$""",
            """create function mallory.truth(text) returns boolean language plpgsql immutable as $$
               begin perform mallory.note(); return true; end $$""",
            "grant usage on schema eventlive, mallory to public",
            "grant insert on mallory.caught to public",
            *statements,
        )

    def caught(self) -> list[tuple[str, ...]]:
        """Who ran a function of hers."""
        return ask(self.dsn, "select distinct who from mallory.caught")


@pytest.fixture
def trap(people: People, make_database: Callable[..., str]) -> Trap:
    mallory = people.make("mallory")
    dsn = make_database()
    with connected(dsn) as admin:
        admin.execute(f"grant create on database {admin.info.dbname} to {mallory}".encode())
    return Trap(mallory, dsn, make_conninfo(dsn, user=mallory))


def drift(dsn: str, scratch: str) -> None:
    with psycopg.connect(dsn) as database, psycopg.connect(scratch) as empty:
        find_drift(database, empty)


FILL = "insert into eventlive.installation values (true, 'eventlive_api', '{mallory}', false, '[]')"
BOTH = (f"create table eventlive.installation {INSTALLATION}", f"create table eventlive.alembic_version {VERSION}")
AT_0002 = (*BOTH, FILL, "insert into eventlive.alembic_version values ('0002')")

TRAPS = {
    "a view": (
        "view eventlive.installation",
        """create view eventlive.installation as
           select true as only_row, mallory.note() as api_schema, 'b' as owner, false as api_schema_existed""",
    ),
    "a view for the revision": (
        "view eventlive.alembic_version",
        "create view eventlive.alembic_version as select mallory.note()::varchar(32) as version_num",
    ),
    "a materialized view": (
        "materialized view eventlive.installation",
        "create materialized view eventlive.installation as select 1 as a",
    ),
    "a trigger": (
        "table eventlive.alembic_version",
        f"create table eventlive.alembic_version {VERSION}",
        "create trigger t before insert on eventlive.alembic_version for each row execute function mallory.fire()",
    ),
    "a trigger on a whole installation": (
        "table eventlive.alembic_version",
        *AT_0002,
        "create trigger t before update on eventlive.alembic_version for each row execute function mallory.fire()",
    ),
    "a rule": (
        "table eventlive.alembic_version",
        *AT_0002,
        "create rule r as on update to eventlive.alembic_version do also select mallory.note()",
    ),
    "a policy": (
        "table eventlive.installation",
        *AT_0002,
        "alter table eventlive.installation enable row level security",
        "create policy p on eventlive.installation using (mallory.note() <> '')",
    ),
    "a check": (
        "table eventlive.alembic_version",
        *AT_0002,
        "alter table eventlive.alembic_version add check (mallory.truth(version_num))",
    ),
    "a default": (
        "table eventlive.alembic_version",
        *AT_0002,
        "alter table eventlive.alembic_version alter version_num set default mallory.note()",
    ),
    "another default than ours": (
        "table eventlive.installation",
        *AT_0002,
        "alter table eventlive.installation alter only_row set default mallory.truth('')",
    ),
    "a generated column": (
        "table eventlive.alembic_version",
        *AT_0002,
        "alter table eventlive.alembic_version add g boolean generated always as (mallory.truth('')) stored",
    ),
    "an index": (
        "table eventlive.alembic_version",
        *AT_0002,
        "create index on eventlive.alembic_version (mallory.truth(version_num))",
    ),
    "a child": (
        "table eventlive.alembic_version",
        *AT_0002,
        "create table mallory.child () inherits (eventlive.alembic_version)",
    ),
    "partitions": (
        "partitioned table eventlive.alembic_version",
        "create table eventlive.alembic_version (version_num varchar(32)) partition by list (version_num)",
    ),
    "a type of hers": (
        "table eventlive.installation",
        "create domain mallory.word as text check (mallory.truth(value))",
        *AT_0002,
        "alter table eventlive.installation alter api_schema type mallory.word",
    ),
    "a column more": (
        "table eventlive.installation",
        *AT_0002,
        "alter table eventlive.installation add more text",
    ),
    "another role's name": (
        "table eventlive.installation",
        *AT_0002,
        "update eventlive.installation set owner = 'postgres'",
    ),
    "a revision without an installation": (
        "table eventlive.alembic_version",
        f"create table eventlive.alembic_version {VERSION}",
    ),
}


@pytest.mark.parametrize("what", TRAPS)
def test_nothing_of_hers_is_run_and_she_is_named(trap: Trap, make_database: Callable[..., str], what: str) -> None:
    found, *statements = TRAPS[what]
    trap.set(*(statement.replace("{mallory}", trap.mallory) for statement in statements))
    run(trap.dsn, "delete from mallory.caught")
    before = whole_catalog(trap.dsn)
    options, scratch = Options(trap.dsn), make_database()
    ways: dict[str, Callable[[], object]] = {
        "status": lambda: status(trap.dsn),
        "up": lambda: upgrade(options),
        "down": lambda: downgrade(options, "base"),
        "diff": lambda: drift(trap.dsn, scratch),
    }
    for way, go in ways.items():
        with pytest.raises(MigrateError, match=f"{found}, owned by {trap.mallory}") as caught:
            go()
        assert "Then drop it, or install in another database" in str(caught.value), way
    if what != "another role's name":
        for start in ("base", "0002"):
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=f"{found}, owned by {trap.mallory}"):
                play(trap.dsn, script(options, start))
    assert trap.caught() == []
    assert whole_catalog(trap.dsn) == before


def test_a_table_of_another_role_than_the_schema_is_refused(trap: Trap) -> None:
    upgrade(Options(trap.dsn), "0002")
    run(trap.dsn, f"alter table eventlive.alembic_version owner to {trap.mallory}")
    with pytest.raises(MigrateError, match=f"owned by {trap.mallory}, .* not the owner of the schema"):
        status(trap.dsn)
    with pytest.raises(MigrateError, match=f"owned by {trap.mallory}, .* not the owner of the schema"):
        upgrade(Options(trap.dsn))


@pytest.mark.parametrize(
    "statement",
    [
        "create type eventlive.mood as enum ('x')",
        "create domain eventlive.word as text",
        "create type eventlive.span as range (subtype = integer)",
        "create operator eventlive.= (function = texteq, leftarg = text, rightarg = text)",
    ],
)
def test_what_the_schema_holds_beforehand_is_named_and_kept(trap: Trap, statement: str) -> None:
    trap.set(statement)
    before = whole_catalog(trap.dsn)
    with pytest.raises(MigrateError, match=rf"(type|operator) .*, owned by {trap.mallory}, .*before the installation"):
        upgrade(Options(trap.dsn))
    assert whole_catalog(trap.dsn) == before
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=f"owned by {trap.mallory}"):
        play(trap.dsn, script(Options()))
    assert whole_catalog(trap.dsn) == before


def test_an_empty_schema_that_was_there_may_be_used(trap: Trap) -> None:
    run(trap.dsn, "create schema eventlive")
    upgrade(Options(trap.dsn))
    assert status(trap.dsn).up_to_date


def test_diff_reads_no_settings_that_are_a_view(trap: Trap, make_database: Callable[..., str]) -> None:
    trap.set("create view eventlive.settings as select mallory.note() as key, 1 as value")
    drift(trap.dsn, make_database())
    assert trap.caught() == []


@pytest.mark.parametrize("way", ["up", "status"])
def test_operators_of_other_schemas_are_not_picked_up(trap: Trap, way: str) -> None:
    trap.set(
        """create function mallory.same(varchar, varchar) returns boolean language plpgsql as $$
           begin insert into mallory.caught values (current_user); return true; end $$""",
        """create function mallory.same(name, name) returns boolean language plpgsql as $$
           begin insert into mallory.caught values (current_user); return true; end $$""",
        "create operator mallory.= (function = mallory.same, leftarg = varchar, rightarg = varchar)",
        "create operator mallory.= (function = mallory.same, leftarg = name, rightarg = name)",
        "drop schema eventlive",
    )
    dsn = make_conninfo(trap.dsn, options="-csearch_path=mallory,pg_catalog")
    if way == "up":
        upgrade(Options(dsn), "0002")
        downgrade(Options(dsn), "0001")
    status(dsn)
    assert trap.caught() == []


TRIGGER = "create trigger t before update on eventlive.alembic_version for each row execute function mallory.fire()"


def test_a_trigger_that_is_made_between_two_steps_is_seen(trap: Trap, monkeypatch: pytest.MonkeyPatch) -> None:
    trap.set("drop schema eventlive")
    upgrade(Options(trap.dsn), "0001")

    def be_quick(*arguments: Any) -> object:
        if status(trap.dsn).current == "0002":
            run(trap.dsn, TRIGGER)
        return check_own_tables(*arguments)

    monkeypatch.setattr(frozen, "check_own_tables", be_quick)
    with pytest.raises(MigrateError, match="it has a trigger"):
        upgrade(Options(trap.dsn), "0003")
    assert trap.caught() == []
    assert ask(trap.dsn, "select version_num from eventlive.alembic_version") == [("0002",)]


def test_a_trigger_cannot_be_made_while_a_step_runs(trap: Trap, monkeypatch: pytest.MonkeyPatch) -> None:
    trap.set("drop schema eventlive")
    upgrade(Options(trap.dsn), "0001")
    refused = []

    def be_quick(*arguments: Any) -> None:
        with connected(trap.dsn) as other:
            other.execute("set lock_timeout = '10ms'")
            try:
                other.execute(TRIGGER.encode())
            except psycopg.errors.LockNotAvailable as error:
                refused.append(error)
        execute_script(*arguments)

    monkeypatch.setattr(frozen, "execute_script", be_quick)
    upgrade(Options(trap.dsn), "0003")
    assert len(refused) == 2
    assert trap.caught() == []


def test_who_may_not_become_the_owner_is_told_who_must_grant_it(people: People, trap: Trap) -> None:
    boss, second = people.make("boss"), people.make("second", "createrole")
    run(trap.dsn, f"grant create on database {make_dbname(trap.dsn)} to {second}")
    if ask(trap.dsn, "select current_setting('server_version_num')::int < 160000") == [(True,)]:
        pytest.skip("until 15 CREATEROLE may grant any role")
    told = CliRunner().invoke(app, ["up", "--dsn", make_conninfo(trap.dsn, user=second), "--owner", boss])
    assert told.exit_code == 2
    assert f"42501: {second} may not act as the owner {boss}" in told.stderr
    assert "detail: not_member_of_owner" in told.stderr
    assert f"hint: As an administrator: grant {boss} to {second}." in told.stderr


def make_dbname(dsn: str) -> str:
    with connected(dsn) as connection:
        return connection.info.dbname
