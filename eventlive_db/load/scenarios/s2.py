"""S2: Realtime is cut for everybody, who then poll for messages; the polls have a ceiling, whatever the audience."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eventlive_db.client import rpc
from eventlive_db.load.results_parts import SAMPLED, Mark, Plot
from eventlive_db.load.scenarios.figures import (
    BEAT,
    CALL_LIMIT_S,
    ENTER,
    PING,
    PING_LIMIT_S,
    POLL,
    latency_plot,
    rate_plot,
    step_s,
)
from eventlive_db.load.scenarios.ground import Doors
from eventlive_db.load.scenarios.outcome import Outcome
from eventlive_db.load.scenarios.people import Visit, viewer, writer
from eventlive_db.load.scenarios.plan import Plan
from eventlive_db.load.scenarios.run import Run, conduct
from eventlive_db.load.scenarios.s2_marks import Cut, marks_of, polls_of
from eventlive_db.load.scenarios.together import beside, together

SIZES = (1_000, 10_000, 100_000)
DOOR_S, BEFORE_S, LEAST_CUT_S, INTERVALS, OFF_S, AFTER_S = 60.0, 360.0, 300.0, 2.5, 300.0, 60.0
"""How long the parts take. Before the cut everybody has beaten once, and so knows how often to poll."""
EARLY_S = 120.0
"""At one size it is cut for so long before that too, as the door closes: few have beaten, and none was counted."""
MESSAGE_S = 5.0
GROWTH = 1.25
ARITHMETIC = (10, 100, 1_000, 3_000, 10_000)
"""Audiences for which it is worked out, as multiples of the polls a second that there may be: up to a million."""
DECISIVE = ("fallback_target_rps", "fallback_poll_max_interval_s")
"""Settings that a bound must not hold back."""

_AUDIENCE = """
    with registered as (
        insert into eventlive.registrations (webinar_id, user_id)
        select %(webinar)s, gen_random_uuid() from generate_series(1, %(rows)s)
        returning user_id
    )
    insert into eventlive.webinar_live_presence
        (webinar_id, user_id, joined_at, last_seen_at, expires_at, throttle_s, ttl_s)
    select %(webinar)s, r.user_id, now(), now(), now() + interval '1 day', 60, 300 from registered r
"""

_PACED = """
    select n, eventlive.paced_interval_s(
               (l.settings ->> 'fallback_poll_interval_s')::real, (l.settings ->> 'fallback_poll_max_interval_s')::real,
               (l.settings ->> 'fallback_target_rps')::real, n)
      from eventlive.webinar_live l, unnest(%(audiences)s::integer[]) n
     where l.webinar_id = %(webinar)s
"""

_OPEN = """
    select s.session_id from eventlive.webinar_user_sessions s
     where s.webinar_id = %(webinar)s and s.exited_at is null and s.expires_at > clock_timestamp()
