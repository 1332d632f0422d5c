"""Forward and back, step by step, with data in the tables."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eventlive_db.migrate import (
    Catalog,
    MigrateError,
    Options,
    StatementError,
    compare,
    downgrade,
    revisions,
    status,
    upgrade,
)
from tests.migrate.conftest import People, ask, connected, run, whole_catalog

TABLES = 2
"""Number of the revision that makes the tables."""

FILLED = {
    "webinars": "insert into eventlive.webinars (id, slug, status) values (gen_random_uuid(), 'a', 'live')",
    "profiles": "insert into eventlive.profiles (user_id) values (gen_random_uuid())",
    "webinar_allowed_emails": "insert into eventlive.webinar_allowed_emails select id, 'a@b' from eventlive.webinars",
    "registrations": "insert into eventlive.registrations (webinar_id, user_id)"
    " select id, gen_random_uuid() from eventlive.webinars",
    "webinar_live_presence": "insert into eventlive.webinar_live_presence"
    " select webinar_id, user_id, now(), now(), now(), 1, 1 from eventlive.registrations",
    "webinar_user_sessions": "insert into eventlive.webinar_user_sessions"
    " (webinar_id, session_id, entered_at, last_heartbeat_at, expires_at, interval_s)"
    " select id, gen_random_uuid(), now(), now(), now(), 1 from eventlive.webinars",
    "webinar_messages": "insert into eventlive.webinar_messages (webinar_id, user_id, client_message_id, body)"
    " select id, gen_random_uuid(), gen_random_uuid(), 'x' from eventlive.webinars",
    "event_access_logs": "insert into eventlive.event_access_logs (webinar_id, occurred_at, event)"
    " values (gen_random_uuid(), now(), 'left')",
    "webinar_access_logs": "insert into eventlive.webinar_access_logs (webinar_id, time_bucket)"
    " select id, now() from eventlive.webinars",
}


TABLES_BY_NAME = """
    select c.relname from pg_class c
     where c.relnamespace = 'eventlive'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
