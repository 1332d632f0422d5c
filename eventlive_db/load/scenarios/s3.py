"""S3: two webinars at once, with dashboards: one does not disturb the other, and dashboards slow down by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from eventlive_db.client import rpc
from eventlive_db.client.replies import StatsReply
from eventlive_db.load.percentiles import percentile
from eventlive_db.load.results_parts import Mark
from eventlive_db.load.scenarios.figures import (
    BEAT,
    CALL_LIMIT_S,
    ENTER,
    PING,
    PING_LIMIT_S,
    POLL,
    STATS,
    latency_mark,
    latency_plot,
    rate_plot,
    status_mark,
)
from eventlive_db.load.scenarios.ground import Doors
from eventlive_db.load.scenarios.ledger import worst_window
from eventlive_db.load.scenarios.outcome import Outcome
from eventlive_db.load.scenarios.people import Hall, Visit, dashboard, viewer
from eventlive_db.load.scenarios.plan import Plan
from eventlive_db.load.scenarios.run import Run, conduct
from eventlive_db.load.scenarios.together import beside, together

DOOR_S, TURN_S, RUSH_S = 60.0, 120.0, 20.0
"""How long the first webinar takes to fill, how long the other one is there and then not, and how fast it fills."""
TURNS = 4
LATE_S, BACK_S = 420.0, 180.0
"""How long nobody counts, and how long it is watched after that."""
DASHBOARDS = 5
RATIO, NEARLY_S = 2.0, 0.025
"""The other webinar may make calls so much slower, or by no more than this many seconds."""
LOOK_S, AGAIN_S = 60.0, 90.0
"""What dashboards are told is looked at in the last part of the time in which nobody counts, and from so long after it
on: by then it was counted again, and they have asked."""
USUAL, LATE = "admin_poll_interval_s", "admin_poll_degraded_interval_s"
DECISIVE = (USUAL, LATE)
"""Settings that a bound must not hold back."""


@dataclass(slots=True)
class Both:
    """What was seen.

    Attributes:
        first: The webinar that is measured.
        second: The one that comes and goes.
        turns: Of each turn: when the second was away from, when it came, when it had gone; in seconds.
        usual_s, late_s: How long dashboards are to wait, and once nobody has counted for a while; in seconds.
        late_at, counted_at: When counting stopped, and went on.
        told: What the dashboards were told, and when.
    """

    first: Hall
    second: Hall
    turns: list[tuple[float, float, float]] = field(default_factory=list)
    usual_s: float = 0.0
    late_s: float = 0.0
    late_at: float = 0.0
    counted_at: float = 0.0
    told: list[tuple[float, StatsReply]] = field(default_factory=list)


def run_s3(plan: Plan, install: Callable[[str], object], progress: Callable[[str], None] = lambda _: None) -> Outcome:
    """Run it; half of the viewers are in each webinar.

    Args:
        plan: How; its minutes are not used.
        install: Installs the schema in the database of a DSN.
        progress: Told what is going on.
    """

    async def scenario(run: Run, doors: Doors) -> Both:
        both = Both(await run.hall(doors, "first", title="First"), await run.hall(doors, "second", title="Second"))
        settings = await run.rows(
            "select key, (value #>> '{}')::float8 from eventlive.settings where key = any (%(keys)s)",
            {"keys": list(DECISIVE)},
        )
        both.usual_s, both.late_s = (dict(settings)[key] for key in DECISIVE)
        await _evening(run, doors, both)
        return both

    run, both = conduct(plan, install, progress, scenario, DECISIVE)
    duration_s = run.ledger.now()
    found = run.outcome("s3", f"S3: two webinars of {plan.viewers // 2:,}, {DASHBOARDS} dashboards each", duration_s)
    found.marks = _marks(run, both)
    found.plots = [
        latency_plot(run.ledger, PING, duration_s, PING_LIMIT_S),
        latency_plot(run.ledger, BEAT, duration_s, CALL_LIMIT_S),
        latency_plot(run.ledger, STATS, duration_s, CALL_LIMIT_S),
        rate_plot(run.ledger, duration_s, plan.speed, (PING, BEAT, ENTER, POLL, STATS)),
        *found.plots,
    ]
    del found.options["minutes"]
    found.summary = (
        f"One webinar of {plan.viewers // 2:,} goes on all the time. Another one comes and goes, {TURNS} times: each"
        f" time {plan.viewers // 2:,} enter within {RUSH_S:.0f} s, poll for messages and leave. Then nobody counts for"
        f" {LATE_S / 60:.0f} minutes, which dashboards learn."
    )
    return found


async def _evening(run: Run, doors: Doors, both: Both) -> None:
    plan = run.plan
    half = plan.viewers // 2
    turns_end = DOOR_S + 2 * TURNS * TURN_S
    total = turns_end + LATE_S + BACK_S
    run.lasts_s = plan.real_s(total)
    first = [
        viewer(both.first, Visit(number, plan.real_s(run.chance.uniform(0, DOOR_S)), plan.real_s(total)))
        for number in range(half)
    ]
    dashboards = []
    for hall in (both.first, both.second):
        host = hall.new_id()
        await doors.service().call(rpc.webinar_grant_role(hall.webinar_id, host, "host"))
        for number in range(DASHBOARDS):
            caller = doors.user(host, plan.way(number), hall.label)
            dashboards.append(dashboard(hall, caller, plan.real_s(total), _note(run, both)))

    async def coming_and_going() -> None:
        for turn in range(TURNS):
            begin = DOOR_S + 2 * turn * TURN_S
            comes, goes = begin + TURN_S, begin + 2 * TURN_S
            await run.until(comes)
            run.tell("the second webinar fills")
            # Without Realtime: that is the most that it can ask for.
            both.second.realtime.cut()
            await together(
                viewer(
                    both.second,
                    Visit(
                        number,
                        plan.real_s(comes + run.chance.uniform(0, RUSH_S)),
                        plan.real_s(goes - run.chance.uniform(0, RUSH_S)),
                    ),
                )
                for number in range(half)
            )
            both.second.realtime.restore()
            both.turns.append((plan.real_s(begin), plan.real_s(comes), plan.real_s(goes)))

    async def counting() -> None:
        await run.until(turns_end)
        run.tell("nobody counts")
        run.held_up.set()
        both.late_at = run.ledger.now()
        await run.until(turns_end + LATE_S)
        run.tell("the audience is counted again")
        run.held_up.clear()
        both.counted_at = run.ledger.now()

    def said() -> str:
        return f"{len(both.first.came):,} and {len(both.second.came):,} visits"

    work = together([*first, *dashboards, coming_and_going(), counting()])
    await beside(work, run.report(plan.real_s(total), said))


def _note(run: Run, both: Both) -> Callable[[StatsReply], None]:
    return lambda stats: both.told.append((run.ledger.now(), stats))


def _marks(run: Run, both: Both) -> list[Mark]:
    plan, ledger = run.plan, run.ledger
    stats = [call.at for call in ledger.select([STATS])]
    return [
        status_mark(ledger.done),
        latency_mark(ledger.select([PING], webinar="first"), "ping in the first webinar", PING_LIMIT_S),
        latency_mark(ledger.select([BEAT], webinar="first"), "heartbeat in the first webinar", CALL_LIMIT_S),
        latency_mark(ledger.select([ENTER], webinar="second"), "enter in the second webinar", CALL_LIMIT_S),
        _interference(run, both),
        told_mark("every day", [stats for at, stats in both.told if at < both.late_at], None, both.usual_s, plan.speed),
        told_mark(
            "once nobody has counted for a while",
            [stats for at, stats in both.told if both.counted_at - plan.real_s(LOOK_S) <= at < both.counted_at],
            "rollup_late",
            both.late_s,
            plan.speed,
        ),
        told_mark(
            "after it was counted again",
            [stats for at, stats in both.told if at >= both.counted_at + plan.real_s(AGAIN_S)],
            None,
            both.usual_s,
            plan.speed,
        ),
        Mark(
            f"requests of {2 * DASHBOARDS} dashboards in the worst minute",
            f"<= {2 * DASHBOARDS * 7}",
            f"{worst_window(stats, plan.real_s(60))}",
            worst_window(stats, plan.real_s(60)) <= 2 * DASHBOARDS * 7,
            note="one each ten seconds",
        ),
    ]


def _interference(run: Run, both: Both) -> Mark:
    """The 95th percentile of calls in the first webinar, while the second one is there over while it is not."""
    pairs = []
    for away, comes, goes in both.turns:
        alone, beside_it = (
            percentile([call.took for call in run.ledger.select((PING, BEAT), webinar="first", since=a, until=b)], 95)
            for a, b in ((away, comes), (comes, goes))
        )
        if alone is not None and beside_it is not None:
            pairs.append((alone, beside_it))
    ratio = median(beside_it / alone for alone, beside_it in pairs) if pairs else None
    more = median(beside_it - alone for alone, beside_it in pairs) if pairs else 0.0
    said = "no call" if ratio is None else f"{ratio:.2f}, {more * 1000:+.1f} ms"
    each = ", ".join(f"{a * 1000:.1f} and {b * 1000:.1f}" for a, b in pairs)
    return Mark(
        "first webinar, 95th percentile beside the second over that without",
        f"<= {RATIO:g}, or less than {NEARLY_S * 1000:.0f} ms more",
        said,
        ratio is not None and (ratio <= RATIO or more < NEARLY_S),
        note=f"median of {len(pairs)} turns: {each} ms",
    )


def told_mark(when: str, told: Sequence[StatsReply], degraded: str | None, wait_s: float, speed: float) -> Mark:
    """Each dashboard has to be told to wait for so long, and why where it is longer than usual.

    Args:
        when: In words.
        told: What they were told then.
        degraded: The reason that they should be given; None: none.
        wait_s: How long they should wait, in seconds.
        speed: How much faster than life it was.
    """

    def said(seconds: float, why: str | None) -> str:
        return f"{seconds * speed:.4g} s" + (f", for {why}" if why else "")

    found = sorted({said(stats.next_poll_s, stats.degraded) for stats in told})
    right = all(stats.degraded == degraded and abs(stats.next_poll_s - wait_s) < 0.001 for stats in told)
    return Mark(
        f"dashboards are told to wait, {when}",
        said(wait_s, degraded),
        " and ".join(found) or "nothing",
        bool(told) and right,
        note=f"{len(told):,} replies",
    )
