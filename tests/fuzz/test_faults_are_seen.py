"""Functions and views with faults, put beside the others: the fuzzer finds them in the catalog and sees each fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fuzz import catalog
from tests.fuzz.catalog import Function, View
from tests.fuzz.fuzzer import fuzz_function, fuzz_view
from tests.fuzz.harness import Harness
from tests.fuzz.world import World
from tests.support.cast import WEBINAR

NUMBER = 100

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
        """perform eventlive.raise_error('not_allowed', (select to_jsonb(min(display_name)) from eventlive.profiles));
           return null""",
        "profile-0. was shown",
    ),
    "claims that are not looked at": ("return null", "done for claims that cannot be read"),
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

VIEWS = {
    "sessions of everybody": ("select * from eventlive.webinar_user_sessions", "anon", "was shown"),
    "a division by zero": ("select 1 / (random() * 0)::integer as x", "anon", "22012 is not in the contract"),
}


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
def planted_view(world: World, query: str, role: str) -> Iterator[View]:
    """A view of that query among the exposed ones, as the catalog tells of it."""
    world.db.admin.execute(f"create view eventlive_api.planted as {query}".encode())
    world.db.admin.execute(f"grant select on eventlive_api.planted to {role}".encode())
    [view] = [v for v in catalog.views(world.db) if v.name == "planted"]
    try:
        yield view
    finally:
        world.db.admin.execute("drop view eventlive_api.planted")


@pytest.mark.parametrize("fault", FUNCTIONS)
def test_a_function_with_a_fault_is_seen(world: World, fault: str) -> None:
    body, told = FUNCTIONS[fault]
    harness = Harness(world, timeout_ms=200 if fault == "no end" else 5000)
    with planted_function(world, body) as function, pytest.raises(AssertionError, match=told):
        fuzz_function(world, harness, function, NUMBER, control=True)


def test_a_function_without_a_fault_passes(world: World) -> None:
    with planted_function(world, "return to_jsonb(eventlive.current_user_id())") as function:
        fuzz_function(world, Harness(world), function, NUMBER)


@pytest.mark.parametrize("fault", VIEWS)
def test_a_view_with_a_fault_is_seen(world: World, fault: str) -> None:
    query, role, told = VIEWS[fault]
    with planted_view(world, query, role) as view, pytest.raises(AssertionError, match=told):
        fuzz_view(world, Harness(world), view, NUMBER, control=True)


def test_a_refusal_that_wrote_is_seen(world: World) -> None:
    harness = Harness(world)
    [ping] = [f for f in catalog.functions(world.db) if f.name == "webinar_presence_ping"]
    world.db.make_admin(world.session_ids[0])
    faults = harness.call(ping, world.callers["stranger"], {"_webinar_id": str(WEBINAR)})
    assert [fault.split(":")[0] for fault in faults] == ["refused, but changed profiles"]
    assert world.contents() == world.beginning
