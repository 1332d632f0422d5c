"""Statistics and the activity of others tell a client role nothing of what is stored or asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.security.secrets_of_others import ATTACKERS, Intruder, Secrets, found_in
from tests.support.cast import Cast
from tests.support.database import EventliveDatabase

STATISTICS = (
    "select * from pg_stats",
    "select * from pg_stats_ext",
    "select * from pg_stats_ext_exprs",
    "select * from pg_statistic",
    "select * from pg_statistic_ext_data",
    "select * from pg_stat_user_tables",
    "select * from pg_sequences",
    "select * from pg_prepared_statements",
    "select * from pg_cursors",
    "select * from pg_locks",
    "select * from pg_largeobject",
    "select * from information_schema.column_privileges",
    "select * from pg_file_settings",
    "select * from pg_hba_file_rules",
    "select pg_read_file('postgresql.auto.conf')",
    "select pg_ls_waldir()",
    "select pg_current_logfile()",
    "select query_to_xml('select * from eventlive_api.registrations', true, true, '')",
    "select schema_to_xml('eventlive', true, true, '')",
    "select database_to_xml(true, true, '')",
    "select pg_get_viewdef('eventlive_api.registrations'::regclass)",
    "select prosrc from pg_proc",
)


def read(cast: Cast, name: str) -> list[str]:
    """All of it, as far as it can be read."""
    with Intruder(cast, name) as intruder:
        for statement in STATISTICS:
            intruder.ask(statement)
    return intruder.heard


@pytest.mark.parametrize("name", ATTACKERS)
def test_statistics_and_the_catalog_hold_no_value_that_a_client_may_read(
    whole_scene: tuple[Cast, Secrets], name: str
) -> None:
    cast, secrets = whole_scene
    hidden = secrets.hidden_from(name)
    assert found_in(read(cast, name), hidden) == []
    # There is something to be seen.
    assert found_in([str(cast.db.rows("select most_common_vals::text, histogram_bounds::text from pg_stats"))], hidden)


@pytest.mark.parametrize(
    "fault",
    [
        "alter table eventlive.webinar_allowed_emails disable row level security",
        (
            "create materialized view eventlive_api.kept as select email from eventlive.webinar_allowed_emails;"
            "grant select on eventlive_api.kept to authenticated; analyze eventlive_api.kept"
        ),
    ],
    ids=["row-security-off", "materialized-view"],
)
def test_a_fault_is_seen(broken_scene: tuple[Cast, Secrets], fault: str) -> None:
    cast, secrets = broken_scene
    cast.db.admin.execute(fault.encode())
    assert found_in(read(cast, "stranger"), secrets.hidden_from("stranger"))


@contextmanager
def asking(db: EventliveDatabase, text: str) -> Iterator[None]:
    """Somebody else's session, as of another gateway, whose last statement holds a value."""
    connection = db.connect()
    connection.execute(sql.SQL("select set_config('application_name', 'another gateway', false), {}").format(text))
    yield


def activity(db: EventliveDatabase, role: str, *, member_of: str = "") -> str:
    """All that a login role sees of others, after it has become a client role."""
    name, password = f"gate_{uuid4().hex[:12]}", "wanted-where-one-is-asked-for"
    db.admin.execute(f"create role {name} login noinherit password '{password}' in role {role}".encode())
    if member_of:
        db.admin.execute(f"grant {member_of} to {role}".encode())
    try:
        dsn = psycopg.conninfo.make_conninfo(db.dsn, user=name, password=password)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"set role {role}".encode())
            rows: list[tuple[Any, ...]] = connection.execute("select a::text from pg_stat_activity a").fetchall()
            return str(rows)
    finally:
        if member_of:
            db.admin.execute(f"revoke {member_of} from {role}".encode())
        db.admin.execute(f"drop role {name}".encode())


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_what_others_ask_is_not_seen(db: EventliveDatabase, role: str) -> None:
    canary = f"canary-{uuid4().hex}"
    with asking(db, canary):
        assert canary in str(db.rows("select query from pg_stat_activity"))
        seen = activity(db, role)
        assert "insufficient privilege" in seen
        assert canary not in seen


def test_a_client_role_that_may_monitor_sees_it(db: EventliveDatabase) -> None:
    canary = f"canary-{uuid4().hex}"
    db.admin.execute("alter role authenticated inherit")  # or the membership would be of no use
    try:
        with asking(db, canary):
            assert canary in activity(db, "authenticated", member_of="pg_read_all_stats")
    finally:
        db.admin.execute("alter role authenticated noinherit")
