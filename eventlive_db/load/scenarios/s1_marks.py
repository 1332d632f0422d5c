"""What was seen of an evening, and whether that will do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from eventlive_db.client.replies import StatsReply
from eventlive_db.load.results_parts import Mark
from eventlive_db.load.scenarios.figures import (
    BEAT,
    CALL_LIMIT_S,
    ENTER,
    PING,
    PING_LIMIT_S,
    block_marks,
    count_mark,
    hot_mark,
    latency_mark,
    request_mark,
    status_mark,
)
from eventlive_db.load.scenarios.ledger import Done
from eventlive_db.load.scenarios.people import STRANGERS, Attendance, Hall
from eventlive_db.load.scenarios.run import Run

CREDIT_LEAST, CROWD_LEAST = 0.99, 0.95


@dataclass(frozen=True, slots=True)
class Presence:
    """A look at the presence of those who are in.

    Attributes:
        looked_at: When the rows were there, in seconds since the beginning of the run.
        pinged: When each user who is still in sent the last ping that was answered before the look, likewise.
        rows: By user, how long ago they were last seen, and the time within which a ping writes nothing; in seconds.
    """

    looked_at: float = 0.0
    pinged: Mapping[UUID, float] = field(default_factory=dict)
    rows: Mapping[UUID, tuple[float, float]] = field(default_factory=dict)


@dataclass(slots=True)
class Evening:
    """What was seen of it.

    Attributes:
        hall: The webinar, with its visits.
        strangers: How many came.
        shown: What dashboards were shown.
        attendees_before: Those that the statistics had before the first one came.
        presence: Who was seen when, before the first one left.
        last: The statistics at the end.
        registrations: Rows at the end.
        credited: Watch time by session, in seconds.
        events: Rows of the visit log at the end, by event.
        unwell: Jobs that were not well at the end.
    """

    hall: Hall
    strangers: int
    shown: list[StatsReply] = field(default_factory=list)
    attendees_before: int = 0
    presence: Presence = field(default_factory=Presence)
    last: StatsReply | None = None
    registrations: int = 0
    credited: dict[UUID, float] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    unwell: list[str] = field(default_factory=list)


def marks_of(run: Run, evening: Evening) -> list[Mark]:
    """The pass marks."""
    plan, ledger, hall = run.plan, run.ledger, evening.hall
    in_users = sum(one.user_id is not None and one.entered_at is not None for one in hall.came)
    inside = sum(one.entered_at is not None for one in hall.came)
    counted = evening.last.total_attendees - evening.attendees_before if evening.last else 0
    refused = sum(map(_is_a_stranger_refused, ledger.done))
    return [
        status_mark(ledger.done, _is_a_stranger_refused),
        *(latency_mark(ledger.select([PING], way=way), f"ping by {way}", PING_LIMIT_S) for way in plan.ways),
        latency_mark(ledger.select([ENTER]), "enter", CALL_LIMIT_S),
        latency_mark(ledger.select([BEAT]), "heartbeat", CALL_LIMIT_S),
        request_mark(ledger, plan.speed),
        count_mark("viewers who came in", plan.viewers, inside),
        count_mark("registrations, none of them by a ping", in_users + 1, evening.registrations, "users and the host"),
        count_mark("strangers refused, each once", evening.strangers, refused),
        count_mark("attendees in the statistics", inside, counted),
        crowd_mark(evening.shown, inside),
        credit_mark(hall.came, evening.credited),
        event_mark(hall.came, evening.events),
        presence_mark(evening.presence),
        hot_mark(run.samples),
        *block_marks(run.statements),
        Mark("jobs", "well", ", ".join(evening.unwell) or "well", not evening.unwell),
    ]


def _is_a_stranger_refused(call: Done) -> bool:
    return (call.function, call.webinar, call.token) == (PING, STRANGERS, "not_registered")


def crowd_mark(shown: Sequence[StatsReply], inside: int) -> Mark:
    """A dashboard shows nearly everybody at least once, and never more than there are."""
    highest = max((stats.current_participants + stats.current_guests for stats in shown), default=0)
    return Mark(
        "most viewers at a time on a dashboard",
        f"{CROWD_LEAST * inside:,.0f} to {inside:,}",
        f"{highest:,}",
        0 < CROWD_LEAST * inside <= highest <= inside,
        note=f"{len(shown):,} replies",
    )


def credit_mark(came: Sequence[Attendance], credited: Mapping[UUID, float]) -> Mark:
    """Those who left were in at least between the two replies, and at most between the two calls."""
    left = [one for one in came if one.entered_at is not None and one.left_at is not None]
    least = sum(one.leaves_at - (one.entered_at or 0) for one in left)
    most = sum((one.left_at or 0) - one.asked_at for one in left)
    found = sum(credited.get(one.session_id, 0.0) for one in left)
    return Mark(
        "watch time credited to those who left",
        f"{least:,.0f} to {most:,.0f} s by their own clock, to {CREDIT_LEAST:.0%}",
        f"{found:,.0f} s",
        bool(left) and least * CREDIT_LEAST <= found <= most * (2 - CREDIT_LEAST),
        note=f"{len(left):,} viewers",
    )


def event_mark(came: Sequence[Attendance], events: Mapping[str, int]) -> Mark:
    """An event for each thing that happened, and none for a look of a timer."""
    entered = [one for one in came if one.entered_at is not None]
    left = sum(one.left_at is not None for one in entered)
    wanted = {"registered": sum(one.user_id is not None for one in entered) + 1, "entered": len(entered), "left": left}
    gone = len(entered) - left
    exact = {event: number for event, number in events.items() if event != "expired"}
    return Mark(
        "events in the visit log",
        ", ".join(f"{number:,} {event}" for event, number in wanted.items()) + f", up to {gone:,} expired",
        ", ".join(f"{number:,} {event}" for event, number in sorted(events.items())) or "none",
        exact == {event: number for event, number in wanted.items() if number} and events.get("expired", 0) <= gone,
        note="users and the host registered; a reload is no event",
    )


def presence_mark(presence: Presence) -> Mark:
    """A ping that is answered was written, or somebody was seen so shortly before that it need not be."""

    def is_lost(user_id: UUID, sent_at: float) -> bool:
        age_s, throttle_s = presence.rows.get(user_id, (float("inf"), 0.0))
        return age_s > presence.looked_at - sent_at + throttle_s

    lost = sum(is_lost(user_id, sent_at) for user_id, sent_at in presence.pinged.items())
    return Mark(
        "users who were last seen before their last ping",
        "0",
        f"{lost:,}",
        lost == 0 and bool(presence.pinged),
        note=f"{len(presence.pinged):,} users who pinged, looked at before the first one left",
    )
