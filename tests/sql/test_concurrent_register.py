"""Any number of concurrent registrations of one user is one row and no error (R4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest

from eventlive_db.client import RpcError
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.invariants import violations
from tests.support.races import NOTHING, Step, footprint, held, rush, sequence_values

CONNECTIONS = 50
CALLS = 1_000


@dataclass(frozen=True)
class Storm:
    """What is wrong after many calls at once, in words; empty where all is well."""

    flaws: set[str]
    repeat_flaws: set[str]


def storm(db: EventliveDatabase, calls: int = CALLS) -> Storm:
    """Register one user so many times over ``CONNECTIONS`` connections, then once more on each."""
    webinar_id, user_id = db.webinar(), new_id()
    steps = [Step(db.user(user_id), "webinar_register", {"webinar_id": webinar_id}) for _ in range(CONNECTIONS)]
    numbers_before = sequence_values(db)

    # Somebody else is registering this user; all wait for that, and it fails: now they are on their own.
    gate = held(db, "insert into eventlive.registrations (webinar_id, user_id) values (%s, %s)", webinar_id, user_id)
    try:
        replies = rush(db, gate, steps, times=calls // CONNECTIONS)
    except psycopg.Error as error:
        return Storm({f"error {error.sqlstate}"}, set())
    flaws = flaws_of(db, replies, webinar_id, user_id)
    assert len(replies) == calls
    if violations(db, *(step.actor for step in steps)):
        flaws.add("invariant broken")
    if sequence_values(db) - numbers_before > 1:
        flaws.add("sequence values burned")
    repeats = [footprint(db, step) for step in steps[:5]]
    return Storm(flaws, {f"repeat left {cost}" for cost in repeats if cost != NOTHING})


def flaws_of(db: EventliveDatabase, replies: list[Any], webinar_id: UUID, user_id: UUID) -> set[str]:
    """What replies and rows have against having registered exactly once."""
    refusals = [reply for reply in replies if isinstance(reply, RpcError)]
    created = [reply.pop("created") for reply in replies if not isinstance(reply, RpcError)]
    key = (webinar_id, user_id)
    rows = db.rows(
        "select role, registered_via from eventlive.registrations where (webinar_id, user_id) = (%s, %s)", *key
    )
    wrong = {
        "refused": refusals != [],
        "created more or less than once": sorted(created, reverse=True)[:2] != [True, False],
        "replies differ": any(reply != replies[0] for reply in replies),
        "not one row": rows != [("attendee", "manual")],
    }
    return {flaw for flaw, found in wrong.items() if found}


def test_a_thousand_concurrent_registrations_are_one_row_and_no_error_and_repeats_leave_nothing(
    db: EventliveDatabase,
) -> None:
    assert storm(db) == Storm(set(), set())


def test_a_registration_that_waits_for_one_that_fails_is_made(db: EventliveDatabase) -> None:
    webinar_id, user_id = db.webinar(), new_id()
    step = Step(db.user(user_id), "webinar_register", {"webinar_id": webinar_id})
    gate = held(db, "insert into eventlive.registrations (webinar_id, user_id) values (%s, %s)", webinar_id, user_id)
    [reply] = rush(db, gate, [step], times=1)
    assert reply["created"] is True


# Other ways to register, each the body of a function that is otherwise the same.
UPSERT = """
    insert into eventlive.registrations as r (webinar_id, user_id, registered_via)
    values (_webinar_id, v_user_id, _registered_via)
    on conflict (webinar_id, user_id) do update set registered_via = excluded.registered_via
    returning r.* into v_registration;
    insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id)
    values (_webinar_id, now(), 'registered', v_user_id);
"""
INSERT_AND_CATCH = """
    begin
        insert into eventlive.registrations as r (webinar_id, user_id, registered_via)
        values (_webinar_id, v_user_id, _registered_via)
        returning r.* into v_registration;
    exception
        when unique_violation then
            v_created := false;
            select r.* into v_registration
              from eventlive.registrations r
             where r.webinar_id = _webinar_id and r.user_id = v_user_id;
    end;
"""
LOOK_THEN_INSERT = """
    select r.* into v_registration
      from eventlive.registrations r
     where r.webinar_id = _webinar_id and r.user_id = v_user_id;
    v_created := not found;
    if v_created then
        insert into eventlive.registrations as r (webinar_id, user_id, registered_via)
        values (_webinar_id, v_user_id, _registered_via)
        returning r.* into v_registration;
    end if;
"""


def register_by(db: EventliveDatabase, body: str) -> None:
    """Replace the function that registers."""
    db.admin.execute(
        f"""
        create or replace function eventlive.webinar_register(_webinar_id uuid, _registered_via text)
        returns jsonb language plpgsql security definer set search_path = '' as $$
        declare
            v_user_id uuid := eventlive.require_user();
            v_registration eventlive.registrations;
            v_created boolean := true;
        begin
            {body}
            return eventlive.registration_reply(v_registration) || jsonb_build_object('created', v_created);
        end $$
        """.encode()
    )


@pytest.mark.parametrize(
    ("body", "flaws", "repeat_is_flawed"),
    [
        pytest.param(UPSERT, {"created more or less than once", "sequence values burned"}, True, id="upsert"),
        pytest.param(INSERT_AND_CATCH, set(), True, id="insert and catch"),
        pytest.param(LOOK_THEN_INSERT, {"error 23505"}, False, id="look then insert"),
    ],
)
def test_the_storm_rejects_another_way_to_register(
    db: EventliveDatabase, body: str, flaws: set[str], repeat_is_flawed: bool
) -> None:
    register_by(db, body)
    found = storm(db, calls=2 * CONNECTIONS)
    assert found.flaws >= flaws
    assert bool(found.repeat_flaws) is repeat_is_flawed
