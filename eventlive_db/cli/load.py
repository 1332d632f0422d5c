"""``eventlive-db load``: many clients at once, against a real database."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from eventlive_db.load.herd import BOUND, HerdPlan, run_herd
from eventlive_db.migrate.options import Options
from eventlive_db.migrate.runner import upgrade

FAILED = 1
"""Exit status where a run did not keep what it should."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Many clients at once, against a real database.

    Exit status: 0; 1 where a run did not keep what it should.
    """,
)


@app.callback()
def load() -> None:
    """Many clients at once."""


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
