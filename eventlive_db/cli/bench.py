"""``eventlive-db bench``: what things cost, measured side by side."""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path
from typing import Annotated, get_args

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from eventlive_db.load.bench import Comparison, Results, write_results
from eventlive_db.load.bench.errors import BenchError, MissingToolError
from eventlive_db.load.bench.parts import PARTS, SHORT, Sizes, measure
from eventlive_db.load.bench.pgbench import Mode, Pgbench, find_pgbench, pgbench_places
from eventlive_db.load.bench.results import machine_of, merge
from eventlive_db.load.bench.stage import BENCH_SETTINGS, Place
from eventlive_db.migrate.errors import MigrateError
from eventlive_db.migrate.options import Options
from eventlive_db.migrate.runner import upgrade
from eventlive_db.server import Server, ServerError, open_server

MISSED = 1
"""Exit status where a target was missed."""

FAILED = 2
"""Exit status where it could not be measured."""


def bench(
    parts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PART]...", help=f"What to measure: {', '.join(PARTS)}.", show_default=", ".join(SHORT)
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Turns that each contender has.", show_default="as the part has it"),
    ] = None,
    loops: Annotated[int, typer.Option(min=1, max=1_000_000, help="Heartbeat loops in one process.")] = 10_000,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.01, max=60, help="How long a turn is.", show_default="as the part has it"),
    ] = None,
    users: Annotated[
        int | None,
        typer.Option(min=10, max=10_000_000, help="Users who are present.", show_default="as the part has it"),
    ] = None,
    clients: Annotated[
        str | None, typer.Option(help="Numbers of connections, such as 1,4.", show_default="as the part has it")
    ] = None,
    modes: Annotated[
        str | None,
        typer.Option(help="Protocols of pings, such as prepared,simple,extended.", show_default="prepared"),
    ] = None,
    hold: Annotated[
        int | None,
        typer.Option(
            min=2, max=86_400, help="Seconds to hold the snapshot, and the rate of a million.", show_default="600"
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(min=1, max=1_000_000, help="Pings a second there.", show_default="2000 beside the snapshot, 8400"),
    ] = None,
    postgrest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A PostgREST to put both designs of incumbent behind.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="Postgres to take: dsn, container, installed or embedded.", show_default="the first there is"
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write every figure here, as JSON.")] = None,
) -> None:
    """Measure what things cost, side by side.

    client: a call through the client against the same statements sent by hand, and heartbeat loops.
    ping: a ping against the bare UPDATE by key. incumbent: the design replaced. redis: ZADD, where Redis is installed.
    growth: a ping among 1,000 to 10,000,000. snapshot: pings beside a snapshot held for ten minutes. million: a million
    viewers for ten minutes.

    The contenders take turns in one run, and what counts is the median of their ratios, round by round: a machine
    that is busy with other things disturbs all of them alike. A part whose tool is missing is skipped, and said.

    Exit status: 0; 1 where a target is missed; 2 where it could not be measured.
    """
    try:
        sizes = Sizes(rounds, seconds, users, _clients(clients), _modes(modes), loops, hold, rate, postgrest)
        _bench(parts or list(SHORT), sizes, kind, out)
    except (ServerError, MigrateError, BenchError, psycopg.Error, ValueError) as error:
        typer.echo(f"eventlive-db: {error}", err=True)
        raise typer.Exit(FAILED) from None


def _clients(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    numbers = tuple(int(part) if part.strip().isdecimal() else 0 for part in text.split(","))
    if not all(0 < number <= 100 for number in numbers):
        msg = f"--clients takes numbers from 1 to 100 with commas between them, not {text!r}"
        raise ValueError(msg)
    return numbers


def _modes(text: str | None) -> tuple[Mode, ...] | None:
    if text is None:
        return None
    found: list[Mode] = [mode for mode in get_args(Mode) if mode in text.split(",")]
    if len(found) != len(text.split(",")):
        msg = f"--modes takes some of {', '.join(get_args(Mode))} with commas between them, not {text!r}"
        raise ValueError(msg)
    return tuple(found)


def _bench(parts: list[str], sizes: Sizes, kind: str | None, out: Path | None) -> None:
    console, terminal = Console(), Console(stderr=True)
    with open_server(kind=kind, settings=BENCH_SETTINGS) as server, terminal.status("") as status:
        try:
            pgbench = find_pgbench(pgbench_places(server))
        except MissingToolError:
            pgbench = None  # each part that needs it says so
        place = Place(server, lambda dsn: upgrade(Options(dsn=dsn)), pgbench, status.update)
        results = merge(measure(parts, place, sizes), machine_of(_version(server)) | _circumstances(server, pgbench))
    _show(console, results)
    if out is not None:
        write_results(results, out)
        console.print(f"Every figure: {out}")
    for line in results.missed():
        terminal.print(f"missed: {line}", soft_wrap=True)
    if results.missed():
        raise typer.Exit(MISSED)


def _show(console: Console, results: Results) -> None:
    """Ratios first."""
    for comparison in results.comparisons:
        console.print(_table(comparison))
    for mark in results.marks:
        console.print(f"{mark.name}: {mark.found}" + ("" if mark.passed else f"; wanted is {mark.wanted}"))
    for name, (value, unit) in results.figures.items():
        console.print(f"{name}: {value:,} {unit}")
    for name, why in results.skipped.items():
        console.print(f"skipped: {name}: {why}")
    for note in results.notes:
        console.print(note)
    console.print(", ".join(f"{name} {value}" for name, value in results.machine.items()), style="dim")


def _version(server: Server) -> str:
    return f"{server.version_num // 10000}.{server.version_num % 10000} ({server.kind})"


def _circumstances(server: Server, pgbench: Path | None) -> dict[str, str]:
    """What the figures of a server and a load generator depend on."""
    with psycopg.connect(server.dsn()) as connection:
        names = ("fsync", "full_page_writes", "shared_buffers", "autovacuum", "wal_level")
        found = {
            name: str((connection.execute("select current_setting(%s)", [name]).fetchone() or ("",))[0])
            for name in names
        }
    if server.kind in {"installed", "embedded"}:
        found["data in"] = _file_system(Path(tempfile.gettempdir()))
    if pgbench is not None:
        found["pgbench"] = Pgbench(pgbench, "").version()
    found["load average before"] = f"{os.getloadavg()[0]:.2f}"
    return found


def _file_system(path: Path) -> str:
    """What kind of file system a path is in, as far as the kernel says."""
    mounts = Path("/proc/mounts")
    lines = [line.split() for line in mounts.read_text().splitlines()] if mounts.exists() else []
    around = [line for line in lines if path.is_relative_to(line[1])]
    return max(around, key=lambda line: len(line[1]))[2] if around else "a file system"


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
