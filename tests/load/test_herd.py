"""The real herd, in small: the run works, and its measure would see a herd."""

from __future__ import annotations

import pytest

from eventlive_db.load.herd import HerdPlan, HerdResult, run_herd, worst_rate
from eventlive_db.migrate import Options, upgrade

pytestmark = pytest.mark.heavy


def test_the_worst_ten_seconds_are_found_wherever_they_begin() -> None:
    steady = [float(second) for second in range(100)]
    assert worst_rate(steady, 0) == 1.0
    burst = sorted([*steady, *(57.5 + number / 100 for number in range(30))])
    assert worst_rate(burst, 0) == 4.0
    assert worst_rate(burst, 60) == 1.0
    assert worst_rate([], 0) == 0.0


def test_more_than_twice_the_usual_rate_is_a_herd() -> None:
    assert HerdResult(10.0, 20.0, [], 0, {}).kept
    assert not HerdResult(10.0, 20.1, [], 0, {}).kept


@pytest.mark.slow
def test_loops_survive_a_database_that_goes_away_and_comes_back(pytestconfig: pytest.Config) -> None:
    kind = pytestconfig.getoption("--pg-kind")
    if kind in {"dsn", "container"}:
        pytest.skip("it stops its Postgres: take --pg-kind installed or embedded")
    plan = HerdPlan(loops=40, interval_s=2, before_s=2, away_s=1, after_s=3, connections=4)
    result = run_herd(plan, lambda dsn: upgrade(Options(dsn=dsn)), kind=kind)
    assert result.alive + sum(result.ended.values()) == 40
    assert set(result.ended) <= {"expired"}
