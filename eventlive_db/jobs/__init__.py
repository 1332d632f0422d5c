"""Runs the jobs of the schema where there is no pg_cron, schedules them where there is, and says how they do."""

from __future__ import annotations

from eventlive_db.jobs.catalog import Health, Job, Look, Work, health, look, work
from eventlive_db.jobs.checking import Check, Problem, check
from eventlive_db.jobs.crew import Stop, Task, signals, wind_up
from eventlive_db.jobs.errors import JobsError, ScheduleError
from eventlive_db.jobs.loop import Loop, Notice
from eventlive_db.jobs.running import Run, Runner
from eventlive_db.jobs.schedules import Schedule, parse_schedule
from eventlive_db.jobs.session import check_dsn, connect

__all__ = [
    "Check",
    "Health",
    "Job",
    "JobsError",
    "Look",
    "Loop",
    "Notice",
    "Problem",
    "Run",
    "Runner",
    "Schedule",
    "ScheduleError",
    "Stop",
    "Task",
    "Work",
    "check",
    "check_dsn",
    "connect",
    "health",
    "look",
    "parse_schedule",
    "signals",
    "wind_up",
    "work",
]
