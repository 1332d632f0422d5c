"""The year of the visit log, in small: the run works, and its measures would see what they are for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eventlive_db.load.year import YearPlan, YearResult, run_year
from eventlive_db.load.year.locks import LOG, Sample, coarsest, kinds_of, longest
from eventlive_db.load.year.run import Turn
from eventlive_db.migrate import Options, upgrade
from tests.migrate.conftest import ask

pytestmark = pytest.mark.heavy

ANY, WRITERS, WAITING = "any lock on the log", "writers locked out of the log", "waiting for the log"


def test_what_a_lock_does_to_others_is_told_by_its_mode() -> None:
    assert kinds_of([(None, None, None), ("eventlive.jobs", "AccessExclusiveLock", True)]) == frozenset()
    assert kinds_of([(LOG, "AccessShareLock", True)]) == {ANY}
    assert kinds_of([(LOG, "RowExclusiveLock", True), (LOG, "AccessExclusiveLock", False)]) == {ANY, WAITING}
    assert kinds_of([(LOG, "ShareRowExclusiveLock", True)]) == {ANY, WRITERS}
    assert kinds_of([(f"{LOG}_default", "AccessShareLock", True)]) == frozenset()


def test_a_lock_lasts_from_the_first_look_that_sees_it_to_the_first_that_does_not() -> None:
    held, other = frozenset({ANY}), frozenset({WAITING})
    samples = [Sample(0, other), Sample(1, held), Sample(2, held), Sample(4, frozenset()), Sample(5, held)]
    found = longest(samples)
    assert (found[ANY], found[WAITING], found[WRITERS]) == (3, 1, 0)
    assert coarsest(samples) == 2
    assert longest([]) == dict.fromkeys(found, 0.0)


def result(*, alone: float = 100, beside: float = 100, lock: float = 0.0, left: int = 5) -> YearResult:
    found = YearResult(YearPlan(), kept=5, left=left)
    turn = Turn(alone, beside, 1.0, 1, {"heartbeat": 0.0, "registration": 0.0}, longest([]) | {ANY: lock}, 0.001)
    found.turns = {"rotate_event_logs": [turn]}
    return found


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (result(), []),
        (result(beside=89), ["Heartbeats beside rotate_event_logs: "]),
        (result(lock=0.101), ["the rotation had a lock on the log for 101 ms"]),
        (result(left=4), ["there are 4 events in the log, not 5"]),
        (result(left=6), ["there are 6 events in the log, not 5"]),
    ],
    ids=["kept", "slow", "locked", "lost", "doubled"],
)
def test_each_target_can_be_missed(found: YearResult, missed: list[str]) -> None:
    assert [text[: len(start)] for text, start in zip(found.missed(), missed, strict=True)] == missed


@pytest.mark.slow
def test_a_small_year_is_rotated_beside_heartbeats_and_nothing_is_lost(make_database: Callable[..., str]) -> None:
    dsn = make_database()
    upgrade(Options(dsn))
    plan = YearPlan(rows=6000, turns=2, window_s=0.1, beats_per_s=50, sessions=20, pieces=300, webinars=5)
    found = run_year(dsn, plan)
    assert found.left == found.kept > 0
    assert set(found.turns) == {name for (name,) in ask(dsn, "select name from eventlive.jobs")}
    assert all(len(turns) == plan.turns for turns in found.turns.values())
    # Of the runs of jobs the last one is kept.
    purges = [job for job in found.turns if job.startswith("purge_") and job != "purge_job_runs"]
    assert {job: sum(turn.rows for turn in found.turns[job]) for job in purges} == dict.fromkeys(purges, 600)
    assert found.longest_lock() > 0
    assert ask(dsn, "select count(*) from eventlive.event_access_logs_default") == [(0,)]
