"""Every public function answers bad input with an error of the contract and changes nothing (R2, R7)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from eventlive_db.client import RpcError
from eventlive_db.client.errors import rpc_error
from eventlive_db.server import Server
from tests.support.actors import new_id
from tests.support.bad_input import (
    ASK_NO_CLAIMS,
    FOREIGN_SESSION,
    GUEST_SESSION,
    LEAVE_TOKEN,
    MALFORMED_CLAIMS,
    MESSAGE,
    NULL_IS_FINE,
    OUT_OF_BOUNDS,
    RUBBISH,
    SESSION,
    SUB,
    UNKNOWN_WEBINAR,
    VALID,
    WITHOUT_CLAIMS,
)
from tests.support.cast import WEBINAR, Cast, assemble
from tests.support.database import EventliveDatabase, Furnish
from tests.support.errors import assert_conforms
from tests.support.faults import break_function


def with_sessions(db: EventliveDatabase) -> None:
    """Everybody, with a session of the attendee, one of a guest, and a message of the attendee."""
    cast = assemble(db, access_policy="guest_allowed")
    for name, session_id, token in (("attendee", SESSION, LEAVE_TOKEN), ("guest", GUEST_SESSION, new_id())):
        cast.actor(name).call("webinar_enter", webinar_id=WEBINAR, session_id=session_id)
        db.admin.execute(
            "update eventlive.webinar_user_sessions set leave_token = %s where session_id = %s", [token, session_id]
        )
    message: dict[str, object] = {"client_message_id": new_id(), "kind": "chat", "body": "Hello"}
    assert cast.actor("attendee").call("webinar_message_post", webinar_id=WEBINAR, **message)["message_id"] == MESSAGE


@pytest.fixture(scope="module")
def assembled(furnish: Furnish) -> str:
    """The database of ``cast``, to be copied."""
    return furnish(with_sessions)


@pytest.fixture
def cast(open_copy: Callable[[str], EventliveDatabase], assembled: str) -> Cast:
    """Everybody, with two sessions and a message."""
    return Cast(open_copy(assembled))


@pytest.fixture(scope="module")
def copy_to_share(pg_server: Server, assembled: str) -> Iterator[str]:
    """A copy of it that is not one test's alone."""
    name = f"untouched_{secrets.token_hex(8)}"
    yield pg_server.create_database(name, assembled)
    pg_server.drop_database(name)


@pytest.fixture
def untouched(copy_to_share: str) -> Iterator[Cast]:
    """The same in a database that many tests share: each shows that it changed nothing."""
    db = EventliveDatabase(copy_to_share)
    yield Cast(db)
    db.close()


def refusal(cast: Cast, function: str, wrong: dict[str, object], caller: str | None = None) -> RpcError:
    """Call with arguments that are right but for some, and return the error, which must have changed nothing."""
    usual, arguments = VALID[function]
    before = cast.db.contents()
    error = cast.actor(caller or usual).refused(function, **arguments | wrong)
    assert cast.db.contents() == before
    assert_conforms(error)
    return error


def sqlstate(connection: psycopg.Connection[Any], function: str, arguments: dict[str, object]) -> str:
    """Call as PostgREST does, every argument as text of unknown type; the token or SQLSTATE, empty for success."""
    query = sql.SQL("select eventlive_api.{}({})").format(
        sql.Identifier(function),
        sql.SQL(", ").join(
            sql.SQL("{} => {}").format(sql.Identifier(f"_{name}"), sql.Literal(as_text(value)))
            for name, value in arguments.items()
        ),
    )
    try:
        connection.execute(query)
    except psycopg.Error as error:
        known = rpc_error(error)
        if known:
            assert_conforms(known)
        return known.token if known else error.sqlstate or ""
    return ""


def as_text(value: object) -> str | None:
    """A value as the text that Postgres reads it from."""
    if isinstance(value, list):
        return "{" + ",".join(str(item) for item in value) + "}"
    return json.dumps(value) if isinstance(value, dict) else None if value is None else str(value)


