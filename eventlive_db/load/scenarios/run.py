"""What every scenario does: make a place, open the doors, let the jobs run, look at the server, and put it together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo

from eventlive_db.client import rpc
from eventlive_db.errors import AdvisedError
from eventlive_db.load.scenarios.faults import UNBOUNDED_POLLER
from eventlive_db.load.scenarios.figures import call_table, error_plot, server_plots, statement_table
from eventlive_db.load.scenarios.ground import Doors, Ground, open_doors, open_ground, ways_of
from eventlive_db.load.scenarios.ledger import Ledger
from eventlive_db.load.scenarios.outcome import Outcome
from eventlive_db.load.scenarios.people import Hall
from eventlive_db.load.scenarios.plan import WARM_UP, Plan
from eventlive_db.load.scenarios.sampler import Sample, Sampler, Statement, forget_statements, statements
from eventlive_db.load.scenarios.together import in_time, run_loop, together

Found = TypeVar("Found")
_SAMPLES = 1200
_ROLLUP_S, _CLOSE_S = 60.0, 300.0
_IMPATIENT_S = 2.0
_WARM_UPS = 3


class SpeedError(AdvisedError):
    """A scenario cannot be run at a speed."""

    token = "speed_not_possible"


@dataclass(slots=True)
class Run:
    """One run.

    Attributes:
        plan: How it goes.
        ground: Where.
        ledger: Its calls.
        progress: Told what is going on.
        chance: Source of chance.
        at: When it began.
        samples: Looks at the server.
        statements: What was run in it.
        events: What happened, and when, in seconds since the beginning.
        held_up: Set while the jobs do not run.
        lasts_s: How long it is going to be, in seconds; known once it has begun.
    """

    plan: Plan
    ground: Ground
    ledger: Ledger
    progress: Callable[[str], None]
    chance: Random
    at: datetime
    samples: list[Sample] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    held_up: threading.Event = field(default_factory=threading.Event)
    lasts_s: float = 0.0

    def tell(self, text: str) -> None:
        """Something happens, which plots show."""
        self.events.append((self.ledger.now(), text))
        self.progress(text)

    async def hall(self, doors: Doors, label: str, **properties: Any) -> Hall:
        """Make a webinar that is live, and a hall for its visitors; its slug is ``load-`` and the label."""
        service = doors.service()
        webinar = await service.call(rpc.webinar_create(f"load-{label}", **properties))
        await service.call(rpc.webinar_set_status(webinar.webinar_id, "live"))
        impatient_s = self.plan.real_s(_IMPATIENT_S) if UNBOUNDED_POLLER in self.plan.faults else None
        return Hall(doors, self.ledger, webinar.webinar_id, label, self.chance, self.plan.ways, impatient_s=impatient_s)

    async def execute(self, statement: str, parameters: Mapping[str, object] | None = None) -> None:
        """Run a statement as the superuser."""
        await asyncio.to_thread(self._execute, statement, parameters, rows=False)

    async def rows(self, query: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query as the superuser."""
        return await asyncio.to_thread(self._execute, query, parameters, rows=True)

    async def count(self) -> None:
        """Have the audience counted, as the job does each minute."""
        await self.execute("call eventlive.run_job('rollup_live')")

    def _execute(self, statement: str, parameters: Mapping[str, object] | None, *, rows: bool) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.ground.dsn, autocommit=True, options=self.plan.patience) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if rows else []

    async def until(self, scenario_s: float) -> None:
        """Wait until then, in seconds of the scenario since the beginning."""
        await asyncio.sleep(max(0.0, self.plan.real_s(scenario_s) - self.ledger.now()))

    async def report(self, total_s: float, said: Callable[[], str]) -> None:
        """Tell once a second how far it is."""
        while True:
            now = self.ledger.now()
            minute = self.plan.real_s(60)
            recent = self.ledger.select(since=now - minute)
            wrong = sum(call.token is not None for call in self.ledger.done)
            self.progress(
                f"{_clock(now * self.plan.speed)} of {_clock(total_s * self.plan.speed)}: {said()},"
                f" {len(recent):,} requests in the last minute, {wrong:,} refused"
            )
            await asyncio.sleep(1)

    def left_s(self) -> float:
        """How much longer it may go on, in seconds."""
        return self.lasts_s + self.plan.margin_s - self.ledger.now()

    def outcome(self, scenario: str, title: str, duration_s: float) -> Outcome:
        """What all scenarios tell: where, how, and every call."""
        names = list(self.ground.pids)
        found = Outcome(
            scenario=scenario,
            title=title,
            at=self.at.isoformat(timespec="seconds"),
            machine=dict(self.ground.machine),
            options={
                "viewers": self.plan.viewers,
                "minutes": self.plan.minutes,
                "speed": self.plan.speed,
                "via": ways_of(self.ground),
                "rows of earlier webinars": self.plan.history,
                "seed": self.plan.seed,
                **({"faults": ", ".join(self.plan.faults)} if self.plan.faults else {}),
            },
            settings=dict(self.ground.scaled.settings),
            duration_s=round(duration_s, 1),
            calls=call_table(self.ledger),
            plots=[error_plot(self.ledger, duration_s), *server_plots(self.samples, names)],
            events=list(self.events),
            statements=statement_table(self.statements),
            notes=list(self.ground.scaled.held.values()),
        )
        if self.plan.speed != 1:
            found.notes.append(
                f"Time passed {self.plan.speed:g} times as fast as in life, and requests came as many times as often:"
                " latencies are those under that load."
            )
        found.notes.append("The driver, PostgREST and Postgres shared this machine's processors.")
        return found


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def conduct(
    plan: Plan,
    install: Callable[[str], object],
    progress: Callable[[str], None],
    scenario: Callable[[Run, Doors], Coroutine[Any, Any, Found]],
    decisive: Collection[str] = (),
) -> tuple[Run, Found]:
    """Run a scenario in a place of its own.

    Args:
        plan: How.
        install: Installs the schema in the database of a DSN.
        progress: Told what is going on.
        scenario: Does it; the ledger has begun. It has to say how long it lasts.
        decisive: Settings by which marks are passed or missed.

    Raises:
        SpeedError: Bounds hold one of these at this speed.
        OverdueError: It was not over long after it should have been.
        EventliveError, psycopg.Error: What it cannot do without did not work.
    """
    with open_ground(plan, install, progress) as ground:
        if held := [said for key, said in ground.scaled.held.items() if key in decisive]:
            msg = f"at this speed marks would say nothing: {'; '.join(held)}"
            raise SpeedError(msg, "Give a --speed nearer to 1")
        ledger = Ledger()
        chance = Random(plan.seed)  # noqa: S311  # arrival times, not secrets
        run = Run(plan, ground, ledger, progress, chance, datetime.now(UTC))

        async def main() -> Found:
            async with open_doors(ground, ledger) as doors:
                ledger.begin()
                await in_time(_warm_up(run, doors), run.left_s)
                forget_statements(ground.dsn)
                ledger.done.clear()
                ledger.begin()
                patient = make_conninfo(ground.dsn, options=plan.patience)
                sampler = Sampler(patient, ledger.now, _every_s(plan), list(ground.pids.values()))
                with ExitStack() as stack:
                    run.samples = stack.enter_context(sampler.looking())
                    stack.enter_context(_jobs(ground, run.held_up))
                    found = await in_time(scenario(run, doors), run.left_s)
                run.statements = await asyncio.to_thread(statements, ground.dsn)
                return found

        return run, run_loop(main())


