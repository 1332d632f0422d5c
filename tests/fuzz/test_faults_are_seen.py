"""Functions and views with faults, put beside the others: the fuzzer finds them in the catalog and sees each fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.fuzz import catalog, plants
from tests.fuzz.catalog import Function
from tests.fuzz.effects import Effect
from tests.fuzz.fuzzer import fuzz_function, sweep_functions, sweep_views
from tests.fuzz.harness import Harness
from tests.fuzz.plants import Plant, planted
from tests.fuzz.world import NEW_SESSION, World
from tests.support.cast import WEBINAR

NUMBER = 20
"""Calls of a function, as few as in the usual run."""

# Body of a planted function of a webinar and a text, and the fault that must be reported.
FUNCTIONS = {
    "an internal error": (
        "raise exception using errcode = 'internal_error', message = 'lost'; return null",
        "XX000 is not in the contract",
    ),
    "a division by zero for some": ("return to_jsonb(1 / (char_length(_text) - 4))", "22012 is not in the contract"),
    "a cast that fails inside": ("return to_jsonb(_text::integer)", "22P02, though every argument can be read"),
    "a constraint that is violated": (
        "insert into eventlive.profiles values (eventlive.current_user_id(), repeat('x', 201)); return null",
        "(23514|23502|23505) is not in the contract",
    ),
    "a token that is not documented": (
        "raise exception using errcode = 'PT499', message = 'Teapot', detail = 'teapot', hint = 'None.'; return null",
        "teapot is not in docs/contract.md",
    ),
    "a message that is not the documented one": (
        "raise exception using errcode = 'PT403', message = 'No', detail = 'not_allowed', hint = 'None.'; return null",
        "not_allowed is not in docs/contract.md",
    ),
    "a status that is not the documented one": (
        "raise exception using errcode = 'PT404', message = 'Not allowed', detail = 'not_allowed'; return null",
        "not_allowed has not the form that is promised",
    ),
    "a registration": (
        """insert into eventlive.registrations (webinar_id, user_id)
           select id, eventlive.current_user_id() from eventlive.webinars
            where eventlive.current_user_id() is not null on conflict do nothing;
           return null""",
        "was registered without being asked",
    ),
    "a registration that goes": (
        "delete from eventlive.registrations where user_id = eventlive.current_user_id(); return null",
        "a registration is gone",
    ),
    "the session of somebody else": (
        "return (select to_jsonb(s) from eventlive.webinar_user_sessions s limit 1)",
        "-00000000[56]00. was shown",
    ),
    "the name of somebody else in an error": (
        """perform eventlive.raise_error('not_allowed', to_jsonb(p)) from eventlive.profiles p order by display_name;
           return null""",
        "profile-0. was shown",
    ),
    "a lock that stays": (
        "perform pg_advisory_lock(1); return null",
        "the connection keeps an identity, a setting or a lock",
    ),
    "a setting that stays": (
        "perform set_config('synchronous_commit', 'off', false); return null",
        "the connection keeps an identity, a setting or a lock",
    ),
    "a deadlock": ("raise exception using errcode = 'deadlock_detected'; return null", "40P01 is not in the contract"),
    "no end": ("perform pg_sleep(60); return null", "57014 is not in the contract"),
}

# What is broken in the functions that there are, and what must be reported.
BROKEN: dict[str, tuple[Plant, str]] = {
    "a ping registers": (plants.A_PING_REGISTERS, "was registered without being asked"),
    "a ping touches everybody": (plants.A_PING_TOUCHES_EVERYBODY, "wrote what is not its own: webinar_live_presence"),
    "leaving asks for no token": (plants.ANY_TOKEN_ENDS_A_SESSION, "done, though the caller may not"),
    "leaving ends every session": (
        ("webinar_leave", "array[_session_id]", "array(select s.session_id from eventlive.webinar_user_sessions s)"),
        "wrote what is not its own: webinar_user_sessions",
    ),
    "an attendee ejects": (
        ("webinar_eject", "array['host', 'moderator']", "array['host', 'moderator', 'attendee']"),
        "done, though the caller may not",
    ),
    "an attendee configures": (
        ("webinar_configure", "array['host']", "array['host', 'attendee']"),
        "done, though the caller may not",
    ),
    "anybody creates": (
        ("webinar_create", "perform eventlive.raise_error('not_allowed');", "null;"),
        "done, though the caller may not",
    ),
    "entering makes a speaker": (
        ("insert_registration", "user_id, registered_via)\n        values (_webinar_id, _user_id, _registered_via)",
         "user_id, registered_via, role)\n        values (_webinar_id, _user_id, _registered_via, 'speaker')"),
        "was registered without being asked",
    ),
    "a batch refreshes everybody": (
        ("webinar_presence_ping_many", "where p.ctid = d.place", "where p.webinar_id = _webinar_id"),
        "(wrote what is not its own: webinar_live_presence|more than one row)",
    ),
    "the settings of a draft are shown": (
        ("webinar_client_settings", "v_status = 'draft'", "false"),
        "was shown",
    ),
    "claims are not looked at": (
        ("webinar_client_settings", "uuid := eventlive.current_user_id();", "uuid;"),
        "done for claims that cannot be read",
    ),
    "an attendee reads all sessions": (plants.ATTENDEES_ARE_STAFF, "was shown"),
    "a host reads every webinar": (
        ("staffed_webinar_ids", "where p.user_id = v_user_id and p.is_admin",
         "join eventlive.registrations r using (user_id) where p.user_id = v_user_id and r.role = 'host'"),
        "was shown",
    ),
    "drafts are public": (plants.DRAFTS_ARE_PUBLIC, "title-(draft|elsewhere) was shown"),
    "it is told whose session it is": (
        ("check_session_is_open", "raise_error('session_not_yours')",
         "raise_error('session_not_yours', jsonb_build_object('owner', _session_user_id))"),
        "was shown",
    ),
    "an error repeats the list": (
        ("webinar_allow_emails", "'position', v_position",
         "'position', v_position, 'known', (select jsonb_agg(email) from eventlive.webinar_allowed_emails)"),
        "secret@example.com was shown",
    ),
    "a constraint is reached": (
        ("check_webinar_values",
         "_title is null or (char_length(_title) between 1 and 300 and _title !~ '[[:cntrl:]]')", "true"),
        "23514 is not in the contract",
    ),
    "a cast fails inside": (
        ("insert_session", "begin", "begin perform (_client ->> 'agent')::integer;"),
        "22P02, though every argument can be read",
    ),
    "an error for a known key of a client": (plants.ERROR_FOR_A_KNOWN_CLIENT_KEY, "XX000 is not in the contract"),
    "an error in the ejection of a guest": (plants.ERROR_IN_EJECT_OF_A_GUEST, "XX000 is not in the contract"),
    "a duplicate key at a repeat": (plants.DUPLICATE_KEY_AT_A_REPEAT, "23505 is not in the contract"),
    "a conflict over the last host": (plants.CONFLICT_OVER_THE_LAST_HOST, "40001 is not in the contract"),
    "half a row for a whole number": (
        ("check_setting", "v_number = trunc(v_number) and", ""),
        "done instead of setting_out_of_range",
    ),
    "a status that is not documented": (
        ("webinar_leave", "perform eventlive.raise_error('session_not_found');",
         "raise exception using errcode = 'PT418', message = 'x', detail = 'session_not_found', hint = 'x';"),
        "session_not_found (is not in docs/contract.md|has not the form)",
    ),
    "a heartbeat that hangs": (
        ("heartbeat_without_write", "perform eventlive.raise_error('session_not_found');", "perform pg_sleep(30);"),
        "57014 is not in the contract",
    ),
}  # fmt: skip

# The parts of functions that are broken, and by which function they are reached.
CALLED_BY = {
    "check_session_is_open": "webinar_enter",
    "check_setting": "webinar_configure",
    "check_webinar_values": "webinar_configure",
    "create_presence": "webinar_presence_ping",
    "heartbeat_without_write": "webinar_session_heartbeat",
    "insert_registration": "webinar_enter",
    "insert_session": "webinar_enter",
}
CALLED_BY_VIEWS = {"joined_webinar_ids", "staffed_webinar_ids"}

VIEWS = {
    "sessions of everybody": ("select * from eventlive.webinar_user_sessions", "anon", "was shown"),
    "a division by zero": ("select 1 / (random() * 0)::integer as x", "anon", "22012 is not in the contract"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_fault_in_a_function_is_seen_by_calls_that_are_right(world: World, fault: str) -> None:
    plant, told = BROKEN[fault]
    harness = Harness(world, timeout_ms=500)
    sweep = partial(sweep_functions, only=CALLED_BY.get(plant[0], plant[0]))
    if plant[0] in CALLED_BY_VIEWS:
        sweep = partial(sweep_views)
    with planted(world.db, plant), pytest.raises(AssertionError, match=told):
        sweep(world, harness)


def test_a_function_that_nobody_described_is_asked_for(world: World) -> None:
    with (
        planted_function(world, "return null") as function,
        pytest.raises(AssertionError, match=r"say in tests/fuzz/rights\.py by whom planted succeeds"),
    ):
        Harness(world).call(function, world.callers["guest"], {"_webinar_id": str(WEBINAR)})


@contextmanager
def planted_function(world: World, body: str) -> Iterator[Function]:
    """A function with that body among the exposed ones, as the catalog tells of it."""
    world.db.admin.execute(
        "create function eventlive_api.planted(_webinar_id uuid, _text text default 'text') returns jsonb"
        f" language plpgsql security definer as $$ begin {body}; end $$".encode()
    )
    [function] = [f for f in catalog.functions(world.db) if f.name == "planted"]
    try:
        yield function
    finally:
        world.db.admin.execute("drop function eventlive_api.planted(uuid, text)")


@contextmanager
def planted_view(world: World, query: str, role: str) -> Iterator[None]:
    """A view of that query among the exposed ones."""
    world.db.admin.execute(f"create view eventlive_api.planted as {query}".encode())
    world.db.admin.execute(f"grant select on eventlive_api.planted to {role}".encode())
    try:
        yield
    finally:
        world.db.admin.execute("drop view eventlive_api.planted")


@pytest.mark.parametrize("fault", FUNCTIONS)
def test_a_function_with_a_fault_is_seen(world: World, fault: str) -> None:
    body, told = FUNCTIONS[fault]
    harness = Harness(world, timeout_ms=200 if fault == "no end" else 5000)
    harness.effects["planted"] = Effect()
    with planted_function(world, body) as function, pytest.raises(AssertionError, match=told):
        fuzz_function(world, harness, function, NUMBER, control=True)


def test_a_function_without_a_fault_passes(world: World) -> None:
    harness = Harness(world)
    harness.effects["planted"] = Effect()
    with planted_function(world, "return to_jsonb(eventlive.current_user_id())") as function:
        fuzz_function(world, harness, function, NUMBER)


@pytest.mark.parametrize("fault", VIEWS)
def test_a_view_with_a_fault_is_seen(world: World, fault: str) -> None:
    query, role, told = VIEWS[fault]
    with planted_view(world, query, role), pytest.raises(AssertionError, match=told):
        sweep_views(world, Harness(world))


def test_a_refusal_that_wrote_is_seen(world: World) -> None:
    harness = Harness(world)
    [ping] = [f for f in catalog.functions(world.db) if f.name == "webinar_presence_ping"]
    world.db.make_admin(NEW_SESSION)
    faults = harness.call(ping, world.callers["stranger"], {"_webinar_id": str(WEBINAR)})
    assert [fault.split(":")[0] for fault in faults] == ["refused, but changed profiles"]
    assert world.contents() == world.beginning
