"""Watch time over whole histories of sessions, to the microsecond, against a model that knows nothing of the SQL."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from eventlive_db.server import Server
from tests.support.actors import Actor, new_id
from tests.support.database import EventliveDatabase
from tests.support.invariants import assert_invariants
from tests.support.jobs import changed, clear, cleared, fault, job_database

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
THROTTLE = 0.5
SHIPPED, GENEROUS = (1.5, 2.5), (4.0, 1.5)
"""Of the interval: how much one heartbeat credits at most, and after how much a session expires.

All of them are exact in single precision. Under the shipped ones a session expires long after its credit is full.
"""


def micros(moment: datetime) -> int:
    """A time as a whole number of microseconds."""
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def intervals(factor: float, interval_s: float) -> float:
    """So many intervals, in seconds: in single precision, as they are issued."""
    single: float = struct.unpack("f", struct.pack("f", factor * interval_s))[0]
    return single


@dataclass
class Session:
    """One session, as it ought to be. All times are microseconds."""

    last: int
    interval_s: float
    factors: tuple[float, float]
    expires: int = 0
    watched: Decimal = Decimal(0)
    exited: int | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        self.renew(self.last, self.interval_s)

    def renew(self, now: int, interval_s: float) -> None:
        """Alive at that moment, with that interval from then on."""
        self.last, self.interval_s = now, interval_s
        self.expires = now + round(1_000_000 * intervals(self.factors[1], interval_s))

    def credit(self, until: int) -> None:
        """What passed since the last sign of life counts, up to so many intervals."""
        passed = max(Decimal(until - self.last) / 1_000_000, Decimal(0))
        most = Decimal(f"{intervals(self.factors[0], self.interval_s):.15g}")
        self.watched = (self.watched + min(passed, most)).quantize(Decimal("0.000001"), ROUND_HALF_UP)

    def beats(self, now: int) -> bool:
        """Whether a heartbeat at that moment counts; then the new interval is asked for."""
        return (
            self.exited is None
            and now < self.expires
            and now - self.last >= round(1_000_000 * intervals(THROTTLE, self.interval_s))
        )

    def end(self, now: int, reason: str) -> None:
        """Over: by that reason then, or expired before."""
        if self.exited is None:
            self.credit(min(now, self.expires))
            self.reason = "expired" if self.expires <= now else reason
            self.exited = max(min(now, self.expires), self.last)


@dataclass
class History:
    """A webinar in which one user has several tabs; time passes by moving what is stored."""

    db: EventliveDatabase
    batch: int = 1000
    factors: tuple[float, float] = SHIPPED
    passed: int = 0
    closed_at: int | None = None
    sessions: dict[UUID, Session] = field(default_factory=dict)
    tokens: dict[UUID, UUID] = field(default_factory=dict)

    def __post_init__(self) -> None:
        factors = dict(zip(("watch_credit_factor", "expiry_factor"), self.factors, strict=True))
        self.webinar_id = self.db.webinar(
            duplicate_login_policy="allow", settings={"close_batch_size": self.batch, **factors}
        )
        self.user: Actor = self.db.user()
        self.service: Actor = self.db.service()
        self.enter()

    def close(self) -> None:
        """Close its connections."""
        self.user.connection.close()
        self.service.connection.close()

    def tab(self, number: int) -> UUID:
        """One of the sessions there have been."""
        return list(self.sessions)[number % len(self.sessions)]

    def at(self, text: str) -> int:
        """A time in a reply, as if nothing had been moved."""
        return micros(datetime.fromisoformat(text)) + self.passed

    def now(self) -> int:
        """By the server's clock."""
        return micros(self.db.value("select clock_timestamp()")) + self.passed

    def issued(self, session_id: UUID) -> float:
        """The interval in force: with its jitter it is nothing a model could know."""
        interval_s = "select interval_s::float8 from eventlive.webinar_user_sessions where session_id = %s"
        return float(self.db.value(interval_s, session_id))

    # --- what may happen

    def wait(self, microseconds: int) -> None:
        """Time passes; with a negative number the clock is put back."""
        by = f"{microseconds} microseconds"
        self.db.shift_time(by)
        self.db.admin.execute("update eventlive.webinar_live set closed_at = closed_at - %s::interval", [by])
        self.passed += microseconds

    def enter(self, *, take_over: bool = False) -> None:
        """Another tab, beside the others or in their place."""
        if self.closed_at is not None:
            return
        session_id = new_id()
        reply = self.user.call("webinar_enter", webinar_id=self.webinar_id, session_id=session_id, take_over=take_over)
        now = self.at(reply["server_time"])
        for other in self.sessions.values():
            if take_over or other.expires <= now:
                other.end(now, "replaced")
        self.tokens[session_id] = UUID(reply["leave_token"])
        self.sessions[session_id] = Session(now, self.issued(session_id), self.factors)

    def beat(self, session_id: UUID) -> None:
        """A heartbeat, which may come too early, or too late."""
        reply = self.user.call("webinar_session_heartbeat", webinar_id=self.webinar_id, session_id=session_id)
        session, now = self.sessions[session_id], self.at(reply["server_time"])
        if self.closed_at is None and session.beats(now):
            session.credit(now)
            session.renew(now, self.issued(session_id))

    def leave(self, session_id: UUID) -> None:
        """Leave, but not in a webinar that has ended."""
        if self.closed_at is not None:
            return
        session, before = self.sessions[session_id], self.now()
        self.user.call(
            "webinar_leave",
            webinar_id=self.webinar_id, session_id=session_id, leave_token=self.tokens[session_id],
        )  # fmt: skip
        if session.exited is None:
            # When exactly is only known from the row; it lies within the call.
            exited = "select exited_at from eventlive.webinar_user_sessions where session_id = %s"
            found = micros(self.db.value(exited, session_id)) + self.passed
            at = found if before < session.expires and found > session.last else before
            assert found in {session.expires, session.last} or before <= at <= self.now()
            session.end(at, "left")

    def job(self) -> None:
        """The job that closes what has expired comes round."""
        before = self.now()
        changed(self.db, "close_expired_sessions")
        for session in self.sessions.values():
            if self.closed_at is not None:
                session.end(self.closed_at, "webinar_ended")
            elif session.expires <= before:
                session.end(before, "expired")

    def configure(self, interval_s: float) -> None:
        """Another interval, from the next heartbeat on."""
        if self.closed_at is None:
            self.db.admin.execute(
                "update eventlive.webinars set settings = settings || %s where id = %s",
                [Jsonb({"session_heartbeat_interval_s": interval_s}), self.webinar_id],
            )

    def end(self) -> None:
        """The webinar ends, and as many sessions are closed as a batch has; or it is made live again."""
        status = "ended" if self.closed_at is None else "live"
        self.service.call("webinar_set_status", webinar_id=self.webinar_id, status=status)
        if status == "live":
            self.closed_at = None
            return
        self.closed_at = self.passed + micros(self.db.value("select closed_at from eventlive.webinar_live"))
        still_open = sorted(key for key, session in self.sessions.items() if session.exited is None)
        for session_id in still_open[: self.batch]:
            self.sessions[session_id].end(self.closed_at, "webinar_ended")

    def play(self, steps: list[tuple[str, Any]]) -> None:
        """Let these things happen one after the other; fail after the first at which model and table differ."""
        for what, which in steps:
            match what:
                case "enter" | "end" | "job":
                    getattr(self, what)()
                case "take over":
                    self.enter(take_over=True)
                case "wait" | "configure":
                    getattr(self, what)(which)
                case "twice":
                    self.beat(self.tab(which))
                    self.beat(self.tab(which))
                case _:
                    getattr(self, what)(self.tab(which))
            assert self.stored() == self.expected(), what

    def stored(self) -> dict[UUID, tuple[Any, ...]]:
        """What the table says of each session."""
        times = "last_heartbeat_at, expires_at, coalesce(exited_at, 'epoch')"
        rows = self.db.rows(
            f"select session_id, watched_seconds, exit_reason, {times} from eventlive.webinar_user_sessions"
        )
        never = datetime(1970, 1, 1, tzinfo=UTC)
        return {
            key: (watched, reason, *(None if each == never else micros(each) + self.passed for each in moments))
            for key, watched, reason, *moments in rows
        }

    def expected(self) -> dict[UUID, tuple[Any, ...]]:
        """What the model says."""
        return {key: (s.watched, s.reason, s.last, s.expires, s.exited) for key, s in self.sessions.items()}


