"""What somebody may not know of answers as what does not exist, in status, message, DETAIL and HINT (R7, R17).

The CONTEXT is left out: it names functions and lines, may differ, and is not sent by PostgREST.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from eventlive_db.client import Call, Identity
from eventlive_db.client.calls import SET_IDENTITY
from tests.security.secrets_of_others import Secrets
from tests.support.actors import Actor, named
from tests.support.bad_input import OUT_OF_BOUNDS, VALID
from tests.support.cast import ELSEWHERE, USERS, WEBINAR, Cast
from tests.support.faults import break_function

Answer = tuple[str | None, ...]

OUTSIDERS = ("guest", "stranger", "attendee", "speaker", "ejected", "moderator", "host")
"""None of them has anything to do with ELSEWHERE, which is a draft."""

# For each function: which of the things it is asked about nobody may tell from what does not exist.
ALIKE = {
    "pre_request": "asks about the token alone",
    "webinar_allow_emails": "webinar, address",
    "webinar_client_settings": "draft",
    "webinar_configure": "webinar",
    "webinar_create": "slug, for those who may not create",
    "webinar_eject": "webinar, user, session",
    "webinar_enter": "draft, address that is not verified",
    "webinar_grant_role": "webinar, user",
    "webinar_leave": "webinar, session, token",
    "webinar_message_hide": "webinar, message",
    "webinar_message_post": "draft",
    "webinar_messages_poll": "draft",
    "webinar_participants": "webinar",
    "webinar_presence_ping": "webinar",
    "webinar_presence_ping_many": "for service_role alone, which may know everything",
    "webinar_register": "draft, address that is not verified",
    "webinar_session_heartbeat": "webinar, session",
    "webinar_set_status": "webinar",
    "webinar_stats_access": "webinar",
}

OVERSIZED = pytest.param("webinar_enter", "oversized-client", {"client": {"agent": "x" * 5_000}})
VARIANTS = [
    *(pytest.param(function, "valid", {}) for function in VALID if "webinar_id" in VALID[function][1]),
    *(
        pytest.param(function, what, wrong)
        for function, what, wrong, _ in OUT_OF_BOUNDS
        if "webinar_id" in VALID[function][1] and not what.startswith(("megabyte", "overlong", "too-many"))
    ),
]


def answer(actor: Actor, function: str, /, **arguments: object) -> Answer:
    """What a caller is told; undone."""
    request: Call[Any] = Call(function, named(arguments))
    connection = actor.connection
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(SET_IDENTITY, actor.identity.settings())
            connection.execute(request.query(), request.parameters())
    except psycopg.Error as error:
        diag = error.diag
        return error.sqlstate, diag.message_primary, diag.message_detail, diag.message_hint
    return ("done",)


def token(said: Answer) -> str:
    """The token of an answer."""
    return (said[2] or "").partition(" ")[0] if len(said) > 1 else said[0] or ""


def told_apart(cast: Cast, function: str, wrong: dict[str, object], unknown: UUID, hidden: UUID) -> list[str]:
    """Who can tell a webinar that is hidden from one that does not exist, and by what."""
    arguments = VALID[function][1] | wrong
    found = []
    for name in OUTSIDERS:
        first, second = (
            answer(cast.actor(name), function, **arguments | {"webinar_id": webinar_id})
            for webinar_id in (unknown, hidden)
        )
        if first != second:
            found.append(f"{name}: {first} and {second}")
    return found


def test_every_function_is_listed(whole_scene: tuple[Cast, Secrets]) -> None:
    names = whole_scene[0].db.rows("select proname from pg_proc where pronamespace = 'eventlive_api'::regnamespace")
    assert {name for (name,) in names} == set(ALIKE)
    assert {param.values[0] for param in VARIANTS} == {f for f in ALIKE if "webinar_id" in VALID[f][1]}


@pytest.mark.parametrize(("function", "what", "wrong"), [*VARIANTS, OVERSIZED])
def test_a_draft_of_somebody_else_answers_as_one_that_does_not_exist(
    whole_scene: tuple[Cast, Secrets], function: str, what: str, wrong: dict[str, object]
) -> None:
    assert told_apart(whole_scene[0], function, wrong, uuid4(), ELSEWHERE) == []


ADMINISTRATION = [
    "allow_emails",
    "configure",
    "eject",
    "grant_role",
    "message_hide",
    "participants",
    "set_status",
    "stats_access",
]


@pytest.mark.parametrize("function", [f"webinar_{name}" for name in ADMINISTRATION])
@pytest.mark.parametrize("caller", ["stranger", "attendee", "speaker", "ejected", "host_elsewhere", "viewer_elsewhere"])
def test_administration_answers_to_others_as_if_there_were_no_webinar(
    whole_scene: tuple[Cast, Secrets], function: str, caller: str
) -> None:
    cast, secrets = whole_scene
    arguments = VALID[function][1]
    said = {answer(cast.actor(caller), function, **arguments | {"webinar_id": w}) for w in (uuid4(), WEBINAR)}
    for about in (
        {"user_id": USERS["host"]},
        {"user_id": uuid4()},
        {"user_id": None, "session_id": secrets.sessions["guest"]},
        {"user_id": None, "session_id": uuid4()},
        {"emails": [secrets.of["list"][0]]},
    ):
        known = {key: value for key, value in about.items() if key in arguments}
        said.add(answer(cast.actor(caller), function, **arguments | known | {"webinar_id": WEBINAR}))
    assert [token(one) for one in said] == ["not_allowed"]


@pytest.mark.parametrize("caller", ["guest", "stranger", "attendee", "host"])
def test_a_session_of_somebody_else_answers_as_one_that_does_not_exist(
    whole_scene: tuple[Cast, Secrets], caller: str
) -> None:
    cast, secrets = whole_scene
    actor = cast.actor(caller)
    sessions = [(WEBINAR, uuid4()), (uuid4(), uuid4()), (ELSEWHERE, uuid4()), (WEBINAR, secrets.sessions["speaker"])]
    sessions.append((ELSEWHERE, secrets.sessions["viewer_elsewhere"]))
    if caller != "guest":
        sessions.append((WEBINAR, secrets.sessions["guest"]))
        sessions.append((ELSEWHERE, secrets.sessions.get(caller, uuid4())))
    for function, more in (("webinar_session_heartbeat", {}), ("webinar_leave", {"leave_token": uuid4()})):
        said = {answer(actor, function, webinar_id=w, session_id=s, **more) for w, s in sessions}
        assert [token(one) for one in said] == ["session_not_found"], function


def test_a_leave_token_of_another_session_answers_as_a_wrong_one(whole_scene: tuple[Cast, Secrets]) -> None:
    cast, secrets = whole_scene
    query = "select leave_token from eventlive.webinar_user_sessions where session_id = %s"
    real = cast.db.value(query, secrets.sessions["speaker"])
    said = {
        answer(
            cast.actor("guest"),
            "webinar_leave",
            webinar_id=w,
            session_id=secrets.sessions[name],
            leave_token=leave_token,
        )
        for w, name, leave_token in (
            (WEBINAR, "attendee", real),
            (WEBINAR, "speaker", uuid4()),
            (ELSEWHERE, "speaker", real),
            (WEBINAR, "viewer_elsewhere", real),
        )
    }
    assert [token(one) for one in said] == ["session_not_found"]


def test_a_ping_says_no_more_of_a_webinar_than_that_one_is_not_registered(whole_scene: tuple[Cast, Secrets]) -> None:
    said = {
        answer(whole_scene[0].actor("stranger"), "webinar_presence_ping", webinar_id=w)
        for w in (uuid4(), WEBINAR, ELSEWHERE)
    }
    assert [token(one) for one in said] == ["not_registered"]


def test_who_may_not_create_does_not_learn_which_slugs_are_taken(whole_scene: tuple[Cast, Secrets]) -> None:
    cast, secrets = whole_scene
    slugs = ("ours", *secrets.of["draft"], "free", "NOT A SLUG")
    said = {answer(cast.actor("stranger"), "webinar_create", slug=slug) for slug in slugs}
    assert [token(one) for one in said] == ["not_allowed"]


def test_who_may_create_learns_that_a_slug_is_taken_and_nothing_of_its_webinar(
    broken_scene: tuple[Cast, Secrets],
) -> None:
    """Told by contract (webinar_exists), for slugs are unique; but not whether a guess at the rest was right."""
    cast, secrets = broken_scene
    [slug] = secrets.of["draft"]
    cast.db.admin.execute("select eventlive.set_setting('anyone_may_create', 'true')")
    same: dict[str, object] = {"slug": slug, "access_policy": "guest_allowed", "duplicate_login_policy": "allow"}
    said = {
        answer(cast.actor("stranger"), "webinar_create", **same | guess)
        for guess in ({}, {"access_policy": "auth"}, {"title": "A guess"}, {"settings": {"pacing_jitter": 0.2}})
    }
    assert [token(one) for one in said] == ["webinar_exists"]
    assert slug in str(said), "what the caller has said"
    # Its host gets it back, so the first guess was right.
    assert answer(cast.actor("host_elsewhere"), "webinar_create", **same) == ("done",)


@pytest.mark.parametrize("function", ["webinar_register", "webinar_enter"])
@pytest.mark.parametrize("policy", ["invite_only", "email_auth"])
def test_an_address_that_is_not_verified_does_not_tell_whether_it_is_listed(
    whole_scene: tuple[Cast, Secrets], function: str, policy: str
) -> None:
    cast, secrets = whole_scene
    webinar_id = cast.db.webinar(access_policy=policy)
    cast.db.allow_email(webinar_id, secrets.of["list"][0])
    more = {"session_id": uuid4()} if function == "webinar_enter" else {}
    said = {
        answer(
            Actor(cast.actor("stranger").connection, Identity.user(uuid4(), **claims)),
            function, webinar_id=webinar_id, **more,
        )
        for claims in (
            {"email": secrets.of["list"][0]},
            {"email": secrets.of["list"][0], "email_verified": False},
            {"email": "nobody@example.com"},
            {},
            {"user_metadata": {"email": secrets.of["list"][0], "email_verified": True}},
        )
    }  # fmt: skip
    assert [token(one) for one in said] == ["email_not_verified"]


@pytest.mark.parametrize(
    ("function", "caller", "properties", "tells"),
    [
        # docs/contract.md, "Who comes in" and "Errors": what stands in the way is said.
        ("webinar_register", "stranger", {"access_policy": "invite_only"}, "email_not_verified"),
        ("webinar_enter", "stranger", {"access_policy": "email_auth"}, "email_not_verified"),
        ("webinar_enter", "guest", {"access_policy": "auth"}, "guests_not_allowed"),
        (
            "webinar_enter",
            "guest",
            {"access_policy": "guest_allowed", "entry_policy": "registered_only"},
            "not_registered",
        ),
        ("webinar_enter", "stranger", {"status": "ended"}, "webinar_ended"),
        ("webinar_register", "stranger", {"status": "ended"}, "webinar_ended"),
        ("webinar_client_settings", "guest", {"access_policy": "invite_only"}, "done"),
    ],
)
def test_a_webinar_that_is_no_draft_is_no_secret_by_contract(
    whole_scene: tuple[Cast, Secrets], function: str, caller: str, properties: dict[str, str], tells: str
) -> None:
    cast, _ = whole_scene
    webinar_id = cast.db.webinar(**properties)  # type: ignore[arg-type]  # none of them is a number
    more: dict[str, object] = {"session_id": uuid4()} if function == "webinar_enter" else {}
    assert token(answer(cast.actor(caller), function, webinar_id=webinar_id, **more)) == tells
    assert token(answer(cast.actor(caller), function, webinar_id=uuid4(), **more)) == "webinar_not_found"


def test_entering_with_the_session_of_another_is_told_by_contract(whole_scene: tuple[Cast, Secrets]) -> None:
    cast, secrets = whole_scene
    taken = answer(cast.actor("stranger"), "webinar_enter", webinar_id=WEBINAR, session_id=secrets.sessions["attendee"])
    assert token(taken) == "session_not_yours"


REFUSED = "perform eventlive.raise_error('not_registered');"
FAULTS = {
    "check_admission": ("raise_error('webinar_not_found')", "raise_error('not_allowed')"),
    "require_staff": ("perform eventlive.raise_error('not_allowed');", "null;"),
    "webinar_client_settings": ("or (v_status = 'draft' and", "or (false and"),
    "create_presence": (
        REFUSED,
        (
            "perform eventlive.raise_error('not_registered', (select jsonb_build_object('webinar', w.slug)"
            f" from eventlive.webinars w where w.id = _webinar_id)); {REFUSED}"
        ),
    ),
}


@pytest.mark.parametrize("function", FAULTS)
def test_a_function_that_tells_them_apart_is_seen(broken_scene: tuple[Cast, Secrets], function: str) -> None:
    cast, _ = broken_scene
    break_function(cast.db, function, *FAULTS[function])
    asked = [name for name in VALID if "webinar_id" in VALID[name][1]]
    assert any(told_apart(cast, name, {}, uuid4(), ELSEWHERE) for name in asked)
