"""Entering at once: one session is one session, one user has one winner, and nobody stays in a webinar that ends."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from eventlive_db.client import RpcError
from tests.support.actors import Actor, in_background, new_id
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function
from tests.support.invariants import violations
from tests.support.races import (
    NOTHING,
    Step,
    closed_gate,
    footprint,
    held,
    pause_in,
    rush,
    sequence_values,
    settled,
)

CONNECTIONS = 50
CALLS = 1_000
LOCK_THE_WEBINAR = "select pg_advisory_xact_lock(eventlive.webinar_lock_key(%s))"


def actors(db: EventliveDatabase, *, guest: bool) -> list[Actor]:
    """One user, or one guest, on many connections."""
    user_id = new_id()
    return [db.guest() if guest else db.user(user_id) for _ in range(CONNECTIONS)]


def entries(crowd: list[Actor], webinar_id: UUID, session_id: UUID | None = None) -> list[Step]:
    """All of them enter, with one session or each with one of their own."""
    return [
        Step(actor, "webinar_enter", {"webinar_id": webinar_id, "session_id": session_id or new_id()})
        for actor in crowd
    ]


def one_session_storm(
    db: EventliveDatabase, *, guest: bool, past_the_look: bool = False, calls: int = CALLS
) -> set[str]:
    """Enter so many times with one session id, and say in words what is wrong after it.

    All start at the webinar's lock; or, where it hurts most, when each has looked and found nothing.
    """
    webinar_id, session_id = db.webinar(access_policy="guest_allowed"), new_id()
    gate = held(db, LOCK_THE_WEBINAR, webinar_id)
    if past_the_look:
        pause_in(db, "insert_session" if guest else "insert_registration")
        gate = closed_gate(db)
    crowd = actors(db, guest=guest)
    steps = entries(crowd, webinar_id, session_id)
    numbers_before = sequence_values(db)
    try:
        replies = rush(db, gate, steps, times=calls // CONNECTIONS)
    except psycopg.Error as error:
        return {f"error {error.sqlstate}"}
    assert len(replies) == calls
    wrong = {
        "refused": any(isinstance(reply, RpcError) for reply in replies),
        "created more or less than once": [reply["created"] for reply in replies].count(True) != 1,
        "replies name different sessions": len({(str(r["session"]), r["leave_token"]) for r in replies}) != 1,
        "not one session": db.count("webinar_user_sessions") != 1,
        "not the one user registered and present": db.rows(
            "select p.user_id from eventlive.registrations r join eventlive.webinar_live_presence p using (user_id)"
        )
        != ([] if guest else [(crowd[0].user_id,)]),
        "sequence values burned": sequence_values(db) - numbers_before != (1 if guest else 2),
        "invariant broken": violations(db, *crowd) != [],
    }
    return {flaw for flaw, found in wrong.items() if found}


@pytest.mark.parametrize("past_the_look", [False, True], ids=["at the door", "past the look"])
@pytest.mark.parametrize("guest", [False, True], ids=["user", "guest"])
def test_a_thousand_concurrent_entries_with_one_session_id_are_one_session_and_no_error(
    db: EventliveDatabase, guest: bool, past_the_look: bool
) -> None:
    assert one_session_storm(db, guest=guest, past_the_look=past_the_look) == set()


def test_a_guest_who_enters_again_with_the_same_session_leaves_nothing(db: EventliveDatabase) -> None:
    [step] = entries([db.guest()], db.webinar(access_policy="guest_allowed"), new_id())
    step.attempt()
    footprint(db, step)
    assert footprint(db, step) == NOTHING


def test_a_user_who_enters_again_with_the_same_session_burns_no_sequence_value(db: EventliveDatabase) -> None:
    [step] = entries([db.user()], db.webinar(), new_id())
    step.attempt()
    assert footprint(db, step).sequence_values == 0


ON_CONFLICT = "on conflict (webinar_id, session_id) do nothing"


@pytest.mark.parametrize(
    ("replacement", "flaws"),
    [
        ("", {"error 23505"}),
        ("on conflict (webinar_id, session_id) do update set client = excluded.client", {"sequence values burned"}),
    ],
    ids=["plain insert", "do update"],
)
def test_the_storm_rejects_another_way_to_open_a_session(
    db: EventliveDatabase, replacement: str, flaws: set[str]
) -> None:
    break_function(db, "insert_session", ON_CONFLICT, replacement)
    assert one_session_storm(db, guest=True, past_the_look=True, calls=CONNECTIONS) >= flaws


# Of 50 tabs of one user that enter at once: how many get in, and how many stay.
@pytest.mark.parametrize(
    ("policy", "take_over", "entered", "refusal", "open_at_the_end"),
    [
        ("ask", False, 1, "duplicate_session", 1),
        ("ask", True, 50, None, 1),
        ("reject", False, 1, "duplicate_session", 1),
        ("replace_oldest", False, 50, None, 1),
        ("allow", False, 20, "too_many_sessions", 20),
    ],
)
def test_of_many_tabs_that_enter_at_once_the_policy_says_who_stays(
    db: EventliveDatabase, policy: str, take_over: bool, entered: int, refusal: str | None, open_at_the_end: int
) -> None:
    outcomes, still_open, broken = many_tabs(db, policy, take_over=take_over)
    tokens = [outcome.token for outcome in outcomes if isinstance(outcome, RpcError)]
    assert len(outcomes) - len(tokens) == entered
    assert set(tokens) == ({refusal} if refusal else set())
    assert (still_open, broken) == (open_at_the_end, [])


def many_tabs(db: EventliveDatabase, policy: str, *, take_over: bool = False) -> tuple[list[Any], int, list[str]]:
    """What 50 tabs of one new user get, how many sessions are open after it, and the invariants that broke."""
    webinar_id = db.webinar(duplicate_login_policy=policy)
    crowd = actors(db, guest=False)
    steps = entries(crowd, webinar_id)
    for step in steps:
        step.arguments["take_over"] = take_over
    outcomes = rush(db, held(db, LOCK_THE_WEBINAR, webinar_id), steps, times=1)
    still_open = db.value("select count(*) from eventlive.webinar_user_sessions where exited_at is null")
    return outcomes, still_open, violations(db, *crowd)


def test_without_the_lock_on_the_registration_two_tabs_win(db: EventliveDatabase) -> None:
    break_function(db, "registration_for_entry", "for no key update", "")
    pause_in(db, "insert_session")
    webinar_id = db.webinar()
    first, second = (db.user(user_id) for user_id in [new_id()] * 2)
    db.register(webinar_id, first.user_id or new_id())
    with closed_gate(db):
        calls = [(in_background(s.attempt), s.actor) for s in entries([first, second], webinar_id)]
        assert [settled(db, *call) for call in calls] == [True, True]
    assert all(call.result()["created"] for call, _ in calls)
    assert violations(db, first, second) == ["a user has one open session, unless several are allowed"]


def end_while_entering(db: EventliveDatabase) -> tuple[list[Any], list[str], list[str]]:
    """Users enter, and the host ends the webinar while some are half in and others come after.

    Returns what the entries came to, the invariants broken, and what the next heartbeat of each session says.
    """
    host = db.user()
    webinar_id = db.webinar(host=host.user_id)
    pause_in(db, "insert_session")
    steps = entries([db.user() for _ in range(CONNECTIONS)], webinar_id)
    half = CONNECTIONS // 2
    calls = []
    with closed_gate(db):
        for step in steps[:half]:
            calls.append(in_background(step.attempt))
            assert settled(db, calls[-1], step.actor)
        end = in_background(Step(host, "webinar_set_status", {"webinar_id": webinar_id, "status": "ended"}).attempt)
        settled(db, end, host)
        for step in steps[half:]:
            calls.append(in_background(step.attempt))
            settled(db, calls[-1], step.actor)
    outcomes = [call.result() for call in calls]
    assert end.result()["changed"]
    states = [
        step.actor.call("webinar_session_heartbeat", **step.arguments)["state"]
        for step, outcome in zip(steps, outcomes, strict=True)
        if not isinstance(outcome, RpcError)
    ]
    return outcomes, violations(db, host, *(step.actor for step in steps)), states


def test_nobody_stays_in_a_webinar_that_ends_while_many_enter(db: EventliveDatabase) -> None:
    outcomes, broken, states = end_while_entering(db)
    assert broken == []
    assert db.count("webinar_live_presence") == 0
    assert states == ["webinar_ended"] * (CONNECTIONS // 2)
    assert [o.token for o in outcomes if isinstance(o, RpcError)] == ["webinar_ended"] * (CONNECTIONS // 2)


def test_without_the_lock_on_the_webinar_somebody_stays(db: EventliveDatabase) -> None:
    break_function(
        db, "webinar_enter", "perform pg_advisory_xact_lock_shared(eventlive.webinar_lock_key(_webinar_id));", ""
    )
    _, broken, _ = end_while_entering(db)
    assert broken == ["nobody is present and no session open in a webinar that has ended"]