def parameter_types(db: EventliveDatabase, function: str) -> dict[str, str]:
    """Parameter to type, in order, as the catalog has them."""
    return dict(
        db.rows(
            "select ltrim(a.name, '_'), format_type(a.type, null)"
            "  from pg_proc p, unnest(p.proargnames, p.proargtypes::oid[]) with ordinality as a (name, type, n)"
            " where p.pronamespace = 'eventlive_api'::regnamespace and p.proname = %s order by a.n",
            function,
        )
    )


def granted_roles(db: EventliveDatabase, function: str) -> set[str]:
    """The client roles that may call."""
    return {
        role
        for (role,) in db.rows(
            "select r.rolname from pg_proc p, pg_roles r"
            " where p.pronamespace = 'eventlive_api'::regnamespace and p.proname = %s"
            "   and r.rolname in ('anon', 'authenticated', 'service_role')"
            "   and has_function_privilege(r.oid, p.oid, 'execute')",
            function,
        )
    }


def test_every_public_function_and_parameter_has_its_cases(db: EventliveDatabase) -> None:
    functions = {
        name for (name,) in db.rows("select proname from pg_proc where pronamespace = 'eventlive_api'::regnamespace")
    }
    assert functions == set(VALID) == set(UNKNOWN_WEBINAR)
    assert {name for name in functions if "authenticated" in granted_roles(db, name)} == set(WITHOUT_CLAIMS)
    for function in functions:
        assert set(parameter_types(db, function)) == set(VALID[function][1]), function


@pytest.mark.parametrize("function", VALID)
def test_the_arguments_that_the_cases_start_from_are_accepted(cast: Cast, function: str) -> None:
    caller, arguments = VALID[function]
    cast.actor(caller).call(function, **arguments)


@pytest.mark.parametrize("function", VALID)
def test_null_is_refused_unless_it_means_something(cast: Cast, function: str) -> None:
    fine = NULL_IS_FINE.get(function, set())
    for parameter in VALID[function][1].keys() - fine:
        assert refusal(cast, function, {parameter: None}).token == "invalid_argument", parameter
    caller, arguments = VALID[function]
    cast.actor(caller).call(function, **arguments | dict.fromkeys(fine))


@pytest.mark.parametrize("function", VALID)
def test_an_argument_of_the_wrong_type_is_refused(cast: Cast, function: str) -> None:
    caller, arguments = VALID[function]
    identity = cast.actor(caller).identity
    connection = cast.db.acting(identity.role, identity.settings()[1])
    before = cast.db.contents()
    for parameter, of_type in parameter_types(cast.db, function).items():
        if of_type != "text":
            rubbish, expected = RUBBISH[of_type]
            assert sqlstate(connection, function, arguments | {parameter: rubbish}) == expected, parameter
    assert cast.db.contents() == before
    assert sqlstate(connection, function, arguments) == ""


@pytest.mark.parametrize(("function", "token"), [item for item in UNKNOWN_WEBINAR.items() if item[1]])
def test_an_unknown_webinar_is_refused(untouched: Cast, function: str, token: str) -> None:
    assert refusal(untouched, function, {"webinar_id": new_id()}).token == token


@pytest.mark.parametrize("function", ["webinar_register", "webinar_enter", "webinar_client_settings"])
def test_to_an_administrator_an_unknown_webinar_is_no_exception(untouched: Cast, function: str) -> None:
    assert refusal(untouched, function, {"webinar_id": new_id()}, "admin").token == "webinar_not_found"


@pytest.mark.parametrize("function", [name for name, token in UNKNOWN_WEBINAR.items() if token == "not_allowed"])
def test_staff_functions_tell_service_role_that_a_webinar_does_not_exist(untouched: Cast, function: str) -> None:
    assert refusal(untouched, function, {"webinar_id": new_id()}, "service").token == "webinar_not_found"


@pytest.mark.parametrize(
    ("function", "wrong", "token"),
    [pytest.param(function, wrong, token, id=f"{function}-{case}") for function, case, wrong, token in OUT_OF_BOUNDS],
)
def test_what_is_out_of_bounds_is_refused_without_repeating_it(
    untouched: Cast, function: str, wrong: dict[str, object], token: str
) -> None:
    error = refusal(untouched, function, wrong)
    assert error.token == token
    assert len(json.dumps(error.payload)) < 1000


