"""Tries functions and views with anything as arguments and anybody as the caller."""

from __future__ import annotations

from functools import cache

from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from tests.fuzz.budget import ATTEMPTS, SEED, examples, seeded
from tests.fuzz.catalog import Function, View
from tests.fuzz.claims import Caller, forged
from tests.fuzz.harness import Harness
from tests.fuzz.values import Argument, arguments, plausible
from tests.fuzz.world import World
from tests.support.cast import USERS


@cache
def callers(world: World) -> st.SearchStrategy[Caller]:
    """Mostly people with a token that is right."""
    people = st.sampled_from(sorted(world.callers)).map(world.callers.__getitem__)
    return st.one_of(people, forged(world.pool, USERS))


@st.composite
def calls(draw: st.DrawFn, world: World, function: Function) -> tuple[Caller, dict[str, Argument]]:
    """Somebody, and arguments: half of the time the caller's own, of which some are then spoilt."""
    chosen = [p for p in function.parameters if not p.optional or draw(st.booleans())]
    given: dict[str, Argument] = {p.name: draw(plausible(world.pool, p.name, p.type)) for p in chosen}
    caller, own = draw(st.sampled_from(world.belonging))
    if draw(st.booleans()):
        given |= {name: value for name, value in own.items() if name in given}
    else:
        caller = draw(callers(world))
    number = draw(st.sampled_from((0, 0, 1, 1, len(given))))
    spoilt = draw(st.permutations(chosen))[:number]
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


def fuzz_function(world: World, harness: Harness, function: Function, number: int, *, control: bool = False) -> None:
    """Make so many calls of a function; fail at the first outcome that is not allowed."""

    @examples(number, control=control)
    @given(calls(world, function))
    def check(call: tuple[Caller, dict[str, Argument]]) -> None:
        fail_for(harness.call(function, *call))

    for begin in ATTEMPTS if control else (SEED,):
        seeded(check, begin)()


def fuzz_view(world: World, harness: Harness, view: View, number: int, *, control: bool = False) -> None:
    """Read a view so many times; fail at the first outcome that is not allowed."""

    @examples(number, control=control)
    @given(readings(world, view))
    def check(reading: tuple[Caller, sql.Composed, list[Argument]]) -> None:
        fail_for(harness.read(view, *reading))

    for begin in ATTEMPTS if control else (SEED,):
        seeded(check, begin)()
