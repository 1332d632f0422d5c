"""Who may do more than the contract says, or less: functions inside, views, tables, and what is somebody else's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from eventlive_db.verify import Trigger, Verdict
from eventlive_db.verify.run import Question, verify
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.verify.stand import LOGS_AND_CANARY, check_of, look


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "grant execute on function eventlive.set_setting(text, jsonb) to authenticated",
            "authenticated may call eventlive.set_setting",
        ),
        (
            "grant execute on function eventlive.delete_webinar(uuid) to public",
            "anon may call eventlive.delete_webinar; authenticated may call eventlive.delete_webinar; service_role",
        ),
        ("grant usage on schema eventlive to anon", "anon may use schema eventlive"),
    ],
)
def test_a_function_inside_that_others_may_call_fails(db: EventliveDatabase, statement: str, says: str) -> None:
    db.admin.execute(statement.encode())
    report = look(db, "functions")
    assert report.triggers == [Trigger.FUNCTION_EXPOSED]
    assert says in check_of(report, "grants").says


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("alter view eventlive_api.registrations rename to gone", "registrations is missing"),
        ("drop view eventlive_api.webinars", "webinars is missing"),
        ("revoke select on eventlive_api.webinars from anon", "1 cannot be read: anon may not read webinars"),
        ("revoke select on eventlive.profiles from authenticated", "authenticated may not read profiles"),
        ("revoke select (title) on eventlive.webinars from anon", "anon may not read webinars"),
        ("revoke usage on schema eventlive_api from service_role", "service_role may not read registrations"),
    ],
)
def test_a_view_that_cannot_be_read_fails(db: EventliveDatabase, statement: str, says: str) -> None:
    db.admin.execute(statement.encode())
    report = look(db, "functions")
    assert Trigger.VIEW_NOT_READABLE in report.triggers
    assert says in check_of(report, "views").says


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "grant select on eventlive.webinar_messages to anon",
            "1 grants in excess: anon may select from webinar_messages",
        ),
        (
            "grant update (title) on eventlive.webinars to authenticated",
            "authenticated may update webinars, some columns",
        ),
        ("grant insert on eventlive.registrations to service_role", "service_role may insert into registrations"),
        ("grant truncate on eventlive.profiles to public", "anon may truncate profiles"),
        (
            "grant select on eventlive.webinar_user_sessions to authenticated",
            "authenticated may select from webinar_user_sessions",
        ),
        (
            "grant select (leave_token) on eventlive.webinar_user_sessions to authenticated",
            "authenticated may read webinar_user_sessions.leave_token",
        ),
        ("grant select on eventlive.event_access_logs_default to service_role", "from event_access_logs_default"),
        (
            "alter view eventlive_api.registrations set (security_invoker = off)",
            "view registrations shows what its owner",
        ),
        ("alter view eventlive_api.registrations reset (security_invoker)", "view registrations shows"),
    ],
)
def test_a_table_that_others_may_read_or_write_fails(db: EventliveDatabase, statement: str, says: str) -> None:
    db.admin.execute(statement.encode())
    report = look(db, "functions")
    assert report.triggers == [Trigger.DATA_EXPOSED]
    assert says in check_of(report, "table grants").says


@pytest.mark.parametrize(
    "statement",
    [
        """
        create function eventlive_api.leak() returns setof eventlive.registrations language sql security definer
        begin atomic select * from eventlive.registrations; end
        """,
        """
        create procedure eventlive_api.leak() language plpgsql security definer
        as $$ begin truncate eventlive.registrations; end $$
        """,
        """
        create view eventlive_api.leak as select * from eventlive.registrations;
        grant select on eventlive_api.leak to anon
        """,
        """
        create materialized view eventlive_api.leak as select * from eventlive.registrations;
        grant select on eventlive_api.leak to authenticated
        """,
    ],
    ids=["function", "procedure", "view", "materialized view"],
)
def test_what_somebody_else_shows_with_the_owner_s_rights_is_no_pass_before_it_is_known(
    db: EventliveDatabase, statement: str
) -> None:
    db.admin.execute(statement.encode())
    report = look(db, "functions")
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert check_of(report, "of others").says.endswith("for all who are signed in: leak")
    without = LOGS_AND_CANARY | {"schema", "jobs"}
    known = verify(Question(datetime.now(UTC), without=without, dsn=db.dsn, known=frozenset({"leak"})))
    assert known.verdict is Verdict.GO, known.checks


@pytest.mark.parametrize(
    "statement",
    [
        "create function eventlive_api.ours() returns int language sql security definer return 1",
        """
        create function eventlive_api.ours() returns trigger language plpgsql security definer
        as $$ begin perform 1 from eventlive.registrations; return new; end $$
        """,
        """
        create function eventlive_api.ours() returns bigint language sql security definer
        return (select count(*) from eventlive.registrations);
        revoke execute on function eventlive_api.ours() from public
        """,
        """
        create view eventlive_api.ours with (security_invoker = on) as select * from eventlive.registrations;
        grant select on eventlive_api.ours to anon
        """,
        "create view eventlive_api.ours as select * from eventlive.registrations",
    ],
    ids=["not ours", "trigger", "nobody's function", "with the rights of who asks", "nobody's view"],
)
def test_what_somebody_else_shows_to_nobody_or_nothing_of_is_theirs(db: EventliveDatabase, statement: str) -> None:
    db.admin.execute(statement.encode())
    report = look(db, "functions")
    assert report.verdict is Verdict.GO, report.checks


OWNERS = "create view public.inner_v as select * from eventlive.registrations;"
ASKERS = "create view public.inner_v with (security_invoker = on) as select * from eventlive.registrations;"
DEFINER = """
    create function public.inner_f() returns setof text language plpgsql security definer
    as $$ begin return query select slug from EventLive.webinars; end $$;
