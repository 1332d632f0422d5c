"""Every error of the contract as it arrives: status, reason phrase, token, payload, advice (docs/contract.md)."""

from __future__ import annotations

import math
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from eventlive_db.server import Server
from tests.http.conftest import OpenDoor
from tests.support.actors import new_id
from tests.support.errors import TOKENS
from tests.support.http_door import Answer, Caller, Door, token
from tests.support.http_scene import Scene

CONTRACT = {
    token: (int(status), message, hint)
    for status, token, message, hint in re.findall(
        r"^\| (\d{3}) \| `(\w+)` \| (.+) \| (.+) \|$",
        (Path(__file__).resolve().parents[2] / "docs" / "contract.md").read_text(),
        re.M,
    )
}

Recipe = Callable[[Scene], Answer]
RECIPES: dict[str, Recipe] = {}

# They are met elsewhere in this file: one where pre_request does not run, one under a role's setting.
ELSEWHERE = {"unauthenticated", "isolation_not_supported"}


def recipe(step: Recipe) -> Recipe:
    """A way to get the error that the function is named after."""
    RECIPES[step.__name__] = step
    return step


def call(scene: Scene, who: str, function: str, /, **arguments: object) -> Answer:
    """Call for the webinar of the scene, unless another one is named."""
    arguments.setdefault("webinar_id", scene.webinar_id)
    return scene.door.call(function, scene.people[who], **arguments)


def configured(scene: Scene, **properties: object) -> None:
    """Change the webinar of the scene."""
    assert not call(scene, "host", "webinar_configure", changes=properties).code


def with_token(scene: Scene, **claims: object) -> Answer:
    """Ask as a user with other claims."""
    caller = scene.door.user(**claims)
    return scene.door.call("webinar_client_settings", caller, webinar_id=scene.webinar_id)


@recipe
def invalid_argument(scene: Scene) -> Answer:
    return call(scene, "stranger", "webinar_register", registered_via="auto")


@recipe
def unknown_setting(scene: Scene) -> Answer:
    return call(scene, "host", "webinar_configure", changes={"settings": {"nonsense": 1}})


@recipe
def setting_out_of_range(scene: Scene) -> Answer:
    return call(scene, "host", "webinar_configure", changes={"settings": {"pacing_jitter": 7}})


@recipe
def invalid_claims(scene: Scene) -> Answer:
    return with_token(scene, sub="root")


@recipe
def token_expired(scene: Scene) -> Answer:
    # PostgREST lets a clock be 30 s wrong.
    return with_token(scene, exp=int(time.time()) - 5)


@recipe
def token_not_accepted(scene: Scene) -> Answer:
    return with_token(scene, exp=None)


@recipe
def not_registered(scene: Scene) -> Answer:
    return call(scene, "stranger", "webinar_presence_ping")


@recipe
def guests_not_allowed(scene: Scene) -> Answer:
    configured(scene, access_policy="auth")
    return call(scene, "anon", "webinar_enter", session_id=new_id())


@recipe
def not_invited(scene: Scene) -> Answer:
    configured(scene, access_policy="invite_only")
    scene.people["eve"] = scene.door.user(email="eve@example.com", email_verified=True)
    return call(scene, "eve", "webinar_enter", session_id=new_id())


@recipe
def email_not_verified(scene: Scene) -> Answer:
    configured(scene, access_policy="email_auth")
    return call(scene, "stranger", "webinar_enter", session_id=new_id())


@recipe
def ejected(scene: Scene) -> Answer:
    call(scene, "host", "webinar_eject", user_id=scene.people["attendee"].user_id)
    return call(scene, "attendee", "webinar_enter", session_id=new_id())


@recipe
def not_allowed(scene: Scene) -> Answer:
    return call(scene, "attendee", "webinar_set_status", status="ended")


@recipe
def session_not_yours(scene: Scene) -> Answer:
    session_id, _ = scene.enter(scene.people["attendee"])
    return call(scene, "stranger", "webinar_enter", session_id=session_id)


