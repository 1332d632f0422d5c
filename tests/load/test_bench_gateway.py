"""Both designs through a real PostgREST: every request is answered, and a refused one ends the run."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from eventlive_db.load.bench.errors import BenchError, MissingToolError
from eventlive_db.load.bench.gateway import Browsers, Gateway, Wanted, measure_gateway, postgrest, visits
from eventlive_db.load.bench.naive import HEARTBEAT, OURS, PING, THEIRS, NaivePlan, furnished
from eventlive_db.server import Server
from tests.load.bench_place import place_on
from tests.support import http_parts

pytestmark = pytest.mark.heavy


@pytest.fixture
def program() -> Path:
    try:
        return http_parts.postgrest()
    except http_parts.MissingPartError as error:
        pytest.skip(str(error))


def test_without_postgrest_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match="cannot be run"), postgrest(tmp_path / "postgrest", "", 1):
        pass


def test_no_secret_is_shown() -> None:
    gateway = Gateway(3000, "the-secret")
    assert "the-secret" not in repr(gateway)
    assert gateway.token("somebody").count(".") == 2


def test_both_designs_do_their_visits_and_a_refusal_is_told(pg_server: Server, program: Path) -> None:
    place = place_on(pg_server)
    with furnished(place, 50) as both, postgrest(program, both.database.dsn, 2) as gateway:
        before = both.database.number("select count(*) from incumbent.event_access_logs")
        for ours, theirs in visits(both.watched).values():
            for requests in (ours, theirs):
                user = itertools.count()
                assert Browsers(gateway, requests, 2, lambda: next(user)).work(time.perf_counter()) == 2  # noqa: B023
        assert both.database.number("select count(*) from incumbent.event_access_logs") == before + 2
        refused = Wanted("eventlive_api", "/rpc/webinar_presence_ping", '{"_webinar_id": "nonsense"}')
        with pytest.raises(BenchError, match="PostgREST answered 400 to /rpc/webinar_presence_ping"):
            Browsers(gateway, [refused], 1, lambda: 0).work(time.perf_counter())


def test_they_take_turns(pg_server: Server, program: Path) -> None:
    plan = NaivePlan(users=50, rounds=1, slice_s=0.05, clients=2)
    found = measure_gateway(place_on(pg_server), plan, program).comparisons
    assert [one.title.partition(" in both")[0] for one in found] == [PING.capitalize(), HEARTBEAT.capitalize()]
    for one in found:
        assert (one.base, set(one.rates), one.targets) == (THEIRS, {OURS, THEIRS}, {OURS: 5})