@pytest.fixture(scope="module")
def module_db(pg_server: Server, schema_template: str) -> Iterator[EventliveDatabase]:
    with job_database(pg_server, schema_template) as database:
        yield database


@pytest.fixture
def jobs_db(module_db: EventliveDatabase) -> EventliveDatabase:
    return cleared(module_db)


S = 1_000_000
TAB = st.integers(0, 3)
STEPS = st.lists(
    st.one_of(
        # Ordinary beats, gaps, pauses as long as a webinar, and a clock that is put back a little or much.
        st.tuples(st.just("wait"), st.integers(100 * S, 400 * S)),
        st.tuples(st.just("wait"), st.integers(-30 * S, 900 * S) | st.sampled_from([-3600 * S, -1, 1, 7200 * S])),
        st.tuples(st.just("beat"), TAB),
        st.tuples(st.just("beat"), TAB),
        st.tuples(st.just("twice"), TAB),
        st.tuples(st.just("leave"), TAB),
        st.tuples(st.just("configure"), st.sampled_from([1, 17.3, 60, 299.999, 1000])),
        st.tuples(st.sampled_from(["enter", "enter", "take over", "job", "end"]), st.none()),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(steps=STEPS, batch=st.sampled_from([1, 1000]), factors=st.sampled_from([SHIPPED, GENEROUS]))
def test_watch_time_is_what_the_model_says_whatever_happened(
    module_db: EventliveDatabase, steps: list[tuple[str, Any]], batch: int, factors: tuple[float, float]
) -> None:
    clear(module_db)
    history = History(module_db, batch, factors)
    try:
        history.play(steps)
        assert_invariants(module_db, history.user)
    finally:
        history.close()


LONG: list[tuple[str, Any]] = [
    ("wait", 300 * S + 17), ("twice", 0), ("wait", 470 * S), ("beat", 0), ("enter", None), ("wait", -40 * S),
    ("beat", 1), ("wait", 290 * S), ("beat", 1), ("wait", 100 * S), ("twice", 0), ("wait", 320 * S), ("beat", 1),
    ("enter", None), ("wait", -3600 * S), ("leave", 2), ("wait", 3700 * S), ("beat", 0), ("beat", 1),
    ("enter", None), ("wait", 460 * S), ("beat", 3), ("wait", 900 * S), ("beat", 3), ("job", None),
    ("enter", None),
    ("wait", 10 * S), ("take over", None), ("wait", 200 * S), ("configure", 60), ("beat", 5), ("wait", 95 * S),
    ("end", None), ("wait", 900 * S), ("job", None),
]  # fmt: skip


def play_long(db: EventliveDatabase) -> set[str | None]:
    """The long history, under both pairs of factors; how its sessions ended."""
    ends: set[str | None] = set()
    for factors in (SHIPPED, GENEROUS):
        clear(db)
        history = History(db, factors=factors)
        try:
            history.play(LONG)
            assert_invariants(db, history.user)
        finally:
            history.close()
        ends |= {session.reason for session in history.sessions.values()}
    return ends


def test_a_long_history(jobs_db: EventliveDatabase) -> None:
    assert play_long(jobs_db) == {"left", "expired", "replaced", "webinar_ended"}


FAULTS = {
    "a gap is watching": ("webinar_session_heartbeat", "l.watch_credit_factor * s.interval_s)", "1e9)"),
    "what is past the expiry is watched": (
        "close_sessions", "s.last_heartbeat_at, least(_at, s.expires_at, l.closed_at)", "s.last_heartbeat_at, _at"),
    "the end credits nothing": ("close_sessions", "watched_seconds = s.watched_seconds + ", "watched_seconds = 0 * "),
    "the end credits without a cap": ("close_sessions", "l.watch_credit_factor * s.interval_s)", "1e9)"),
    "no beat is too early": ("webinar_session_heartbeat", "- l.throttle_factor * s.interval_s", "- 0 * s.interval_s"),
    "an end before the last beat": (
        "close_sessions", "greatest(least(_at, s.expires_at, l.closed_at), s.last_heartbeat_at)",
        "least(_at, s.expires_at, l.closed_at)"),
    "a heartbeat revives": ("webinar_session_heartbeat", "and s.expires_at > v_now", ""),
    "time runs backwards": (
        "watch_credit", "GREATEST(EXTRACT(epoch FROM (_until - _since)), (0)::numeric)",
        "EXTRACT(epoch FROM (_until - _since))"),
    "less than a millisecond is lost": (
        "webinar_session_heartbeat", "last_heartbeat_at = v_now",
        "last_heartbeat_at = date_trunc('milliseconds', v_now)"),
}  # fmt: skip


@pytest.mark.parametrize(("function", "old", "new"), FAULTS.values(), ids=list(FAULTS))
def test_the_model_sees_another_rule(jobs_db: EventliveDatabase, function: str, old: str, new: str) -> None:
    with fault(jobs_db, function, old, new), pytest.raises((AssertionError, psycopg.errors.CheckViolation)):
        play_long(jobs_db)
