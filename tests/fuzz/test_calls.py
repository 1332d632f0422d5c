"""Every function and view of the exposed schema, with anything as arguments and anybody as the caller."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.fuzz import catalog
from tests.fuzz.budget import CALLS, PROPERTY
from tests.fuzz.claims import Caller
from tests.fuzz.fuzzer import fuzz_function, fuzz_view, right_calls, sweep_functions, sweep_views
from tests.fuzz.harness import CONTRACT, UNREADABLE, Harness
from tests.fuzz.rights import effect_of
from tests.fuzz.values import BEYOND_NUMERIC
from tests.fuzz.world import World
from tests.support.cast import USERS
from tests.support.errors import TOKENS

Record = Callable[[str, object], None]


def test_whoever_has_a_right_to_a_call_succeeds_and_nobody_else_does(world: World, record_property: Record) -> None:
    harness = Harness(world)
    sweep_functions(world, harness)
    sweep_views(world, harness)
    record_property(PROPERTY, dict(harness.met))
    assert {function.name for function in world.functions} == {
        f for f, met in harness.by_function.items() if met["done"]
    }


def test_every_function_answers_anything_with_what_the_contract_says(world: World, record_property: Record) -> None:
    harness = Harness(world)
    number = 1 + CALLS * 4 // 5 // len(world.functions)
    for function in world.functions:
        fuzz_function(world, harness, function, number)
    record_property(PROPERTY, dict(harness.met))
    for function in world.functions:
        met = harness.by_function[function.name]
        assert met["done"] >= number // 40, f"hardly a call of {function.name} went through: {met}"


def test_every_view_shows_anybody_no_more_than_they_may_see(world: World, record_property: Record) -> None:
    harness = Harness(world)
    found = catalog.views(world.db)
    for view in found:
        fuzz_view(world, harness, view, 1 + CALLS // 5 // len(found))
    record_property(PROPERTY, dict(harness.met))
    assert harness.met["done"] > harness.met.total() // 20, "hardly a reading went through"


def test_it_is_known_of_every_function_what_it_may_do(world: World) -> None:
    for function in world.functions:
        effect_of(function.name)
    assert {function.name for function in world.functions} - right_calls(world).keys() == set()


def test_the_documentation_lists_the_tokens_that_there_are() -> None:
    assert CONTRACT.keys() == TOKENS.keys()


@pytest.mark.parametrize("claim", ["exp", "aud"])
def test_a_number_in_the_claims_that_numeric_cannot_hold_is_refused_like_other_claims(world: World, claim: str) -> None:
    [pre_request] = [function for function in catalog.functions(world.db) if function.name == "pre_request"]
    claims = {"exp": "4102444800", claim: BEYOND_NUMERIC}
    members = ",".join(f'"{name}":{value}' for name, value in claims.items())
    caller = Caller("authenticated", f'{{"sub":"{USERS["attendee"]}",{members}}}', USERS["attendee"])
    assert Harness(world).call(pre_request, caller, {}) == []


@pytest.mark.parametrize("view", ["profiles", "registrations", "webinar_user_sessions", "webinar_live_presence"])
def test_claims_that_cannot_be_read_are_refused_by_a_view_as_by_a_function(world: World, view: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        world.db.acting("authenticated", '{"sub":"rubbish"}').execute(f"select * from eventlive_api.{view}".encode())
    assert caught.value.sqlstate == "PT401"


def test_nothing_that_postgrest_makes_a_failure_of_the_server_is_allowed() -> None:
    assert all(sqlstate.startswith(("22", "54")) for sqlstate in UNREADABLE)