"""
ROUNDABOUT = {
    "a view of a view": OWNERS + "create view eventlive_api.leak as select * from public.inner_v",
    "three views": (
        OWNERS
        + "create view public.second as select * from public.inner_v;"
        + "create view eventlive_api.leak as select user_id from public.second"
    ),
    "a view in a subquery": (
        OWNERS + "create view eventlive_api.leak as select (select count(*) from public.inner_v) as registered"
    ),
    "a materialized view of a view": (
        OWNERS + "create materialized view eventlive_api.leak as select * from public.inner_v"
    ),
    "a view of a materialized view": (
        "create materialized view public.inner_m as select * from eventlive.registrations;"
        "create view eventlive_api.leak as select * from public.inner_m"
    ),
    "with the rights of who asks, who may read the inner one": (
        OWNERS
        + "grant select on public.inner_v to anon;"
        + "create view eventlive_api.leak with (security_invoker = on) as select * from public.inner_v"
    ),
    "a view of a function": DEFINER + "create view eventlive_api.leak as select * from public.inner_f()",
    "a view of a view of a function": (
        DEFINER
        + "create view public.inner_v as select * from public.inner_f() f;"
        + "create view eventlive_api.leak as select * from public.inner_v"
    ),
}
SPELLED = {
    "capitals": "select count(*) from EventLive.registrations",
    "quotes": 'select count(*) from "eventlive"."registrations"',
    "a view": "select count(*) from public.Inner_V",
    "a view of a view": 'select count(*) from "Second-v"',
}


@pytest.mark.parametrize("statement", ROUNDABOUT.values(), ids=list(ROUNDABOUT))
def test_a_view_shows_what_it_comes_to_by_a_roundabout_way(db: EventliveDatabase, statement: str) -> None:
    db.admin.execute(statement.encode())
    assert look(db, "functions").verdict is Verdict.GO
    db.admin.execute("grant select on eventlive_api.leak to anon")
    report = look(db, "functions")
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert check_of(report, "of others").says.endswith("for all who are signed in: leak")


@pytest.mark.parametrize("query", SPELLED.values(), ids=list(SPELLED))
def test_a_function_shows_what_it_names_however_that_is_spelled(db: EventliveDatabase, query: str) -> None:
    db.admin.execute(f'{OWNERS} create view public."Second-v" as select * from public.inner_v'.encode())
    db.admin.execute(
        f"create function eventlive_api.leak() returns bigint language plpgsql security definer"
        f" as $$ begin return ({query}); end $$".encode()
    )
    report = look(db, "functions")
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert check_of(report, "of others").says.endswith("for all who are signed in: leak")


@pytest.mark.parametrize(
    "statement",
    [
        ASKERS + "create view eventlive_api.ours as select * from public.inner_v",
        OWNERS + "create view eventlive_api.ours with (security_invoker = on) as select * from public.inner_v",
        "create view eventlive_api.ours as select * from eventlive_api.webinars",
        DEFINER
        + "revoke execute on function public.inner_f() from public;"
        + "create view eventlive_api.ours as select * from public.inner_f()",
        """
        create table public.t (a int);
        create view public.inner_v as select * from public.t;
        create view eventlive_api.ours as select * from public.inner_v
        """,
    ],
    ids=["row security holds", "nobody's inner view", "a view of ours", "nobody's function", "not ours"],
)
def test_a_roundabout_way_that_shows_nobody_anything_of_ours_is_no_matter(
    db: EventliveDatabase, statement: str
) -> None:
    db.admin.execute(f"{statement}; grant select on eventlive_api.ours to anon, authenticated".encode())
    report = look(db, "functions")
    assert report.verdict is Verdict.GO, report.checks


def test_functions_of_somebody_else_in_the_exposed_schema_are_theirs(db: EventliveDatabase) -> None:
    db.admin.execute("create function eventlive_api.ours() returns int language sql return 1")
    assert look(db, "functions").verdict is Verdict.GO


@pytest.mark.parametrize("table", ["registrations", "event_access_logs_default"])
def test_a_table_without_row_security_fails_whoever_asks(db: EventliveDatabase, table: str) -> None:
    db.admin.execute("create table eventlive.alembic_version (version_num text)")
    assert look(db, "functions").verdict is Verdict.GO
    db.admin.execute(f"alter table eventlive.{table} disable row level security".encode())
    role = f"stranger_{new_id().hex}"
    db.admin.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
    try:
        for dsn in (db.dsn, make_conninfo(db.dsn, user=role)):
            without = LOGS_AND_CANARY | {"schema", "jobs"}
            report = verify(Question(datetime.now(UTC), without=without, dsn=dsn))
            assert report.triggers == [Trigger.ROW_SECURITY_OFF]
            assert check_of(report, "row security").says == f"off on {table}"
    finally:
        db.admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
