"""rollup_live: what it counts, for which webinars, and the pace that follows from it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlive_db.server import Server
from tests.support.actors import new_id
from tests.support.database import EventliveDatabase
from tests.support.jobs import (
    changed,
    clear,
    fault,
    job_database,
    live,
    present,
    run,
    sessions,
    work,
)


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    with job_database(pg_server, schema_template) as database:
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    clear(module_db)
    return module_db


# An audience: who is registered, present or expired; and sessions: of which user (none: a guest), in which state.
SCENES = st.fixed_dictionaries(
    {
        "absent": st.integers(0, 3),
        "present": st.integers(0, 4),
        "expired": st.integers(0, 3),
        "sessions": st.lists(
            st.tuples(st.sampled_from([None, None, 0, 1, 2]), st.sampled_from(["open", "expired", "left"])), max_size=8
        ),
        "settings": st.fixed_dictionaries(
            {
                "presence_ping_interval_s": st.sampled_from([1, 2.5, 120]),
                "presence_target_rps": st.sampled_from([0.1, 0.7, 500]),
                "session_heartbeat_interval_s": st.sampled_from([1, 3.3, 300]),
                "heartbeat_target_rps": st.sampled_from([0.3, 500]),
                "fallback_target_rps": st.sampled_from([0.1, 100]),
                "presence_ping_max_interval_s": st.sampled_from([20, 600]),
                "load_high_connections_ratio": st.just(1),
            }
        ),
    }
)
STATES: dict[str, dict[str, Any]] = {
    "open": {},
    "expired": {"expires_in": "-1 hour"},
    "left": {"exited_ago": "1 hour"},
}


def pace(chosen: dict[str, float], kind: str, rate: str, audience: int) -> float:
    """The rule: audience over target, between base and maximum."""
    base, most = {
        "presence_ping": (chosen["presence_ping_interval_s"], chosen["presence_ping_max_interval_s"]),
        "session_heartbeat": (chosen["session_heartbeat_interval_s"], 1800),
        "fallback_poll": (10, 3600),
    }[kind]
    return max(base, min(most, audience / chosen[f"{rate}_target_rps"]))


def expected(scene: dict[str, Any]) -> dict[str, Any]:
    """What a count of the scene gives, from its description alone."""
    chosen, people = scene["settings"], scene["present"]
    guests = sum(1 for who, state in scene["sessions"] if who is None and state == "open")
    intervals = {
        "presence_ping_interval_s": pace(chosen, "presence_ping", "presence", people),
        "session_heartbeat_interval_s": pace(chosen, "session_heartbeat", "heartbeat", people + guests),
        "fallback_poll_interval_s": pace(chosen, "fallback_poll", "fallback", people + guests),
    }
    strained = any(intervals[key] > chosen[key] for key in ("presence_ping_interval_s", "session_heartbeat_interval_s"))
    return {
        "participants": people,
        "guests": guests,
        "registered": scene["absent"] + people + scene["expired"],
        "total_attendees": sum(1 for who, _ in scene["sessions"] if who is None)
        + len({who for who, _ in scene["sessions"]} - {None}),
        "peak_participants": people + guests,
        "load_high": strained,
    } | {key: pytest.approx(value, rel=1e-6) for key, value in intervals.items()}


def build(db: EventliveDatabase, scene: dict[str, Any]) -> UUID:
    """A live webinar with that audience, which nobody has counted yet."""
    webinar_id = db.webinar(settings=scene["settings"])
    for _ in range(scene["absent"]):
        db.register(webinar_id, new_id())
    present(db, webinar_id, count=scene["present"])
    present(db, webinar_id, count=scene["expired"], expires_in="-1 hour")
    users = [new_id() for _ in range(3)]
    for who, state in scene["sessions"]:
        sessions(db, webinar_id, user_id=None if who is None else users[who], **STATES[state])
    return webinar_id


def counted(db: EventliveDatabase, webinar_id: UUID, keys: Any) -> dict[str, Any]:
    """What webinar_live says."""
    return dict(zip(keys, live(db, webinar_id, *keys), strict=True))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(first=SCENES, second=SCENES)
def test_each_webinar_is_counted_by_its_own_audience_and_settings(
    module_db: EventliveDatabase, first: dict[str, Any], second: dict[str, Any]
) -> None:
    clear(module_db)
    scenes = {build(module_db, scene): scene for scene in (first, second)}
    versions = {webinar_id: live(module_db, webinar_id, "settings_version") for webinar_id in scenes}
    began = module_db.value("select clock_timestamp()")
    assert changed(module_db, "rollup_live") == 2
    for webinar_id, scene in scenes.items():
        promised = expected(scene)
        assert counted(module_db, webinar_id, promised) == promised
        assert live(module_db, webinar_id, "settings_version") == versions[webinar_id]
        as_of, peak_at = live(module_db, webinar_id, "as_of", "peak_at")
        assert as_of > began
        assert (peak_at == as_of) == bool(promised["peak_participants"])
        sent = live(module_db, webinar_id, "client_settings")[0]
        for key in ("presence_ping_interval_s", "session_heartbeat_interval_s", "fallback_poll_interval_s"):
            assert sent[key] == pytest.approx(live(module_db, webinar_id, key)[0], abs=0.001)


MISCOUNTS = {
    "the expired are present": ("p.expires_at > v_now", "true"),
    "users are guests": ("s.user_id is null and s.exited_at is null", "s.exited_at is null"),
    "who left is a guest": ("s.user_id is null and s.exited_at is null", "s.user_id is null"),
    "each tab is an attendee": ("count(distinct s.user_id)", "count(s.user_id)"),
    "another webinar's registrations": ("from eventlive.registrations r where r.webinar_id = _webinar_id",
                                        "from eventlive.registrations r"),
    "the base pace": ("presence_ping_interval_s = v_pace.ping_s", "presence_ping_interval_s = 120"),
    "no load": ("v_pace.stretched", "false"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), MISCOUNTS.values(), ids=list(MISCOUNTS))
def test_the_count_by_hand_sees_a_miscount(jobs_db: EventliveDatabase, old: str, new: str) -> None:
    scene: dict[str, Any] = {
        "absent": 1, "present": 3, "expired": 1,
        "sessions": [(0, "open"), (0, "left"), (None, "open"), (None, "left"), (None, "expired")],
        "settings": {"presence_ping_interval_s": 1, "presence_target_rps": 0.7, "session_heartbeat_interval_s": 300,
                     "heartbeat_target_rps": 500, "fallback_target_rps": 100, "presence_ping_max_interval_s": 600,
                     "load_high_connections_ratio": 1},
    }  # fmt: skip
    webinar_id, _ = build(jobs_db, scene), build(jobs_db, {**scene, "present": 1})
    with fault(jobs_db, "rollup_live_step", old, new):
        changed(jobs_db, "rollup_live")
    assert counted(jobs_db, webinar_id, expected(scene)) != expected(scene)


def test_the_peak_is_the_first_of_the_largest_and_the_number_of_attendees_never_falls(
    jobs_db: EventliveDatabase,
) -> None:
    webinar_id = jobs_db.webinar()
    ids = sessions(jobs_db, webinar_id, count=3)
    run(jobs_db, "rollup_live")
    peak_at = live(jobs_db, webinar_id, "as_of")[0]
    run(jobs_db, "rollup_live")
    assert live(jobs_db, webinar_id, "peak_participants", "peak_at") == (3, peak_at)
    jobs_db.admin.execute("delete from eventlive.webinar_user_sessions where session_id = %s", [ids[0]])
    run(jobs_db, "rollup_live")
    assert live(jobs_db, webinar_id, "guests", "peak_participants", "peak_at", "total_attendees") == (2, 3, peak_at, 3)
    sessions(jobs_db, webinar_id, count=2)
    run(jobs_db, "rollup_live")
    assert live(jobs_db, webinar_id, "guests", "peak_participants", "peak_at", "total_attendees") == (
        4, 4, live(jobs_db, webinar_id, "as_of")[0], 4)  # fmt: skip


def test_the_load_is_high_where_connections_are_scarce_and_not_where_only_polls_are_paced(
    jobs_db: EventliveDatabase,
) -> None:
    scarce = jobs_db.webinar(settings={"load_high_connections_ratio": 0.01})
    plenty = jobs_db.webinar(settings={"load_high_connections_ratio": 1, "fallback_target_rps": 0.1})
    present(jobs_db, plenty, count=4)
    run(jobs_db, "rollup_live")
    ratio = jobs_db.value("select eventlive.connections_ratio()")
    assert live(jobs_db, scarce, "load_high") == (ratio >= 0.01,)
    assert ratio > 0
    assert live(jobs_db, plenty, "load_high", "fallback_poll_interval_s") == (False, 40)


def nothing(db: EventliveDatabase, webinar_id: UUID) -> None:
    """Leave it as it is."""


DUE: dict[str, tuple[bool, str, Callable[[EventliveDatabase, UUID], Any]]] = {
    "live": (True, "live", nothing),
    "draft, counted a moment ago": (False, "draft", nothing),
    "scheduled, counted a moment ago": (False, "scheduled", nothing),
    "ended, nobody there": (False, "ended", nothing),
    "scheduled, counted long ago": (True, "scheduled", lambda db, w: aged(db, w, 901)),
    "scheduled, not yet long ago": (False, "scheduled", lambda db, w: aged(db, w, 800)),
    "ended, counted long ago": (False, "ended", lambda db, w: aged(db, w, 90_000)),
    "scheduled, somebody came": (True, "scheduled", present),
    "scheduled, a session is open": (True, "scheduled", sessions),
    "scheduled, a session is over": (False, "scheduled", lambda db, w: sessions(db, w, exited_ago="1 hour")),
    "scheduled, somebody was counted": (
        True, "scheduled", lambda db, _: db.admin.execute("update eventlive.webinar_live set guests = 1")),
    "ended, somebody was counted": (
        True, "ended", lambda db, _: db.admin.execute("update eventlive.webinar_live set participants = 1")),
}  # fmt: skip


def aged(db: EventliveDatabase, webinar_id: UUID, seconds: int) -> None:
    """Let the last count be so long ago."""
    db.admin.execute(
        "update eventlive.webinar_live set as_of = clock_timestamp() - %s * interval '1 second' where webinar_id = %s",
        [seconds, webinar_id],
    )


@pytest.mark.parametrize(("due", "status", "prepare"), DUE.values(), ids=list(DUE))
def test_only_webinars_that_are_due_are_counted(
    jobs_db: EventliveDatabase, due: bool, status: str, prepare: Callable[[EventliveDatabase, UUID], Any]
) -> None:
    webinar_id = jobs_db.webinar(status=status)
    prepare(jobs_db, webinar_id)
    assert work(jobs_db, "rollup_live") == ([(webinar_id, None, "count", 1)] if due else [])
    before = live(jobs_db, webinar_id, "as_of", "webinar_live")
    assert changed(jobs_db, "rollup_live") == int(due)
    assert (live(jobs_db, webinar_id, "as_of", "webinar_live") != before) == due


def test_idle_is_each_webinars_own_setting(jobs_db: EventliveDatabase) -> None:
    often = jobs_db.webinar(status="scheduled", settings={"rollup_idle_interval_s": 60})
    seldom = jobs_db.webinar(status="scheduled")
    for webinar_id in (often, seldom):
        aged(jobs_db, webinar_id, 300)
    assert [row[0] for row in work(jobs_db, "rollup_live")] == [often]


def test_a_webinar_that_ended_is_counted_until_nobody_is_left_and_then_no_more(jobs_db: EventliveDatabase) -> None:
    webinar_id = jobs_db.webinar()
    present(jobs_db, webinar_id, count=2)
    run(jobs_db, "rollup_live")
    jobs_db.admin.execute("update eventlive.webinars set status = 'ended'")
    assert live(jobs_db, webinar_id, "participants") == (2,)
    assert changed(jobs_db, "rollup_live") == 1
    jobs_db.admin.execute("delete from eventlive.webinar_live_presence")
    assert [changed(jobs_db, "rollup_live") for _ in range(2)] == [1, 0]
    assert live(jobs_db, webinar_id, "participants") == (0,)


SKEWED = """
    with made as (
        insert into eventlive.webinars (slug, status)
        select 'skewed-' || i, case i when 1 then 'live' else 'scheduled' end from generate_series(1, 300) i
        returning id, status
    ), large as (select m.id from made m where m.status = 'live'),
    registered as (
        insert into eventlive.registrations (webinar_id, user_id)
        select l.id, gen_random_uuid() from large l, generate_series(1, 20000)
        returning webinar_id, user_id
    )
    insert into eventlive.webinar_user_sessions
        (webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, interval_s)
    select r.webinar_id, gen_random_uuid(), r.user_id, now(), now(), now() + interval '1 hour', 300 from registered r
