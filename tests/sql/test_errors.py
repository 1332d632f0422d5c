"""Every token that ``raise_error`` knows can be met, and is met as the contract says."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from eventlive_db.client import Identity, RpcError
from eventlive_db.client.errors import EventliveError
from tests.support.actors import Actor, new_id
from tests.support.cast import USERS, WEBINAR, Cast, assemble
from tests.support.database import EventliveDatabase
from tests.support.errors import TOKENS, assert_conforms

Scenario = Callable[[Cast], EventliveError]


@pytest.fixture
def cast(db: EventliveDatabase) -> Cast:
    """Everybody, in a webinar that guests may enter."""
    return assemble(db, access_policy="guest_allowed")


def refused(caller: str, function: str, /, **arguments: object) -> Scenario:
    """One call, in the webinar, that is refused."""
    return lambda cast: cast.actor(caller).refused(function, **{"webinar_id": WEBINAR} | arguments)


def with_webinar(refusal: Scenario, **properties: str) -> Scenario:
    """The same in a webinar with other properties."""

    def run(cast: Cast) -> EventliveError:
        for column, value in properties.items():
            cast.db.admin.execute(f"update eventlive.webinars set {column} = %s".encode(), [value])
        return refusal(cast)

    return run


def registering_as(identity: Identity) -> Scenario:
    """A call with other claims than a user's."""
    return lambda cast: Actor(cast.db.connect(), identity).refused("webinar_register", webinar_id=WEBINAR)


def asking_before_a_request(claims: dict[str, object]) -> Scenario:
    """What PostgREST calls first, with more claims than a user's id."""
    return lambda cast: Actor(cast.db.connect(), Identity.user(new_id(), **claims)).refused("pre_request")


def entering_twice(policy: str, **settings: str) -> Scenario:
    """A second session beside the first, under a policy for duplicate logins."""

    def run(cast: Cast) -> EventliveError:
        cast.actor("attendee").call("webinar_enter", webinar_id=WEBINAR, session_id=new_id())
        return with_webinar(
            refused("attendee", "webinar_enter", session_id=new_id()), duplicate_login_policy=policy, **settings
        )(cast)

    return run


def entering_with_the_session_of_a_guest(cast: Cast) -> RpcError:
    """A session id that was seen elsewhere."""
    session: dict[str, object] = {"webinar_id": WEBINAR, "session_id": new_id()}
    cast.actor("guest").call("webinar_enter", **session)
    return cast.actor("attendee").refused("webinar_enter", **session)


def entering_at_a_higher_isolation_level(cast: Cast) -> RpcError:
    """As where somebody has changed the default of the role or the database."""
    attendee = cast.actor("attendee")
    attendee.connection.execute("set default_transaction_isolation = 'repeatable read'")
    return attendee.refused("webinar_enter", webinar_id=WEBINAR, session_id=new_id())


def entering_again_after(end: Callable[[Cast, dict[str, object], str], object], caller: str = "attendee") -> Scenario:
    """Entering with a session that is over."""

    def run(cast: Cast) -> RpcError:
        session: dict[str, object] = {"webinar_id": WEBINAR, "session_id": new_id()}
        token = cast.actor(caller).call("webinar_enter", **session)["leave_token"]
        end(cast, session, token)
        return cast.actor(caller).refused("webinar_enter", **session)

    return run


def posting_too_much(cast: Cast) -> RpcError:
    """One message more than is allowed."""
    message: dict[str, object] = {"webinar_id": WEBINAR, "kind": "chat", "body": "Hello"}
    cast.db.admin.execute("""update eventlive.webinars set settings = '{"message_rate_limit": 1}'""")
    cast.actor("attendee").call("webinar_message_post", client_message_id=new_id(), **message)
    return cast.actor("attendee").refused("webinar_message_post", client_message_id=new_id(), **message)


def polling_where_it_is_switched_off(cast: Cast) -> EventliveError:
    cast.db.admin.execute("""update eventlive.webinars set settings = '{"fallback_enabled": false}'""")
    return cast.actor("attendee").refused("webinar_messages_poll", webinar_id=WEBINAR)


