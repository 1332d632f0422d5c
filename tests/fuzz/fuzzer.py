"""Tries functions and views with anything as arguments and anybody as the caller."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from tests.fuzz import catalog
from tests.fuzz.budget import examples, seeded
from tests.fuzz.catalog import Function, View
from tests.fuzz.claims import Caller, forged
from tests.fuzz.harness import Harness
from tests.fuzz.recipes import recipes
from tests.fuzz.values import Argument, arguments, as_text, plausible
from tests.fuzz.world import World
from tests.support.cast import USERS


@cache
def callers(world: World) -> st.SearchStrategy[Caller]:
    """Mostly people with a token that is right."""
    people = st.sampled_from(sorted(world.callers)).map(world.callers.__getitem__)
    return st.one_of(people, forged(world.pool, USERS))


@cache
def right_calls(world: World) -> dict[str, list[tuple[Caller, dict[str, Argument]]]]:
    """Function to calls that succeed."""
    found: dict[str, list[tuple[Caller, dict[str, Argument]]]] = {}
    for recipe in recipes(world):
        if recipe.outcome == "done":
            given = {name: as_text(value) for name, value in recipe.arguments.items()}
            found.setdefault(recipe.function, []).append((world.callers[recipe.caller], given))
    return found


@st.composite
def plausible_calls(draw: st.DrawFn, world: World, function: Function) -> tuple[Caller, dict[str, Argument]]:
    """Somebody, and arguments that mean something: half of the time the caller's own."""
    chosen = [p for p in function.parameters if not p.optional or draw(st.booleans())]
    given: dict[str, Argument] = {p.name: draw(plausible(world.pool, p.name, p.type)) for p in chosen}
    caller, own = draw(st.sampled_from(world.belonging))
    if draw(st.booleans()):
        return caller, given | {name: value for name, value in own.items() if name in given}
    return draw(callers(world)), given


@st.composite
def calls(draw: st.DrawFn, world: World, function: Function) -> tuple[Caller, dict[str, Argument]]:
    """A call that is right, or means something; now and then by anybody, and with arguments spoilt."""
    right = right_calls(world).get(function.name)
    if right and draw(st.integers(0, 2)):
        caller, given = draw(st.sampled_from(right))
        if draw(st.integers(0, 3)) == 0:
            caller = draw(callers(world))
    else:
        caller, given = draw(plausible_calls(world, function))
    number = draw(st.sampled_from((0, 0, 0, 1, 1, len(given))))
    spoilt = draw(st.permutations([p for p in function.parameters if p.name in given]))[:number]
    return caller, given | {p.name: draw(arguments(world.pool, p.type)) for p in spoilt}


@st.composite
def readings(draw: st.DrawFn, world: World, view: View) -> tuple[Caller, sql.Composed, list[Argument]]:
    """Somebody, and a query with the filters, casts and order that PostgREST would make of an address."""
    columns = st.sampled_from(sorted(view.columns))
    casts = st.sampled_from(("", "", "::text::integer", "::text::uuid", "::text::timestamptz", "::text::jsonb"))
    shown = [sql.Identifier(c) + sql.SQL(draw(casts)) for c in draw(st.lists(columns, min_size=1, max_size=4))]
    filters: list[sql.Composable] = []
    parameters: list[Argument] = []
    for column in draw(st.lists(columns, max_size=3)):
        operator = draw(st.sampled_from(("=", "<>", "<", ">=", "is not distinct from", "is null", "is not null")))
        filters.append(sql.SQL("{} " + operator).format(sql.Identifier(column)))
        if not operator.endswith("null"):
            filters[-1] += sql.SQL(" ") + sql.Placeholder()
            parameters.append(draw(arguments(world.pool, view.columns[column])))
    query = sql.SQL("select {} from eventlive_api.{} v where {} order by v.{} limit {}").format(
        sql.SQL(", ").join(shown),
        sql.Identifier(view.name),
        sql.SQL(draw(st.sampled_from((" and ", " or ")))).join(filters or [sql.SQL("true")]),
        sql.Identifier(draw(columns)),
        sql.Literal(draw(st.integers(0, 1000))),
    )
    return draw(callers(world)), query, parameters


def fail_for(faults: list[str]) -> None:
    """Fail, and say for what."""
    if faults:
        raise AssertionError("\n".join(faults))


def sweep_functions(world: World, harness: Harness, only: str | None = None) -> None:
    """Make each call that somebody has a right to, and then as everybody else, and as nobody who can be told.

    Fails at the first fault.

    Args:
        only: One of the functions; by default all of them.
    """
    functions = {function.name: function for function in world.functions}
    for recipe in recipes(world):
        if only not in {None, recipe.function}:
            continue
        function = functions[recipe.function]
        given = {name: as_text(value) for name, value in recipe.arguments.items()}
        fail_for(harness.call(function, world.callers[recipe.caller], given))
        if harness.last != recipe.outcome:
            fail_for([f"{harness.last} instead of {recipe.outcome}: {recipe}"])
        if recipe.outcome == "done":
            others = [caller for name, caller in world.callers.items() if name != recipe.caller]
            for caller in (*others, replace(world.callers[recipe.caller], claims='{"sub":"rubbish"}', readable=False)):
                fail_for(harness.call(function, caller, given))


def sweep_views(world: World, harness: Harness) -> None:
    """Have everybody read each view from end to end; fail at the first fault."""
    for view in catalog.views(world.db):
        query = sql.SQL("select v.* from eventlive_api.{} v").format(sql.Identifier(view.name))
        for caller in world.callers.values():
            fail_for(harness.read(view, caller, query, []))


def fuzz_function(world: World, harness: Harness, function: Function, number: int, *, control: bool = False) -> None:
    """Make so many calls of a function; fail at the first outcome that is not allowed."""

    @examples(number, control=control)
    @given(calls(world, function))
    def check(call: tuple[Caller, dict[str, Argument]]) -> None:
        fail_for(harness.call(function, *call))

    (check if control else seeded(check))()


def fuzz_view(world: World, harness: Harness, view: View, number: int) -> None:
    """Read a view so many times; fail at the first outcome that is not allowed."""

    @examples(number)
    @given(readings(world, view))
    def check(reading: tuple[Caller, sql.Composed, list[Argument]]) -> None:
        fail_for(harness.read(view, *reading))

    seeded(check)()
