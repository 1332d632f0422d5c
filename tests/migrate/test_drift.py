"""The declared schema and the migrated one are the same; and whatever differs is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eventlive_db.migrate import (
    Change,
    Names,
    Options,
    build_declared,
    compare,
    find_drift,
    read_catalog,
    scratch_database,
    upgrade,
)
from eventlive_db.server import Server
from tests.migrate.conftest import People, connected, run


def drift(dsn: str) -> list[str]:
    with scratch_database(dsn) as scratch, connected(scratch) as empty, connected(dsn) as database:
        return [str(found) for found in find_drift(database, empty)]


@pytest.mark.parametrize("api_schema", ["eventlive_api", "public", "front"])
def test_the_migrated_schema_is_the_declared_one(
    people: People, make_database: Callable[..., str], api_schema: str
) -> None:
    owner = "eventlive_owner" if api_schema == "eventlive_api" else people.name("boss")
    names = Names(api_schema, owner)
    migrated, built = make_database(), make_database()
    upgrade(Options(migrated, names.api_schema, names.owner))
    with connected(migrated) as database, connected(built) as declared:
        build_declared(declared, names)
        expected, found = read_catalog(declared, names), read_catalog(database, names)
    assert compare(expected, found, strict=True) == []
    assert found.lines() == expected.lines()
    assert len(found.entries) > 1000


DIFFERENCES = {
    "column": ("alter table eventlive.profiles add extra int", "column extra: unexpected"),
    "missing column": ("alter table eventlive.webinar_user_sessions drop client", "column client: missing"),
    "type": ("alter table eventlive.webinar_live_presence alter throttle_s type numeric", "throttle_s: different"),
    "nullability": ("alter table eventlive.registrations alter role drop not null", "column role: different"),
    "default": ("alter table eventlive.webinars alter status set default 'live'", "column status: different"),
    "storage": ("alter table eventlive.webinars alter title set storage external", "column title: different"),
    "column option": (
        "alter table eventlive.webinars alter slug set (n_distinct = 5)",
        "option n_distinct: unexpected",
    ),
    "constraint": ("alter table eventlive.webinars drop constraint webinars_slug_form", "webinars_slug_form: missing"),
    "index": ("create index sneaky on eventlive.webinar_live_presence (last_seen_at)", "index sneaky: unexpected"),
    "missing index": ("drop index eventlive.registrations_user_id_idx", "registrations_user_id_idx: missing"),
    "policy": (
        "alter policy registrations_own on eventlive.registrations using (true)",
        "registrations_own: different",
    ),
    "policy roles": ("alter policy profiles_own on eventlive.profiles to anon", "profiles_own: different"),
    "row security": ("alter table eventlive.webinars disable row level security", "row security: different"),
    "forced row security": ("alter table eventlive.webinars force row level security", "row security: different"),
    "table grant": ("grant select on eventlive.settings to anon", "grant select to anon: unexpected"),
    "column grant": (
        "grant select (leave_token) on eventlive.webinar_user_sessions to anon",
        "leave_token grant select",
    ),
    "missing grant": ("revoke select on eventlive_api.webinars from anon", "grant select to anon: missing"),
    "function grant": ("grant execute on function eventlive.set_setting(text, jsonb) to public", "execute to public"),
    "grant option": (
        "grant select on eventlive_api.webinars to anon with grant option",
        "grant select to anon: different",
    ),
    "schema grant": ("grant usage on schema eventlive to anon", "schema eventlive: grant usage to anon: unexpected"),
    "sequence grant": (
        "grant usage on sequence eventlive.job_runs_run_id_seq to anon",
        "grant usage to anon: unexpected",
    ),
    "default privileges": (
        "alter default privileges for role eventlive_owner grant select on tables to anon",
        "default privileges of eventlive_owner in every schema: tables grant select to anon: unexpected",
    ),
    "table comment": ("comment on table eventlive.webinars is 'x'", "table eventlive.webinars: comment: different"),
    "column comment": ("comment on column eventlive.webinars.slug is null", "column slug comment: missing"),
    "policy comment": ("comment on policy webinars_staff on eventlive.webinars is 'x'", "comment: different"),
    "trigger": ("alter table eventlive.webinars disable trigger webinars_refresh_live", "refresh_live: different"),
    "function setting": (
        "alter function eventlive.is_service() set search_path = public",
        "setting search_path: different",
    ),
    "function definer": ("alter function eventlive.is_service() security definer", "security: different"),
    "function volatility": ("alter function eventlive.is_service() volatile", "definition: different"),
    "function body": (
        "create or replace function eventlive.require_user() returns uuid language sql as 'select null::uuid'",
        "require_user(): definition: different",
    ),
    "overload": (
        "create function eventlive_api.webinar_leave(text) returns int language sql return 1",
        "webinar_leave(text): definition: unexpected",
    ),
    "table option": ("alter table eventlive.registrations set (fillfactor = 50)", "option fillfactor: unexpected"),
    "view option": (
        "alter view eventlive_api.webinars set (security_invoker = false)",
        "option security_invoker: different",
    ),
    "view": ("drop view eventlive_api.profiles", "view eventlive_api.profiles: definition: missing"),
    "owner": ("alter table eventlive.jobs owner to service_role", "table eventlive.jobs: owner: different"),
    "table": ("create table eventlive.extra (a int)", "table eventlive.extra: kind: unexpected"),
    "type object": ("create type eventlive.mood as enum ('ok')", "type eventlive.mood: definition: unexpected"),
    "rule": ("create rule r as on delete to eventlive.jobs do instead nothing", "rule r: unexpected"),
    "identity": (
        "alter table eventlive.job_runs alter run_id set generated by default",
        "column run_id: different",
    ),
    "sequence": (
        "alter sequence eventlive.job_runs_run_id_seq increment 2",
        "job_runs_run_id_seq: sequence: different",
    ),
    "shipped setting": (
        "update eventlive.settings set max_value = 9 where key = 'throttle_factor'",
        "setting throttle_factor: max_value: different",
    ),
    "missing setting": (
        "delete from eventlive.settings where key = 'throttle_factor'",
        "throttle_factor: default_value: missing",
    ),
    "text search": (
        "create text search configuration eventlive.words (copy = pg_catalog.simple)",
        "text search configuration eventlive.words: exists: unexpected",
    ),
}


@pytest.fixture(scope="module")
def installed(pg_server: Server) -> str:
    """A template with the migrated schema in it."""
    name = "migrate_installed"
    pg_server.drop_database(name)
    upgrade(Options(pg_server.create_database(name)))
    return name


@pytest.fixture(scope="module")
def expected(pg_server: Server, installed: str) -> object:
    """The catalog of the declared schema, read once."""
    with scratch_database(pg_server.dsn()) as dsn, connected(dsn) as scratch:
        build_declared(scratch)
        return read_catalog(scratch)


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_a_planted_difference_is_found(
    kind: str, installed: str, expected: object, make_database: Callable[..., str]
) -> None:
    statement, line = DIFFERENCES[kind]
    dsn = make_database(installed)
    run(dsn, statement)
    with connected(dsn) as database:
        found = compare(expected, read_catalog(database))  # type: ignore[arg-type]
    assert any(line in str(difference) for difference in found), [str(difference) for difference in found]


def test_a_body_that_differs_is_shown_as_a_diff(installed: str, make_database: Callable[..., str]) -> None:
    dsn = make_database(installed)
    run(dsn, DIFFERENCES["function body"][0])
    (text,) = [text for text in drift(dsn) if ": definition: " in text]
    assert "\n    +AS $function$select null::uuid$function$" in text


def test_an_installation_that_was_left_alone_has_no_drift(installed: str, make_database: Callable[..., str]) -> None:
    assert drift(make_database(installed)) == []


def test_partitions_of_time_and_changed_settings_are_no_drift(
    installed: str, make_database: Callable[..., str]
) -> None:
    dsn = make_database(installed)
    run(
        dsn,
        "create table eventlive.event_access_logs_2030 partition of eventlive.event_access_logs"
        " for values from ('2030-01-01') to ('2031-01-01')",
        "select eventlive.set_setting('throttle_factor', '0.25')",
    )
    assert drift(dsn) == []


def test_other_objects_of_a_shared_schema_are_no_drift_but_changes_to_ours_are(
    people: People, make_database: Callable[..., str]
) -> None:
    dsn = make_database()
    run(dsn, "create schema front", "create table front.theirs (a int)", "grant create on schema front to anon")
    upgrade(Options(dsn, "front", people.name("boss")))
    run(dsn, "create function front.webinar_leave(text) returns int language sql return 1")
    assert drift(dsn) == []

    run(dsn, "revoke usage on schema front from anon", "comment on view front.webinars is null")
    found = drift(dsn)
    assert [text.partition("\n")[0] for text in found] == [
        "schema front: grant usage to anon: missing",
        "view front.webinars: comment: missing",
    ]
    assert Change.MISSING in found[0]
