"""DoD-4 on real databases: the schema as it is passes, and each way of breaking it fails and is named."""

from __future__ import annotations

import pytest

from eventlive_db.verify import Report, State, Trigger, Verdict
from tests.support.database import EventliveDatabase
from tests.verify.stand import check_of, left, try_it

pytestmark = pytest.mark.heavy


def failures(report: Report) -> dict[str, Trigger | None]:
    """What failed, and what that fires."""
    return {check.name: check.trigger for check in report.checks if check.state is State.FAILED}


def test_the_schema_as_it_is_passes_and_nothing_is_left_but_the_visit_log(db: EventliveDatabase) -> None:
    host = db.user()
    webinar = db.webinar(host=host.user_id)
    before = left(db)
    report = try_it(db)
    assert report.verdict is Verdict.GO, [check for check in report.checks if check.state is not State.PASSED]
    assert len(report.checks) > 40
    assert left(db) == before
    assert db.value("select count(*) from eventlive.webinars where id = %s", webinar) == 1
    events = db.count("event_access_logs")
    assert events > 0
    assert report.notes == [
        f"The canary was made and removed once; {events} events of it stay in the visit log, which is append-only."
    ]


def test_every_policy_is_tried_by_everybody(db: EventliveDatabase) -> None:
    names = {check.name for check in try_it(db).checks}
    for entry in ("auto_register", "registered_only"):
        for access in ("auth", "guest_allowed"):
            for who in ("registered user", "administrator", "unregistered user", "guest"):
                assert f"{entry}, {access}: {who} enters" in names
            assert f"{entry}, {access}: ping of an unregistered user" in names


