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

COUNTED = """
    insert into eventlive.webinar_messages (webinar_id, message_id, change_id, user_id, client_message_id, body)
    select id, n, n, gen_random_uuid(), gen_random_uuid(), 'message ' || n
      from eventlive.webinars, generate_series(1, 3) n
"""
"""From 0008 on messages are counted for each webinar."""

SAME_EVER_SINCE = {
    "webinar_messages": "webinar_id, message_id, user_id, client_message_id, kind, body, hidden, created_at"
}
"""Columns of a table that was given more of them later."""

TABLES_BY_NAME = """
    select c.relname from pg_class c
     where c.relnamespace = 'eventlive'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
"""


def fill(dsn: str) -> None:
    feeds = "insert into eventlive.webinar_message_feeds select id, 3 from eventlive.webinars"
    run(dsn, *(FILLED | {"webinar_messages": COUNTED}).values(), feeds)


def contents(dsn: str) -> dict[str, list[str]]:
    with connected(dsn) as connection:
        rows = {
            table: f"(select {SAME_EVER_SINCE.get(table, '*')} from eventlive.{table})"
            for table in [*FILLED, "settings", "webinar_live", "jobs"]
        }
        return {
            table: [row for (row,) in connection.execute(f"select t::text from {source} t order by 1".encode())]
            for table, source in rows.items()
        }


def keys_of(tables: dict[str, list[str]]) -> list[str]:
    """The keys of the settings."""
    return [row.strip("()").partition(",")[0] for row in tables["settings"]]


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
        # Settings come and go with the steps that know them, or are shipped with other values; what a webinar has in
        # force follows them.
        in_force = {table: kept[table] for table in ("settings", "webinar_live", "jobs")}
        assert left | in_force == kept
        assert set(keys_of(left)) <= set(keys_of(kept))

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


WITH_MESSAGES = """
    insert into eventlive.webinars (id, slug, status) values
        ('00000000-0000-0000-0000-000000000001', 'a', 'live'), ('00000000-0000-0000-0000-000000000002', 'b', 'ended');
    insert into eventlive.webinar_messages (webinar_id, user_id, client_message_id, body, hidden)
    select ('00000000-0000-0000-0000-00000000000' || 1 + n % 2)::uuid, gen_random_uuid(), gen_random_uuid(), n, n = 5
      from generate_series(1, 10) n
"""
NUMBERS = "select webinar_id, message_id, change_id, body, hidden from eventlive.webinar_messages order by 1, 2"
FEEDS = "select right(webinar_id::text, 1), last_change_id from eventlive.webinar_message_feeds order by 1"


def test_messages_that_are_there_keep_their_ids_and_their_order(empty_database: str) -> None:
    dsn = empty_database
    upgrade(Options(dsn), "0007")
    run(dsn, WITH_MESSAGES)
    before = ask(
        dsn, "select webinar_id, message_id, message_id, body, hidden from eventlive.webinar_messages order by 1, 2"
    )
    assert len(before) == 10
    upgrade(Options(dsn), "0008")
    assert ask(dsn, NUMBERS) == before
    assert ask(dsn, FEEDS) == [("1", 10), ("2", 9)]
    # And on it goes behind them.
    run(
        dsn,
        "insert into eventlive.registrations (webinar_id, user_id)"
        " select '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000aa'",
        """set request.jwt.claims = '{"sub": "00000000-0000-0000-0000-0000000000aa"}';
           set role authenticated;
           select eventlive_api.webinar_message_post(
               '00000000-0000-0000-0000-000000000001', gen_random_uuid(), 'chat', 'new')""",
    )
    assert ask(dsn, "select message_id, change_id from eventlive.webinar_messages where body = 'new'") == [(11, 11)]

    downgrade(Options(dsn), "0007")
    run(
        dsn,
        "insert into eventlive.webinar_messages (webinar_id, user_id, client_message_id, body)"
        " select id, gen_random_uuid(), gen_random_uuid(), 'by the sequence'"
        "   from eventlive.webinars order by id limit 1",
    )
    assert ask(dsn, "select message_id from eventlive.webinar_messages where body = 'by the sequence'") == [(12,)]
    upgrade(Options(dsn), "0008")
    assert ask(dsn, FEEDS) == [("1", 12), ("2", 9)]