"""


def run_s2(
    plan: Plan,
    install: Callable[[str], object],
    progress: Callable[[str], None] = lambda _: None,
    sizes: Sequence[int] = SIZES,
) -> list[Outcome]:
    """Run it at several sizes: real calls of ``plan.viewers`` of them, and of the others their row.

    Args:
        plan: How; its minutes are not used.
        install: Installs the schema in the database of a DSN.
        progress: Told what is going on.
        sizes: Audiences.
    """
    outcomes, rates = [], {}
    early = sizes[(len(sizes) - 1) // 2]
    for size in sizes:
        outcome, rate = _at_size(plan, install, progress, size, early=size == early)
        outcomes.append(outcome)
        rates[size] = rate
    if len(rates) > 1:
        grown = max(rates.values()) / max(min(rates.values()), 1e-9)
        said = ", ".join(f"{rate:.0f} at {size:,}" for size, rate in rates.items())
        outcomes[-1].marks.append(
            Mark(
                "polls a second do not grow with the audience",
                f"the most <= {GROWTH:g} times the least",
                f"{grown:.2f} times: {said}",
                grown <= GROWTH,
                SAMPLED,
            )
        )
    return outcomes


def _at_size(
    plan: Plan, install: Callable[[str], object], progress: Callable[[str], None], size: int, *, early: bool
) -> tuple[Outcome, float]:
    async def scenario(run: Run, doors: Doors) -> Cut:
        hall = await run.hall(doors, "s2", title="S2")
        await run.execute(_AUDIENCE, {"webinar": hall.webinar_id, "rows": max(0, size - plan.viewers)})
        if not early:
            await run.count()
        [(target,)] = await run.rows(
            "select (value #>> '{}')::float8 from eventlive.settings where key = 'fallback_target_rps'"
        )
        webinar = {"webinar": hall.webinar_id}
        audiences = [size, *(round(times * target / plan.speed) for times in ARITHMETIC)]
        paced = dict(await run.rows(_PACED, webinar | {"audiences": audiences}))
        cut = Cut(hall, size, target / plan.speed, paced[size] * plan.speed, early)
        cut.paced = {audience: seconds * plan.speed for audience, seconds in paced.items()}
        await _evening(run, doors, cut)
        return cut

    run, cut = conduct(plan, install, progress, scenario, DECISIVE)
    duration_s = run.ledger.now()
    found = run.outcome("s2", f"S2: Realtime is cut for {size:,} viewers", duration_s)
    polls = polls_of(run, cut)
    rate = len(polls) / max(cut.off_at - cut.cut_at, 1e-9) / plan.speed * size / plan.viewers
    found.marks = marks_of(run, cut)
    found.plots = [
        _poll_plot(run, cut, duration_s),
        rate_plot(run.ledger, duration_s, plan.speed, (POLL, PING, BEAT, ENTER, "webinar_message_post")),
        latency_plot(run.ledger, POLL, duration_s, CALL_LIMIT_S),
        latency_plot(run.ledger, PING, duration_s, PING_LIMIT_S),
        latency_plot(run.ledger, BEAT, duration_s, CALL_LIMIT_S),
        *found.plots,
    ]
    found.options |= {"audience": size, "viewers who call": plan.viewers}
    del found.options["minutes"]
    found.summary = (
        f"{size:,} viewers are in the webinar, and {plan.viewers:,} of them make real calls. Realtime is cut for all at"
        " one moment, and they poll as often as their last heartbeat said; then a host switches polling off; then"
        " Realtime comes back."
    )
    if early:
        found.summary += (
            f" Before that it is cut for {EARLY_S:.0f} s as the door closes: nobody was counted when they came in, and"
            " who has not beaten yet does not poll."
        )
    if size > plan.viewers:
        found.notes.append(
            f"Polls of the whole audience are those of the {plan.viewers:,} who made them, times"
            f" {size / plan.viewers:g}; of the others the database has the presence rows, by which it paces."
        )
    return found, rate


async def _evening(run: Run, doors: Doors, cut: Cut) -> None:
    plan, hall = run.plan, cut.hall
    cut_s = max(LEAST_CUT_S, INTERVALS * cut.interval_s)
    ends = [DOOR_S + BEFORE_S, DOOR_S + BEFORE_S + cut_s, DOOR_S + BEFORE_S + cut_s + OFF_S]
    total = ends[-1] + AFTER_S
    run.lasts_s = plan.real_s(total)
    host = hall.new_id()
    service = doors.service()
    await service.call(rpc.webinar_grant_role(hall.webinar_id, host, "host"))
    people = [
        viewer(hall, Visit(number, plan.real_s(hall.chance.uniform(0, DOOR_S)), plan.real_s(total)))
        for number in range(plan.viewers)
    ]

    async def director() -> None:
        if cut.early:
            await run.until(DOOR_S)
            run.tell("Realtime is cut as the door closes")
            cut.early_at = run.ledger.now()
            hall.realtime.cut()
            await run.until(DOOR_S + EARLY_S)
            run.tell("Realtime is back")
            hall.realtime.restore()
            cut.calm_at = run.ledger.now()
        await run.until(ends[0])
        run.tell("Realtime is cut")
        cut.cut_at = run.ledger.now()
        hall.realtime.cut()
        await run.until(ends[1])
        run.tell("polling is switched off")
        await service.call(rpc.webinar_configure(hall.webinar_id, {"settings": {"fallback_enabled": False}}))
        cut.off_at = run.ledger.now()
        await run.until(ends[2])
        run.tell("Realtime comes back")
        hall.realtime.restore()
        cut.back_at = run.ledger.now()
        opened = {session_id for (session_id,) in await run.rows(_OPEN, {"webinar": hall.webinar_id})}
        # Who has said since that they leave may have no open session any more.
        still_in = [one.session_id for one in hall.came if one.entered_at is not None and not one.leaves_at]
        cut.open, cut.still_in = sum(session_id in opened for session_id in still_in), len(still_in)

    async def writing() -> None:
        caller = doors.user(host, plan.way(0), hall.label)
        cut.posted = await writer(hall, caller, plan.real_s(MESSAGE_S), plan.real_s(total))

    def said() -> str:
        return f"{sum(one.entered_at is not None for one in hall.came):,} came in"

    await beside(together([*people, director(), writing()]), run.report(plan.real_s(total), said))


def _poll_plot(run: Run, cut: Cut, duration_s: float) -> Plot:
    width = max(step_s(duration_s), run.plan.real_s(10))
    counts = [0] * (int(duration_s / width) + 1)
    for call in run.ledger.select([POLL]):
        counts[min(int(call.at / width), len(counts) - 1)] += 1
    times = cut.audience / run.plan.viewers / width / run.plan.speed
    return Plot(
        f"Polls of {cut.audience:,} viewers",
        "a second of the scenario",
        [number * width for number in range(len(counts))],
        {"polls": [count * times for count in counts]},
        cut.target,
    )
