"""The runner that stays: each job in a thread when its time has come, and none waits for another."""

from __future__ import annotations

import random as chance
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import psycopg

from eventlive_db.jobs.catalog import MISSING, PUT_BACK, Job, Look, look
from eventlive_db.jobs.crew import GRACE_S, Stop, Task, wind_up
from eventlive_db.jobs.errors import JobsError, ScheduleError, describe, unusable
from eventlive_db.jobs.running import ATTEMPTS, Run, Runner
from eventlive_db.jobs.schedules import Schedule, parse_schedule, trusted
from eventlive_db.jobs.session import connect

LOOK_EVERY_S = 60.0
_BACKOFF_CAP_S = 30.0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something other than a run that is to be told.

    Attributes:
        kind: ``begun``, ``away``, ``back``, ``missing``, ``bad_schedule``, ``good_schedule`` or ``left``.
        text: A sentence.
        job: The job, where it is about one.
    """

    kind: str
    text: str
    job: str = ""

    @property
    def failed(self) -> bool:
        """Whether something does not do what it should."""
        return self.kind in {"away", "missing", "bad_schedule", "left"}


@dataclass(slots=True)
class _Watched:
    """A job, and what the loop remembers of it."""

    job: Job
    schedule: Schedule | None = None
    problem: str = ""
    tried: datetime | None = None
    task: Task | None = None
    lost: int = 0
    not_before: float = float("-inf")
    ended: bool = False

    def last(self, now: datetime) -> datetime | None:
        """The last start that is known; a clock that went back makes it unknown."""
        known = [at for at in (trusted(self.job.last_start, now), trusted(self.tried, now)) if at]
        return max(known, default=None)


@dataclass(slots=True)
class _Clock:
    """The database's clock, carried on between two looks by one that never jumps."""

    at: datetime
    monotonic: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.at + timedelta(seconds=time.monotonic() - self.monotonic)