@recipe
def webinar_not_found(scene: Scene) -> Answer:
    return call(scene, "anon", "webinar_client_settings", webinar_id=new_id())


@recipe
def session_not_found(scene: Scene) -> Answer:
    return call(scene, "anon", "webinar_session_heartbeat", session_id=new_id())


@recipe
def duplicate_session(scene: Scene) -> Answer:
    configured(scene, duplicate_login_policy="ask")
    session_id, _ = scene.enter(scene.people["attendee"])
    answer = call(scene, "attendee", "webinar_enter", session_id=new_id())
    assert [session["session_id"] for session in answer.payload["sessions"]] == [str(session_id)]
    return answer


@recipe
def webinar_exists(scene: Scene) -> Answer:
    (slug,) = scene.door.db.rows("select slug from eventlive.webinars where id = %s", scene.webinar_id)[0]
    return scene.door.call("webinar_create", scene.people["admin"], slug=slug)


@recipe
def status_change_refused(scene: Scene) -> Answer:
    return call(scene, "host", "webinar_set_status", status="draft")


@recipe
def last_host(scene: Scene) -> Answer:
    return call(scene, "host", "webinar_grant_role", user_id=scene.people["host"].user_id, role="speaker")


@recipe
def webinar_ended(scene: Scene) -> Answer:
    call(scene, "host", "webinar_set_status", status="ended")
    return call(scene, "attendee", "webinar_enter", session_id=new_id())


@recipe
def session_replaced(scene: Scene) -> Answer:
    session_id, _ = scene.enter(scene.people["attendee"])
    call(scene, "attendee", "webinar_enter", session_id=new_id(), take_over=True)
    return call(scene, "attendee", "webinar_enter", session_id=session_id)


@recipe
def session_ejected(scene: Scene) -> Answer:
    session_id, _ = scene.enter(scene.people["anon"])
    call(scene, "host", "webinar_eject", session_id=session_id)
    return call(scene, "anon", "webinar_enter", session_id=session_id)


@recipe
def session_expired(scene: Scene) -> Answer:
    session_id, _ = scene.enter(scene.people["attendee"])
    scene.door.db.shift_time("1 day")
    return call(scene, "attendee", "webinar_enter", session_id=session_id)


@recipe
def session_left(scene: Scene) -> Answer:
    session_id, leave_token = scene.enter(scene.people["attendee"])
    call(scene, "anon", "webinar_leave", session_id=session_id, leave_token=leave_token)
    return call(scene, "attendee", "webinar_enter", session_id=session_id)


@recipe
def too_many_sessions(scene: Scene) -> Answer:
    configured(scene, settings={"max_open_sessions_per_user": 1})
    scene.enter(scene.people["attendee"])
    return call(scene, "attendee", "webinar_enter", session_id=new_id())


@recipe
def message_not_found(scene: Scene) -> Answer:
    return call(scene, "host", "webinar_message_hide", message_id=1)


@recipe
def too_many_messages(scene: Scene) -> Answer:
    configured(scene, settings={"message_rate_limit": 1})
    scene.post(scene.people["attendee"])
    message: dict[str, object] = {"client_message_id": new_id(), "kind": "chat", "body": "Hello again"}
    return call(scene, "attendee", "webinar_message_post", **message)


@recipe
def fallback_disabled(scene: Scene) -> Answer:
    configured(scene, settings={"fallback_enabled": False})
    return call(scene, "attendee", "webinar_messages_poll")


def conforms(answer: Answer, name: str) -> None:
    """Whether the answer is what the contract's table says."""
    status, message, hint = CONTRACT[name]
    assert (answer.said(), answer.code) == (f"{status} {name}", f"PT{status}")
    assert (answer.reason, answer.message, answer.hint) == (message, message, hint)


