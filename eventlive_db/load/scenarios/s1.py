"""S1: everybody enters within two minutes and watches for an hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from eventlive_db.client import rpc
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
    latency_plot,
    rate_plot,
    request_mark,
    status_mark,
)
from eventlive_db.load.scenarios.ground import Doors
from eventlive_db.load.scenarios.outcome import Outcome
from eventlive_db.load.scenarios.people import Attendance, Hall, Visit, beside, dashboard, stranger, together, viewer
from eventlive_db.load.scenarios.plan import Plan
from eventlive_db.load.scenarios.run import Run, conduct

DOOR_S, EXIT_S = 120.0, 60.0
STRANGERS, GUESTS, REGISTER, VANISH, RELOAD = 0.02, 0.1, 0.5, 0.1, 0.1
"""Parts of the audience."""
DASHBOARDS = 2
CREDIT_LEAST = 0.99

_REHEARSAL = """
    insert into eventlive.webinar_user_sessions
        (webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, interval_s, exited_at, exit_reason)
    select %(webinar)s, gen_random_uuid(), gen_random_uuid(), t.entered_at, t.entered_at + interval '1 hour',
           t.entered_at + interval '2 hours', 300, t.entered_at + interval '1 hour', 'left'
      from (select now() - interval '9 days' as entered_at) t, generate_series(1, %(rows)s)
