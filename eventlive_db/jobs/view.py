"""Jobs, runs and checks as lines of text, as tables, and as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from eventlive_db.jobs.catalog import Health, Job, Work
from eventlive_db.jobs.checking import Check
from eventlive_db.jobs.loop import Notice
from eventlive_db.jobs.pg_cron import Step
from eventlive_db.jobs.running import Run
from eventlive_db.jobs.schedules import parse_schedule

if TYPE_CHECKING:
    from rich.table import Table

_SAID = {
    "running": "runs elsewhere at this moment",
    "begun_elsewhere": "another runner has begun it",
    "disabled": "is switched off in eventlive.jobs",
}


def run_line(run: Run) -> str:
    """What came of a run, for a person."""
    if run.outcome in _SAID:
        return f"{run.job}: {_SAID[run.outcome]}"
    line = f"{run.job}: {run.outcome}, {run.rows} rows in {run.batches} batches, {run.seconds:.2f} s"
    if run.failed:
        line = f"{run.job}: {run.outcome}: {run.error}"
    if run.attempts > 1:
        line += f", {run.attempts} attempts"
    return f"{line}; {run.note}" if run.note else line


def run_object(run: Run) -> dict[str, Any]:
    """The same, for a program."""
    return {
        "job": run.job,
        "outcome": run.outcome,
        "failed": run.failed,
        "rows": run.rows,
        "batches": run.batches,
        "attempts": run.attempts,
        "seconds": round(run.seconds, 3),
        "error": run.error or None,
        "note": run.note or None,
    }


def event_line(event: Run | Notice, at: datetime) -> str:
    """A line of the log of the loop."""
    text = run_line(event) if isinstance(event, Run) else ": ".join(filter(None, (event.job, event.text)))
    return f"{at:%Y-%m-%dT%H:%M:%SZ} {text}"


def event_object(event: Run | Notice, at: datetime) -> dict[str, Any]:
    """The same, for a program."""
    if isinstance(event, Run):
        return {"event": "run", "at": f"{at:%Y-%m-%dT%H:%M:%SZ}", **run_object(event)}
    return {"event": event.kind, "at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "job": event.job or None, "text": event.text}


def work_lines(work: Work) -> list[str]:
    """What a job would do."""
    lines = [
        f"{work.job}: about {work.rows} rows in {work.batches} batches" if work.batches else f"{work.job}: nothing"
    ]
    if len(work.steps) > 1:
        lines += [f"    {step}: {rows} rows in {batches} batches" for step, (batches, rows) in work.steps.items()]
    return lines


def work_object(work: Work) -> dict[str, Any]:
    """The same, for a program."""
    steps = [{"step": step, "batches": batches, "rows": rows} for step, (batches, rows) in work.steps.items()]
    return {"job": work.job, "batches": work.batches, "rows": work.rows, "steps": steps}


def health_table(jobs: list[Health], starts: dict[str, Job], now: datetime) -> Table:
    """How each job does."""
    from rich.table import Table  # an extra

    table = Table(box=None, pad_edge=False)
    for heading in ("job", "state", "schedule (UTC)", "next"):
        table.add_column(heading, no_wrap=True)
    table.add_column("")
    for job in jobs:
        at = next_start(job, starts, now)
        text = job.bad_schedule or job.detail
        table.add_row(job.name, job.state, job.schedule or "", f"{at:%m-%d %H:%M:%S}" if at else "", text)
    return table


def health_object(job: Health, starts: dict[str, Job], now: datetime) -> dict[str, Any]:
    """The same of one job, for a program."""
    at = next_start(job, starts, now)
    return {
        "name": job.name,
        "state": job.state,
        "healthy": job.healthy,
        "detail": job.detail,
        "schedule": job.schedule,
        "schedule_problem": job.bad_schedule or None,
        "max_age_s": job.max_age.total_seconds() if job.max_age else None,
        "last_success_at": _stamp(job.last_success_at),
        "running_since": _stamp(job.running_since),
        "last_start_at": _stamp(starts[job.name].last_start) if job.name in starts else None,
        "next_start_at": _stamp(at),
        "last_error": job.last_error,
    }


def next_start(job: Health, starts: dict[str, Job], now: datetime) -> datetime | None:
    """When it is to be started next; now where it is due."""
    if job.schedule is None or job.state == "disabled" or job.bad_schedule or job.name not in starts:
        return None
    schedule, last = parse_schedule(job.schedule), starts[job.name].last_start
    return now if schedule.due_since(last, now) else schedule.next_after(last, now)


def check_lines(check: Check) -> list[str]:
    """Each problem, each note, and the sum."""
    lines = [f"{problem.job}: {problem.state}: {problem.detail}" for problem in check.problems]
    lines += [f"note: {note}" for note in check.notes]
    return [*lines, f"{len(check.problems)} of {len(check.jobs)} jobs are not well" if lines else "all jobs are well"]


def check_object(check: Check, starts: dict[str, Job], now: datetime) -> dict[str, Any]:
    """The same, for a program."""
    return {
        "healthy": check.healthy,
        "problems": [{"job": p.job, "state": p.state, "detail": p.detail} for p in check.problems],
        "notes": check.notes,
        "jobs": [health_object(job, starts, now) for job in check.jobs],
    }


def step_line(step: Step) -> str:
    """A change of an entry of pg_cron, for a person."""
    text = {"create": "created", "change": "changed", "remove": "removed", "keep": "unchanged"}[step.action]
    return f"{step.name}: {text}; note: {step.note}" if step.note else f"{step.name}: {text}"


def _stamp(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
