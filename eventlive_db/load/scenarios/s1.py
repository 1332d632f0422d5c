"""S1: everybody enters within two minutes and watches for an hour."""

from __future__ import annotations

from collections.abc import Callable

from eventlive_db.client import rpc
from eventlive_db.load.scenarios.figures import (
    BEAT,
    CALL_LIMIT_S,
    ENTER,
    PING,
    PING_LIMIT_S,
    latency_plot,
    rate_plot,
)
from eventlive_db.load.scenarios.ground import Doors
from eventlive_db.load.scenarios.outcome import Outcome
from eventlive_db.load.scenarios.people import Hall, Visit, dashboard, stranger, viewer
from eventlive_db.load.scenarios.plan import Plan
from eventlive_db.load.scenarios.run import Run, conduct
from eventlive_db.load.scenarios.s1_marks import Evening, Presence, marks_of
from eventlive_db.load.scenarios.together import beside, together

DOOR_S, EXIT_S = 120.0, 60.0
STRANGERS, GUESTS, REGISTER, VANISH, RELOAD = 0.02, 0.1, 0.5, 0.1, 0.1
"""Parts of the audience."""
DASHBOARDS = 2
DECISIVE = ("presence_ping_interval_s", "session_heartbeat_interval_s")
"""Settings that a bound must not hold back."""

_REHEARSAL = """
    insert into eventlive.webinar_user_sessions
        (webinar_id, session_id, user_id, entered_at, last_heartbeat_at, expires_at, interval_s, exited_at, exit_reason)
    select %(webinar)s, gen_random_uuid(), gen_random_uuid(), t.entered_at, t.entered_at + interval '1 hour',
           t.entered_at + interval '2 hours', 300, t.entered_at + interval '1 hour', 'left'
      from (select now() - interval '9 days' as entered_at) t, generate_series(1, %(rows)s)
"""

_PRESENCE = """
    select p.user_id, extract(epoch from clock_timestamp() - p.last_seen_at)::float8, p.throttle_s::float8
      from eventlive.webinar_live_presence p
     where p.webinar_id = %(webinar)s
"""


def run_s1(plan: Plan, install: Callable[[str], object], progress: Callable[[str], None] = lambda _: None) -> Outcome:
    """Run it.

    Args:
        plan: How.
        install: Installs the schema in the database of a DSN.
        progress: Told what is going on.
    """
    duration_s = plan.real_s(DOOR_S + 60 * plan.minutes + EXIT_S)

    async def scenario(run: Run, doors: Doors) -> Evening:
        run.lasts_s = duration_s
        hall = await run.hall(doors, "s1", title="S1", access_policy="guest_allowed")
        rehearsed = plan.history // 10
        await run.execute(_REHEARSAL, {"webinar": hall.webinar_id, "rows": rehearsed})
        await run.count()
        before = await doors.service().call(rpc.webinar_stats_access(hall.webinar_id))
        evening = Evening(hall, max(1, int(plan.viewers * STRANGERS)), attendees_before=before.total_attendees)
        await _crowd(run, doors, evening, duration_s)
        await _aftermath(run, doors, evening)
        return evening

    run, evening = conduct(plan, install, progress, scenario, DECISIVE)
    found = run.outcome("s1", f"S1: {plan.viewers:,} viewers for {plan.minutes:g} minutes", duration_s)
    found.marks = marks_of(run, evening)
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

    async def before_the_first_one_leaves() -> None:
        await run.until(DOOR_S + 60 * plan.minutes)
        evening.presence = await _presence(run, hall)

    run.tell("the door opens")
    await beside(together([*people, *others, before_the_first_one_leaves()]), run.report(duration_s, said))
    run.tell("everybody has gone")


async def _presence(run: Run, hall: Hall) -> Presence:
    """What the database has of those who are in, and what they did before it was asked."""
    pinged = {one.user_id: one.pinged_at for one in hall.came if one.user_id and one.pinged_at is not None}
    rows = await run.rows(_PRESENCE, {"webinar": hall.webinar_id})
    # Who has said since that they leave may have no row any more.
    left = {one.user_id for one in hall.came if one.leaves_at}
    return Presence(
        looked_at=run.ledger.now(),
        pinged={user_id: at for user_id, at in pinged.items() if user_id not in left},
        rows={user_id: (age_s, throttle_s) for user_id, age_s, throttle_s in rows},
    )


async def _aftermath(run: Run, doors: Doors, evening: Evening) -> None:
    """Have the webinar counted a last time, and look at what is there."""
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
    events = await run.rows(
        "select event, count(*) from eventlive.event_access_logs where webinar_id = %(webinar)s group by event", webinar
    )
    evening.events = dict(events)
    unwell = await run.rows(
        "select h.name || ': ' || h.state from eventlive.job_health() h"
        " where h.name in ('rollup_live', 'close_expired_sessions') and h.state not in ('ok', 'running', 'never_ran')"
    )
    evening.unwell = [said for (said,) in unwell]