def test_webinars_have_the_new_settings_in_force_and_the_old_ones_again_after_a_step_back(empty_database: str) -> None:
    dsn = empty_database
    live = (
        "select w.slug, l.settings, l.client_settings, l.settings_version, l.as_of, l.fallback_poll_interval_s"
        "  from eventlive.webinar_live l join eventlive.webinars w on w.id = l.webinar_id order by w.slug"
    )
    upgrade(Options(dsn), "0007")
    run(
        dsn,
        WITH_MESSAGES,
        """update eventlive.webinars set settings = '{"pacing_jitter": 0.25}' where slug = 'a'""",
        "update eventlive.webinars set status = 'live'",
        "select eventlive.set_setting('throttle_factor', '0.25')",
        "update eventlive.webinar_live set participants = 60000, guests = 5000",
    )
    before = ask(dsn, live)
    upgrade(Options(dsn), "0008")
    after = ask(dsn, live)
    assert [row[1]["message_rate_limit"] for row in after] == [10, 10]
    assert [row[2]["message_max_length"] for row in after] == [2000, 2000]
    assert [row[1]["pacing_jitter"] for row in after] == [0.25, 0.1]
    assert [row[4] for row in after] == [row[4] for row in before]
    assert [row[5] for row in after] == [650, 650]

    # As the function itself works it out, but for the audience, which it counts anew.
    run(dsn, "select eventlive.refresh_webinar_live(id) from eventlive.webinars")
    refreshed = ask(dsn, live)
    paced = {"fallback_poll_interval_s": 10}
    assert [(row[1], row[2], row[3]) for row in refreshed] == [(row[1], row[2] | paced, row[3]) for row in after]

    downgrade(Options(dsn), "0007")
    assert [(row[1], row[3]) for row in ask(dsn, live)] == [(row[1], row[3]) for row in before]
    assert [row[2] | paced for row in ask(dsn, live)] == [row[2] | paced for row in before]


def test_an_own_value_of_the_longest_interval_stays(empty_database: str) -> None:
    dsn = empty_database
    query = "select value, default_value from eventlive.settings where key = 'fallback_poll_max_interval_s'"
    upgrade(Options(dsn), "0007")
    run(dsn, "select eventlive.set_setting('fallback_poll_max_interval_s', '120')")
    upgrade(Options(dsn), "0008")
    assert ask(dsn, query) == [(120, 3600)]
    downgrade(Options(dsn), "0007")
    assert ask(dsn, query) == [(120, 300)]


def test_the_longest_interval_goes_as_far_as_an_audience_may(empty_database: str) -> None:
    """Up, to a day for all that had the default; down, to what is allowed there, also for a webinar's own."""
    dsn = empty_database
    key = "fallback_poll_max_interval_s"
    query = (
        f"select s.value, s.default_value, s.max_value, w.settings -> '{key}', l.settings -> '{key}'"
        f" from eventlive.settings s, eventlive.webinars w join eventlive.webinar_live l on l.webinar_id = w.id"
        f" where s.key = '{key}' order by w.slug"
    )
    upgrade(Options(dsn), "0011")
    run(dsn, f"insert into eventlive.webinars (slug, settings) values ('a', '{{}}'), ('b', '{{\"{key}\": 60}}')")
    upgrade(Options(dsn), "0012")
    assert ask(dsn, query) == [(86400, 86400, 86400, None, 86400), (86400, 86400, 86400, 60, 60)]

    run(dsn, f"update eventlive.webinars set settings = '{{\"{key}\": 50000}}' where slug = 'b'")
    downgrade(Options(dsn), "0011")
    assert ask(dsn, query) == [(3600, 3600, 7200, None, 3600), (3600, 3600, 7200, 7200, 7200)]
    upgrade(Options(dsn), "0012")
    run(dsn, f"select eventlive.set_setting('{key}', '10000')")
    downgrade(Options(dsn), "0011")
    assert ask(dsn, query) == [(7200, 3600, 7200, None, 7200), (7200, 3600, 7200, 7200, 7200)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("select eventlive.set_setting('message_rate_limit', '5')", "settings of messages"),
        ("update eventlive.webinars set settings = '{\"messages_poll_max\": 7}'", "settings of messages"),
        ("update eventlive.webinar_messages set change_id = 99 where message_id = 1", r"webinar_messages\.change_id"),
    ],
    ids=["setting", "override", "hidden-since"],
)
def test_what_the_messages_step_knows_is_not_dropped_unasked(empty_database: str, change: str, told: str) -> None:
    dsn = empty_database
    upgrade(Options(dsn), "0007")
    run(dsn, WITH_MESSAGES)
    upgrade(Options(dsn), "0008")
    run(dsn, change)
    with pytest.raises(StatementError, match=f"holds data: {told}") as caught:
        downgrade(Options(dsn), "0007")
    assert caught.value.sqlstate == "55000"
    assert "--discard-data" in str(caught.value)
    assert status(dsn).current == "0008"
    downgrade(Options(dsn, discard_data=True), "0007")
    assert ask(dsn, "select count(*) from eventlive.webinar_messages") == [(10,)]
    assert ask(dsn, "select from eventlive.webinars where settings ? 'messages_poll_max'") == []
    # Nothing that is left keeps the webinars from being changed.
    run(dsn, """update eventlive.webinars set settings = settings || '{"pacing_jitter": 0.3}'""")


def test_every_table_that_users_fill_is_looked_at(empty_database: str) -> None:
    upgrade(Options(empty_database))
    tables = {name for (name,) in ask(empty_database, TABLES_BY_NAME)}
    ours = {"settings", "jobs", "webinar_live", "webinar_message_feeds", "installation", "alembic_version"}
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
