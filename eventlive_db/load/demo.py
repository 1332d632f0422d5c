"""A webinar from the door to the end, with a few hundred viewers over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from uuid import UUID, uuid4

from eventlive_db.load import aftermath, viewers
from eventlive_db.load.stage import APPLICATION_NAME, Stage, gather_all, open_stage
from eventlive_db.load.tally import CallSummary


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """Who comes, and how long it lasts.

    Attributes:
        viewers: People in all.
        connections: Connections they share, as behind a gateway.
        seconds: From the opening of the door to the end.
        seed: Two runs with one seed send the same people.
    """

    viewers: int = 300
    connections: int = 40
    seconds: float = 25.0
    seed: int = 1

    @property
    def strangers(self) -> int:
        """Signed in, not registered, and pinging."""
        return max(1, self.viewers // 12)

    @property
    def guests(self) -> int:
        """Not signed in."""
        return max(1, self.viewers // 8)

    @property
    def duplicates(self) -> int:
        """Users with two tabs."""
        return max(2, self.viewers // 15)

    @property
    def attendees(self) -> int:
        """Everybody else."""
        return max(1, self.viewers - self.strangers - self.guests - self.duplicates)


@dataclass(frozen=True, slots=True)
class LiveView:
    """What can be seen while it runs."""

    elapsed_s: float
    calls: int
    present: int
    guests: int
    pings: int
    heartbeats: int
    errors: dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What came of it.

    Attributes:
        calls: By function.
        errors: Refusals by function and token.
        failures: Calls that broke otherwise; should be empty.
        ping_cost: None where auto_explain is missing; ``ping_cost_missing`` says why.
        hot_ratio: Part of the presence updates that were HOT; None before the first update.
        replaced_tabs: First tabs that learned that another tab had taken over.
        traces: What is in the tables afterwards.
    """

    calls: list[CallSummary]
    errors: dict[tuple[str, str], int]
    failures: dict[str, int]
    ping_cost: aftermath.PingCost | None
    ping_cost_missing: str
    hot_ratio: float | None
    replaced_tabs: int
    traces: aftermath.Traces

    @property
    def broken(self) -> list[str]:
        """The promises that did not hold, each as a sentence; a cost that could not be measured breaks none."""
        cost = self.ping_cost
        unexpected = sorted(
            f"{function}: {token}" for function, token in self.errors if (function, token) not in EXPECTED
        )
        checks = {
            "a ping registered somebody": self.traces.registrations_by_ping > 0,
            "sessions were left open": self.traces.open_sessions > 0,
            "calls failed": bool(self.failures),
            f"calls were refused that should not be ({', '.join(unexpected)})": bool(unexpected),
            "a ping took more than one statement": cost is not None and cost.statements > 1,
            "a throttled ping wrote a row": cost is not None and cost.throttled_writes > 0,
            "presence updates were not HOT": self.hot_ratio is not None and self.hot_ratio < MIN_HOT_RATIO,
        }
        return [promise for promise, is_broken in checks.items() if is_broken]

    @property
    def passed(self) -> bool:
        """Whether everything that is promised held."""
        return not self.broken


EXPECTED = {("webinar_presence_ping", "not_registered"), ("webinar_enter", "duplicate_session")}
"""What strangers who ping, and users with two tabs, are told."""

MIN_HOT_RATIO = 0.95
"""Far from what an index on a heartbeat's column leaves (0), and loose enough for a crowd so small that one page that
is full for a moment weighs. The tests hold 0.999 over 100,000 pings."""

FAST_SETTINGS: dict[str, object] = {"presence_ping_interval_s": 2, "session_heartbeat_interval_s": 5}
"""Intervals for a webinar that lasts half a minute; in life they are 120 and 300 s."""


async def run_demo(dsn: str, plan: DemoPlan, show: Callable[[LiveView], None]) -> DemoReport:
    """Run the webinar.

    Args:
        dsn: A database with the schema, and a role that may become the client roles.
        plan: Who comes.
        show: Called about twice a second while it runs.

    Returns:
        The figures of the run.

    Raises:
        psycopg.Error: The database could not be reached.
    """
    random = Random(plan.seed)  # noqa: S311 -- arrival times, not secrets
    async with open_stage(dsn, plan.connections) as stage:
        webinar_id = await stage.create_webinar(
            f"demo-{uuid4()}", FAST_SETTINGS, title="Demonstration", access_policy="guest_allowed"
        )
        started = asyncio.get_running_loop().time()
        venue = viewers.Venue(webinar_id, plan.seconds / 4, started + plan.seconds, random)
        strangers = [venue.new_id() for _ in range(plan.strangers)]
        display = asyncio.create_task(_display(stage, webinar_id, started, show))
        try:
            replaced = await _crowd(stage, venue, plan, strangers)
        finally:
            display.cancel()
    hot_ratio = await asyncio.to_thread(aftermath.hot_ratio, dsn, APPLICATION_NAME)
    ping_cost, missing = await asyncio.to_thread(aftermath.measure_ping, dsn, webinar_id)
    async with open_stage(dsn, 1) as closing:
        await closing.end_webinar(webinar_id)
    traces = await asyncio.to_thread(aftermath.read_traces, dsn, webinar_id, strangers)
    return DemoReport(
        calls=stage.tally.summary(),
        errors=dict(stage.tally.errors),
        failures=dict(stage.tally.failures),
        ping_cost=ping_cost,
        ping_cost_missing=missing,
        hot_ratio=hot_ratio,
        replaced_tabs=replaced,
        traces=traces,
    )


async def _crowd(stage: Stage, venue: viewers.Venue, plan: DemoPlan, strangers: list[UUID]) -> int:
    """Send everybody and wait until they have gone; how many first tabs were taken over."""
    chance = venue.random
    states: list[str] = []

    async def tabs(takes_over: bool) -> None:
        states.append(await viewers.two_tabs(stage, venue, takes_over=takes_over))

    people = [
        viewers.attendee(stage, venue, register_first=chance.random() < 0.5, leaves_early=chance.random() < 0.3)
        for _ in range(plan.attendees)
    ]
    people += [viewers.guest(stage, venue) for _ in range(plan.guests)]
    people += [viewers.stranger(stage, venue, user_id) for user_id in strangers]
    people += [tabs(takes_over=number % 2 == 0) for number in range(plan.duplicates)]
    await gather_all(*map(asyncio.create_task, people))
    return states.count("replaced")


async def _display(stage: Stage, webinar_id: UUID, started: float, show: Callable[[LiveView], None]) -> None:
    while True:
        # What a job does by the clock in production: count the audience, from which the pace follows.
        await stage.query("select eventlive.refresh_webinar_live(%s)::text", webinar_id)
        [(present, guests)] = await stage.query(
            "select participants, guests from eventlive.webinar_live where webinar_id = %s", webinar_id
        )
        tally = stage.tally
        show(
            LiveView(
                elapsed_s=asyncio.get_running_loop().time() - started,
                calls=tally.calls,
                present=present,
                guests=guests,
                pings=tally.count("webinar_presence_ping"),
                heartbeats=tally.count("webinar_session_heartbeat"),
                errors=dict(tally.errors),
            )
        )
        await asyncio.sleep(0.5)
