"""Calls that overlap while one of them is stopped inside its function, where it hurts."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from tests.support.actors import Background, in_background
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function
from tests.support.invariants import NO_DEADLOCK, violations
from tests.support.races import Step, closed_gate, held, pause_in, settled
from tests.support.scene import Scene, said


def at_the_last_moment(db: EventliveDatabase, *, beat_is_stored_first: bool) -> tuple[str, str, list[str]]:
    """Tab 2 enters when tab 1 has just expired, while a heartbeat of tab 1, made before that, is under way."""
    scene = Scene(db, "one@ask")
    pause_in(db, "webinar_session_heartbeat")
    beat, enter = scene.step("heartbeat:1", 1), scene.step("enter:2", 2)
    with beat.actor.transaction() as transaction:
        with closed_gate(db):
            beating = in_background(lambda: transaction.call(beat.function, **beat.arguments))
            assert settled(db, beating, beat.actor)
            db.admin.execute("update eventlive.webinar_user_sessions set expires_at = clock_timestamp()")
            if not beat_is_stored_first:
                entered = enter.attempt()
        reply = beating.result()
        if beat_is_stored_first:
            entering = in_background(enter.attempt)
            settled(db, entering, enter.actor)
    if beat_is_stored_first:
        entered = entering.result()
    return said(reply), said(entered), violations(db, *scene.actors)


ONE_WINS: dict[bool, tuple[str, str, list[str]]] = {
    True: ("open", "duplicate_session", []),
    False: ("expired", "created", []),
}


@pytest.mark.parametrize("beat_is_stored_first", [True, False])
def test_a_heartbeat_at_the_last_moment_and_an_entry_do_not_both_win(
    db: EventliveDatabase, beat_is_stored_first: bool
) -> None:
    found = at_the_last_moment(db, beat_is_stored_first=beat_is_stored_first)
    assert found == ONE_WINS[beat_is_stored_first]


@pytest.mark.parametrize(
    ("old", "new", "beat_is_stored_first"),
    [("for no key update", "", True), ("if v_expired_ids <> '{}' then", "if false then", False)],
    ids=["expired sessions are not locked", "expired sessions are not closed"],
)
def test_the_last_moment_sees_an_entry_that_trusts_an_expired_session(
    db: EventliveDatabase, old: str, new: str, beat_is_stored_first: bool
) -> None:
    break_function(db, "webinar_enter", old, new)
    found = at_the_last_moment(db, beat_is_stored_first=beat_is_stored_first)
    assert found != ONE_WINS[beat_is_stored_first]


def outcome(step: Background) -> str:
    """What a step is told, or the SQLSTATE of what broke it."""
    try:
        return said(step.result())
    except psycopg.Error as error:
        return str(error.sqlstate)


def recreate_against_take_over(db: EventliveDatabase) -> tuple[str, str, list[str]]:
    """A heartbeat stops before it gives the presence back; meanwhile tab 2 takes over and waits for that session."""
    scene = Scene(db, "unseen@ask")
    pause_in(db, "recreate_presence")
    beat, take_over = scene.step("heartbeat:1", 1), scene.step("take_over:2", 2)
    with closed_gate(db):
        beating = in_background(beat.attempt)
        assert settled(db, beating, beat.actor)
        taking_over = in_background(take_over.attempt)
        assert settled(db, taking_over, take_over.actor)
    return outcome(beating), outcome(taking_over), violations(db, *scene.actors)


def test_a_heartbeat_that_gives_presence_back_and_a_take_over_do_not_deadlock(db: EventliveDatabase) -> None:
    assert recreate_against_take_over(db) == ("open", "created", [])


def test_a_heartbeat_that_waits_for_the_registration_would_deadlock(db: EventliveDatabase) -> None:
    break_function(db, "recreate_presence", "for share skip locked", "for share")
    *told, broken = recreate_against_take_over(db)
    assert "40P01" in told
    assert broken == [NO_DEADLOCK]


def test_a_heartbeat_gives_presence_back_without_waiting_or_the_next_one_does(db: EventliveDatabase) -> None:
    scene = Scene(db, "unseen")
    lock = "select pg_advisory_xact_lock(eventlive.webinar_lock_key(%s))"
    with held(db, lock, scene.webinar_id):
        assert scene.step("heartbeat:1").attempt()["state"] == "open"
    assert scene.state() == "attendee:-:1"
    db.shift_time("6 minutes")
    assert scene.step("heartbeat:1").attempt()["state"] == "open"
    assert scene.state() == "attendee:present:1"


def crossing_batches(db: EventliveDatabase) -> tuple[list[str], list[str]]:
    """Two gateways ping the same users in opposite order; both are made while the middle one is locked."""
    webinar_id, users = db.webinar(), [UUID(int=number) for number in (1, 2, 3)]
    for user_id in users:
        db.register(webinar_id, user_id)
        db.user(user_id).call("webinar_presence_ping", webinar_id=webinar_id)
    gateways = db.service(), db.service()
    db.shift_time("4 minutes")
    steps = [
        Step(gateway, "webinar_presence_ping_many", {"webinar_id": webinar_id, "user_ids": user_ids})
        for gateway, user_ids in zip(gateways, (users, users[::-1]), strict=True)
    ]
    lock = "select from eventlive.webinar_live_presence where user_id = %s for update"
    with held(db, lock, users[1]):
        calls = []
        for step in steps:
            calls.append(in_background(step.attempt))
            settled(db, calls[-1], step.actor)
    return sorted(outcome(call) for call in calls), violations(db, *gateways)


def test_batches_of_pings_in_opposite_order_do_not_deadlock(db: EventliveDatabase) -> None:
    assert crossing_batches(db) == (["refreshed-0", "refreshed-2"], [])


def test_batches_that_visit_users_in_the_order_given_would_deadlock(db: EventliveDatabase) -> None:
    db.admin.execute(
        """
        create or replace function eventlive.webinar_presence_ping_many(_webinar_id uuid, _user_ids uuid[])
        returns jsonb language plpgsql security definer set search_path = '' as $$
        declare
            v_user_id uuid;
        begin
            foreach v_user_id in array _user_ids loop
                update eventlive.webinar_live_presence p
                   set last_seen_at = clock_timestamp()
                 where p.webinar_id = _webinar_id and p.user_id = v_user_id;
            end loop;
            return '{"refreshed": 3}';
        end $$
        """
    )
    outcomes, broken = crossing_batches(db)
    assert "40P01" in outcomes
    assert broken == [NO_DEADLOCK]
