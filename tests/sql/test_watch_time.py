"""Watch time: what a heartbeat credits, when a session expires, and what its end adds."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlive_db.server import Server
from tests.support.actors import Actor, new_id
from tests.support.database import EventliveDatabase
from tests.support.faults import break_function
from tests.support.invariants import assert_invariants

THROTTLE, CREDIT, EXPIRY, JITTER = 0.5, 1.5, 2.5, 0.1
"""The factors of the issued interval that the package ships."""


def near(seconds: float) -> Any:
    """That many seconds, as exactly as the single precision of intervals and factors in the database allows."""
    return pytest.approx(seconds, abs=0.001)


@dataclass(frozen=True)
class Stored:
    """What is stored of the session."""

    last_heartbeat_at: datetime
    expires_at: datetime
    exited_at: datetime | None
    exit_reason: str | None
    watched_seconds: float
    interval_s: float


@dataclass
class Watcher:
    """Somebody who watches, and what is stored of the session."""

    db: EventliveDatabase
    actor: Actor
    webinar_id: UUID
    session_id: UUID
    leave_token: UUID

    def wait(self, intervals: float) -> None:
        """Let so many issued intervals pass."""
        self.db.shift_time(f"{intervals * self.stored().interval_s} seconds")

    def beat(self) -> Any:
        """The reply to a heartbeat."""
        return self.actor.call("webinar_session_heartbeat", webinar_id=self.webinar_id, session_id=self.session_id)

    def leave(self) -> None:
        """Leave."""
        where = {"webinar_id": self.webinar_id, "session_id": self.session_id}
        self.actor.call("webinar_leave", **where, leave_token=self.leave_token)

    def stored(self) -> Stored:
        """The row."""
        [row] = self.db.rows(
            "select last_heartbeat_at, expires_at, exited_at, exit_reason, watched_seconds::float, interval_s::float"
            " from eventlive.webinar_user_sessions where session_id = %s",
            self.session_id,
        )
        return Stored(*row)


def watch(db: EventliveDatabase, *, guest: bool = False) -> Watcher:
    """Enter a webinar of one's own."""
    webinar_id = db.webinar(access_policy="guest_allowed")
    actor, session_id = db.guest() if guest else db.user(), new_id()
    reply = actor.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
    return Watcher(db, actor, webinar_id, session_id, UUID(reply["leave_token"]))


def credit(before: Stored, until: datetime) -> float:
    """The rule: what elapsed, but never more than 1.5 of the interval that had been issued."""
    return min(max((until - before.last_heartbeat_at).total_seconds(), 0), CREDIT * before.interval_s)


def assert_follows_the_rule(before: Stored, reply: dict[str, Any], after: Stored) -> None:
    """Fail where a heartbeat did anything but what the stored times before it call for."""
    now = datetime.fromisoformat(reply["server_time"])
    elapsed = (now - before.last_heartbeat_at).total_seconds()
    if elapsed >= EXPIRY * before.interval_s:
        assert (reply["state"], reply["next_heartbeat_s"]) == ("expired", None)
        assert after == before
    elif elapsed < THROTTLE * before.interval_s:
        # A whole interval later, so that those who came together stay apart; but not so late that time is lost.
        assert reply["next_heartbeat_s"] == near(min(before.interval_s, CREDIT * before.interval_s - elapsed))
        assert after == before
    else:
        assert after.last_heartbeat_at == now
        assert after.watched_seconds == near(before.watched_seconds + credit(before, now))
        assert reply["next_heartbeat_s"] == near(after.interval_s)
        assert_expires_on_time(after)
        assert after.interval_s == pytest.approx(300, rel=JITTER + 1e-6)


def assert_expires_on_time(stored: Stored) -> None:
    """Fail where the session does not expire 2.5 issued intervals after the last sign of life."""
    lifetime = (stored.expires_at - stored.last_heartbeat_at).total_seconds()
    assert lifetime == near(EXPIRY * stored.interval_s)


@pytest.fixture(scope="module")
def shared_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    """One database for all examples."""
    name = f"watch_{secrets.token_hex(8)}"
    database = EventliveDatabase(pg_server.create_database(name, schema_template))
    yield database
    database.close()
    pg_server.drop_database(name)


