"""When a job is due: a schedule, the last start, and the time. Nothing here asks a clock or a database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Protocol

from eventlive_db.jobs.errors import JobsError, ScheduleError
from eventlive_db.schedules import ADVICE, INTERVAL, schedule_problem

TOLERANCE = timedelta(minutes=1)
"""A last start that lies further ahead was written by a clock that was wrong, and says nothing."""


class Schedule(Protocol):
    """Times at which a job is to start."""

    def due_since(self, last: datetime | None, now: datetime) -> datetime | None:
        """Since when a run is due; none where none is. However many times were missed, one run makes up for them.

        Args:
            last: When the job was last started, by anybody; none if never.
            now: The time, with a timezone.
        """

    def next_after(self, last: datetime | None, now: datetime) -> datetime | None:
        """When the next run after this moment is due; none where the schedule has no further time."""


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """A cron expression of five fields, in UTC."""

    expression: str

    def due_since(self, last: datetime | None, now: datetime) -> datetime | None:
        """See ``Schedule``. A job that never ran is due."""
        last = trusted(last, now)
        if last is None:
            return now
        # Backwards from the next whole second, so that this one counts.
        at = now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        time = _first(self.expression, at, reverse=True)
        return time if time is not None and time > last else None

    def next_after(self, last: datetime | None, now: datetime) -> datetime | None:
        """See ``Schedule``."""
        return _first(self.expression, max(now, trusted(last, now) or now).astimezone(UTC), reverse=False)


@dataclass(frozen=True, slots=True)
class IntervalSchedule:
    """So many seconds after the last start."""

    seconds: int

    def due_since(self, last: datetime | None, now: datetime) -> datetime | None:
        """See ``Schedule``. A job that never ran is due."""
        at = self.next_after(last, now)
        return at if at <= now else None

    def next_after(self, last: datetime | None, now: datetime) -> datetime:
        """See ``Schedule``; a time that has passed, where it is due."""
        last = trusted(last, now)
        return now if last is None else last + timedelta(seconds=self.seconds)


def trusted(last: datetime | None, now: datetime) -> datetime | None:
    """The last start, unless it lies in the future: then a clock was wrong, and the job would not run until then."""
    return last if last is not None and last <= now + TOLERANCE else None


def parse_schedule(text: str) -> CronSchedule | IntervalSchedule:
    """Read a schedule: five fields of cron, in UTC, or ``10 seconds``.

    Raises:
        ScheduleError: It means nothing, or not the same to pg_cron.
        JobsError: cronsim is not installed.
    """
    text = text.strip()
    interval = INTERVAL.fullmatch(text)
    if interval:
        return IntervalSchedule(int(interval[1]))
    _cronsim()
    if problem := schedule_problem(text):
        raise ScheduleError(problem, ADVICE)
    return CronSchedule(text)


def _first(expression: str, at: datetime, *, reverse: bool) -> datetime | None:
    found: datetime | None = next(_cronsim().CronSim(expression, at, reverse=reverse), None)
    return found


def _cronsim() -> ModuleType:
    try:
        import cronsim  # an extra
    except ModuleNotFoundError:
        raise JobsError(
            "cronsim is not installed", "Run: pip install 'eventlive-db[cli]'", token="missing_extra"
        ) from None
    return cronsim
