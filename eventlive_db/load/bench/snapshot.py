"""A transaction elsewhere keeps its snapshot for minutes while pings go on: what it costs, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from eventlive_db.load.bench.results import Results
from eventlive_db.load.bench.sampling import TABLE, Sample, Sampler
from eventlive_db.load.bench.shapes import Durability, call, random_user, transaction
from eventlive_db.load.bench.stage import Database, Place
from eventlive_db.load.looks import hot_percent, rate
from eventlive_db.load.results_parts import Mark


@dataclass(frozen=True, slots=True)
class SnapshotPlan:
    """How large it is.

    Attributes:
        users: Present users, any of whom may be next.
        rate: Pings a second; None: as many as there can be.
        before_s: Seconds of pings before the snapshot is taken.
        held_s: Seconds for which it is held.
        after_s: Seconds of pings after it is gone.
        every_s: Seconds between two looks.
        clients: Connections.
    """

    users: int = 100_000
    rate: float | None = 2000.0
    before_s: int = 60
    held_s: int = 600
    after_s: int = 180
    every_s: int = 5
    clients: int = 4

    @property
    def seconds(self) -> int:
        """How long pings are sent."""
        return self.before_s + self.held_s + self.after_s


@contextmanager
def snapshot(dsn: str) -> Iterator[None]:
    """Hold a snapshot for as long as the block goes, as a forgotten report does."""
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("select count(*) from pg_catalog.pg_class")
        yield
        connection.rollback()


def measure_snapshot(place: Place, plan: SnapshotPlan) -> Results:
    """Pings before, beside and after it.

    Args:
        place: Where.
        plan: How large.

    Raises:
        BenchError: A call failed.
    """
    with place.database() as database:
        place.progress(f"{plan.users:,} users are present")
        webinar_id = database.webinar(throttle_factor=0)
        database.register(webinar_id, plan.users)
        database.present(webinar_id, plan.users, throttle_s=0)
        database.settle()
        ping = call("webinar_presence_ping", f"'{webinar_id}'")
        script = transaction(ping, random_user(plan.users), Durability.SHIPPED)
        sampler = Sampler(database)
        with database.pgbench.running(
            script, clients=plan.clients, seconds=plan.seconds, rate=plan.rate, every_s=plan.every_s
        ) as pings:
            began = sampler.look()

            def passed(seconds: float) -> bool:
                return pings.ended() or sampler.now() >= seconds

            place.progress(f"pings before the snapshot, {plan.before_s} s")
            sampler.until(lambda: passed(plan.before_s), plan.every_s)
            taken = sampler.samples[-1]
            place.progress(f"pings beside the snapshot, {plan.held_s} s")
            with snapshot(database.dsn):
                sampler.until(lambda: passed(plan.before_s + plan.held_s), plan.every_s)
            gone = sampler.samples[-1]
            place.progress(f"pings after the snapshot, {plan.after_s} s")
            sampler.until(pings.ended, plan.every_s)
            run = pings.wait()
        ended = sampler.samples[-1]
        vacuumed = _vacuum(database, sampler)
    events = [(taken.t, "The snapshot is taken"), (gone.t, "The snapshot is gone")]
    figures: dict[str, tuple[float, str]] = {"snapshot, pings a second over all": (round(run.rate, 1), "pings/s")}
    for when, since, at in (("before", began, taken), ("beside", taken, gone), ("after", gone, ended)):
        figures |= _figures(f"snapshot, {when} it", since, at)
    figures["snapshot, after a last vacuum: size of the table"] = (round(vacuumed.table_bytes / 1e6, 1), "MB")
    figures["snapshot, after a last vacuum: size of the indexes"] = (round(vacuumed.index_bytes / 1e6, 1), "MB")
    figures["snapshot, after a last vacuum: dead rows"] = (vacuumed.dead, "rows")
    return Results(figures=figures, marks=[judge(vacuumed)], plots=sampler.plots(run.points, events))


def _vacuum(database: Database, sampler: Sampler) -> Sample:
    database.tidy(TABLE)
    return sampler.look()


def _figures(when: str, since: Sample, at: Sample) -> dict[str, tuple[float, str]]:
    pings = rate(since, at, lambda one: one.updates)
    return {
        f"{when}: pings": (round(pings or 0.0, 1), "pings/s"),
        f"{when}: HOT": (round(hot_percent(since, at) or 0.0, 2), "%"),
        f"{when}: log": (round((at.wal_bytes - since.wal_bytes) / max(at.updates - since.updates, 1), 1), "bytes/ping"),
        f"{when}: size of the table at its end": (round(at.table_bytes / 1e6, 1), "MB"),
        f"{when}: size of the indexes at its end": (round(at.index_bytes / 1e6, 1), "MB"),
        f"{when}: dead rows at its end": (at.dead, "rows"),
    }


def judge(vacuumed: Sample) -> Mark:
    """Whether nothing dead is left once the snapshot is gone and the table was vacuumed."""
    return Mark("Dead rows after the snapshot and a vacuum", "none", f"{vacuumed.dead:,.0f}", vacuumed.dead == 0)
