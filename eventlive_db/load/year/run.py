"""The run: every job has its turns, heartbeats are counted without it and beside it, and its locks are watched."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from eventlive_db.load.bench import Comparison, Results
from eventlive_db.load.year.beats import BEAT, REGISTER, Viewers
from eventlive_db.load.year.data import JOBS, YearData, YearPlan
from eventlive_db.load.year.locks import Sample, Watch, coarsest, longest, merge

ALONE = "without a job"
RATE_TARGET = 0.9
LOCK_TARGET_S = 0.1
ON_THE_LOG = "any lock on the log"


@dataclass(slots=True)
class Turn:
    """What one job did in one turn.

    Attributes:
        alone: Heartbeats a second before it.
        beside: Heartbeats a second while it ran.
        seconds: How long its first run took.
        rows: What that run says it changed.
        slowest: By kind of call, how long the slowest one beside it took, in seconds.
        locks: By kind, how long it held it at a time, in seconds.
        blind: The longest time between two looks at its locks, in seconds.
    """

    alone: float
    beside: float
    seconds: float
    rows: int
    slowest: dict[str, float]
    locks: dict[str, float]
    blind: float


@dataclass(slots=True)
class YearResult:
    """What came of a run.

    Attributes:
        plan: How large it was.
        turns: For each job, its turns.
        kept: Events that ought to be in the log at the end.
        left: Events that are.
    """

    plan: YearPlan
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    kept: int = 0
    left: int = 0

    def longest_lock(self, kind: str = ON_THE_LOG) -> float:
        """How long the rotation held a lock at a time, at most, in seconds."""
        return merge(turn.locks for turn in self.turns["rotate_event_logs"])[kind]

    def results(self, machine: dict[str, str]) -> Results:
        """For a file and for a table."""
        comparisons = [
            Comparison(
                f"Heartbeats beside {job}",
                "beats/s",
                ALONE,
                {ALONE: [turn.alone for turn in turns], job: [turn.beside for turn in turns]},
                {job: RATE_TARGET},
            )
            for job, turns in self.turns.items()
        ]
        figures: dict[str, tuple[float, str]] = {
            f"rotate_event_logs, {kind}": (round(seconds * 1000, 1), "ms")
            for kind, seconds in merge(turn.locks for turn in self.turns["rotate_event_logs"]).items()
        }
        figures["rotate_event_logs, longest time between two looks"] = (
            round(max(turn.blind for turn in self.turns["rotate_event_logs"]) * 1000, 1),
            "ms",
        )
        for job, turns in self.turns.items():
            figures[f"{job}, longest run"] = (round(max(turn.seconds for turn in turns), 2), "s")
            figures[f"{job}, rows"] = (sum(turn.rows for turn in turns), "rows")
            for what in (BEAT, REGISTER):
                slowest = max(turn.slowest[what] for turn in turns)
                figures[f"{job}, slowest {what} beside it"] = (round(slowest * 1000, 1), "ms")
        figures["events that ought to be in the log"] = (self.kept, "rows")
        figures["events in the log"] = (self.left, "rows")
        return Results(comparisons, figures, machine)

    def missed(self) -> list[str]:
        """Every target that was missed, in words."""
        missed = self.results({}).missed()
        if self.longest_lock() > LOCK_TARGET_S:
            missed.append(
                f"the rotation had a lock on the log for {self.longest_lock() * 1000:.0f} ms,"
                f" not {LOCK_TARGET_S * 1000:.0f} ms"
            )
        if self.left != self.kept:
            missed.append(f"there are {self.left:,} events in the log, not {self.kept:,}")
        return missed


def run_year(
    dsn: str, plan: YearPlan, progress: Callable[[str], None] = lambda _: None, *, jobs: tuple[str, ...] = JOBS
) -> YearResult:
    """Fill a database, and run every job in it.

    Args:
        dsn: A database with the schema in it and nothing else, as the superuser. It is not cleared up.
        plan: How large.
        progress: Told what is going on.
        jobs: Which jobs.

    Raises:
        psycopg.Error, RpcError: A job or a call failed.
    """
    result = YearResult(plan, {job: [] for job in jobs})
    with psycopg.connect(dsn, autocommit=True) as session:
        # Each beat writes: the throttle is for those who send too often.
        session.execute("select eventlive.set_setting('throttle_factor', '0')")
        data = YearData(dsn, plan, progress)
        data.fill()
        progress(f"{plan.sessions:,} sessions enter")
        viewers = Viewers(dsn, plan.beats_per_s, plan.sessions)
        watch = Watch(dsn, session.info.backend_pid)
        with watch.watching(), viewers.beating():
            for turn in range(plan.turns):
                for job in jobs:
                    progress(f"turn {turn + 1} of {plan.turns}: something to do for {job}")
                    data.prepare(job, turn)
                    progress(f"turn {turn + 1} of {plan.turns}: {job}")
                    result.turns[job].append(_turn(session, job, plan.window_s, viewers, watch))
        result.kept, result.left = data.kept, data.left()
        data.close()
    return result


def _turn(session: psycopg.Connection[Any], job: str, window_s: float, viewers: Viewers, watch: Watch) -> Turn:
    viewers.forget()
    began = time.monotonic()
    time.sleep(window_s)
    started = time.monotonic()
    watch.take()
    rows = _run(session, job)
    seconds = time.monotonic() - started
    while time.monotonic() < started + window_s:
        _run(session, job)
    ended = time.monotonic()
    samples: list[Sample] = watch.take()
    viewers.check()
    alone, beside = viewers.between(began, started), viewers.between(started, ended)
    return Turn(
        alone=sum(done.what == BEAT for done in alone) / (started - began),
        beside=sum(done.what == BEAT for done in beside) / (ended - started),
        seconds=seconds,
        rows=rows,
        slowest={
            what: max((done.took for done in beside if done.what == what), default=0.0) for what in (BEAT, REGISTER)
        },
        locks=longest(samples),
        blind=coarsest(samples),
    )


def _run(session: psycopg.Connection[Any], job: str) -> int:
    row = session.execute("call eventlive.run_job(%s)", [job]).fetchone()
    return int(row[0]["rows"]) if row else 0