class Loop:
    """Runs each job when it is due.

    Args:
        dsn: Where the database is; not a pooler that shares sessions.
        tell: Called with each run and each notice, in the thread of ``run``.
        attempts: Calls to make for a run, at most, while others hold what it needs.
        grace_s: How long a run that is under way may go on by itself after the end was asked for, in seconds.
        look_every_s: How often schedules are read, in seconds.
        once_each: End when each job that is enabled has been run once.
        random: Gives numbers from 0 up to 1, for the waits.
    """

    def __init__(
        self,
        dsn: str,
        tell: Callable[[Run | Notice], None],
        *,
        attempts: int = ATTEMPTS,
        grace_s: float = GRACE_S,
        look_every_s: float = LOOK_EVERY_S,
        once_each: bool = False,
        random: Callable[[], float] = chance.random,
    ) -> None:
        self._dsn, self._tell, self._grace_s, self._look_every_s = dsn, tell, grace_s, look_every_s
        self._once_each, self._random = once_each, random
        self._runner = partial(Runner, dsn, attempts=attempts, random=random)
        self._jobs: dict[str, _Watched] = {}
        self._missing: list[str] = []
        self._clock: _Clock | None = None
        self._look_at = float("-inf")
        self._away = 0

    def run(self, stop: Stop, *, max_seconds: float = float("inf")) -> None:
        """Run jobs until the end is asked for; returns when none is under way.

        Args:
            stop: Ends it.
            max_seconds: Ends it, too.

        Raises:
            JobsError: The first look found no jobs, or a role that may not use them. Later that may pass.
        """
        deadline = time.monotonic() + max_seconds
        try:
            while not stop and time.monotonic() < deadline:
                if time.monotonic() >= self._look_at:
                    self._look()
                self._start_what_is_due(stop)
                if self._once_each and self._clock and all(w.ended for w in self._jobs.values() if w.job.enabled):
                    break
                stop.wait(min(self._wait_s(), deadline - time.monotonic()))
                self._reap()
        finally:
            tasks = [watched.task for watched in self._jobs.values() if watched.task]
            for task in wind_up(tasks, stop, self._grace_s):
                self._tell(Notice("left", "did not end; the server ends it when it notices", task.name))
            self._reap()

    def _look(self) -> None:
        try:
            with connect(self._dsn, "loop") as connection:
                found = look(connection)
        except psycopg.Error as error:
            refused = unusable(error)
            if self._clock is None and refused.token != "no_answer":
                raise refused from None
            self._note_absence(describe(error) if refused.token == "no_answer" else str(refused))
        except JobsError as error:
            if self._clock is None:
                raise
            self._note_absence(str(error))
        else:
            if self._away:
                self._tell(Notice("back", "the database is back"))
            if self._clock is None:
                self._tell(Notice("begun", f"looking after {sum(job.enabled for job in found.jobs)} jobs"))
            self._away = 0
            self._look_at = time.monotonic() + self._look_every_s
            self._take(found)

    def _note_absence(self, why: str) -> None:
        self._away += 1
        wait_s = self._backoff_s(self._away)
        self._look_at = time.monotonic() + wait_s
        self._tell(Notice("away", f"the database is away: {why}; next try in {wait_s:.1f} s"))

    def _take(self, found: Look) -> None:
        """Take over what was read; what is remembered of each job stays."""
        self._clock = _Clock(found.now)
        for name in found.missing:
            if name not in self._missing:
                self._tell(Notice("missing", f"{MISSING}; {PUT_BACK}", name))
        self._missing = found.missing
        before, self._jobs = self._jobs, {}
        for job in found.jobs:
            watched = before.pop(job.name, None) or _Watched(job)
            known = watched.problem
            watched.job, watched.schedule, watched.problem = job, None, ""
            self._jobs[job.name] = watched
            if not job.enabled:
                continue
            try:
                watched.schedule = parse_schedule(job.schedule)
            except ScheduleError as error:
                watched.problem = str(error)
                watched.ended = True
            if watched.problem and watched.problem != known:
                self._tell(Notice("bad_schedule", watched.problem, job.name))
            elif known and not watched.problem:
                self._tell(Notice("good_schedule", "the schedule can be read again", job.name))
        # One that was taken out of the table ends first.
        self._jobs |= {name: watched for name, watched in before.items() if watched.task}
        for watched in before.values():
            watched.schedule = None

    def _start_what_is_due(self, stop: Stop) -> None:
        if self._clock is None or self._away:
            return
        now = self._clock.now()
        for watched in self._jobs.values():
            if watched.schedule is None or watched.task or time.monotonic() < watched.not_before:
                continue
            if self._once_each and watched.ended:
                continue
            since = watched.schedule.due_since(watched.last(now), now)
            if since is None:
                continue
            never = watched.last(now) is None
            watched.tried = now
            watched.task = Task(self._runner(watched.job.name, unless_since=None if never else since), stop)

    def _reap(self) -> None:
        for watched in self._jobs.values():
            task = watched.task
            if task is None or not task.done:
                continue
            watched.task, run = None, task.result()
            watched.ended = True
            if run.outcome == "lost":
                # Whether it had begun, the next look tells. Other jobs may find the database all the same.
                watched.tried, watched.ended = None, False
                watched.lost += 1
                watched.not_before = time.monotonic() + self._backoff_s(watched.lost)
                self._look_at = min(self._look_at, time.monotonic())
            else:
                watched.lost = 0
            self._tell(run)

    def _wait_s(self) -> float:
        """How long nothing will be due."""
        wait_s = self._look_at - time.monotonic()
        if self._clock is None or self._away:
            return wait_s
        now = self._clock.now()
        for watched in self._jobs.values():
            if watched.schedule is None or watched.task:
                continue
            if self._once_each and watched.ended:
                continue
            if watched.schedule.due_since(watched.last(now), now) is not None:
                wait_s = min(wait_s, watched.not_before - time.monotonic())
            elif (at := watched.schedule.next_after(watched.last(now), now)) is not None:
                wait_s = min(wait_s, (at - now).total_seconds())
        return max(wait_s, 0.01)

    def _backoff_s(self, failures: int) -> float:
        """Exponential, with full jitter."""
        return float(self._random() * min(_BACKOFF_CAP_S, 2.0 ** min(failures, 10)))