# Waits between two heartbeats, in issued intervals; none so near a threshold that the time of a call could matter.
WAITS = st.lists(st.sampled_from([0.0, 0.12, 0.21, 0.33, 0.52, 0.9, 1.0, 1.3, 1.48, 1.52, 2.0, 2.4, 2.6]), max_size=6)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(waits=WAITS, guest=st.booleans())
def test_whenever_heartbeats_come_the_credit_follows_the_rule(
    shared_db: EventliveDatabase, waits: list[float], guest: bool
) -> None:
    watcher = watch(shared_db, guest=guest)
    try:
        for wait in waits:
            watcher.wait(wait)
            before = watcher.stored()
            assert_follows_the_rule(before, watcher.beat(), watcher.stored())
        assert_invariants(shared_db, watcher.actor)
    finally:
        watcher.actor.connection.close()


FAULTS = {
    "no cap": ("l.watch_credit_factor * s.interval_s)", "1e9)"),
    "another cap": ("l.watch_credit_factor * s.interval_s)", "s.interval_s)"),
    "no throttle": ("l.throttle_factor * s.interval_s", "0 * s.interval_s"),
    "expires by another factor": ("l.expiry_factor * n.interval_s * interval", "2 * n.interval_s * interval"),
    "revives what has expired": ("and s.expires_at > v_now", ""),
    "wild jitter": ("l.pacing_jitter * (2 * random() - 1)", "0.3"),
}


@pytest.mark.parametrize(("old", "new"), FAULTS.values(), ids=list(FAULTS))
def test_the_rule_rejects_a_heartbeat_that_breaks_it(db: EventliveDatabase, old: str, new: str) -> None:
    break_function(db, "webinar_session_heartbeat", old, new)
    with pytest.raises(AssertionError):  # noqa: PT012 - any of the heartbeats may tell
        for wait in (0.3, 2.4, 2.6):
            watcher = watch(db)
            watcher.wait(wait)
            before = watcher.stored()
            assert_follows_the_rule(before, watcher.beat(), watcher.stored())


def test_a_throttled_heartbeat_loses_no_time(db: EventliveDatabase) -> None:
    often, seldom = watch(db), watch(db)
    entered_at = {watcher.session_id: watcher.stored().last_heartbeat_at for watcher in (often, seldom)}
    for _ in range(3):
        db.shift_time("50 seconds")
        often.beat()
    seldom.beat()
    for watcher in (often, seldom):
        stored = watcher.stored()
        passed = (stored.last_heartbeat_at - entered_at[watcher.session_id]).total_seconds() + 150
        assert stored.watched_seconds == near(passed)


def test_the_first_interval_is_the_base_and_later_ones_vary_around_it(db: EventliveDatabase) -> None:
    watcher = watch(db)
    assert watcher.stored().interval_s == 300
    assert_expires_on_time(watcher.stored())
    issued = []
    for _ in range(20):
        watcher.wait(1)
        issued.append(watcher.beat()["next_heartbeat_s"])
    assert all(270 <= interval <= 330 for interval in issued)
    assert len(set(issued)) > 1, "without jitter all clients beat in step"


def test_the_first_heartbeat_is_spread_over_the_interval(db: EventliveDatabase) -> None:
    user, webinar_id = db.user(), db.webinar()
    session = {"webinar_id": webinar_id, "session_id": new_id()}
    replies = [user.call("webinar_enter", **session) for _ in range(20)]
    assert {reply["next_heartbeat_s"] for reply in replies} == {300}
    assert all(0 <= reply["first_heartbeat_s"] <= 300 for reply in replies)
    assert len({reply["first_heartbeat_s"] for reply in replies}) > 1


def test_the_client_cannot_tell_the_time(db: EventliveDatabase) -> None:
    arguments = db.rows(
        "select p.proname from pg_proc p cross join unnest(p.proargtypes::oid[]) as t (oid)"
        " where p.pronamespace = 'eventlive_api'::regnamespace"
        " and p.proname not in ('webinar_create', 'webinar_stats_access')"
        " and t.oid in ('timestamptz'::regtype, 'timestamp'::regtype, 'time'::regtype, 'interval'::regtype)"
    )
    assert arguments == []


