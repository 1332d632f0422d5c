"""The invariants that other tests rely on see each way to break them."""

from __future__ import annotations

from functools import partial

import pytest

from tests.support.actors import Actor, in_background
from tests.support.database import EventliveDatabase
from tests.support.invariants import INVARIANTS, NO_DEADLOCK, assert_invariants, violations
from tests.support.scene import Scene

SESSION = "update eventlive.webinar_user_sessions set "
LOG = "insert into eventlive.event_access_logs (webinar_id, occurred_at, event, user_id, session_id)"
REGISTRATIONS = "select webinar_id, now(), 'registered', user_id, null::uuid from eventlive.registrations"

SECOND_SESSION = """
    insert into eventlive.webinar_user_sessions (
        webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, interval_s
    )
    select webinar_id, gen_random_uuid(), user_id, entered_at, entered_at, expires_at, 1
      from eventlive.webinar_user_sessions"""

# What is done by hand to a webinar with one tab that watches, and what it breaks.
DAMAGE: list[tuple[str, set[str]]] = [
    (
        "update eventlive.registrations set ejected_at = now() where role = 'attendee'",
        {
            "present are only registered users who were not ejected",
            "an ejected user has no open session",
        },
    ),
    (
        SECOND_SESSION,
        {
            "a user has one open session, unless several are allowed",
            "the log has one entry of each session, and its end once it ended",
        },
    ),
    (
        "update eventlive.webinars set status = 'ended'",
        {"nobody is present and no session open in a webinar that has ended"},
    ),
    (
        f"{SESSION} last_heartbeat_at = expires_at + interval '1 s'",
        {"an end has a time within the session, a reason, and a successor where it was replaced"},
    ),
    (
        f"{SESSION} exited_at = expires_at, exit_reason = 'replaced', replaced_by = gen_random_uuid()",
        {
            "an end has a time within the session, a reason, and a successor where it was replaced",
            "the log has one entry of each session, and its end once it ended",
        },
    ),
    (f"{SESSION} watched_seconds = 9999", {"nobody has watched longer than the session lasted"}),
    (
        f"{LOG} select webinar_id, now(), 'entered', user_id, session_id from eventlive.webinar_user_sessions",
        {"the log has one entry of each session, and its end once it ended"},
    ),
    (
        f"{LOG} select webinar_id, now(), 'entered', user_id, gen_random_uuid() from eventlive.registrations",
        {"the log knows of no session that does not exist"},
    ),
    (f"{LOG} {REGISTRATIONS} union all {REGISTRATIONS}", {"a registration is logged once at most"}),
]


@pytest.mark.parametrize(("damage", "broken"), DAMAGE, ids=[", ".join(sorted(broken)) for _, broken in DAMAGE])
def test_the_invariants_see_damage(db: EventliveDatabase, damage: str, broken: set[str]) -> None:
    scene = Scene(db, "one")
    assert_invariants(db, *scene.actors)
    db.admin.execute(damage.encode())
    assert set(violations(db)) == broken


def test_every_invariant_has_been_seen_broken() -> None:
    assert set().union(*(broken for _, broken in DAMAGE)) == set(INVARIANTS)


def test_the_invariants_see_a_deadlock(db: EventliveDatabase) -> None:
    actors = db.user(), db.user()

    def lock(actor: Actor, key: int) -> None:
        actor.connection.execute("select pg_advisory_xact_lock(%s)", [key])

    for key, actor in enumerate(actors):
        actor.connection.execute("begin")
        lock(actor, key)
    crossing = [in_background(partial(lock, actor, 1 - key)) for key, actor in enumerate(actors)]
    for step in crossing:
        step.thread.join()
    for actor in actors:
        actor.connection.execute("rollback")
    assert violations(db, *actors) == [NO_DEADLOCK]
