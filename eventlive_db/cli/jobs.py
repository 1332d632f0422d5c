"""``eventlive-db jobs``: run what runs by the clock, have pg_cron run it, and see how it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import StringIO
from typing import Annotated, Any, NoReturn

import psycopg
import typer
from rich.console import Console

from eventlive_db.cli.output import say
from eventlive_db.jobs import (
    JobsError,
    Look,
    Loop,
    Notice,
    Run,
    Runner,
    Stop,
    Task,
    check_dsn,
    connect,
    health,
    look,
    parse_schedule,
    pg_cron,
    signals,
    view,
    wind_up,
    work,
)
from eventlive_db.jobs import check as look_at_jobs
from eventlive_db.jobs.catalog import MISSING, PUT_BACK, schedule_problem
from eventlive_db.jobs.crew import GRACE_S
from eventlive_db.jobs.errors import unusable
from eventlive_db.jobs.pg_cron_runs import doubt
from eventlive_db.jobs.running import ATTEMPTS

UNWELL = 1
"""Exit status of ``run`` when a job failed, and of ``check`` when one is not well."""

FAILED = 2
"""Exit status of every command that could not do what it was asked."""

_PIPE_WIDTH = 200

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Run what runs by the clock: rollups, retention, the partitions of the visit log.

    One line in cron does, or a service, or pg_cron:

    \b
        * * * * * eventlive-db jobs run
        eventlive-db jobs run --loop
        eventlive-db jobs schedule

    Connect to the server itself, as a member of the role that owns the schema. Several runners do no harm.

    Exit status: 0; 1 when a job failed or is not well; 2 when a command could not do what it was asked.
    """,
)

# Not those of migrate, which brings alembic along: a line in cron starts this each minute.
DsnOption = Annotated[
    str | None,
    typer.Option("--dsn", envvar="EVENTLIVE_DSN", show_envvar=True, help="The database: libpq string or URI."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
CronDatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--cron-database",
        metavar="NAME",
        help="The database in which pg_cron is.",
        show_default="this one, else what cron.database_name says",
    ),
]
PrintOption = Annotated[bool, typer.Option("--print", help="Print the SQL; change nothing.")]


def _fail(problem: object) -> NoReturn:
    _warn(problem)
    raise typer.Exit(FAILED)


def _warn(problem: object) -> None:
    say(f"eventlive-db: {problem}", err=True)


def _print(text: str, status: int = 0) -> None:
    """Print what was asked for. What nobody can read was not told, whatever it says."""
    if not say(text):
        raise typer.Exit(status or FAILED)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except JobsError as error:
        _fail(error)
    except psycopg.Error as error:
        _fail(unusable(error))


@app.command(name="list")
def list_jobs(dsn: DsnOption = None, as_json: JsonOption = False) -> None:
    """Show how each job does, and when it is to run next.

    Exit status: 0; 2 when it cannot be told.
    """
    with _failures(), closing(connect(check_dsn(dsn), "list")) as connection:
        found, jobs = look(connection), health(connection)
        starts = {job.name: job for job in found.jobs}
        if as_json:
            _print(json.dumps({"jobs": [view.health_object(job, starts, found.now) for job in jobs]}))
        else:
            outside, text = Console(), StringIO()
            width = outside.width if outside.is_terminal else _PIPE_WIDTH
            # Not printed by a console of its own: that ends the process where nobody reads.
            console = Console(file=text, force_terminal=outside.is_terminal, width=width)
            console.print(view.health_table(jobs, starts, found.now))
            _print(text.getvalue().rstrip("\n"))


