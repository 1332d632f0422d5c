"""A million viewers who ping every 120 s: 8,333 pings a second, held for minutes, and what is left to spare."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from eventlive_db.load.bench.errors import BenchError
from eventlive_db.load.bench.footprint import counters
from eventlive_db.load.bench.pgbench import Run, Script
from eventlive_db.load.bench.results import Results
from eventlive_db.load.bench.sampling import Sample, Sampler
from eventlive_db.load.bench.shapes import Durability, call, next_user, transaction
from eventlive_db.load.bench.stage import Database, Place
from eventlive_db.load.looks import hot_percent, rate
from eventlive_db.load.results_parts import Mark

INTERVAL_S = 120.0
THROTTLE_S = 60.0
HELD = 0.99
"""The part of the rate that counts as held: pgbench draws the times of its pings, so it never hits one exactly."""
WRITTEN = 0.999
"""The part of the pings that must have written; less would mean that they were throttled."""
_WARM = 0.05


@dataclass(frozen=True, slots=True)
class MillionPlan:
    """How large it is.

    Attributes:
        viewers: Present users, who ping one after the other.
        rate: Pings a second.
        seconds: How long the rate has to be held.
        peak_pings: Pings of the run without a limit, which says what is left to spare.
        clients: Connections.
        every_s: Seconds between two looks.
    """

    viewers: int = 1_000_000
    rate: float = 8400.0
    seconds: int = 600
    peak_pings: int = 300_000
    clients: int = 8
    every_s: int = 10

    def __post_init__(self) -> None:
        # Nobody may come again inside the throttle, or the ping would write nothing.
        between_s = (self.viewers - self.peak_pings) / self.rate
        if self.rate * self.seconds > self.viewers - self.peak_pings and between_s < THROTTLE_S:
            msg = (
                f"of {self.viewers:,} viewers each would ping again after {between_s:.0f} s, inside the throttle of"
                f" {THROTTLE_S:.0f} s; take more viewers, a lower rate or fewer pings at the peak"
            )
            raise BenchError(msg, token="bench_plan")


def measure_million(place: Place, plan: MillionPlan) -> Results:
    """The peak first, then the rate held.

    Args:
        place: Where.
        plan: How large.

    Raises:
        BenchError: A call failed.
    """
    with place.database() as database:
        place.progress(f"{plan.viewers:,} viewers are present")
        webinar_id = database.webinar()
        database.register(webinar_id, plan.viewers)
        database.present(webinar_id, plan.viewers, throttle_s=THROTTLE_S, age_s=INTERVAL_S)
        database.settle()
        script = pings(webinar_id, plan.viewers)
        place.progress(f"{plan.peak_pings:,} pings as fast as they can")
        peak, start = _peak(database, script, plan)
        place.progress(f"{plan.rate:,.0f} pings a second for {plan.seconds} s")
        before = counters(database.connection)
        sampler = Sampler(database)
        with database.pgbench.running(
            script, clients=plan.clients, seconds=plan.seconds, rate=plan.rate, every_s=plan.every_s, start=start
        ) as running:
            sampler.look()
            sampler.until(running.ended, plan.every_s)
            run = running.wait()
        after = counters(database.connection)
        wrote = after[1] - before[1]
    return Results(
        figures=_figures(plan, peak, run, sampler.samples),
        marks=judge(plan, run, wrote),
        plots=sampler.plots(run.points, []),
    )


def pings(webinar_id: UUID, viewers: int) -> Script:
    """One viewer after the other pings, in the transaction that PostgREST makes."""
    ping = call("webinar_presence_ping", f"'{webinar_id}'")
    return transaction(ping, next_user(viewers), Durability.SHIPPED)


def _peak(database: Database, script: Script, plan: MillionPlan) -> tuple[Run, int]:
    """The rate without a limit, and the first viewer who has not pinged in it."""
    warm = max(1, round(plan.peak_pings * _WARM / plan.clients))
    each = max(1, plan.peak_pings // plan.clients - warm)
    database.pgbench.run(script, clients=plan.clients, runs=warm)
    run = database.pgbench.run(script, clients=plan.clients, runs=each, start=warm * plan.clients)
    return run, (warm + each) * plan.clients


def _figures(plan: MillionPlan, peak: Run, run: Run, samples: list[Sample]) -> dict[str, tuple[float, str]]:
    first, last = samples[0], samples[-1]
    busy = rate(first, last, lambda one: one.cpu_s)
    log = rate(first, last, lambda one: one.wal_bytes, 1e6)
    who = f"{plan.viewers:,} viewers"
    found: dict[str, tuple[float, str]] = {
        f"{who}: pings a second, held": (round(run.rate, 1), "pings/s"),
        f"{who}: pings a second at most": (round(peak.rate, 1), "pings/s"),
        f"{who}: what is left to spare": (round(peak.rate / plan.rate, 2), "times the rate"),
        f"{who}: mean latency of a ping": (run.latency_ms, "ms"),
        f"{who}: log": (round(log or 0.0, 3), "MB/s"),
        f"{who}: HOT": (round(hot_percent(first, last) or 0.0, 2), "%"),
        f"{who}: size of the table, at first": (round(first.table_bytes / 1e6, 1), "MB"),
        f"{who}: size of the table, at last": (round(last.table_bytes / 1e6, 1), "MB"),
        f"{who}: dead rows, at most": (max(sample.dead for sample in samples), "rows"),
        f"{who}: vacuums meanwhile": (last.vacuums - first.vacuums, "vacuums"),
    }
    if busy is not None:
        found[f"{who}: processors that the server kept busy"] = (round(busy, 2), "cores")
    return found


def judge(plan: MillionPlan, run: Run, wrote: float) -> list[Mark]:
    """Whether the rate was held, and whether its pings were pings.

    Args:
        plan: What was wanted.
        run: What came of it.
        wrote: Rows updated meanwhile.
    """
    return [
        Mark(
            f"Pings a second of {plan.viewers:,} viewers, held for {plan.seconds} s",
            f"{plan.rate:,.0f}",
            f"{run.rate:,.0f}",
            run.rate >= HELD * plan.rate,
        ),
        Mark(
            "Pings of these that wrote",
            f"at least {WRITTEN:.1%}",
            f"{wrote / run.done:.2%}",
            wrote >= WRITTEN * run.done,
        ),
    ]
