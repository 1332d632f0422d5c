"""The description of the functions in the client says what the database has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import psycopg
import pytest

from eventlive_db.client import rpc
from eventlive_db.client.contract import FUNCTIONS
from eventlive_db.client.functions import Function, Parameter
from tests.support.database import EventliveDatabase

CLIENT_ROLES = ("anon", "authenticated", "service_role")
# For PostgREST, which calls it before each request; no client does.
NOT_CALLED = {"pre_request"}

CATALOG = """
    select p.proname,
           p.proargnames,
           array(select format_type(a.type, null)
                   from unnest(p.proargtypes) with ordinality as a (type, n) order by a.n),
           p.pronargdefaults,
           p.prorettype::regtype::text,
           array(select r.rolname from pg_roles r
                  where r.rolname = any (%s) and has_function_privilege(r.oid, p.oid, 'execute'))
      from pg_proc p
     where p.pronamespace = 'eventlive_api'::regnamespace
       and p.prorettype <> 'trigger'::regtype
     order by p.proname
"""


def in_the_catalog(connection: psycopg.Connection[Any]) -> dict[str, tuple[Any, ...]]:
    """Of each function its parameters, whether it returns anything, and who may call it."""
    found = {}
    for name, names, types, defaults, returns, roles in connection.execute(CATALOG, [list(CLIENT_ROLES)]):
        first = len(types) - defaults
        parameters = tuple(
            Parameter(name, type_, optional=position >= first)
            for position, (name, type_) in enumerate(zip(names or [], types, strict=True))
        )
        found[name] = (parameters, returns, frozenset(roles))
    return found


def described(function: Function[Any]) -> tuple[Any, ...]:
    return function.parameters, "void" if function.reply is None else "jsonb", function.roles


def differences(functions: dict[str, Function[Any]], connection: psycopg.Connection[Any]) -> list[str]:
    """Each function that the two do not agree on."""
    catalog = {name: what for name, what in in_the_catalog(connection).items() if name not in NOT_CALLED}
    ours = {name: described(function) for name, function in functions.items()}
    return sorted(name for name in catalog.keys() | ours.keys() if catalog.get(name) != ours.get(name))


def test_the_description_is_what_the_catalog_says(db: EventliveDatabase) -> None:
    assert differences(dict(FUNCTIONS), db.admin) == []


REGISTER = FUNCTIONS["webinar_register"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"webinar_register": replace(REGISTER, parameters=REGISTER.parameters[:1])},
        {"webinar_register": replace(REGISTER, parameters=(Parameter("_webinar_id", "text"), REGISTER.parameters[1]))},
        {"webinar_register": replace(REGISTER, parameters=(*REGISTER.parameters[:1], Parameter("_via", "text", True)))},
        {"webinar_register": replace(REGISTER, roles=frozenset({"anon"}))},
        {"webinar_register": replace(REGISTER, reply=None)},
    ],
    ids=["missing", "parameter-missing", "type", "name", "roles", "void"],
)
def test_a_wrong_description_is_noticed(db: EventliveDatabase, wrong: dict[str, Function[Any]]) -> None:
    others = {name: function for name, function in FUNCTIONS.items() if name != "webinar_register"}
    assert differences(others | wrong, db.admin) == ["webinar_register"]


def test_a_new_function_is_noticed(db: EventliveDatabase) -> None:
    db.admin.execute("create function eventlive_api.webinar_new() returns void language sql return null")
    assert differences(dict(FUNCTIONS), db.admin) == ["webinar_new"]


def reachable(connection: psycopg.Connection[Any], name: str) -> Iterator[str]:
    """The source of a function of the exposed schema and of all that it calls."""
    sources = dict(
        connection.execute(
            "select p.proname, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)"
            "  from pg_proc p where p.pronamespace = 'eventlive'::regnamespace and p.prokind = 'f'"
        ).fetchall()
    )
    # The one in the exposed schema has the name of its body.
    waiting, seen = [name], set()
    while waiting:
        one = waiting.pop()
        if one in seen or one == "raise_error":
            continue
        seen.add(one)
        yield sources[one]
        waiting += [called for called in re.findall(r"eventlive\.(\w+)\(", sources[one]) if called in sources]


def tokens_of(connection: psycopg.Connection[Any], name: str) -> set[str]:
    """Every error that the source of a function, or of one that it calls, raises."""
    source = "\n".join(reachable(connection, name))
    found = set(re.findall(r"raise_error\(\s*'(\w+)'", source))
    # Made of the reason why a session is over.
    if re.search(r"raise_error\(\s*case \w+ when 'webinar_ended'", source):
        found |= {"webinar_ended", "session_left", "session_expired", "session_replaced", "session_ejected"}
    return found


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_errors_of_a_function_are_those_that_it_can_raise(db: EventliveDatabase, name: str) -> None:
    assert FUNCTIONS[name].tokens == tokens_of(db.admin, name)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_function_has_its_python_function_with_the_same_parameters(name: str) -> None:
    maker = getattr(rpc, name)
    names = maker.__code__.co_varnames[: maker.__code__.co_argcount + maker.__code__.co_kwonlyargcount]
    assert [f"_{one}" for one in names] == [parameter.name for parameter in FUNCTIONS[name].parameters]


def test_only_what_changes_nothing_more_when_repeated_may_be_sent_again() -> None:
    once_only = {name for name, function in FUNCTIONS.items() if not function.repeatable}
    assert once_only == {"webinar_presence_ping", "webinar_session_heartbeat", "webinar_presence_ping_many"}


def test_no_reply_has_a_field_of_the_name_that_keeps_the_unknown_ones() -> None:
    for function in FUNCTIONS.values():
        if function.reply is not None:
            assert "extra" in {field.name for field in fields(function.reply)}