@app.command()
def run(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="The jobs.", show_default="those that are due")
    ] = None,
    dsn: DsnOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Each job, due or not.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is to do; change nothing.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Stay, and run each job when it is due.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object; with --loop one for each event.")
    ] = False,
    attempts: Annotated[
        int, typer.Option(min=1, help="Calls for a run, at most, while others hold a lock that it needs.")
    ] = ATTEMPTS,
    grace: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="After a signal: let a run go on so long, then cancel it.")
    ] = GRACE_S,
    max_seconds: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="With --loop: end after so long.")
    ] = None,
    once_each: Annotated[bool, typer.Option("--once-each", help="With --loop: end when each has run once.")] = False,
) -> None:
    """Run jobs: those named, or those that are due.

    A failure is recorded in the database. That a job runs elsewhere or is switched off is none. SIGTERM and SIGINT
    cancel what is under way; the batches that are done stay.

    What cannot be printed keeps no job from its turn.

    Exit status: 0, also of --loop after a signal; 1 when a job failed; 2 when nothing could be run.
    """
    if loop and (names or everything or dry_run):
        _fail("--loop runs what is due: leave out names, --all and --dry-run")
    if (max_seconds is not None or once_each) and not loop:
        _fail("--max-seconds and --once-each are for --loop")
    if names and everything:
        _fail("give names or --all, not both")
    with _failures():
        target = check_dsn(dsn)
        if loop:
            _loop(target, as_json, attempts, grace, max_seconds, once_each)
            return
        with closing(connect(target, "run")) as connection:
            found = look(connection)
            chosen = _chosen(found, names or [], everything)
            if dry_run:
                _tell_work(connection, chosen, as_json)
                return
        runs = _run_each(target, chosen, attempts, grace, as_json)
    if as_json:
        say(json.dumps({"passed": not any(run.failed for run in runs), "runs": list(map(view.run_object, runs))}))
    elif not chosen:
        say("nothing is due")
    left = [] if names else [f"{name} {MISSING}; {PUT_BACK}" for name in found.missing]
    if not (names or everything):
        problems = ((job, schedule_problem(job.schedule)) for job in found.jobs if job.enabled)
        left += [f"{job.name}: {problem}" for job, problem in problems if problem]
    for line in left:
        _warn(line)
    if left or any(run.failed for run in runs):
        raise typer.Exit(UNWELL)


def _chosen(found: Look, names: list[str], everything: bool) -> list[str]:
    """Which jobs to run, in which order."""
    known = [job.name for job in found.jobs]
    for name in names:
        if name in found.missing:
            raise JobsError(f"{name} {MISSING}", PUT_BACK.capitalize(), token="missing_job")
        if name not in known:
            raise JobsError(f"there is no job {name[:100]!r}", f"There are {', '.join(known)}", token="unknown_job")
    if names:
        return names
    return [
        job.name
        for job in found.jobs
        if job.enabled
        and (
            everything
            or (
                not schedule_problem(job.schedule) and parse_schedule(job.schedule).due_since(job.last_start, found.now)
            )
        )
    ]


def _tell_work(connection: psycopg.Connection[Any], names: list[str], as_json: bool) -> None:
    found = [work(connection, name) for name in names]
    if as_json:
        _print(json.dumps({"jobs": [view.work_object(work) for work in found]}))
    else:
        _print("\n".join(line for work in found for line in view.work_lines(work)) or "nothing is due")


def _run_each(dsn: str, names: list[str], attempts: int, grace_s: float, as_json: bool) -> list[Run]:
    """One after another; a signal ends the one that is under way, and no other is begun."""
    stop, runs = Stop(), []
    with signals(stop):
        for name in names:
            if stop:
                runs.append(Run(name, "stopped", error="not begun"))
            else:
                task = Task(Runner(dsn, name, attempts=attempts), stop)
                while not (task.done or stop):
                    stop.wait(1.0)
                if wind_up([task], stop, grace_s):
                    runs.append(Run(name, "stopped", error="did not end; the server ends it when it notices"))
                else:
                    runs.append(task.result())
            if not as_json:
                # Whoever can read it or not: those that are left are run.
                say(view.run_line(runs[-1]), err=runs[-1].failed)
    return runs


