"""How the cost of a ping depends on how many are present: from a thousand to ten million."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import UUID

from eventlive_db.load.bench.compare import compare
from eventlive_db.load.bench.footprint import Footprint, footprint, without_page_images
from eventlive_db.load.bench.pgbench import Script
from eventlive_db.load.bench.results import Results
from eventlive_db.load.bench.shapes import Durability, call, random_user, transaction
from eventlive_db.load.bench.stage import Database, Place
from eventlive_db.load.bench.turns import contender
from eventlive_db.load.results_parts import Mark

TABLE = "eventlive.webinar_live_presence"
MORE_PAGES = 4.0
"""Pages that a ping among the most may touch beyond those of one among the fewest: the levels of an index."""


@dataclass(frozen=True, slots=True)
class GrowthPlan:
    """How large it is.

    Attributes:
        sizes: Present users, from few to many; each number has a database of its own, so that they take turns.
        rounds: Turns that each size has.
        slice_s: How long a turn is, in seconds.
        clients: Connections.
        counted: Pings that are counted, not timed.
    """

    sizes: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    rounds: int = 7
    slice_s: float = 2.0
    clients: int = 4
    counted: int = 200


@dataclass(frozen=True, slots=True)
class Population:
    """One of the sizes.

    Attributes:
        users: How many are present.
        database: Where.
        webinar_id: In which webinar.
    """

    users: int
    database: Database
    webinar_id: UUID

    @property
    def name(self) -> str:
        """As it stands in the table."""
        return f"{self.users:,} present"

    def script(self) -> Script:
        """Any of them pings."""
        ping = call("webinar_presence_ping", f"'{self.webinar_id}'")
        return transaction(ping, random_user(self.users), Durability.SHIPPED)


def populate(place: Place, database: Database, users: int) -> Population:
    """Fill a database.

    The foreign key is not checked and nobody is registered: a ping of somebody present reads no registration, and
    ten million of them would take twice the room.
    """
    place.progress(f"{users:,} users are present")
    webinar_id = database.webinar(throttle_factor=0)
    database.connection.execute("set session_replication_role = replica")
    database.present(webinar_id, users, throttle_s=0)
    database.connection.execute("reset session_replication_role")
    database.settle()
    return Population(users, database, webinar_id)


def measure_growth(place: Place, plan: GrowthPlan) -> Results:
    """Every size.

    Args:
        place: Where.
        plan: How large.

    Raises:
        BenchError: A call failed.
    """
    figures: dict[str, tuple[float, str]] = {}
    with ExitStack() as stack:
        populations = [populate(place, stack.enter_context(place.database()), users) for users in plan.sizes]
        comparison = compare(
            f"A ping in PostgREST's transaction, {plan.clients} clients, among more and more who are present",
            [
                contender(
                    one.name,
                    one.database.pgbench,
                    one.script(),
                    clients=plan.clients,
                    reset=lambda one=one: one.database.tidy(TABLE),  # type: ignore[misc]
                )
                for one in populations
            ],
            unit="pings/s",
            base=populations[0].name,
            rounds=plan.rounds,
            slice_s=plan.slice_s,
            progress=place.progress,
        )
        found: dict[str, Footprint] = {}
        with without_page_images(place.server, populations[0].database.connection):
            for one in populations:
                place.progress(f"what a ping touches among {one.name}")
                did = footprint(one.database.connection, one.database.pgbench, one.script(), runs=plan.counted)
                found[one.name] = did
                figures[f"{one.name}: pages touched by a ping"] = (round(did.blocks, 2), "pages")
                figures[f"{one.name}: log of a ping"] = (round(did.wal_bytes, 1), "bytes")
                for what, function in (("table", "pg_table_size"), ("indexes", "pg_indexes_size")):
                    size = one.database.number(f"select {function}('{TABLE}')")
                    figures[f"{one.name}: size of the {what}"] = (round(size / 1e6, 1), "MB")
    return Results([comparison], figures, marks=[judge(found)])


def judge(found: dict[str, Footprint]) -> Mark:
    """Whether a ping among many touches no more than the levels of the index call for."""
    (fewest, few), *_, (most, many) = found.items()
    return Mark(
        f"Pages that a ping touches among {most}",
        f"at most {MORE_PAGES:.0f} more than among {fewest}, and no table read as a whole",
        f"{many.blocks - few.blocks:.1f} more, {many.seq_scans:.2f} tables read as a whole",
        many.blocks - few.blocks <= MORE_PAGES and many.seq_scans == 0,
    )