"""


@dataclass(slots=True)
class Evening:
    """What was seen of it.

    Attributes:
        hall: The webinar, with its visits.
        strangers: How many came.
        shown: What dashboards were shown.
        attendees_before: Those that the statistics had before the first one came.
        last: The statistics at the end.
        registrations: Rows at the end.
        credited: Watch time by session, in seconds.
        unwell: Jobs that were not well at the end.
    """

    hall: Hall
    strangers: int
    shown: list[StatsReply] = field(default_factory=list)
    attendees_before: int = 0
    last: StatsReply | None = None
    registrations: int = 0
    credited: dict[UUID, float] = field(default_factory=dict)
    unwell: list[str] = field(default_factory=list)


def run_s1(plan: Plan, install: Callable[[str], object], progress: Callable[[str], None] = lambda _: None) -> Outcome:
    """Run it.

    Args:
        plan: How.
        install: Installs the schema in the database of a DSN.
        progress: Told what is going on.
    """
    duration_s = plan.real_s(DOOR_S + 60 * plan.minutes + EXIT_S)

    async def scenario(run: Run, doors: Doors) -> Evening:
        hall = await run.hall(doors, "s1", title="S1", access_policy="guest_allowed")
        rehearsed = plan.history // 10
        await run.execute(_REHEARSAL, {"webinar": hall.webinar_id, "rows": rehearsed})
        await run.count()
        before = await doors.service().call(rpc.webinar_stats_access(hall.webinar_id))
        evening = Evening(hall, max(1, int(plan.viewers * STRANGERS)), attendees_before=before.total_attendees)
        await _crowd(run, doors, evening, duration_s)
        await _aftermath(run, doors, evening)
        return evening

    run, evening = conduct(plan, install, progress, scenario)
    found = run.outcome("s1", f"S1: {plan.viewers:,} viewers for {plan.minutes:g} minutes", duration_s)
    found.marks = _marks(run, evening)
    found.plots = [
        latency_plot(run.ledger, PING, duration_s, PING_LIMIT_S),
        latency_plot(run.ledger, BEAT, duration_s, CALL_LIMIT_S),
        latency_plot(run.ledger, ENTER, duration_s, CALL_LIMIT_S),
        rate_plot(run.ledger, duration_s, plan.speed, (PING, BEAT, ENTER, "webinar_stats_access")),
        *found.plots,
    ]
    found.summary = (
        f"{plan.viewers:,} viewers, {GUESTS:.0%} of them guests, enter within {DOOR_S / 60:.0f} minutes and watch for"
        f" {plan.minutes:g} minutes, with heartbeats and pings as browsers send them, {DASHBOARDS} dashboards, a few"
        " who reload the page, and some who ping without being registered."
    )
    return found


def visits(run: Run) -> list[Visit]:
    """What each viewer is going to do."""
    plan, chance = run.plan, run.chance
    end = DOOR_S + 60 * plan.minutes
    found = []
    for number in range(plan.viewers):
        arrives, leaves = chance.uniform(0, DOOR_S), chance.uniform(end, end + EXIT_S)
        guest = chance.random() < GUESTS
        found.append(
            Visit(
                number,
                plan.real_s(arrives),
                plan.real_s(leaves),
                registers=not guest and chance.random() < REGISTER,
                guest=guest,
                vanishes=chance.random() < VANISH,
                reloads_at=plan.real_s(chance.uniform(arrives + 1, leaves - 1)) if chance.random() < RELOAD else None,
            )
        )
    return found


async def _crowd(run: Run, doors: Doors, evening: Evening, duration_s: float) -> None:
    hall, plan = evening.hall, run.plan
    host = hall.new_id()
    await doors.service().call(rpc.webinar_grant_role(hall.webinar_id, host, "host"))
    host_caller = doors.user(host, plan.way(0), hall.label)
    people = [viewer(hall, visit) for visit in visits(run)]
    people += [
        stranger(hall, number, plan.real_s(hall.chance.uniform(0, 60 * plan.minutes)))
        for number in range(evening.strangers)
    ]
    others = [dashboard(hall, host_caller, duration_s, evening.shown.append) for _ in range(DASHBOARDS)]

    def said() -> str:
        return f"{sum(one.entered_at is not None and one.left_at is None for one in hall.came):,} watch"

    run.tell("the door opens")
    await beside(together([*people, *others]), run.report(duration_s, said))
    run.tell("everybody has gone")


async def _aftermath(run: Run, doors: Doors, evening: Evening) -> None:
    """End the webinar, have it counted a last time, and look at what is there."""
    service, hall = doors.service(), evening.hall
    webinar = {"webinar": hall.webinar_id}
    [(evening.registrations,)] = await run.rows(
        "select count(*) from eventlive.registrations where webinar_id = %(webinar)s", webinar
    )
    await run.count()
    evening.last = await service.call(rpc.webinar_stats_access(hall.webinar_id))
    rows = await run.rows(
        "select session_id, watched_seconds from eventlive.webinar_user_sessions where webinar_id = %(webinar)s",
        webinar,
    )
    evening.credited = {session_id: float(seconds) for session_id, seconds in rows}
    unwell = await run.rows(
        "select h.name || ': ' || h.state from eventlive.job_health() h"
        " where h.name in ('rollup_live', 'close_expired_sessions') and h.state not in ('ok', 'running', 'never_ran')"
    )
    evening.unwell = [said for (said,) in unwell]


def _marks(run: Run, evening: Evening) -> list[Mark]:
    plan, ledger, hall = run.plan, run.ledger, evening.hall
    in_users = sum(one.user_id is not None and one.entered_at is not None for one in hall.came)
    inside = sum(one.entered_at is not None for one in hall.came)
    counted = evening.last.total_attendees - evening.attendees_before if evening.last else 0
    highest = max((stats.current_participants + stats.current_guests for stats in evening.shown), default=0)
    refused = sum(call.token == "not_registered" for call in ledger.select([PING]))
    return [
        status_mark(ledger.done, frozenset({"not_registered"})),
        *(latency_mark(ledger.select([PING], way=way), f"ping by {way}", PING_LIMIT_S) for way in plan.ways),
        latency_mark(ledger.select([ENTER]), "enter", CALL_LIMIT_S),
        latency_mark(ledger.select([BEAT]), "heartbeat", CALL_LIMIT_S),
        request_mark(ledger, plan.speed),
        count_mark("viewers who came in", plan.viewers, inside),
        count_mark("registrations, none of them by a ping", in_users + 1, evening.registrations, "users and the host"),
        count_mark("strangers refused, each once", evening.strangers, refused),
        count_mark("attendees in the statistics", inside, counted),
        Mark(
            "most viewers at a time on a dashboard",
            f">= {0.95 * inside:,.0f}",
            f"{highest:,}",
            highest >= 0.95 * inside,
        ),
        _credit_mark(hall.came, evening.credited),
        hot_mark(run.samples),
        *block_marks(run.statements),
        Mark("jobs", "well", ", ".join(evening.unwell) or "well", not evening.unwell),
    ]


def _credit_mark(came: list[Attendance], credited: dict[UUID, float]) -> Mark:
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
