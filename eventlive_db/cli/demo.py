"""``eventlive-db demo``: a webinar on a real Postgres, from the door to the end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
import typer
from rich.console import Console

from eventlive_db.cli import demo_view
from eventlive_db.client import RpcError
from eventlive_db.load.attendance import AttendanceError, AttendanceFile, read_attendance
from eventlive_db.load.demo import DemoPlan, run_demo
from eventlive_db.load.replay import default_speed, replay
from eventlive_db.migrate.errors import MigrateError
from eventlive_db.migrate.options import Options
from eventlive_db.migrate.runner import upgrade
from eventlive_db.server import DEMO_SETTINGS, Server, ServerError, open_server

BROKEN_PROMISE = 1
"""Exit status when the run broke a promise, or the database failed."""

BAD_INPUT = 2
"""Exit status when the file or an option cannot be used."""


def demo(
    viewers: Annotated[int, typer.Option(min=12, max=5000, help="People who come.")] = 300,
    connections: Annotated[int, typer.Option(min=1, max=100, help="Connections they share.")] = 40,
    seconds: Annotated[float, typer.Option(min=3, max=600, help="From the door to the end.")] = 20,
    seed: Annotated[int, typer.Option(help="Two runs with one seed send the same people.")] = 1,
    attendance: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Replay an attendance export of Zoom or Teams instead.")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(min=1, help="Seconds of the file in one second.", show_default="as fast as --seconds asks"),
    ] = None,
    timezone: Annotated[str, typer.Option(help="Time zone of the file's times, such as Europe/Berlin.")] = "UTC",
    day_first: Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="Order in the file's dates.", show_default="by the file"),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="Postgres to take: dsn, container, installed or embedded.", show_default="the first there is"
        ),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the database up at the end, until Ctrl-C.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end, and nothing else.")
    ] = False,
) -> None:
    """Run a webinar on a real Postgres, or replay a real one with --attendance.

    Viewers register, enter, ping, beat and leave over real connections; some are not registered, some log in
    twice. It makes a database for itself, and drops it at the end.

    Exit status: 0 all promises held; 1 one did not, or the database failed; 2 the file or an option is of no use.
    """
    console = Console(stderr=as_json, quiet=as_json, highlight=False)
    file = _read(attendance, timezone, day_first) if attendance else None
    if file:
        demo_view.show_file(console, str(attendance), file)
    try:
        with _database(kind, connections) as (server, dsn, name):
            console.print(f"Postgres {server.version_num // 10000} ({server.kind}). While it runs, look inside with:")
            console.print(f"  {server.psql_command(name)}", soft_wrap=True)
            if file:
                pace = speed or default_speed(file.rows, seconds)
                with demo_view.live(console, demo_view.replay_line) as show:
                    report: Any = asyncio.run(replay(dsn, file.rows, pace, connections, show))
                demo_view.show_replay(console, report)
            else:
                plan = DemoPlan(viewers=viewers, connections=connections, seconds=seconds, seed=seed)
                with demo_view.live(console, demo_view.demo_line) as show:
                    report = asyncio.run(run_demo(dsn, plan, show))
                demo_view.show_demo(console, report)
            if keep:
                _wait_for_interrupt(console)
    except (ServerError, MigrateError, RpcError, psycopg.Error) as error:
        typer.echo(f"eventlive-db: {error}", err=True)
        raise typer.Exit(BROKEN_PROMISE) from None
    if as_json:
        typer.echo(json.dumps(_plain(report), indent=2))
    if not report.passed:
        raise typer.Exit(BROKEN_PROMISE)


def _wait_for_interrupt(console: Console) -> None:
    console.print("The database stays up until Ctrl-C.")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


def _read(path: Path, timezone: str, day_first: bool | None) -> AttendanceFile:
    try:
        file = read_attendance(path, timezone=ZoneInfo(timezone), day_first=day_first)
    except (ZoneInfoNotFoundError, ValueError) as error:
        typer.echo(f"eventlive-db: --timezone: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    except AttendanceError as error:
        typer.echo(f"eventlive-db: {path}: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None
    if not file.rows:
        typer.echo(f"eventlive-db: {path}: no row of it can be replayed", err=True)
        for problem in file.problems:
            typer.echo(f"  line {problem.line}: {problem.token}: {problem.message}", err=True)
        raise typer.Exit(BAD_INPUT)
    return file


@contextlib.contextmanager
def _database(kind: str | None, connections: int) -> Iterator[tuple[Server, str, str]]:
    """A server, and a database of our own in it with the schema installed."""
    settings = {**DEMO_SETTINGS, "max_connections": str(connections + 30)}
    name = f"eventlive_demo_{secrets.token_hex(4)}"
    with open_server(kind=kind, settings=settings) as server:
        dsn = server.create_database(name)
        try:
            upgrade(Options(dsn=dsn))
            yield server, dsn, name
        finally:
            server.drop_database(name)


def _plain(report: Any) -> Any:
    """A report as JSON has it; keys that are pairs are joined by a blank."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {" ".join(k) if isinstance(k, tuple) else k: plain(v) for k, v in value.items()}
        if isinstance(value, list):
            return [plain(v) for v in value]
        return value

    computed = ["passed"] + [n for n in ("file_seconds", "database_seconds") if hasattr(report, n)]
    return plain(dataclasses.asdict(report)) | {name: getattr(report, name) for name in computed}
