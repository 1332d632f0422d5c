"""Those who enter together must not beat together: the phase of the first heartbeat is kept."""

from __future__ import annotations

import itertools
from uuid import UUID

import pytest

from tests.support.actors import new_id
from tests.support.database import EventliveDatabase

INTERVAL_S = 300.0


def moments_of_the_second_beat(db: EventliveDatabase, webinar_id: UUID) -> list[float]:
    """Seconds after entering at which each of ten viewers beats a second time, the first ones evenly spread."""
    guest = db.guest()
    found = []
    for first_s in range(15, 300, 30):
        session_id = new_id()
        guest.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
        db.admin.execute(
            "update eventlive.webinar_user_sessions set entered_at = entered_at - %(by)s * interval '1 s',"
            " last_heartbeat_at = last_heartbeat_at - %(by)s * interval '1 s',"
            " expires_at = expires_at - %(by)s * interval '1 s' where session_id = %(id)s",
            {"by": first_s, "id": session_id},
        )
        reply = guest.call("webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)
        found.append(first_s + reply["next_heartbeat_s"])
    return found


def test_who_enters_together_does_not_beat_together(db: EventliveDatabase) -> None:
    webinar_id = db.webinar(access_policy="guest_allowed", settings={"pacing_jitter": 0})
    moments = moments_of_the_second_beat(db, webinar_id)
    apart = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert apart == pytest.approx([30.0] * 9, abs=2)


def test_a_reply_that_says_when_it_would_have_been_due_brings_them_together(db: EventliveDatabase) -> None:
    """The negative control: five of the ten would beat at once."""
    db.admin.execute(
        "do $$ begin execute replace(pg_get_functiondef("
        "'eventlive.heartbeat_without_write(uuid, uuid, uuid, timestamptz)'::regprocedure),"
        " 'least(v_session.interval_s::numeric, v_session.credited_s::numeric - v_session.elapsed_s)',"
        " 'v_session.interval_s::numeric - v_session.elapsed_s'); end $$"
    )
    webinar_id = db.webinar(access_policy="guest_allowed", settings={"pacing_jitter": 0})
    moments = moments_of_the_second_beat(db, webinar_id)
    assert sum(abs(moment - INTERVAL_S) < 2 for moment in moments) == 5


@pytest.mark.parametrize("elapsed_part", [0.0, 0.2, 0.49])
def test_however_early_a_beat_comes_the_next_one_loses_no_watch_time(
    db: EventliveDatabase, elapsed_part: float
) -> None:
    webinar_id = db.webinar(access_policy="guest_allowed", settings={"pacing_jitter": 0})
    guest, session_id = db.guest(), new_id()
    guest.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
    db.shift_time(f"{elapsed_part * INTERVAL_S} seconds")
    reply = guest.call("webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)
    db.shift_time(f"{reply['next_heartbeat_s']} seconds")
    assert guest.call("webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)["state"] == "open"
    watched = db.value("select watched_seconds from eventlive.webinar_user_sessions")
    assert float(watched) == pytest.approx(elapsed_part * INTERVAL_S + reply["next_heartbeat_s"], abs=2)