SCENARIOS: dict[str, Scenario] = {
    "invalid_argument": refused("attendee", "webinar_register", registered_via="auto"),
    "isolation_not_supported": entering_at_a_higher_isolation_level,
    "unknown_setting": refused("host", "webinar_configure", changes={"settings": {"nonsense": 1}}),
    "setting_out_of_range": refused("host", "webinar_configure", changes={"settings": {"pacing_jitter": 9}}),
    "unauthenticated": registering_as(Identity("authenticated")),
    "invalid_claims": registering_as(Identity.user("nobody")),
    "token_expired": asking_before_a_request({"exp": 1}),
    "token_not_accepted": asking_before_a_request({}),
    "not_registered": refused("stranger", "webinar_presence_ping"),
    "guests_not_allowed": with_webinar(refused("guest", "webinar_enter", session_id=new_id()), access_policy="auth"),
    "not_invited": with_webinar(
        lambda cast: cast.db.user(email="eve@example.com", email_verified=True).refused(
            "webinar_register", webinar_id=WEBINAR
        ),
        access_policy="invite_only",
    ),
    "email_not_verified": with_webinar(refused("stranger", "webinar_register"), access_policy="email_auth"),
    "ejected": refused("ejected", "webinar_presence_ping"),
    "not_allowed": refused("attendee", "webinar_set_status", status="ended"),
    "session_not_yours": entering_with_the_session_of_a_guest,
    "webinar_not_found": refused("stranger", "webinar_enter", webinar_id=new_id(), session_id=new_id()),
    "session_not_found": refused("attendee", "webinar_session_heartbeat", session_id=new_id()),
    "duplicate_session": entering_twice("reject"),
    "webinar_exists": lambda cast: cast.actor("admin").refused("webinar_create", slug="ours", title="Another"),
    "status_change_refused": refused("host", "webinar_set_status", status="draft"),
    "last_host": refused("host", "webinar_grant_role", user_id=USERS["host"], role="attendee"),
    "webinar_ended": with_webinar(refused("stranger", "webinar_register"), status="ended"),
    "session_replaced": entering_again_after(
        lambda cast, _, __: cast.actor("attendee").call(
            "webinar_enter", webinar_id=WEBINAR, session_id=new_id(), take_over=True
        )
    ),
    "session_ejected": entering_again_after(
        lambda cast, session, _: cast.actor("host").call("webinar_eject", **session), caller="guest"
    ),
    "session_expired": entering_again_after(lambda cast, _, __: cast.db.shift_time("1 day")),
    "session_left": entering_again_after(
        lambda cast, session, token: cast.actor("attendee").call("webinar_leave", **session, leave_token=token)
    ),
    "too_many_sessions": entering_twice("allow", settings='{"max_open_sessions_per_user": 1}'),
    "message_not_found": refused("host", "webinar_message_hide", message_id=1),
    "too_many_messages": posting_too_much,
    "fallback_disabled": polling_where_it_is_switched_off,
}


@pytest.mark.parametrize("token", TOKENS)
def test_every_declared_token_is_met(cast: Cast, token: str) -> None:
    error = SCENARIOS[token](cast)
    assert error.token == token
    assert_conforms(error)


def test_the_declaration_of_the_tokens_was_read_whole() -> None:
    assert set(SCENARIOS) == set(TOKENS)


def test_a_token_that_is_not_declared_is_a_defect_and_no_answer_to_a_client(cast: Cast) -> None:
    with pytest.raises(psycopg.errors.InternalError_, match="does not know the token nonsense"):
        cast.db.value("select eventlive.raise_error('nonsense')")


def test_every_token_that_a_function_raises_is_declared(cast: Cast) -> None:
    query = (
        "select distinct t.found[1] from pg_proc p,"
        " regexp_matches(p.prosrc, 'raise_error\\(\\s*''(\\w+)''', 'g') as t (found)"
        " where p.pronamespace = 'eventlive'::regnamespace"
    )
    raised = {token for (token,) in cast.db.rows(query)}
    # check_session_is_open puts these together from the reason for which the session ended.
    composed = {"session_left", "session_expired", "session_replaced", "session_ejected"}
    assert raised | composed == set(TOKENS)