def test_what_a_client_says_of_its_clock_counts_for_nothing(db: EventliveDatabase) -> None:
    user, webinar_id, session_id = db.user(), db.webinar(), new_id()
    user.connection.execute("set timezone = 'Pacific/Kiritimati'")
    client = {"now": "2100-01-01T00:00:00Z", "entered_at": "1999-01-01", "last_heartbeat_at": 0}
    user.call("webinar_enter", webinar_id=webinar_id, session_id=session_id, client=client)
    watcher = Watcher(db, user, webinar_id, session_id, new_id())
    watcher.wait(1)
    before = watcher.stored()
    assert_follows_the_rule(before, watcher.beat(), watcher.stored())


def test_a_long_transaction_is_credited_up_to_the_call_not_up_to_its_begin(db: EventliveDatabase) -> None:
    watcher = watch(db)
    watcher.wait(1)
    with watcher.actor.transaction() as transaction:
        begun = db.value("select clock_timestamp()")
        reply = transaction.call(
            "webinar_session_heartbeat", webinar_id=watcher.webinar_id, session_id=watcher.session_id
        )
    assert datetime.fromisoformat(reply["server_time"]) > begun


def staff(db: EventliveDatabase) -> Actor:
    """Somebody who may end everything."""
    admin = db.user()
    assert admin.user_id
    db.make_admin(admin.user_id)
    return admin


def take_over(watcher: Watcher) -> None:
    """Another tab of the user takes over."""
    where = {"webinar_id": watcher.webinar_id, "session_id": new_id()}
    watcher.actor.call("webinar_enter", **where, take_over=True)


ENDS: dict[str, Callable[[Watcher], Any]] = {
    "left": Watcher.leave,
    "replaced": take_over,
    "ejected": lambda w: staff(w.db).call("webinar_eject", webinar_id=w.webinar_id, user_id=w.actor.user_id),
    "webinar_ended": lambda w: staff(w.db).call("webinar_set_status", webinar_id=w.webinar_id, status="ended"),
}


@pytest.mark.parametrize("wait", [0.2, 1.0, 2.0, 2.6, 10.0])
@pytest.mark.parametrize("reason", ENDS)
def test_the_end_of_a_session_credits_the_last_stretch(db: EventliveDatabase, reason: str, wait: float) -> None:
    watcher = watch(db)
    watcher.wait(1)
    watcher.beat()
    watcher.wait(wait)
    before = watcher.stored()
    unclosed = watcher.beat() if wait > EXPIRY else None
    ENDS[reason](watcher)
    after = watcher.stored()
    assert after.exit_reason == (reason if wait < EXPIRY else "expired")
    assert after.exited_at
    if wait > EXPIRY:
        assert after.exited_at == before.expires_at
    assert timedelta(0) <= after.exited_at - before.last_heartbeat_at
    expected = before.watched_seconds + credit(before, after.exited_at)
    assert after.watched_seconds == near(expected)
    assert after.last_heartbeat_at == before.last_heartbeat_at
    told = watcher.beat()
    assert (told["state"], datetime.fromisoformat(told["exited_at"])) == (after.exit_reason, after.exited_at)
    if unclosed:
        assert {**unclosed, "server_time": None} == {**told, "server_time": None}
    assert_invariants(db)


@pytest.mark.parametrize("guest", [False, True], ids=["user", "guest"])
def test_an_expired_session_is_over_whether_or_not_anybody_closed_it(db: EventliveDatabase, guest: bool) -> None:
    watcher = watch(db, guest=guest)
    watcher.wait(2.6)
    before = db.contents()
    assert watcher.beat()["state"] == "expired"
    where = {"webinar_id": watcher.webinar_id, "session_id": watcher.session_id}
    assert watcher.actor.refused("webinar_enter", **where).token == "session_expired"
    assert db.contents() == before
    db.admin.execute("select eventlive.refresh_webinar_live(%s)", [watcher.webinar_id])
    assert db.rows("select participants, guests from eventlive.webinar_live") == [(0, 0)]


def test_an_interval_that_changes_holds_from_the_next_heartbeat_on(db: EventliveDatabase) -> None:
    watcher = watch(db)
    db.admin.execute("""update eventlive.webinars set settings = '{"session_heartbeat_interval_s": 60}'""")
    watcher.wait(2.4)
    before = watcher.stored()
    reply = watcher.beat()
    after = watcher.stored()
    assert after.watched_seconds == near(CREDIT * before.interval_s)
    assert reply["next_heartbeat_s"] == pytest.approx(60, rel=JITTER + 1e-6)
    assert_expires_on_time(after)