async def _warm_up(run: Run, doors: Doors) -> None:
    """Have each connection make each call once: the first time it reads the catalog, which is not what a call costs."""
    hall = await run.hall(doors, WARM_UP, settings={"throttle_factor": 0})

    async def visit(way: str) -> None:
        caller = doors.user(hall.new_id(), way)
        session_id = hall.new_id()
        await caller.call(rpc.webinar_register(hall.webinar_id))
        entry = await caller.call(rpc.webinar_enter(hall.webinar_id, session_id))
        await caller.call(rpc.webinar_presence_ping(hall.webinar_id))
        await caller.call(rpc.webinar_session_heartbeat(hall.webinar_id, session_id))
        await caller.call(rpc.webinar_leave(hall.webinar_id, session_id, entry.leave_token))

    for _ in range(_WARM_UPS):
        await together(visit(way) for way in run.plan.ways for _ in range(2 * run.plan.connections))
    await doors.service().call(rpc.webinar_set_status(hall.webinar_id, "ended"))


def _every_s(plan: Plan) -> float:
    return max(0.5, plan.real_s(60 * plan.minutes) / _SAMPLES)


@contextmanager
def _jobs(ground: Ground, held_up: threading.Event) -> Iterator[None]:
    """Have the jobs run that a webinar needs while it goes on, as often as by the clock.

    Args:
        ground: Where.
        held_up: While it is set, none runs.

    Raises:
        psycopg.Error: One failed.
    """
    stop = threading.Event()
    failed: list[BaseException] = []

    def work(job: str, every_s: float) -> None:
        try:
            with psycopg.connect(ground.dsn, autocommit=True, options=ground.plan.patience) as connection:
                while not stop.wait(every_s):
                    if not held_up.is_set():
                        connection.execute("call eventlive.run_job(%s)", [job])
        except BaseException as error:  # raised below
            failed.append(error)

    jobs = {"rollup_live": _ROLLUP_S, "close_expired_sessions": _CLOSE_S}
    threads = [
        threading.Thread(target=work, args=(job, ground.plan.real_s(every_s)), name=f"job {job}", daemon=True)
        for job, every_s in jobs.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]
