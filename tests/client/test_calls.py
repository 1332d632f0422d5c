"""Every function of the contract, called through each shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import pytest

from eventlive_db.client import Call, Identity, rpc
from eventlive_db.client import errors as e
from tests.client.conftest import Shell
from tests.support.database import EventliveDatabase

SERVICE = Identity.service()


def test_a_webinar_from_its_making_to_its_end(shell: Shell) -> None:
    host, viewer, guest = Identity.user(uuid4()), Identity.user(uuid4()), Identity.guest()
    created = shell.call(
        rpc.webinar_create("launch", title="Ünïc 🎥", access_policy="guest_allowed", host_id=str(host.claims["sub"])),
        SERVICE,
    )
    webinar = created.webinar_id
    assert (created.created, created.title, created.status) == (True, "Ünïc 🎥", "draft")
    assert shell.call(
        rpc.webinar_configure(webinar, {"settings": {"presence_ping_interval_s": 60}}), host
    ).settings == {"presence_ping_interval_s": 60}
    assert shell.call(rpc.webinar_set_status(webinar, "live"), host).changed

    assert shell.call(rpc.webinar_register(webinar), viewer).created
    assert not shell.call(rpc.webinar_register(webinar), viewer).created
    session, other = uuid4(), uuid4()
    entry = shell.call(rpc.webinar_enter(webinar, session, {"user_agent": "test"}), viewer)
    assert entry.session.session_id == session
    assert entry.registration is not None
    assert str(entry.registration.user_id) == viewer.claims["sub"]
    assert shell.call(rpc.webinar_client_settings(webinar), viewer) == entry.settings
    assert shell.call(rpc.webinar_presence_ping(webinar), viewer) is None
    beat = shell.call(rpc.webinar_session_heartbeat(webinar, session), viewer)
    assert beat.state == "open"
    assert beat.next_heartbeat_s is not None
    with pytest.raises(e.ConflictError) as caught:
        shell.call(rpc.webinar_enter(webinar, other), viewer)
    assert caught.value.token == "duplicate_session"
    taken = shell.call(rpc.webinar_enter(webinar, other, take_over=True), viewer)
    assert taken.replaced_sessions == 1
    over = shell.call(rpc.webinar_session_heartbeat(webinar, session), viewer)
    assert (over.state, over.replaced_by, over.next_heartbeat_s) == ("replaced", other, None)
    assert over.exited_at is not None
    assert shell.call(rpc.webinar_leave(webinar, other, taken.leave_token), guest) is None

    inside = shell.call(rpc.webinar_enter(webinar, uuid4()), guest)
    assert inside.registration is None
    assert shell.call(rpc.webinar_eject(webinar, session_id=inside.session.session_id), host).closed_sessions == 1
    assert shell.call(rpc.webinar_grant_role(webinar, str(viewer.claims["sub"]), "speaker"), host).role == "speaker"
    assert shell.call(rpc.webinar_allow_emails(webinar, {"a@b.example"}), host).added == 1
    stranger = uuid4()
    batch = shell.call(rpc.webinar_presence_ping_many(webinar, [str(viewer.claims["sub"]), stranger]), SERVICE)
    assert batch.not_registered == (stranger,)
    assert not shell.call(rpc.webinar_set_status(webinar, "ended"), host).remaining


@pytest.mark.parametrize(
    ("who", "request_", "kind", "status", "token"),
    [
        ("user", rpc.webinar_presence_ping(uuid4()), e.ForbiddenError, 403, "not_registered"),
        ("user", rpc.webinar_register(uuid4()), e.NotFoundError, 404, "webinar_not_found"),
        ("user", rpc.webinar_create("x"), e.ForbiddenError, 403, "not_allowed"),
        ("user", rpc.webinar_presence_ping_many(uuid4(), []), e.ForbiddenError, 403, "permission_denied"),
        ("guest", rpc.webinar_register(uuid4()), e.ForbiddenError, 403, "permission_denied"),
        ("guest", rpc.webinar_session_heartbeat(uuid4(), uuid4()), e.NotFoundError, 404, "session_not_found"),
        ("service", rpc.webinar_create(""), e.InvalidCallError, 400, "invalid_argument"),
        ("service", rpc.webinar_create("a\x00b"), e.InvalidCallError, 400, "invalid_argument"),
        ("nobody", rpc.webinar_register(uuid4()), e.UnauthenticatedError, 401, "unauthenticated"),
        ("malformed", rpc.webinar_register(uuid4()), e.UnauthenticatedError, 401, "invalid_claims"),
    ],
)
def test_a_refusal_is_an_error_of_its_kind(
    shell: Shell, who: str, request_: Call[object], kind: type[e.EventliveError], status: int, token: str
) -> None:
    identity = {
        "user": Identity.user(uuid4()),
        "guest": Identity.guest(),
        "service": SERVICE,
        "nobody": Identity("authenticated", {}),
        "malformed": Identity("authenticated", {"sub": "me"}),
    }[who]
    with pytest.raises(kind) as caught:
        shell.call(request_, identity)
    error = caught.value
    assert (error.status, error.token, error.retry, error.maybe_done) == (status, token, False, False)
    assert error.hint


def test_the_payload_of_an_error_is_read(shell: Shell, db: EventliveDatabase) -> None:
    webinar = db.webinar(duplicate_login_policy="reject")
    viewer, first = Identity.user(uuid4()), uuid4()
    shell.call(rpc.webinar_enter(webinar, first), viewer)
    with pytest.raises(e.ConflictError) as caught:
        shell.call(rpc.webinar_enter(webinar, uuid4()), viewer)
    assert "sessions" in caught.value.payload
    assert str(first) in json.dumps(caught.value.payload)


def test_too_much_says_when_to_come_again(shell: Shell, db: EventliveDatabase) -> None:
    webinar = db.webinar(duplicate_login_policy="allow", settings={"max_open_sessions_per_user": 1})
    viewer = Identity.user(uuid4())
    shell.call(rpc.webinar_enter(webinar, uuid4()), viewer)
    with pytest.raises(e.RateLimitedError) as caught:
        shell.call(rpc.webinar_enter(webinar, uuid4()), viewer)
    assert caught.value.token == "too_many_sessions"
    assert caught.value.retry
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 750


def test_a_function_that_is_not_there_says_so(shell: Shell, db: EventliveDatabase) -> None:
    db.admin.execute("drop function eventlive_api.webinar_client_settings(uuid)")
    with pytest.raises(e.NotFoundError) as caught:
        shell.call(rpc.webinar_client_settings(uuid4()), SERVICE)
    assert caught.value.token == "function_not_found"
    assert "migrations" in caught.value.hint


def test_a_reply_that_breaks_the_contract_is_an_error_and_the_call_was_made(
    shell: Shell, db: EventliveDatabase
) -> None:
    db.admin.execute(
        "create or replace function eventlive_api.webinar_client_settings(_webinar_id uuid) returns jsonb"
        " language sql stable begin atomic select '{\"colour\": 1}'::jsonb; end"
    )
    with pytest.raises(e.UnreadableReplyError):
        shell.call(rpc.webinar_client_settings(uuid4()), SERVICE)


def test_the_exposed_schema_may_have_another_name(db: EventliveDatabase, open_shell: Callable[..., Shell]) -> None:
    db.admin.execute("alter schema eventlive_api rename to elsewhere")
    assert open_shell(db.dsn, api_schema="elsewhere").call(rpc.webinar_create("x"), SERVICE).created
    with pytest.raises(ValueError, match="not the name of"):
        open_shell(db.dsn, api_schema="a; drop").call(rpc.webinar_create("x"), SERVICE)
