"""A ping against the bare UPDATE by key, which is the limit: what the function costs beyond what it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eventlive_db.load.bench.compare import Comparison, compare
from eventlive_db.load.bench.crowd import (
    BATCHED,
    BY_ITSELF,
    EMPTY,
    FIRST,
    IN_TRANSACTION,
    PING,
    THROTTLED,
    UPDATE,
    Crowd,
    crowded,
)
from eventlive_db.load.bench.footprint import Footprint, footprint, without_page_images
from eventlive_db.load.bench.pgbench import Mode
from eventlive_db.load.bench.results import Results
from eventlive_db.load.bench.shapes import Durability
from eventlive_db.load.bench.stage import Database, Place
from eventlive_db.load.bench.turns import Ration, contender
from eventlive_db.load.results_parts import Mark

TARGETS = {PING: 0.95, THROTTLED: 1.5}
BATCH_TARGET = 10.0
TABLES = ("eventlive.webinar_live_presence", "bench.presence")
_HOT = 0.99


@dataclass(frozen=True, slots=True)
class PingPlan:
    """How large it is.

    Attributes:
        users: Present users, any of whom may ping next.
        batches: Different batches.
        rounds: Turns that each contender has.
        slice_s: How long a turn is, in seconds.
        clients: Numbers of connections to try.
        modes: Protocols to speak.
        shapes: How a call reaches the database.
        durabilities: How commits are waited for.
        counted: Runs of each script that are counted, not timed.
    """

    users: int = 100_000
    batches: int = 500
    rounds: int = 7
    slice_s: float = 2.0
    clients: tuple[int, ...] = (1, 4)
    modes: tuple[Mode, ...] = ("prepared",)
    shapes: tuple[str, ...] = (BY_ITSELF, IN_TRANSACTION)
    durabilities: tuple[Durability, ...] = tuple(Durability)
    counted: int = 100


def measure_ping(place: Place, plan: PingPlan) -> Results:
    """Every shape, durability and number of connections.

    Args:
        place: Where.
        plan: How large.

    Raises:
        BenchError: A call failed.
    """
    comparisons: list[Comparison] = []
    figures: dict[str, tuple[float, str]] = {}
    marks: list[Mark] = []
    with crowded(place, plan.users, plan.batches) as (database, crowd):
        for mode in plan.modes:
            for clients in plan.clients:
                for shape in plan.shapes:
                    for durability in plan.durabilities:
                        comparisons += _compared(database, crowd, plan, place, mode, clients, shape, durability)
        place.progress("what each of them writes")
        with without_page_images(place.server, database.connection):
            for shape in plan.shapes:
                for durability in plan.durabilities:
                    place.progress(f"what each of them writes, {shape}, {durability.value}")
                    found = footprints(database, crowd, plan, shape, durability)
                    figures |= _figures(found, f"{shape}, {durability.value}")
                    marks += judge(found, f"{shape}, {durability.value}")
    return Results(comparisons, figures, marks=marks, notes=[_NOTE])


def _compared(
    database: Database,
    crowd: Crowd,
    plan: PingPlan,
    place: Place,
    mode: Mode,
    clients: int,
    shape: str,
    durability: Durability,
) -> list[Comparison]:
    ration = Ration(crowd.users, lambda: forget(database, crowd))
    scripts = crowd.scripts(shape, durability)
    forget(database, crowd)
    equal = durability is not Durability.SHIPPED
    one = compare(
        f"Ping {shape}, {clients} client{'s' * (clients > 1)}, {mode}; {durability.value}",
        [
            contender(
                name,
                database.pgbench,
                script,
                clients=clients,
                mode=mode,
                reset=lambda: database.tidy(*TABLES),
                ration=ration if name == FIRST else None,
            )
            for name, script in scripts.items()
        ],
        unit="pings/s",
        base=UPDATE,
        rounds=plan.rounds,
        slice_s=plan.slice_s,
        targets=TARGETS if equal else {},
        progress=place.progress,
    )
    batches = Comparison(
        f"Batches: {one.title}",
        "pings/s",
        PING,
        {name: one.rates[name] for name in (PING, BATCHED)},
        {BATCHED: BATCH_TARGET} if equal else {},
    )
    return [one, batches]


def forget(database: Database, crowd: Crowd) -> None:
    """Make all of the fresh webinar's users absent again."""
    database.connection.execute(
        "delete from eventlive.webinar_live_presence where webinar_id = %s", [crowd.fresh], prepare=False
    )
    database.tidy(TABLES[0])


def footprints(
    database: Database, crowd: Crowd, plan: PingPlan, shape: str, durability: Durability
) -> dict[str, Footprint]:
    """What each of the contenders did, counted."""
    found = {}
    forget(database, crowd)
    for name, script in crowd.scripts(shape, durability).items():
        # A page that one has left full of dead rows is tidied up by whoever reads it next, and that is logged.
        database.tidy(*TABLES)
        runs = min(plan.counted, crowd.users) if script.operations == 1 else max(1, plan.counted // 10)
        found[name] = footprint(database.connection, database.pgbench, script, runs=runs)
    return found


def judge(found: Mapping[str, Footprint], where: str) -> list[Mark]:
    """Whether each of them did what its name says; if not its rate is of something else."""
    marks = []
    for name, did in found.items():
        if name in {THROTTLED, EMPTY}:
            wanted, kept = "no row, no log", did.updates == did.inserts == did.wal_bytes == 0
        elif name == FIRST:
            wanted, kept = "1 row inserted", did.inserts == 1 and did.updates == 0
        else:
            wanted = "1 row updated, HOT"
            kept = did.updates == 1 and did.hot_ratio >= _HOT and did.inserts == 0
        said = (
            f"{did.updates:.2f} updated, of these {did.hot_ratio:.0%} HOT, {did.inserts:.2f} inserted,"
            f" {did.wal_bytes:.0f} bytes of log"
        )
        marks.append(Mark(f"What a {name} writes {where}", wanted, said, kept))
    return marks


def _figures(found: Mapping[str, Footprint], where: str) -> dict[str, tuple[float, str]]:
    return {
        f"{name}, {where}: {what}": (round(value, 1), unit)
        for name, did in found.items()
        for what, value, unit in (("log", did.wal_bytes, "bytes"), ("pages touched", did.blocks, "pages"))
    }


_NOTE = (
    "A ping commits asynchronously unless its transaction has an id already. Where every commit is waited for, each"
    " contender takes an id first, the UPDATE too."
)
