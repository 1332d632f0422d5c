"""No reply and no error of a function gives away anything of somebody else (R7, R17)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.security.secrets_of_others import ATTACKERS, STAFF, Intruder, Secrets, found_in
from tests.support.bad_input import OUT_OF_BOUNDS, VALID
from tests.support.cast import ELSEWHERE, USERS, WEBINAR, Cast
from tests.support.faults import break_function

LARGE = re.compile("megabyte|overlong|too-many")
"""What is only large teaches nothing here, and takes long."""


def tries(secrets: Secrets, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Every function with what an attacker may know or guess: both webinars, ids of sessions and users, rubbish."""
    victim = "attendee" if name != "attendee" else "speaker"
    found: list[tuple[str, dict[str, Any]]] = []
    # What staff learn of their own webinar is theirs.
    for webinar_id in (ELSEWHERE,) if name in STAFF else (ELSEWHERE, WEBINAR):
        person, session = ("viewer_elsewhere", "guest_elsewhere") if webinar_id == ELSEWHERE else (victim, "guest")
        aimed: dict[str, object] = {
            "webinar_id": webinar_id,
            "session_id": secrets.sessions[person],
            "user_id": USERS[person],
            "user_ids": [USERS[person]],
            "leave_token": secrets.sessions[person],
        }
        for function, (_, arguments) in VALID.items():
            own = {key: value for key, value in aimed.items() if key in arguments}
            found.append((function, arguments | own))
            # A guest who knows the session of a guest is that guest: see below.
            if "session_id" in arguments and (name, webinar_id) != ("guest", WEBINAR):
                found.append((function, arguments | own | {"session_id": secrets.sessions[session]}))
            if function == "webinar_create":
                found.append((function, arguments | {"slug": secrets.of["draft"][0]}))
            found += [
                (function, arguments | own | wrong)
                for known, what, wrong, _ in OUT_OF_BOUNDS
                if known == function and not LARGE.search(what)
            ]
    return found


def given(arguments: dict[str, Any]) -> str:
    """What the attacker has said; hearing it again is no leak."""
    return str(arguments)


@pytest.mark.parametrize("name", ATTACKERS)
def test_no_function_tells_of_others(whole_scene: tuple[Cast, Secrets], name: str) -> None:
    cast, secrets = whole_scene
    hidden, states = secrets.hidden_from(name), set()
    with Intruder(cast, name) as intruder:
        for function, arguments in tries(secrets, name):
            intruder.heard = []
            states.add(intruder.call(function, **arguments))
            assert found_in(intruder.heard, [s for s in hidden if s not in given(arguments)]) == [], function
    # Refused by the contract, by the privileges or by the types; never by a constraint, whose DETAIL shows the row.
    assert {state[:2] for state in states} <= {"", "PT", "22", "42"}
    assert any(state.startswith("PT") for state in states)


def test_a_guest_who_knows_the_id_of_a_session_of_a_guest_is_that_guest(whole_scene: tuple[Cast, Secrets]) -> None:
    """The contract: the session id is a guest's only credential. No other viewer may see it."""
    cast, secrets = whole_scene
    with Intruder(cast, "guest") as guest:
        assert guest.call("webinar_enter", webinar_id=WEBINAR, session_id=secrets.sessions["guest"]) == ""
    for name in set(ATTACKERS) - set(STAFF) - {"guest"}:
        assert str(secrets.sessions["guest"]) in secrets.hidden_from(name)


@pytest.mark.parametrize(
    ("function", "old", "new", "who", "call"),
    [
        (
            "webinar_client_settings",
            "return v_settings;",
            (
                "return v_settings || jsonb_build_object('hosts', (select jsonb_agg(r.user_id)"
                " from eventlive.registrations r));"
            ),
            "guest",
            "webinar_client_settings",
        ),
        (
            "check_session_is_open",
            "raise_error('session_not_yours')",
            "raise_error('session_not_yours', jsonb_build_object('user_id', _session_user_id))",
            "stranger",
            "webinar_enter",
        ),
        (
            "require_staff",
            "perform eventlive.raise_error('not_allowed');",
            (
                "raise exception 'not for you' using detail ="
                " (select string_agg(e.email, ' ') from eventlive.webinar_allowed_emails e);"
            ),
            "attendee",
            "webinar_eject",
        ),
    ],
    ids=["reply", "payload", "detail"],
)
def test_a_function_that_tells_is_heard(
    broken_scene: tuple[Cast, Secrets], function: str, old: str, new: str, who: str, call: str
) -> None:
    cast, secrets = broken_scene
    break_function(cast.db, function, old, new)
    leaked = []
    with Intruder(cast, who) as intruder:
        for name, arguments in tries(secrets, who):
            if name == call:
                intruder.heard = []
                intruder.call(name, **arguments)
                leaked += found_in(intruder.heard, [s for s in secrets.hidden_from(who) if s not in given(arguments)])
    assert leaked


def test_a_constraint_that_reaches_a_client_shows_the_row_and_is_heard(broken_scene: tuple[Cast, Secrets]) -> None:
    cast, _ = broken_scene
    break_function(cast.db, "webinar_configure", "perform eventlive.check_webinar_values(", "perform concat(")
    with Intruder(cast, "host") as host:
        assert host.call("webinar_configure", webinar_id=WEBINAR, changes={"title": ""}) == "23514"
        assert any("Failing row contains" in text for text in host.heard)


def test_the_context_of_an_error_names_functions_and_lines_and_no_value(whole_scene: tuple[Cast, Secrets]) -> None:
    cast, secrets = whole_scene
    with Intruder(cast, "attendee") as intruder:
        for function, arguments in tries(secrets, "attendee"):
            intruder.call(function, **arguments)
    contexts = {line for text in intruder.heard for line in text.split(" | ")[-1].split("\n") if "PL/pgSQL" in line}
    assert contexts
    line = re.compile(r"PL/pgSQL function eventlive\.\w+\([\w ,\[\].]*\) line \d+ at \w+(?: \w+)*")
    assert [found for found in contexts if not line.fullmatch(found)] == []
