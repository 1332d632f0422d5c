"""``eventlive-db load``: many clients at once, against a real database."""

from __future__ import annotations

import json
import logging
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from eventlive_db.cli.load_scenarios import s1, s2, s3
from eventlive_db.load.bench.results import as_json as results_as_json
from eventlive_db.load.bench.results import machine_of, write_results
from eventlive_db.load.herd import BOUND, HerdPlan, run_herd
from eventlive_db.load.year import YearPlan, run_year
from eventlive_db.load.year.data import SETTINGS as YEAR_SETTINGS
from eventlive_db.migrate.options import Options
from eventlive_db.migrate.runner import upgrade
from eventlive_db.server import DEMO_SETTINGS, open_server

FAILED = 1
"""Exit status where a run did not keep what it should."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Many clients at once, against a real database.

    s1, s2 and s3 are the scenarios written after the outage. They need PostgREST, or --via psycopg alone.

    Exit status: 0; 1 where a run did not keep what it should; 2 where a scenario could not be run.
    """,
)


@app.callback()
def load() -> None:
    """Many clients at once."""


for scenario in (s1, s2, s3):
    app.command()(scenario)


@app.command()
def herd(
    loops: Annotated[int, typer.Option(min=1, max=100_000, help="Sessions with a heartbeat loop each.")] = 5000,
    interval: Annotated[float, typer.Option(min=1, help="Seconds between two beats of each.")] = 60,
    before: Annotated[float, typer.Option(min=1, help="Seconds before the database goes.")] = 60,
    away: Annotated[float, typer.Option(min=0.1, help="Seconds that it is away.")] = 60,
    after: Annotated[float, typer.Option(min=1, help="Seconds after it is back.")] = 120,
    kind: Annotated[
        str | None, typer.Option(help="Postgres to take: installed or embedded.", show_default="the first there is")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Stop the database under thousands of heartbeat loops, start it again, and see that nothing is trampled.

    In no ten seconds, from the moment it goes, may more calls be sent than twice the usual number.
    """
    # The pool tells of each connection that it loses, which is what this is about.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    terminal = Console(stderr=True)
    plan = HerdPlan(loops, interval, before, away, after)
    with terminal.status("") as status:
        result = run_herd(plan, lambda dsn: upgrade(Options(dsn=dsn)), kind=kind, progress=status.update)
    if as_json:
        typer.echo(json.dumps(asdict(result)))
    else:
        typer.echo(f"usually {result.steady:.1f} calls/s; at most {result.worst:.1f} in ten seconds from its going on")
        typer.echo("calls/s, ten seconds each: " + " ".join(f"{rate:.0f}" for rate in result.sent))
        ended = ", ".join(f"{count} {reason}" for reason, count in result.ended.items()) or "none"
        typer.echo(f"{result.alive} sessions go on; ended: {ended}")
    if not result.kept:
        typer.echo(f"more than {BOUND:.0f} times the usual rate", err=True)
        raise typer.Exit(FAILED)


@app.command()
def year(
    rows: Annotated[int, typer.Option(min=1000, max=1_000_000_000, help="Events in the visit log.")] = 10_000_000,
    turns: Annotated[int, typer.Option(min=1, max=100, help="Turns that each job has.")] = 3,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=600, help="How long heartbeats are counted without each job, and beside it.")
    ] = 2,
    beats: Annotated[float, typer.Option(min=1, max=10_000, help="Heartbeats a second.")] = 200,
    pieces: Annotated[int, typer.Option(min=1, max=9_999_999, help="Rows that each purge has to delete.")] = 30_000,
    kind: Annotated[
        str | None, typer.Option(help="Postgres to take: installed or embedded.", show_default="the first there is")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write every figure here, as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Rotate a year's visit log, a part of it caught by the default partition, and run every job beside heartbeats.

    The rotation may have no lock on the log for longer than 100 ms, as another session sees it in pg_locks. Beside
    each job heartbeats go on at the rate that they have without it, nine tenths of it at least: the median of the
    turns, each with its own measure of the rate without. No event may be lost or doubled.
    """
    terminal = Console(stderr=True)
    plan = YearPlan(rows=rows, turns=turns, window_s=seconds, beats_per_s=beats, pieces=pieces)
    name = f"eventlive_year_{secrets.token_hex(6)}"
    with open_server(kind=kind, settings={**DEMO_SETTINGS, **YEAR_SETTINGS}) as server, terminal.status("") as status:
        upgrade(Options(dsn=server.create_database(name)))
        try:
            found = run_year(server.dsn(name), plan, status.update)
        finally:
            server.drop_database(name)
        version = f"{server.version_num // 10000}.{server.version_num % 10000} ({server.kind})"
    results = found.results(machine_of(version))
    if out is not None:
        write_results(results, out)
    if as_json:
        typer.echo(json.dumps(results_as_json(results)))
    else:
        for comparison in results.comparisons:
            [job] = comparison.targets
            typer.echo(f"{comparison.title}: {comparison.ratio(job):.2f} of the rate without it")
        for title, (value, unit) in results.figures.items():
            typer.echo(f"{title}: {value:,} {unit}")
    for line in found.missed():
        typer.echo(f"missed: {line}", err=True)
    if found.missed():
        raise typer.Exit(FAILED)
