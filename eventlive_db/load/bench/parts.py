"""The parts of the benchmark, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from eventlive_db.load.bench.client import compare_clients
from eventlive_db.load.bench.errors import MissingToolError
from eventlive_db.load.bench.gateway import measure_gateway
from eventlive_db.load.bench.growth import GrowthPlan, measure_growth
from eventlive_db.load.bench.loops import measure_loops
from eventlive_db.load.bench.million import MillionPlan, measure_million
from eventlive_db.load.bench.naive import NaivePlan, measure_naive
from eventlive_db.load.bench.pgbench import Mode
from eventlive_db.load.bench.ping import PingPlan, measure_ping
from eventlive_db.load.bench.redis import find_redis, measure_redis
from eventlive_db.load.bench.results import Results, merge
from eventlive_db.load.bench.snapshot import SnapshotPlan, measure_snapshot
from eventlive_db.load.bench.stage import Place

P = TypeVar("P", PingPlan, NaivePlan, GrowthPlan)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is the same for several parts; what is None is as the part has it.

    Attributes:
        rounds: Turns that each contender has.
        slice_s: How long a turn is, in seconds.
        users: Users, or viewers.
        clients: Numbers of connections.
        modes: Protocols that pings are sent by.
        loops: Heartbeat loops in one process.
        hold_s: How long the snapshot, and the rate of a million viewers, are held, in seconds.
        rate: Pings a second beside the snapshot, or of a million viewers.
        postgrest: A PostgREST to put both designs behind.
    """

    rounds: int | None = None
    slice_s: float | None = None
    users: int | None = None
    clients: tuple[int, ...] | None = None
    modes: tuple[Mode, ...] | None = None
    loops: int = 10_000
    hold_s: int | None = None
    rate: float | None = None
    postgrest: Path | None = None

    def turns(self, plan: P) -> P:
        """A plan with these turns."""
        return replace(plan, rounds=self.rounds or plan.rounds, slice_s=self.slice_s or plan.slice_s)

    def ping(self) -> PingPlan:
        """Of the part ``ping``, and of ``redis``."""
        plan = self.turns(PingPlan())
        return replace(
            plan,
            users=self.users or plan.users,
            clients=self.clients or plan.clients,
            modes=self.modes or plan.modes,
        )

    def naive(self) -> NaivePlan:
        """Of the part ``incumbent``."""
        plan = self.turns(NaivePlan())
        return replace(plan, users=self.users or plan.users, clients=self._most(plan.clients))

    def growth(self) -> GrowthPlan:
        """Of the part ``growth``, up to so many users."""
        plan = self.turns(GrowthPlan())
        most = self.users or plan.sizes[-1]
        sizes = [size for size in plan.sizes if size <= most] or [most]
        return replace(plan, sizes=sizes, clients=self._most(plan.clients))

    def snapshot(self) -> SnapshotPlan:
        """Of the part ``snapshot``: the time before and after it in proportion."""
        plan = SnapshotPlan()
        held = self.hold_s or plan.held_s
        part = held / plan.held_s
        return replace(
            plan,
            users=self.users or plan.users,
            rate=self.rate or plan.rate,
            held_s=held,
            before_s=max(2, round(plan.before_s * part)),
            after_s=max(2, round(plan.after_s * part)),
            every_s=max(1, min(plan.every_s, held // 10)),
            clients=self._most(plan.clients),
        )

    def million(self) -> MillionPlan:
        """Of the part ``million``."""
        plan = MillionPlan()
        viewers = self.users or plan.viewers
        held = self.hold_s or plan.seconds
        return replace(
            plan,
            viewers=viewers,
            rate=self.rate or plan.rate,
            seconds=held,
            peak_pings=min(plan.peak_pings, viewers * 3 // 10),
            clients=self._most(plan.clients),
            every_s=max(1, min(plan.every_s, held // 10)),
        )

    def _most(self, default: int) -> int:
        return max(self.clients) if self.clients else default


def _client(place: Place, sizes: Sizes) -> Results:
    with place.schema() as name:
        server = place.server
        ways = {"TCP": server.tcp_dsn(name)}
        if server.dsn() != server.tcp_dsn():
            ways = {"Unix socket": server.dsn(name)} | ways
        rounds, slice_s = sizes.rounds or 15, sizes.slice_s or 0.5
        found = compare_clients(ways, rounds=rounds, slice_s=slice_s, progress=place.progress)
    place.progress(f"{sizes.loops:,} heartbeat loops")
    return Results(found, measure_loops(sizes.loops))


def _incumbent(place: Place, sizes: Sizes) -> Results:
    # First, though told last: what it needs and is missing is known before minutes have gone by.
    through = [measure_gateway(place, sizes.naive(), sizes.postgrest)] if sizes.postgrest is not None else []
    return merge([measure_naive(place, sizes.naive()), *through], {})


PARTS: Mapping[str, Callable[[Place, Sizes], Results]] = {
    "client": _client,
    "ping": lambda place, sizes: measure_ping(place, sizes.ping()),
    "incumbent": _incumbent,
    "redis": lambda place, sizes: measure_redis(place, sizes.ping(), find_redis()),
    "growth": lambda place, sizes: measure_growth(place, sizes.growth()),
    "snapshot": lambda place, sizes: measure_snapshot(place, sizes.snapshot()),
    "million": lambda place, sizes: measure_million(place, sizes.million()),
}
"""Every part."""

SHORT = ("client", "ping", "incumbent", "redis")
"""Those that take minutes, which are run where none is named."""


def measure(names: Sequence[str], place: Place, sizes: Sizes) -> list[Results]:
    """Run parts, one after the other; one whose tool is missing is skipped, and its result says so.

    Args:
        names: Which, of :data:`PARTS`.
        place: Where.
        sizes: How large.

    Raises:
        ValueError: There is no such part.
        BenchError: Something could not be measured.
    """
    for name in names:
        if name not in PARTS:
            msg = f"no part is called {name!r}: there are {', '.join(PARTS)}"
            raise ValueError(msg)
    found = []
    for name in names:
        try:
            found.append(PARTS[name](place, sizes))
        except MissingToolError as error:
            found.append(Results(skipped={name: str(error)}))
    return found