"""
READ = """
    select sum(seq_tup_read) + sum(idx_tup_fetch) from pg_stat_xact_user_tables
     where relname in ('webinar_user_sessions', 'webinar_live_presence')
"""


@pytest.mark.parametrize("mended", [True, False])
def test_looking_for_work_reads_no_audience_also_where_one_webinar_has_all_of_it(
    jobs_db: EventliveDatabase, mended: bool
) -> None:
    jobs_db.admin.execute(SKEWED.encode())
    jobs_db.admin.execute(
        "insert into eventlive.webinar_live_presence"
        " select webinar_id, user_id, now(), now(), now() + interval '1 hour', 60, 300 from eventlive.registrations"
    )
    jobs_db.admin.execute("update eventlive.webinar_live set as_of = clock_timestamp()")
    jobs_db.admin.execute("analyze")
    with contextlib.ExitStack() as stack:
        if not mended:
            stack.enter_context(fault(jobs_db, "rollup_live_work", "order by s.user_id", "and s.exited_at is null"))
            stack.enter_context(fault(jobs_db, "rollup_live_work", "SET enable_seqscan TO 'off'", ""))
        with jobs_db.admin.transaction():
            assert jobs_db.value("select count(*) from eventlive.rollup_live_work()") == 1
            read = int(jobs_db.value(READ))
    assert (read <= 10) is mended, read
