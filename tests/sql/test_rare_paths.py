"""Refusals that it takes an unusual moment or an unusual caller to meet; found by ``make coverage``."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.invariants import violations
from tests.support.races import Step, overlap
from tests.support.scene import said


@pytest.mark.parametrize(("commits", "told"), [(True, "session_left"), (False, "known")])
def test_a_guest_who_retries_an_entry_while_the_session_is_being_left_is_told_so(
    db: EventliveDatabase, commits: bool, told: str
) -> None:
    webinar_id, session_id = db.webinar(access_policy="guest_allowed"), new_id()
    entry: dict[str, object] = {"webinar_id": webinar_id, "session_id": session_id}
    leaver, guest = db.guest(), db.guest()
    token = UUID(guest.call("webinar_enter", **entry)["leave_token"])
    db.shift_time("5 minutes")  # past the throttle, so that the retry's heartbeat writes and has to wait
    leave = Step(leaver, "webinar_leave", {**entry, "leave_token": token})
    outcome = overlap(db, leave, Step(guest, "webinar_enter", entry), commits=commits)
    assert outcome.waited
    assert said(outcome.second) == told
    assert violations(db, leaver, guest) == []


def test_refreshing_the_figures_of_a_webinar_that_does_not_exist_is_refused(db: EventliveDatabase) -> None:
    before = db.contents()
    with pytest.raises(psycopg.Error, match="webinar_not_found"):
        db.admin.execute("select eventlive.refresh_webinar_live(%s)", [new_id()])
    assert db.contents() == before
