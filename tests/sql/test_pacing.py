"""The load of an audience has a ceiling: the interval grows with it, between base and maximum (R10)."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.support.actors import new_id
from tests.support.database import EventliveDatabase


def version(db: EventliveDatabase, webinar_id: UUID) -> str:
    """What tells clients that their settings changed."""
    return str(db.guest().call("webinar_client_settings", webinar_id=webinar_id)["settings_version"])


def crowd(db: EventliveDatabase, webinar_id: UUID, present: int, guests: int = 0, expired: int = 0) -> None:
    """That many present users, open sessions of guests, and users who went away; and the new count."""
    db.admin.execute(
        "with registered as ("
        " insert into eventlive.registrations (webinar_id, user_id)"
        " select %(id)s, gen_random_uuid() from generate_series(1, %(present)s + %(expired)s) returning user_id"
        "), numbered as (select user_id, row_number() over () as n from registered)"
        " insert into eventlive.webinar_live_presence"
        " select %(id)s, user_id, now(), now(),"
        "        now() + case when n <= %(present)s then 1 else -1 end * interval '1 day', 60, 300"
        "   from numbered",
        {"id": webinar_id, "present": present, "expired": expired},
    )
    db.admin.execute(
        "insert into eventlive.webinar_user_sessions"
        " (webinar_id, session_id, entered_at, last_heartbeat_at, expires_at, interval_s)"
        " select %s, gen_random_uuid(), now(), now(), now() + interval '1 day', 300 from generate_series(1, %s)",
        [webinar_id, guests],
    )
    db.value("select eventlive.refresh_webinar_live(%s)", webinar_id)


def intervals(db: EventliveDatabase, webinar_id: UUID) -> tuple[float, ...]:
    """What clients are told: ping, heartbeat and fallback poll."""
    sent = db.guest().call("webinar_client_settings", webinar_id=webinar_id)
    kinds = ("presence_ping", "session_heartbeat", "fallback_poll")
    return tuple(sent[f"{kind}_interval_s"] for kind in kinds)


SLOW: dict[str, object] = {"presence_target_rps": 1, "heartbeat_target_rps": 1, "fallback_target_rps": 1}


@pytest.mark.parametrize(
    ("settings", "present", "guests", "expected"),
    [
        pytest.param({}, 0, 0, (120, 300, 10), id="nobody: the base"),
        pytest.param({}, 1000, 0, (120, 300, 10), id="a thousand, at the shipped rates: the base"),
        pytest.param(SLOW, 119, 0, (120, 300, 119), id="just below the target rate of pings"),
        pytest.param(SLOW, 240, 0, (240, 300, 240), id="audience over target"),
        pytest.param(SLOW, 240, 260, (240, 500, 500), id="guests beat and poll but do not ping"),
        pytest.param({**SLOW, "fallback_target_rps": 0.1}, 9000, 0, (600, 1800, 86400), id="never above the maximum"),
        pytest.param({**SLOW, "presence_target_rps": 0.1}, 30, 0, (300, 300, 30), id="less than one a second"),
        pytest.param(
            {**SLOW, "presence_ping_interval_s": 700}, 900, 0, (700, 900, 900), id="a base above the maximum stays"
        ),
    ],
)
def test_the_pace_is_audience_over_target_between_base_and_maximum(
    db: EventliveDatabase, settings: dict[str, object], present: int, guests: int, expected: tuple[int, int, int]
) -> None:
    webinar_id = db.webinar(settings=settings)
    crowd(db, webinar_id, present, guests, expired=400)
    assert intervals(db, webinar_id) == expected


def test_the_audience_changes_the_pace_but_not_the_version(db: EventliveDatabase) -> None:
    webinar_id = db.webinar(settings=SLOW)
    first, before = version(db, webinar_id), intervals(db, webinar_id)
    crowd(db, webinar_id, present=500)
    assert intervals(db, webinar_id) != before
    assert version(db, webinar_id) == first


def test_a_pace_that_grows_without_end_is_seen(db: EventliveDatabase) -> None:
    webinar_id = db.webinar(settings=SLOW)
    definition = db.value("select pg_get_functiondef('eventlive.paced_interval_s'::regproc)")
    db.admin.execute(definition.replace("LEAST(_max_s, ", "greatest(0, ").encode())
    crowd(db, webinar_id, present=900)
    assert intervals(db, webinar_id) != (600, 900, 900)


def test_one_crowd_does_not_slow_down_another_webinar(db: EventliveDatabase) -> None:
    crowded, quiet = db.webinar(settings=SLOW), db.webinar(settings=SLOW)
    crowd(db, crowded, present=500)
    crowd(db, quiet, present=1)
    assert intervals(db, quiet) == (120, 300, 10)


def test_the_issued_heartbeat_interval_varies_by_the_jitter_and_no_more(db: EventliveDatabase) -> None:
    webinar_id = db.webinar(settings={"pacing_jitter": 0.5})
    user, session_id = db.user(), new_id()
    entered = user.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
    assert 0 <= entered["first_heartbeat_s"] <= 300
    issued = set()
    for _ in range(20):
        db.shift_time("5 minutes")
        beat = user.call("webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)
        issued.add(beat["next_heartbeat_s"])
    assert all(150 <= seconds <= 450 for seconds in issued)
    assert len(issued) > 1


@pytest.mark.parametrize("early", [False, True], ids=["a beat", "a beat inside the throttle"])
def test_a_heartbeat_says_how_often_to_poll_before_anybody_has_to(db: EventliveDatabase, early: bool) -> None:
    webinar_id = db.webinar(settings={"fallback_target_rps": 1, "pacing_jitter": 0})
    user, session_id = db.user(), new_id()
    entered = user.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
    assert entered["settings"]["fallback_poll_interval_s"] == 10
    crowd(db, webinar_id, present=899, guests=100)
    if not early:
        db.shift_time("5 minutes")
    beat = user.call("webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)
    assert beat["fallback_poll_interval_s"] == 1000
    assert beat["fallback_poll_interval_s"] == float(
        user.call("webinar_messages_poll", webinar_id=webinar_id)["next_poll_s"]
    )


def test_who_is_out_is_not_told_how_often_to_poll(db: EventliveDatabase) -> None:
    webinar_id, user, session_id = db.webinar(), db.user(), new_id()
    token = user.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)["leave_token"]
    user.call("webinar_leave", webinar_id=webinar_id, session_id=session_id, leave_token=token)
    beat = user.call("webinar_session_heartbeat", webinar_id=webinar_id, session_id=session_id)
    assert beat["state"] == "left"
    assert "fallback_poll_interval_s" not in beat
