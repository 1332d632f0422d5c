"""Nothing is left of a canary: not after a signal, not after a kill and another run; and what is left is said."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from eventlive_db.verify import State, Verdict
from eventlive_db.verify.canary import stage
from eventlive_db.verify.database import APPLICATION
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.own_server import wait_for
from tests.verify.stand import check_of, left, try_it

pytestmark = pytest.mark.heavy

_WAITING = """
    select count(*) from pg_stat_activity
     where datname = current_database() and application_name = %s and wait_event_type = 'Lock' and query like %s
"""


@contextmanager
def command(db: EventliveDatabase, *more: str) -> Iterator[subprocess.Popen[str]]:
    """The command with a canary, as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "eventlive_db", "verify", "--since", "1m", "--canary", "--dsn", db.dsn, *more],
        env={**os.environ, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def standing_in_the_way(db: EventliveDatabase) -> Iterator[psycopg.Connection[Any]]:
    """Nobody registers, and the visit log is not read, until this ends."""
    holder = db.connect()
    with holder.transaction():
        holder.execute("lock table eventlive.event_access_logs in access exclusive mode")
        yield holder


def waits(db: EventliveDatabase, what: str) -> bool:
    """Whether the verifier waits for the lock, in such a statement."""
    return bool(db.value(_WAITING, APPLICATION, f"%{what}%"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: str(number.name))
def test_a_signal_in_the_middle_leaves_nothing_and_gives_no_verdict(
    db: EventliveDatabase, number: signal.Signals
) -> None:
    with command(db) as process:
        with standing_in_the_way(db):
            wait_for("the canary's registration", lambda: waits(db, "webinar_register"))
            assert left(db)
            process.send_signal(number)
            wait_for("the removal", lambda: waits(db, "select count(*)"))
            process.send_signal(number)  # somebody is impatient; the removal goes on
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert f"Ended early by {number.name}." in output
    assert "Traceback" not in output
    assert left(db) == {}


def test_what_a_killed_run_left_is_removed_by_a_later_run_and_nothing_else_is(db: EventliveDatabase) -> None:
    with command(db) as process, standing_in_the_way(db):
        wait_for("the canary's registration", lambda: waits(db, "webinar_register"))
        process.kill()
        process.wait()
    wait_for("the end of its sessions", lambda: not db.value(_SESSIONS, APPLICATION))
    remains = left(db)
    assert remains["webinars"] == remains["profiles"] == 1

    # It may be another run's that is under way.
    young = try_it(db)
    assert young.verdict is Verdict.GO, young.checks
    assert left(db) == remains

    # These only look like one, and are old too.
    slug = db.value("select slug from eventlive.webinars")
    db.admin.execute("insert into eventlive.webinars (slug, title) values (%s, 'Ours')", [slug[:-1] + "x"])
    db.admin.execute("insert into eventlive.profiles (user_id, display_name) values (%s, 'verify-canary')", [new_id()])
    for table in ("webinars", "profiles"):
        db.admin.execute(
            sql.SQL("update eventlive.{} set created_at = now() - interval '61 minutes'").format(sql.Identifier(table))
        )
    report = try_it(db)
    assert report.verdict is Verdict.GO, report.checks
    assert "An earlier run was killed: 1 canary webinars and 1 profiles of it are removed." in report.notes
    assert db.rows("select title from eventlive.webinars") == [("Ours",)]
    assert db.rows("select display_name, is_admin from eventlive.profiles") == [("verify-canary", False)]


_SESSIONS = "select count(*) from pg_stat_activity where datname = current_database() and application_name = %s"


def test_what_cannot_be_removed_is_said_with_the_sql_that_removes_it(db: EventliveDatabase) -> None:
    source = db.value("select pg_get_functiondef('eventlive.delete_webinar(uuid)'::regprocedure)")
    db.admin.execute(
        "create or replace function eventlive.delete_webinar(_webinar_id uuid) returns boolean language plpgsql"
        " set search_path = pg_catalog, pg_temp as $$ begin raise exception 'not today'; end $$"
    )
    report = try_it(db)
    assert report.verdict is Verdict.COULD_NOT_TELL
    check = check_of(report, "canary is removed")
    assert check.state is State.NO_DATA
    for slug, webinar_id in db.rows("select slug, id from eventlive.webinars"):
        assert f"webinar {slug} ({webinar_id})" in check.says
    assert "not today" in check.says
    assert "profile" not in check.says
    assert db.count("profiles") == 0

    db.admin.execute(source.encode())
    db.admin.execute(check.advice.removeprefix("As the owner of the schema: ").encode())
    assert left(db) == {}


@pytest.mark.parametrize("kills", [1, 2])
def test_what_one_connection_did_not_live_to_remove_the_next_one_does(db: EventliveDatabase, kills: int) -> None:
    """Somebody ends all backends in the middle of the removal, so often."""
    db.admin.execute(
        """
        create sequence public.tries;
        create function public.end_it() returns trigger language plpgsql security definer as $$
        begin
            if nextval('public.tries') in (2, 5) then
                perform pg_terminate_backend(pg_backend_pid());
                perform pg_sleep(60);
            end if;
            return old;
        end $$;
        create trigger end_it before delete on eventlive.webinars for each row execute function public.end_it();
        """
    )
    if kills == 1:
        db.admin.execute("select setval('public.tries', 2)")
    report = try_it(db)
    assert report.verdict is Verdict.GO, report.checks
    assert left(db) == {}
    # Five webinars; what was ended was tried again.
    assert db.value("select last_value from public.tries") == (8 if kills == 1 else 7)


def test_a_removal_that_is_ended_each_time_is_given_up_and_said(
    db: EventliveDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "PAUSES_S", (0.0, 0.0, 0.0))
    db.admin.execute(
        """
        create function public.end_it() returns trigger language plpgsql security definer as $$
        begin
            perform pg_terminate_backend(pg_backend_pid());
            perform pg_sleep(60);
            return old;
        end $$;
        create trigger end_it before delete on eventlive.webinars for each row execute function public.end_it();
        """
    )
    report = try_it(db)
    assert report.verdict is Verdict.COULD_NOT_TELL
    check = check_of(report, "canary is removed")
    assert check.says.count("webinar verify-canary-") == 5
    assert "terminating connection" in check.says
    assert "profile" not in check.says
    db.admin.execute("drop trigger end_it on eventlive.webinars")
    db.admin.execute(check.advice.removeprefix("As the owner of the schema: ").encode())
    assert left(db) == {}


def test_a_profile_that_cannot_be_removed_is_said_too(db: EventliveDatabase) -> None:
    db.admin.execute(
        "create function public.keep() returns trigger language plpgsql as"
        " $$ begin raise exception 'kept'; end $$;"
        " create trigger keep before delete on eventlive.profiles for each row execute function public.keep()"
    )
    check = check_of(try_it(db), "canary is removed")
    [(user, name)] = db.rows("select user_id, display_name from eventlive.profiles where is_admin")
    assert f"the profile of user {user}, an administrator" in check.says
    assert re.fullmatch("verify-canary-[0-9a-f]{16}", name)
    db.admin.execute("drop trigger keep on eventlive.profiles")
    db.admin.execute(check.advice.removeprefix("As the owner of the schema: ").encode())
    assert left(db) == {}


def test_who_could_not_remove_the_canary_makes_none(db: EventliveDatabase) -> None:
    role = f"stranger_{new_id().hex}"
    db.admin.execute(
        sql.SQL("create role {} login in role anon, authenticated, service_role").format(sql.Identifier(role))
    )
    try:
        before = left(db)
        stranger = EventliveDatabase(psycopg.conninfo.make_conninfo(db.dsn, user=role))
        stranger.close()
        report = try_it(stranger)
        check = check_of(report, "canary")
        assert check.state is State.NO_DATA
        assert "could not remove the canary" in check.says
        assert left(db) == before
    finally:
        db.admin.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def test_who_may_not_become_the_client_roles_makes_none(db: EventliveDatabase) -> None:
    role = f"owner_{new_id().hex}"
    name = sql.Identifier(role)
    db.admin.execute(sql.SQL("create role {} login in role eventlive_owner, anon").format(name))
    try:
        member = EventliveDatabase(psycopg.conninfo.make_conninfo(db.dsn, user=role))
        member.close()
        check = check_of(try_it(member), "canary")
        assert check.says == f"{role} may not become authenticated, service_role"
        assert check.advice == f"grant authenticated, service_role to {role}"
        db.admin.execute(sql.SQL("grant authenticated, service_role to {}").format(name))
        report = try_it(member)
        assert report.verdict is Verdict.GO, report.checks
        assert left(db) == {}
    finally:
        db.admin.execute(sql.SQL("drop role {}").format(name))


def test_a_database_that_does_not_answer_is_no_verdict(db: EventliveDatabase) -> None:
    gone = EventliveDatabase(db.dsn)
    gone.close()
    gone.dsn = psycopg.conninfo.make_conninfo(db.dsn, dbname="test_of_nobody")
    report = try_it(gone)
    assert report.verdict is Verdict.COULD_NOT_TELL
    assert check_of(report, "canary").state is State.NO_DATA