@pytest.mark.parametrize("name", [name for name in TOKENS if name not in ELSEWHERE])
def test_an_error_arrives_as_the_contract_says(name: str, door: Door) -> None:
    conforms(RECIPES[name](Scene(door)), name)


def test_every_error_has_a_recipe() -> None:
    assert set(RECIPES) | ELSEWHERE == set(TOKENS) == set(CONTRACT)


def test_without_pre_request_a_function_itself_asks_who_is_calling(another_door: OpenDoor) -> None:
    with another_door({"db-pre-request": None}) as door:
        nobody = Caller("nobody", token("authenticated"))
        conforms(door.call("webinar_register", nobody, webinar_id=new_id()), "unauthenticated")


def test_an_isolation_level_that_a_role_brings_is_refused(
    another_door: OpenDoor, authenticator: tuple[str, str], pg_server: Server
) -> None:
    """PostgREST begins the transaction at the level that the settings of the caller's role name."""
    role = f"serialized_{secrets.token_hex(6)}"

    def as_admin(*statements: str) -> None:
        with psycopg.connect(pg_server.dsn(), autocommit=True) as admin:
            for statement in statements:
                admin.execute(statement.encode())

    as_admin(f"create role {role} nologin")
    try:
        with another_door(
            prepare=lambda _: as_admin(
                f"grant authenticated to {role}",
                f"grant {role} to {authenticator[0]}",
                f"alter role {role} set default_transaction_isolation = 'repeatable read'",
            )
        ) as door:
            webinar_id = door.db.webinar()
            caller = Caller("serialized", token(role, new_id()))
            answer = door.call("webinar_enter", caller, webinar_id=webinar_id, session_id=new_id())
            conforms(answer, "isolation_not_supported")
    finally:
        as_admin(f"drop role {role}")


def test_429_says_when_to_come_back(door: Door) -> None:
    scene = Scene(door)
    configured(scene, settings={"max_open_sessions_per_user": 1})
    scene.enter(scene.people["attendee"])
    response = door.post("webinar_enter", scene.people["attendee"], webinar_id=scene.webinar_id, session_id=new_id())
    assert 1 <= int(response.headers["Retry-After"]) <= 7200


def test_who_posts_too_much_is_told_when_to_come_back(door: Door) -> None:
    scene = Scene(door)
    too_many_messages(scene)
    arguments = scene.arguments("webinar_message_post", scene.people["attendee"])
    response = door.post("webinar_message_post", scene.people["attendee"], **arguments)
    assert response.status_code == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 30


def polled(door: Door, method: str) -> httpx.Response:
    """A poll where polling is switched off."""
    scene = Scene(door)
    attendee = scene.people["attendee"]
    fallback_disabled(scene)
    if method == "POST":
        return door.post("webinar_messages_poll", attendee, webinar_id=scene.webinar_id)
    return door.get(f"/rpc/webinar_messages_poll?_webinar_id={scene.webinar_id}", attendee)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_who_polls_where_it_is_switched_off_is_told_when_to_come_back(method: str, door: Door) -> None:
    response = polled(door, method)
    assert response.status_code == 429
    payload = Answer.of(response).payload
    assert 270 <= payload["retry_after_s"] <= 330
    assert response.headers.get_list("Retry-After") == [str(math.ceil(payload["retry_after_s"]))]


def test_with_503_postgrest_would_tell_all_of_them_to_come_back_at_once(another_door: OpenDoor) -> None:
    def as_503(dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as admin:
            [(definition,)] = admin.execute("select pg_get_functiondef('eventlive.raise_error'::regproc)").fetchall()
            assert "('fallback_disabled', 429," in definition
            admin.execute(definition.replace("('fallback_disabled', 429,", "('fallback_disabled', 503,").encode())

    with another_door(prepare=as_503) as door:
        response = polled(door, "POST")
    assert response.status_code == 503
    assert response.headers.get_list("Retry-After")[0] == "0"
