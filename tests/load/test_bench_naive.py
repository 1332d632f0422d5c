"""Both designs do the same visit; what they write is counted, and a visit that does less is seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventlive_db.load.bench.footprint import footprint
from eventlive_db.load.bench.naive import (
    ENTRY,
    GUARDED,
    HEARTBEAT,
    OURS,
    PING,
    THEIRS,
    Both,
    Flow,
    NaivePlan,
    footprints,
    furnished,
    judge,
    measure_naive,
)
from eventlive_db.server import Server
from tests.load.bench_place import place_on

pytestmark = pytest.mark.heavy

PLAN = NaivePlan(users=200, rounds=1, slice_s=0.01, clients=2, counted=20)


@pytest.fixture(scope="module")
def both(pg_server: Server) -> Iterator[Both]:
    with furnished(place_on(pg_server), PLAN.users) as found:
        yield found


def flow_of(both: Both, name: str) -> Flow:
    return next(flow for flow in both.flows if flow.name == name)


@pytest.mark.parametrize("name", [PING, HEARTBEAT, ENTRY])
def test_a_visit_writes_what_it_is_about_in_both_designs(both: Both, name: str) -> None:
    flow = flow_of(both, name)
    ours, theirs = footprints(both, flow, PLAN)
    assert [mark.found for mark in judge(flow, ours, theirs) if not mark.passed] == []
    assert (ours.hot_ratio, theirs.hot_ratio) == (1, 0)


def test_a_ping_of_theirs_inside_its_throttle_is_seen_to_be_less(both: Both) -> None:
    flow = flow_of(both, PING)
    ours, _ = footprints(both, flow, PLAN)
    again = footprint(both.database.connection, both.database.pgbench, flow.script(THEIRS, PLAN.users), runs=20)
    assert again.updates == 1
    assert again.wal_bytes > 0
    assert [mark.passed for mark in judge(flow, ours, again)] == [True, False]


def test_all_three_flows_are_compared_by_rate_statements_and_log(pg_server: Server) -> None:
    results = measure_naive(place_on(pg_server), PLAN)
    assert all(mark.passed for mark in results.marks)
    ratios = {one.title: one for one in results.comparisons}
    assert len(ratios) == 9
    for name in (PING, HEARTBEAT, ENTRY):
        rate = ratios[f"{name.capitalize()} in both designs, 2 clients: rate"]
        assert (rate.base, set(rate.rates), rate.targets) == (THEIRS, {OURS, GUARDED, THEIRS}, {OURS: 5})
    sent = {name: ratios[f"{name.capitalize()} in both designs: statements sent"] for name in (PING, HEARTBEAT, ENTRY)}
    assert {name: one.ratio(THEIRS) for name, one in sent.items()} == {PING: 5, HEARTBEAT: 4, ENTRY: 9}
    assert sent[PING].rates == {OURS: [4.0], THEIRS: [20.0]}
    assert ratios["A ping in both designs: log"].ratio(THEIRS) > 4