def _loop(dsn: str, as_json: bool, attempts: int, grace_s: float, max_seconds: float | None, once_each: bool) -> None:
    def tell(event: Run | Notice) -> None:
        at = datetime.now(UTC)
        if as_json:
            say(json.dumps(view.event_object(event, at)))
        else:
            say(view.event_line(event, at), err=event.failed)

    stop = Stop()
    with signals(stop):
        Loop(dsn, tell, attempts=attempts, grace_s=grace_s, once_each=once_each).run(
            stop, max_seconds=float("inf") if max_seconds is None else max_seconds
        )


@app.command()
def schedule(dsn: DsnOption = None, cron_database: CronDatabaseOption = None, print_sql: PrintOption = False) -> None:
    """Have pg_cron run the jobs: one entry for each that is enabled. Again is no harm.

    The entries belong to the role that makes them, and run as it. A note says where pg_cron may not be let in.

    Exit status: 0; 2 when it failed.
    """
    with _failures(), _cron(check_dsn(dsn), cron_database) as (jobs, connection, cron, database):
        found = pg_cron.entries(connection, database)
        _make(connection, pg_cron.plan(cron, jobs.jobs, found, database), print_sql)
        for name in jobs.missing:
            _warn(f"{name} {MISSING}; {PUT_BACK}")
        if not print_sql:
            own = [entry for entry in pg_cron.entries(connection, database) if entry.role == cron.role]
            if said := doubt(connection, own):
                where = f" --cron-database {cron.database}" if cron.database != database else ""
                _print(f"note: {said}; 'jobs check{where}' says what came of it")


@app.command()
def unschedule(dsn: DsnOption = None, cron_database: CronDatabaseOption = None, print_sql: PrintOption = False) -> None:
    """Take the entries of the jobs from pg_cron: those of this role, or as a superuser those of all.

    Exit status: 0, also when there were none; 2 when it failed.
    """
    with _failures(), _cron(check_dsn(dsn), cron_database) as (_jobs, connection, _cron_found, database):
        _make(connection, [pg_cron.removal(entry) for entry in pg_cron.entries(connection, database)], print_sql)


@contextmanager
def _cron(dsn: str, cron_database: str | None) -> Iterator[tuple[Look, psycopg.Connection[Any], pg_cron.Cron, str]]:
    """The jobs, and the pg_cron that is to run them, which may be in another database."""
    with closing(connect(dsn, "schedule")) as connection:
        jobs, database = look(connection), connection.info.dbname
        home = cron_database or pg_cron.cron_database(connection) or database
        if home == database:
            yield jobs, connection, pg_cron.find_cron(connection), database
            return
    with closing(connect(dsn, "schedule", database=home)) as other:
        yield jobs, other, pg_cron.find_cron(other), database


def _make(connection: psycopg.Connection[Any], steps: list[pg_cron.Step], print_sql: bool) -> None:
    """Make the changes, or print them."""
    if print_sql:
        for step in steps:
            if step.note:
                _print(f"-- {step.name}: {step.note}")
            if step.statement:
                _print(f"{step.statement};")
        return
    pg_cron.apply(connection, steps)
    _print("\n".join(map(view.step_line, steps)) or "there is no entry")


@app.command()
def check(dsn: DsnOption = None, cron_database: CronDatabaseOption = None, as_json: JsonOption = False) -> None:
    """Say whether all jobs are well, and what pg_cron says of those that it could not run. For monitoring.

    Exit status: 0 all are well, or switched off; 1 one is failing, late or never ran, its row is missing, or its
    schedule cannot be read; 2 when it cannot be told, or could not be printed.
    """
    with _failures():
        target = check_dsn(dsn)
        with closing(connect(target, "check")) as connection:
            found = look_at_jobs(connection, target, cron_database)
    status = 0 if found.healthy else UNWELL
    if as_json:
        starts = {job.name: job for job in found.looked.jobs}
        _print(json.dumps(view.check_object(found, starts, found.looked.now)), status)
    else:
        _print("\n".join(view.check_lines(found)), status)
    raise typer.Exit(status)
