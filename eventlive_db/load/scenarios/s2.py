"""S2: Realtime is cut for everybody, who then poll for messages; the polls have a ceiling, whatever the audience."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import sqrt

from eventlive_db.client import rpc
from eventlive_db.load.percentiles import percentile
from eventlive_db.load.results_parts import COMPUTED, MEASURED, SAMPLED, Mark, Plot
from eventlive_db.load.scenarios.figures import (
    BEAT,
    CALL_LIMIT_S,
    ENTER,
    PING,
    PING_LIMIT_S,
    POLL,
    latency_mark,
    latency_plot,
    rate_plot,
    status_mark,
    step_s,
)
from eventlive_db.load.scenarios.ground import Doors
from eventlive_db.load.scenarios.ledger import worst_window
from eventlive_db.load.scenarios.outcome import Outcome
from eventlive_db.load.scenarios.people import Hall, Visit, viewer, writer
from eventlive_db.load.scenarios.plan import Plan
from eventlive_db.load.scenarios.reading import Post, reading_mark
from eventlive_db.load.scenarios.run import Run, conduct
from eventlive_db.load.scenarios.together import beside, together

SIZES = (1_000, 10_000, 100_000)
DOOR_S, BEFORE_S, LEAST_CUT_S, INTERVALS, OFF_S, AFTER_S = 60.0, 360.0, 300.0, 2.5, 300.0, 60.0
"""How long the parts take. Before the cut everybody has beaten once, and so knows how often to poll."""
EARLY_S = 120.0
"""At one size it is cut for so long before that too, as the door closes: few have beaten, and none was counted."""
MESSAGE_S = 5.0
RETRY_AFTER_S = 300.0
WINDOW_S = 60.0
SIGMAS, JITTER = 4.0, 0.02
"""How far a part of the audience that is sampled may stray from the whole."""
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


@dataclass(slots=True)
class Cut:
    """What was seen.

    Attributes:
        hall: The webinar, with its visits.
        audience: Viewers in all, those included of whom the database has no more than a row.
        target: Polls a second that the webinar may cost, of the scenario.
        interval_s: What clients are told at this audience, in seconds of the scenario.
        early: Whether Realtime is cut as the door closes too.
        cut_at, off_at, back_at: When Realtime went, polling was switched off, and Realtime came back; in seconds.
        early_at, calm_at: When it went for the first time, and when it was back from that.
        posted: The messages.
        open: Sessions that were open as Realtime came back, of those who were still in then.
        still_in: Those who were.
        paced: What clients would be told at other audiences.
    """

    hall: Hall
    audience: int
    target: float
    interval_s: float
    early: bool = False
    cut_at: float = 0.0
    off_at: float = 0.0
    back_at: float = 0.0
    early_at: float = 0.0
    calm_at: float = 0.0
    posted: list[Post] = field(default_factory=list)
    open: int = 0
    still_in: int = 0
    paced: dict[int, float] = field(default_factory=dict)


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
    polls = _polls(run, cut)
    rate = len(polls) / max(cut.off_at - cut.cut_at, 1e-9) / plan.speed * size / plan.viewers
    found.marks = _marks(run, cut)
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


def _polls(run: Run, cut: Cut) -> list[float]:
    return [call.at for call in run.ledger.select([POLL], since=cut.cut_at, until=cut.off_at)]


def _ceiling(run: Run, cut: Cut, polls: list[float], when: str, note: str, least: int = 1) -> Mark:
    """That so many polls are no more than there may be, and no fewer than shows that there were any."""
    times = cut.audience / run.plan.viewers
    worst = worst_window(polls, run.plan.real_s(WINDOW_S)) / WINDOW_S * times
    expected = cut.target * WINDOW_S / times
    allowed = cut.target * (1 + SIGMAS / sqrt(max(expected, 1)) + JITTER)
    return Mark(
        f"polls a second of {cut.audience:,} viewers, {when}in the worst minute",
        f"<= {cut.target:g}, {allowed:.0f} where the sample strays",
        f"{worst:.1f}",
        len(polls) >= least and worst <= allowed,
        MEASURED if cut.audience <= run.plan.viewers else SAMPLED,
        f"{len(polls):,} polls of {run.plan.viewers:,} viewers; {note}",
    )


def _marks(run: Run, cut: Cut) -> list[Mark]:
    plan, ledger, hall = run.plan, run.ledger, cut.hall
    off = ledger.select([POLL], since=cut.off_at, until=cut.back_at)
    most_off = plan.viewers * (1 + OFF_S / (0.9 * max(RETRY_AFTER_S, cut.interval_s)))
    others = [call for call in ledger.done if not (call.function == POLL and call.token == "fallback_disabled")]
    marks = [
        _ceiling(run, cut, _polls(run, cut), "", f"told to poll each {cut.interval_s:.0f} s"),
        *([_early(run, cut)] if cut.early else []),
        status_mark(others),
        *(
            latency_mark(
                ledger.select([function], since=cut.cut_at, until=cut.off_at), f"{name} while Realtime is away", limit
            )
            for function, name, limit in (
                (PING, "ping", PING_LIMIT_S),
                (BEAT, "heartbeat", CALL_LIMIT_S),
                (POLL, "poll", CALL_LIMIT_S),
            )
        ),
        _slower(run, cut),
        Mark(
            "sessions of those who watch that are open as Realtime comes back",
            f"{cut.still_in:,}",
            f"{cut.open:,}",
            0 < cut.still_in == cut.open,
        ),
        reading_mark(cut.posted, [(one.polls, one.received) for one in hall.came]),
        Mark(
            "polls once they are switched off",
            f"<= {most_off:,.0f} in {OFF_S:.0f} s",
            f"{len(off):,}",
            len(off) <= most_off and all(call.status == 429 for call in off if call.at > cut.off_at + 1),
            note="each answered with 429, and when to come back",
        ),
    ]
    rates = {audience: audience / seconds for audience, seconds in cut.paced.items()}
    marks.append(
        Mark(
            "polls a second as clients are told, at each audience",
            f"<= {cut.target:g}",
            ", ".join(f"{rate:.0f} at {audience:,}" for audience, rate in sorted(rates.items())),
            all(rate <= cut.target * 1.001 for rate in rates.values()),
            COMPUTED,
        )
    )
    return marks


def _early(run: Run, cut: Cut) -> Mark:
    polls = [call.at for call in run.ledger.select([POLL], since=cut.early_at, until=cut.calm_at)]
    beaten = len(run.ledger.select([BEAT], until=cut.early_at))
    return _ceiling(run, cut, polls, "where Realtime is cut as the door closes, ", f"{beaten:,} had beaten", least=0)


def _slower(run: Run, cut: Cut) -> Mark:
    """What the polls do to the rest."""
    hot = (PING, BEAT)
    before = percentile([call.took for call in run.ledger.select(hot, since=cut.calm_at, until=cut.cut_at)], 95)
    after = percentile([call.took for call in run.ledger.select(hot, since=cut.cut_at, until=cut.off_at)], 95)
    said = "no call" if before is None or after is None else f"{after / before:.2f}"
    return Mark(
        "pings and heartbeats, 95th percentile beside polls over that without",
        "told",
        said,
        before is not None and after is not None,
        note=None if before is None or after is None else f"{before * 1000:.1f} and {after * 1000:.1f} ms",
    )


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
