"""What is installed can be dumped and restored elsewhere, and its owner is nobody powerful."""

from __future__ import annotations

import psycopg
import pytest

from eventlive_db.migrate import Options, StatementError, upgrade
from tests.migrate.conftest import People, ask, run
from tests.support.database import EventliveDatabase


def test_a_superuser_as_the_owner_is_refused(people: People, empty_database: str) -> None:
    boss = people.make("boss", "superuser")
    with pytest.raises(StatementError, match="must not be a superuser"):
        upgrade(Options(empty_database, owner=boss))
    assert ask(empty_database, "select from pg_namespace where nspname = 'eventlive'") == []


def test_addresses_are_folded_alike_whatever_the_locale(db: EventliveDatabase) -> None:
    webinar_id = db.webinar(access_policy="invite_only")
    db.service().call("webinar_allow_emails", webinar_id=webinar_id, emails=["ÉMILE@Example.ORG"])
    assert db.value("select email from eventlive.webinar_allowed_emails") == "Émile@example.org"
    user = db.user(email="Émile@EXAMPLE.org", email_verified=True)
    assert user.call("webinar_register", webinar_id=webinar_id)["created"]


def test_every_check_reads_back_as_it_was_written(db: EventliveDatabase) -> None:
    query = (
        "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint"
        " where contype = 'c' and connamespace = 'eventlive'::regnamespace"
    )
    checks = db.rows(query + " and coninhcount = 0")
    assert checks
    for table, name, definition in checks:
        run(
            db.dsn,
            f"alter table {table} drop constraint {name}",
            f"alter table {table} add constraint {name} {definition}",
        )
    assert sorted(db.rows(query + " and coninhcount = 0")) == sorted(checks)


def test_a_check_that_begins_with_between_would_read_back_otherwise(db: EventliveDatabase) -> None:
    db.admin.execute("create table eventlive.nested (a int check (a between 1 and 9 and a <> 5))")
    first = "select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'eventlive.nested'::regclass"
    before = db.value(first + " and contype = 'c'")
    name = db.value("select conname from pg_constraint where conrelid = 'eventlive.nested'::regclass and contype = 'c'")
    db.admin.execute(f"alter table eventlive.nested drop constraint {name}".encode())
    db.admin.execute(f"alter table eventlive.nested add {before}".encode())
    assert db.value(first + " and contype = 'c'") != before


def test_an_address_that_is_not_folded_is_refused_by_the_table(db: EventliveDatabase) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        db.allow_email(db.webinar(), "Someone@example.org")
