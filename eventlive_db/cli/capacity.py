"""``eventlive-db capacity``: what an audience will be for the database, before it comes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from eventlive_db.capacity import Audience, Costs, Estimate, Line, estimate, estimate_incumbent, shipped_costs
from eventlive_db.load.costs import measure_costs
from eventlive_db.migrate.errors import MigrateError
from eventlive_db.migrate.options import Options
from eventlive_db.migrate.runner import upgrade
from eventlive_db.server import ServerError

FAILED = 2
"""Exit status where nothing could be worked out."""


def capacity(
    viewers: Annotated[int, typer.Option(min=1, max=100_000_000, help="Viewers of one webinar at once.")],
    enter_within: Annotated[float, typer.Option(min=0.1, help="Minutes in which they come.")] = 2,
    dashboards: Annotated[int, typer.Option(min=0, help="Dashboards that are open.")] = 5,
    fallback: Annotated[float, typer.Option(min=0, max=1, help="Part of them that lost Realtime and polls.")] = 0,
    pings: Annotated[bool, typer.Option("--pings", help="Clients ping beside their heartbeat.")] = False,
    dsn: Annotated[
        str | None,
        typer.Option(help="Take the settings of this database.", show_default="the settings as shipped"),
    ] = None,
    costs_file: Annotated[
        Path | None,
        typer.Option("--costs", metavar="FILE", help="Take the costs in this file.", show_default="those shipped"),
    ] = None,
    measure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Measure the costs on this machine first, and write them here."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Work out the requests, statements, WAL and connections of an audience, beside those of the design replaced.

    An estimate: the number of calls that the settings make of it, times what each call was measured to cost.

    Exit status: 0; 2 where nothing could be worked out.
    """
    try:
        if measure is not None:
            measured = measure_costs(lambda database: upgrade(Options(dsn=database)))
            measure.write_text(json.dumps(measured, indent=1) + "\n")
            costs_file = measure
        costs = Costs.read(json.loads(costs_file.read_text("utf-8"))) if costs_file else shipped_costs()
        settings = _settings(dsn) if dsn else None
    except (ServerError, MigrateError, psycopg.Error, OSError, ValueError, KeyError, TypeError) as error:
        typer.echo(f"eventlive-db: {_problem(error, costs_file)}", err=True)
        raise typer.Exit(FAILED) from None

    audience = Audience(viewers, enter_within, dashboards, fallback, pings)
    ours, theirs = estimate(audience, costs, settings), estimate_incumbent(audience, costs)
    if as_json:
        typer.echo(json.dumps(_object(audience, costs, ours, theirs)))
        return
    terminal = Console()
    terminal.print(_table(f"eventlive-db, {viewers:,} viewers, a minute", ours))
    terminal.print(_table("the design it replaces, on a day without faults", theirs))
    typer.echo(
        f"requests while all watch: {ours.steady.requests:,.0f} against {theirs.steady.requests:,.0f};"
        f" calls to the auth service {ours.outside['auth service']:,.0f} against {theirs.outside['auth service']:,.0f}"
    )
    typer.echo(
        f"connections busy while they come: {ours.peak.busy:.2f} against {theirs.peak.busy:.2f};"
        f" a pool of {ours.connections} against {theirs.connections}"
    )
    typer.echo(f"costs measured {costs.at} on {costs.machine['processor']}, Postgres {costs.machine['postgres']}")


def _problem(error: Exception, costs_file: Path | None) -> str:
    if isinstance(error, KeyError | TypeError | ValueError):
        return f"{costs_file} holds no costs; capacity --measure FILE writes them"
    return str(error)


def _settings(dsn: str) -> dict[str, float | bool]:
    with psycopg.connect(dsn, application_name="eventlive-db capacity") as connection:
        rows = connection.execute("select key, value from eventlive.settings where value_type <> 'text'").fetchall()
    return dict(rows)


def _table(title: str, estimated: Estimate) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("call", "every", "calls", "requests", "statements", "WAL", "busy"):
        table.add_column(column, justify="left" if column == "call" else "right", no_wrap=True)
    for line in estimated.lines:
        if line.calls:
            table.add_row(*_cells(line))
    table.add_section()
    table.add_row(*_cells(estimated.steady))
    table.add_row(*_cells(estimated.peak))
    return table


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.what,
        f"{line.interval_s:,.0f} s" if line.interval_s else "",
        f"{line.calls:,.0f}",
        f"{line.requests:,.0f}",
        f"{line.statements:,.0f}",
        f"{line.wal_bytes / 1e6:,.2f} MB",
        f"{line.busy:.2f}",
    )


def _object(audience: Audience, costs: Costs, ours: Estimate, theirs: Estimate) -> dict[str, Any]:
    return {
        "audience": asdict(audience),
        "costs": {"at": costs.at, "machine": dict(costs.machine)},
        **{
            name: {
                "lines": [asdict(line) for line in estimated.lines],
                "entering": asdict(estimated.entering),
                "steady": asdict(estimated.steady),
                "peak": asdict(estimated.peak),
                "outside": dict(estimated.outside),
                "connections": estimated.connections,
            }
            for name, estimated in (("eventlive_db", ours), ("incumbent", theirs))
        },
    }