@pytest.mark.parametrize(
    ("function", "caller", "wrong", "token"),
    FOREIGN_SESSION,
    ids=[f"{function}-by-{caller}-{next(iter(wrong))}" for function, caller, wrong, _ in FOREIGN_SESSION],
)
def test_nobody_can_touch_the_session_of_somebody_else(
    untouched: Cast, function: str, caller: str, wrong: dict[str, object], token: str
) -> None:
    assert refusal(untouched, function, wrong, caller).token == token


@pytest.mark.parametrize("claims", MALFORMED_CLAIMS.values(), ids=list(MALFORMED_CLAIMS))
def test_malformed_claims_are_refused_by_every_function_that_asks_who_calls(untouched: Cast, claims: str) -> None:
    before = untouched.db.contents()
    for role in ("anon", "authenticated", "service_role"):
        connection = untouched.db.acting(role, claims)
        for function, (_, arguments) in VALID.items():
            if role in granted_roles(untouched.db, function) and function not in ASK_NO_CLAIMS:
                assert sqlstate(connection, function, arguments) == "invalid_claims", function
    assert untouched.db.contents() == before


@pytest.mark.parametrize("function", sorted(ASK_NO_CLAIMS))
def test_functions_that_do_not_ask_who_calls_work_with_any_claims(cast: Cast, function: str) -> None:
    for claims in MALFORMED_CLAIMS.values():
        for role in granted_roles(cast.db, function):
            assert sqlstate(cast.db.acting(role, claims), function, VALID[function][1]) == ""


@pytest.mark.parametrize("claims", ["", "{}", '{"sub":null}'], ids=["none", "empty", "sub-null"])
def test_without_claims_a_signed_in_role_is_a_guest(db: EventliveDatabase, claims: str) -> None:
    cast = assemble(db)
    cast.actor("attendee").call("webinar_enter", webinar_id=WEBINAR, session_id=SESSION)
    db.admin.execute("update eventlive.webinar_user_sessions set leave_token = %s", [LEAVE_TOKEN])
    connection = db.acting("authenticated", claims)
    met = {function: sqlstate(connection, function, VALID[function][1]) or None for function in WITHOUT_CLAIMS}
    assert met == WITHOUT_CLAIMS


@pytest.mark.parametrize("function", VALID)
def test_a_role_without_the_right_to_execute_is_refused(untouched: Cast, function: str) -> None:
    for role in {"anon", "authenticated", "service_role", "pg_monitor"} - granted_roles(untouched.db, function):
        before = untouched.db.contents()
        assert sqlstate(untouched.db.acting(role, f"{{{SUB}}}"), function, VALID[function][1]) == "42501"
        assert untouched.db.contents() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("'PT' || v_status", "'PT499'", id="status"),
        pytest.param("message = v_message", "message = v_message || chr(10) || 'more'", id="message-of-two-lines"),
        pytest.param("message = v_message", "message = v_message || chr(233)", id="message-not-ascii"),
        pytest.param("hint = v_hint", "hint = ''", id="no-advice"),
        pytest.param("then _token else", "then 'no_such_token' else", id="token"),
    ],
)
def test_an_error_that_breaks_the_contract_is_seen(cast: Cast, old: str, new: str) -> None:
    error = cast.actor("stranger").refused("webinar_presence_ping", webinar_id=WEBINAR)
    assert_conforms(error)
    break_function(cast.db, "raise_error", old, new)
    error = cast.actor("stranger").refused("webinar_presence_ping", webinar_id=WEBINAR)
    with pytest.raises(AssertionError):
        assert_conforms(error)


def test_claims_that_are_swallowed_are_seen(cast: Cast) -> None:
    break_function(
        cast.db, "claimed_user_id", "perform eventlive.raise_error('invalid_claims');\nend", "return null;\nend"
    )
    connection = cast.db.acting("authenticated", MALFORMED_CLAIMS["sub-no-uuid"])
    assert sqlstate(connection, *("webinar_client_settings", VALID["webinar_client_settings"][1])) == ""
    assert sqlstate(connection, *("webinar_register", VALID["webinar_register"][1])) == "unauthenticated"


def test_a_refusal_in_which_something_was_written_is_seen(cast: Cast) -> None:
    before = cast.db.contents()
    cast.actor("stranger").call("webinar_register", webinar_id=WEBINAR)
    assert cast.db.contents() != before