"""


def fill(dsn: str) -> None:
    run(dsn, *FILLED.values())


def contents(dsn: str) -> dict[str, list[str]]:
    with connected(dsn) as connection:
        return {
            table: [
                row for (row,) in connection.execute(f"select t::text from eventlive.{table} t order by 1".encode())
            ]
            for table in [*FILLED, "settings", "webinar_live", "jobs"]
        }


def test_every_step_back_gives_the_catalog_before_it_and_data_stays_until_the_tables_go(
    empty_database: str,
) -> None:
    dsn = empty_database
    options = Options(dsn)
    before: list[Catalog] = [whole_catalog(dsn)]
    for revision in revisions():
        assert [step.revision for step in upgrade(options, revision)] == [revision]
        before.append(whole_catalog(dsn))
    fill(dsn)
    kept = contents(dsn)
    assert all(kept[table] for table in FILLED)

    for number in range(len(before) - 2, TABLES - 1, -1):
        downgrade(options, "-1")
        assert compare(before[number], whole_catalog(dsn), strict=True) == [], number
        left = contents(dsn)
        # Settings come and go with the steps that know them; those that stay keep their values.
        assert set(left["settings"]) <= set(kept["settings"])
        assert left | {"settings": kept["settings"]} == kept

    upgrade(options)
    assert compare(before[-1], whole_catalog(dsn), strict=True) == []
    assert contents(dsn) == kept

    downgrade(Options(dsn, discard_data=True), "base")
    assert whole_catalog(dsn) == before[0]
    upgrade(options)
    assert compare(before[-1], whole_catalog(dsn), strict=True) == []


@pytest.mark.parametrize("table", FILLED)
def test_tables_that_hold_data_are_not_dropped_unasked(empty_database: str, table: str) -> None:
    dsn = empty_database
    upgrade(Options(dsn), "0002")
    if table not in {"profiles", "event_access_logs"}:
        run(dsn, FILLED["webinars"])
    if table == "webinar_live_presence":
        run(dsn, FILLED["registrations"])
    if table != "webinars":
        run(dsn, FILLED[table])
    with pytest.raises(StatementError, match=rf"hold data: .*\b{table}\b") as caught:
        downgrade(Options(dsn), "base")
    assert caught.value.sqlstate == "55000"
    assert "--discard-data" in str(caught.value)
    assert status(dsn).current == "0002"
    assert ask(dsn, f"select count(*) from eventlive.{table}") == [(1,)]


def test_texts_among_the_settings_are_not_dropped_unasked(empty_database: str) -> None:
    dsn = empty_database
    upgrade(Options(dsn), "0007")
    run(dsn, """select eventlive.set_setting('jwt_issuer', '"https://issuer.example"')""")
    with pytest.raises(StatementError, match="settings that hold data: jwt_issuer") as caught:
        downgrade(Options(dsn), "0006")
    assert caught.value.sqlstate == "55000"
    assert "--discard-data" in str(caught.value)
    assert status(dsn).current == "0007"
    assert ask(dsn, "select value from eventlive.settings where key = 'jwt_issuer'") == [("https://issuer.example",)]
    downgrade(Options(dsn, discard_data=True), "0006")
    assert ask(dsn, "select from eventlive.settings where value_type = 'text'") == []


def test_every_table_that_users_fill_is_looked_at(empty_database: str) -> None:
    upgrade(Options(empty_database))
    tables = {name for (name,) in ask(empty_database, TABLES_BY_NAME)}
    ours = {"settings", "jobs", "webinar_live", "installation", "alembic_version"}
    assert tables - ours == {*FILLED, "job_runs"}


def test_the_history_of_jobs_counts_as_data(empty_database: str) -> None:
    upgrade(Options(empty_database), "0002")
    run(
        empty_database,
        "insert into eventlive.jobs (name, schedule, max_age, description) values ('try_it', '* * * * *', '1 h', 'x')",
        "insert into eventlive.job_runs (job_name, started_at) values ('try_it', now())",
    )
    with pytest.raises(StatementError, match="hold data: job_runs"):
        downgrade(Options(empty_database), "base")


def test_changed_settings_are_data_and_shipped_ones_are_not(empty_database: str) -> None:
    upgrade(Options(empty_database))
    run(empty_database, "select eventlive.set_setting('throttle_factor', '0.25')")
    with pytest.raises(StatementError, match="hold data: settings"):
        downgrade(Options(empty_database), "base")
    run(empty_database, "update eventlive.settings set value = default_value")
    downgrade(Options(empty_database), "base")
    assert status(empty_database).current is None


@pytest.mark.parametrize("api_schema", ["public", "front"])
def test_a_schema_that_was_there_keeps_all_it_had_and_nothing_else(
    people: People, make_database: Callable[..., str], api_schema: str
) -> None:
    dsn = make_database()
    run(
        dsn,
        f"create schema if not exists {api_schema}",
        f"comment on schema {api_schema} is 'theirs'",
        f"create table {api_schema}.theirs (a int)",
        f"create function {api_schema}.mine() returns int language sql return 1",
        f"grant usage on schema {api_schema} to anon",
    )
    before = whole_catalog(dsn)
    upgrade(Options(dsn, api_schema, people.name("boss")))
    assert whole_catalog(dsn) != before
    downgrade(Options(dsn), "base")
    assert whole_catalog(dsn) == before
    assert ("schema " + api_schema, "grant usage to anon") in before.entries


def test_an_exposed_schema_of_ours_that_got_other_objects_stays_with_them(empty_database: str) -> None:
    dsn = empty_database
    upgrade(Options(dsn))
    run(dsn, "create table eventlive_api.theirs (a int)", "create table eventlive.theirs_too (a int)")
    downgrade(Options(dsn), "base")
    assert {name for name in whole_catalog(dsn).objects() if name.startswith("table ")} == {
        "table eventlive_api.theirs",
        "table eventlive.theirs_too",
    }


def test_what_somebody_built_on_ours_is_not_dropped_along(empty_database: str) -> None:
    dsn = empty_database
    upgrade(Options(dsn))
    downgrade(Options(dsn), "0005")
    run(dsn, "create view public.theirs as select slug from eventlive_api.webinars")
    before = whole_catalog(dsn)
    with pytest.raises(StatementError, match="Objects that are not part of eventlive-db depend") as caught:
        downgrade(Options(dsn), "0004")
    assert caught.value.sqlstate == "2BP01"
    assert whole_catalog(dsn) == before


def test_a_schema_built_without_migrations_is_not_migrated_over(empty_database: str) -> None:
    run(empty_database, "create schema eventlive", "create table eventlive.webinars (a int)")
    before = whole_catalog(empty_database)
    with pytest.raises(StatementError, match="the schema eventlive exists and holds objects"):
        upgrade(Options(empty_database))
    assert whole_catalog(empty_database) == before


def test_later_runs_know_the_names_and_refuse_others(people: People, make_database: Callable[..., str]) -> None:
    dsn, boss = make_database(), people.name("boss")
    upgrade(Options(dsn, "public", boss), "0002")
    with pytest.raises(MigrateError, match=f"installed with --api-schema public --owner {boss}"):
        upgrade(Options(dsn, "front"))
    upgrade(Options(dsn))
    assert ("view public.webinars", "owner") in whole_catalog(dsn).entries


def test_migrating_again_does_nothing(empty_database: str) -> None:
    assert len(upgrade(Options(empty_database))) == len(revisions())
    assert upgrade(Options(empty_database)) == []
    assert downgrade(Options(empty_database), "head") == []


def test_stepping_back_from_nothing_leaves_nothing(empty_database: str) -> None:
    before = whole_catalog(empty_database)
    assert downgrade(Options(empty_database), "base") == []
    assert whole_catalog(empty_database) == before


def test_a_database_of_a_newer_package_is_not_touched(empty_database: str) -> None:
    upgrade(Options(empty_database))
    run(empty_database, "update eventlive.alembic_version set version_num = '9999'")
    with pytest.raises(MigrateError, match=r"9999.*does not have"):
        status(empty_database)
    with pytest.raises(MigrateError, match="9999"):
        upgrade(Options(empty_database))
