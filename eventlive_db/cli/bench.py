"""``eventlive-db bench``: what things cost, measured side by side."""

from __future__ import annotations

import secrets
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from eventlive_db.load.bench import Comparison, Results, write_results
from eventlive_db.load.bench.client import compare_clients
from eventlive_db.load.bench.loops import measure_loops
from eventlive_db.load.bench.results import machine_of
from eventlive_db.migrate.errors import MigrateError
from eventlive_db.migrate.options import Options
from eventlive_db.migrate.runner import upgrade
from eventlive_db.server import TEST_SETTINGS, Server, ServerError, open_server

MISSED = 1
"""Exit status where a target was missed."""

FAILED = 2
"""Exit status where it could not be measured."""


def bench(
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Turns that each contender has.")] = 15,
    loops: Annotated[int, typer.Option(min=1, max=1_000_000, help="Heartbeat loops in one process.")] = 10_000,
    seconds: Annotated[float, typer.Option(min=0.01, max=60, help="How long a turn is.")] = 0.5,
    kind: Annotated[
        str | None,
        typer.Option(
            help="Postgres to take: dsn, container, installed or embedded.", show_default="the first there is"
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write every figure here, as JSON.")] = None,
) -> None:
    """Measure what a call through the client costs against the same statements sent by hand, and what loops cost.

    The contenders take turns in one run, and what counts is the median of their ratios, round by round: a machine
    that is busy with other things disturbs all of them alike.

    Exit status: 0; 1 where a ratio is below its target; 2 where it could not be measured.
    """
    try:
        _bench(rounds, loops, seconds, kind, out)
    except (ServerError, MigrateError, psycopg.Error, ValueError) as error:
        typer.echo(f"eventlive-db: {error}", err=True)
        raise typer.Exit(FAILED) from None


def _bench(rounds: int, loops: int, seconds: float, kind: str | None, out: Path | None) -> None:
    console, terminal = Console(), Console(stderr=True)
    with _database(kind) as (server, dsns), terminal.status("") as status:
        found = compare_clients(dsns, rounds=rounds, slice_s=seconds, progress=status.update)
        status.update(f"{loops:,} heartbeat loops")
        results = Results(found, measure_loops(loops), machine_of(_version(server)))
    for comparison in results.comparisons:
        console.print(_table(comparison))
    for name, (value, unit) in results.figures.items():
        console.print(f"{name}: {value:,} {unit}")
    console.print(", ".join(f"{name} {value}" for name, value in results.machine.items()), style="dim")
    if out is not None:
        write_results(results, out)
        console.print(f"Every figure: {out}")
    for line in results.missed():
        terminal.print(f"missed: {line}")
    if results.missed():
        raise typer.Exit(MISSED)


@contextmanager
def _database(kind: str | None) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server with the schema in a database of its own, and the ways to it."""
    name = f"eventlive_bench_{secrets.token_hex(6)}"
    with open_server(kind=kind, settings=TEST_SETTINGS) as server:
        try:
            upgrade(Options(dsn=server.create_database(name)))
            ways = {"TCP": server.tcp_dsn(name)}
            yield server, ({"Unix socket": server.dsn(name)} | ways if server.dsn() != server.tcp_dsn() else ways)
        finally:
            server.drop_database(name)


def _version(server: Server) -> str:
    return f"{server.version_num // 10000}.{server.version_num % 10000} ({server.kind})"


def _table(comparison: Comparison) -> Table:
    table = Table(title=comparison.title, title_justify="left")
    for heading in ("", f"of {comparison.base}", "from", "to", comparison.unit, "wanted"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, rates in comparison.rates.items():
        ratios = comparison.ratios(name)
        wanted = comparison.targets.get(name)
        table.add_row(
            name,
            f"{comparison.ratio(name):.2f}",
            f"{min(ratios):.2f}",
            f"{max(ratios):.2f}",
            f"{statistics.median(rates):,.0f}",
            f">= {wanted:.2f}" if wanted else "",
        )
    return table