# How the schema is broken; a check that has to see it; what it has to fire.
FAULTS = {
    "a ping that registers": (
        """
        create or replace function eventlive.webinar_presence_ping(_webinar_id uuid) returns void
        language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
        begin
            insert into eventlive.registrations (webinar_id, user_id)
            values (_webinar_id, eventlive.current_user_id()) on conflict do nothing;
        end $$
        """,
        "auto_register, auth: ping of an unregistered user",
        Trigger.PING_REGISTERS,
    ),
    "a ping that says nothing": (
        """
        create or replace function eventlive.webinar_presence_ping(_webinar_id uuid) returns void
        language plpgsql security definer set search_path = pg_catalog, pg_temp as $$ begin return; end $$
        """,
        "auto_register, auth: ping of an unregistered user",
        Trigger.PING_BROKEN,
    ),
    "a heartbeat that registers": (
        """
        create or replace function eventlive.webinar_session_heartbeat(_webinar_id uuid, _session_id uuid)
        returns jsonb language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
        begin
            insert into eventlive.registrations (webinar_id, user_id)
            values (_webinar_id, eventlive.current_user_id()) on conflict do nothing;
            return '{"state": "open", "next_heartbeat_s": 300, "server_time": "2026-08-01T12:00:00Z",
                     "settings_version": "1"}';
        end $$
        """,
        "auto_register, auth: heartbeat without a session",
        Trigger.PING_REGISTERS,
    ),
    "an entry policy that is ignored": (
        """
        create or replace function eventlive.check_admission(
            _webinar_id uuid, _user_id uuid, _registered boolean, _status text, _access_policy text,
            _entry_policy text, _verified_required boolean
        ) returns void language plpgsql stable set search_path = pg_catalog, pg_temp as $$ begin return; end $$
        """,
        "registered_only, auth: unregistered user enters",
        Trigger.ENTRY_POLICY_BROKEN,
    ),
    "an entry policy that always refuses": (
        """
        create or replace function eventlive.check_admission(
            _webinar_id uuid, _user_id uuid, _registered boolean, _status text, _access_policy text,
            _entry_policy text, _verified_required boolean
        ) returns void language plpgsql stable set search_path = pg_catalog, pg_temp as $$
        begin
            if not _registered and not exists (
                select from eventlive.profiles p where p.user_id = _user_id and p.is_admin
            ) then
                perform eventlive.raise_error('not_registered');
            end if;
        end $$
        """,
        "auto_register, auth: unregistered user enters",
        Trigger.ENTRY_POLICY_BROKEN,
    ),
    "an invitation that nobody asks for": (
        """
        create or replace function eventlive.check_email_is_listed(_webinar_id uuid, _verified_required boolean)
        returns void language plpgsql stable set search_path = pg_catalog, pg_temp as $$ begin return; end $$
        """,
        "auto_register, invite_only: unregistered user enters",
        Trigger.ACCESS_POLICY_BROKEN,
    ),
    "an administrator who is refused": (
        """
        create or replace function eventlive.check_admission(
            _webinar_id uuid, _user_id uuid, _registered boolean, _status text, _access_policy text,
            _entry_policy text, _verified_required boolean
        ) returns void language plpgsql stable set search_path = pg_catalog, pg_temp as $$
        begin
            if _entry_policy = 'registered_only' and not _registered then
                perform eventlive.raise_error('not_registered');
            elsif _access_policy = 'invite_only' then
                perform eventlive.raise_error('not_invited');
            end if;
        end $$
        """,
        "registered_only, auth: administrator enters",
        Trigger.ADMIN_REFUSED,
    ),
    "a refusal without a token": (
        """
        create or replace function eventlive.webinar_presence_ping(_webinar_id uuid) returns void
        language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
        begin raise exception 'no' using errcode = 'PT403'; end $$
        """,
        "auto_register, auth: ping of a registered user",
        Trigger.PING_BROKEN,
    ),
    "a reply without what was promised": (
        """
        create or replace function eventlive.webinar_session_heartbeat(_webinar_id uuid, _session_id uuid)
        returns jsonb language sql security definer set search_path = pg_catalog, pg_temp as $$ select '{}'::jsonb $$
        """,
        "auto_register, auth: heartbeat",
        Trigger.SESSION_BROKEN,
    ),
    "a function that nobody may call": (
        "revoke execute on function eventlive.webinar_enter(uuid, uuid, jsonb, boolean) from anon, authenticated",
        "auto_register, auth: registered user enters",
        Trigger.FUNCTION_NOT_CALLABLE,
    ),
    "a function that selects a missing column": (
        """
        create or replace function eventlive.webinar_presence_ping(_webinar_id uuid) returns void
        language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
        begin
            perform id from eventlive.registrations where webinar_id = _webinar_id;
        end $$
        """,
        "auto_register, auth: ping of a registered user",
        Trigger.MISSING_COLUMN_400,
    ),
    "a registration that fails the second time": (
        """
        create or replace function eventlive.webinar_register(_webinar_id uuid, _registered_via text) returns jsonb
        language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
        declare v_row eventlive.registrations;
        begin
            insert into eventlive.registrations (webinar_id, user_id)
            values (_webinar_id, eventlive.current_user_id()) returning * into v_row;
            return eventlive.registration_reply(v_row) || '{"created": true}';
        end $$
        """,
        "auto_register, auth: registering twice",
        Trigger.DUPLICATE_REGISTRATION,
    ),
    "a registration that is new each time": (
        """
        create or replace function eventlive.webinar_register(_webinar_id uuid, _registered_via text) returns jsonb
        language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
        declare v_row eventlive.registrations;
        begin
            insert into eventlive.registrations as r (webinar_id, user_id)
            values (_webinar_id, eventlive.current_user_id())
            on conflict (webinar_id, user_id) do update set registered_at = clock_timestamp() returning * into v_row;
            return eventlive.registration_reply(v_row) || '{"created": true}';
        end $$
        """,
        "auto_register, auth: registering twice",
        Trigger.REGISTRATION_NOT_IDEMPOTENT,
    ),
    "second logins that nobody is asked about": (
        """
        create function public.allow() returns trigger language plpgsql as
        $$ begin new.duplicate_login_policy := 'allow'; return new; end $$;
        create trigger a_allow before insert on eventlive.webinars for each row execute function public.allow()
        """,
        "auto_register, auth: second login is asked about",
        Trigger.DUPLICATE_LOGIN_BROKEN,
    ),
    "leaving that leaves nothing": (
        """
        create or replace function eventlive.webinar_leave(_webinar_id uuid, _session_id uuid, _leave_token uuid)
        returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$ begin return; end $$
        """,
        "auto_register, auth: registered user leaves",
        Trigger.SESSION_BROKEN,
    ),
    "a service that may not make webinars": (
        """
        create or replace function eventlive.is_service() returns boolean
        language plpgsql stable set search_path = pg_catalog, pg_temp as $$ begin return false; end $$
        """,
        "auto_register, auth: made by the service",
        Trigger.ADMINISTRATION_BROKEN,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_schema_fails_the_check_that_is_about_it_and_fires_its_trigger(
    db: EventliveDatabase, fault: str
) -> None:
    statement, name, trigger = FAULTS[fault]
    db.admin.execute(statement.encode())
    report = try_it(db)
    assert failures(report).get(name) is trigger, failures(report)
    assert trigger in report.triggers
    assert report.verdict is Verdict.ROLL_BACK
    assert check_of(report, name).says
    assert left(db) == {}


def test_a_guest_who_comes_in_where_none_may_is_found(db: EventliveDatabase) -> None:
    source = db.value(
        "select prosrc from pg_proc where proname = 'webinar_enter' and pronamespace = 'eventlive'::regnamespace"
    )
    assert "perform eventlive.raise_error('guests_not_allowed')" in source
    broken = source.replace("perform eventlive.raise_error('guests_not_allowed')", "null")
    db.admin.execute(
        "create or replace function eventlive.webinar_enter(_webinar_id uuid, _session_id uuid, _client jsonb,"
        " _take_over boolean) returns jsonb language plpgsql security definer set search_path = pg_catalog, pg_temp"
        f" as $body$ {broken} $body$".encode()
    )
    report = try_it(db)
    assert failures(report) == {
        "auto_register, auth: guest enters": Trigger.ACCESS_POLICY_BROKEN,
        "registered_only, auth: guest enters": Trigger.ACCESS_POLICY_BROKEN,
        "auto_register, invite_only: guest enters": Trigger.ACCESS_POLICY_BROKEN,
    }
    assert left(db) == {}


def test_a_failure_of_the_canary_in_the_log_is_the_release_s_own(db: EventliveDatabase) -> None:
    """A statement that runs into a timeout is an answer; nobody who answers is none."""
    db.admin.execute(
        "create or replace function eventlive.webinar_presence_ping(_webinar_id uuid) returns void language plpgsql"
        " security definer set search_path = pg_catalog, pg_temp as"
        " $$ begin raise exception 'slow' using errcode = '57014'; end $$"
    )
    report = try_it(db)
    assert failures(report)["auto_register, auth: ping of an unregistered user"] is Trigger.PING_BROKEN
