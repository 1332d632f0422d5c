"""What goes on for minutes, in seconds: growth, a held snapshot, many viewers at a steady rate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from eventlive_db.load.bench import snapshot as snapshot_part
from eventlive_db.load.bench.errors import BenchError
from eventlive_db.load.bench.footprint import Footprint
from eventlive_db.load.bench.growth import GrowthPlan, measure_growth
from eventlive_db.load.bench.growth import judge as judge_growth
from eventlive_db.load.bench.million import MillionPlan, measure_million
from eventlive_db.load.bench.million import judge as judge_million
from eventlive_db.load.bench.pgbench import Run
from eventlive_db.load.bench.results import Results, as_json
from eventlive_db.load.bench.snapshot import SnapshotPlan, measure_snapshot
from eventlive_db.load.results_parts import Plot
from eventlive_db.server import Server
from tests.load.bench_place import place_on

pytestmark = pytest.mark.heavy

SNAPSHOT = SnapshotPlan(users=50, rate=400, before_s=1, held_s=1, after_s=1, every_s=1, clients=2)


def plot(results: Results, title: str) -> Plot:
    return next(one for one in results.plots if one.title == title)


def test_a_ping_among_more_touches_no_more_but_the_levels_of_the_index(pg_server: Server) -> None:
    plan = GrowthPlan(sizes=(100, 2000), rounds=1, slice_s=0.01, clients=2, counted=50)
    results = measure_growth(place_on(pg_server), plan)
    [mark] = results.marks
    assert mark.passed, mark
    [one] = results.comparisons
    assert (one.base, list(one.rates)) == ("100 present", ["100 present", "2,000 present"])
    assert results.figures["2,000 present: size of the table"][0] > results.figures["100 present: size of the table"][0]


@pytest.mark.parametrize(("blocks", "seq_scans"), [(11.1, 0.0), (6.0, 1.0)], ids=["more pages", "the whole table"])
def test_a_ping_that_costs_more_among_many_is_seen(blocks: float, seq_scans: float) -> None:
    few, many = Footprint(100, 1, 1, 0, 0, 7), Footprint(100, 1, 1, 0, seq_scans, blocks)
    assert judge_growth({"few": few, "many": few}).passed
    assert not judge_growth({"few": few, "many": many}).passed


def sizes(results: Results) -> tuple[float, float]:
    """Size of the table when the snapshot was taken, and when it was gone, in MB."""
    taken, gone = (
        results.figures[f"snapshot, {when} it: size of the table at its end"][0] for when in ("before", "beside")
    )
    return taken, gone


def test_a_held_snapshot_makes_the_table_grow_and_what_is_dead_goes_with_it(pg_server: Server) -> None:
    results = measure_snapshot(place_on(pg_server), SNAPSHOT)
    taken, gone = sizes(results)
    assert gone > taken
    [mark] = results.marks
    assert mark.passed, mark
    size = plot(results, "Size of the presence table")
    assert len(size.t) == len(size.lines["table"]) == len(size.lines["indexes"]) >= 4
    assert [text for _, text in size.events] == ["The snapshot is taken", "The snapshot is gone"]
    assert sum(value or 0 for value in plot(results, "Pings").lines["pings"]) > 0


def test_without_the_snapshot_the_table_does_not_grow(pg_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def nothing(_dsn: str) -> Iterator[None]:
        yield

    monkeypatch.setattr(snapshot_part, "snapshot", nothing)
    taken, gone = sizes(measure_snapshot(place_on(pg_server), SNAPSHOT))
    assert gone == taken


def test_viewers_ping_one_after_the_other_and_each_ping_writes(pg_server: Server) -> None:
    plan = MillionPlan(viewers=3000, rate=300, seconds=2, peak_pings=900, clients=2, every_s=1)
    results = measure_million(place_on(pg_server), plan)
    wrote = results.marks[1]
    assert wrote.passed, wrote
    assert {one.title for one in results.plots} >= {"Pings", "Dead rows", "Processor time of the server"}
    assert results.figures["3,000 viewers: HOT"] == (100, "%")
    assert as_json(results)["plots"][0]["lines"][0]["name"] == "pings"


def test_pings_that_are_throttled_or_too_few_are_seen() -> None:
    plan = MillionPlan()
    held, kept = judge_million(plan, Run(5_000_000, 8399, 1.0), 5_000_000)
    assert (held.passed, kept.passed) == (True, True)
    held, kept = judge_million(plan, Run(5_000_000, 8300, 1.0), 4_990_000)
    assert (held.passed, kept.passed) == (False, False)


def test_a_plan_in_which_pings_would_be_throttled_is_refused() -> None:
    with pytest.raises(BenchError, match="inside the throttle") as caught:
        MillionPlan(viewers=10_000, rate=1000, seconds=60, peak_pings=1000)
    assert caught.value.token == "bench_plan"
