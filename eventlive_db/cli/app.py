"""The command line: one group of commands a module."""

from __future__ import annotations

from typing import Annotated

import typer

from eventlive_db import __version__
from eventlive_db.cli import bench, call, demo, lint, load, migrate, plans, server

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(server.app, name="server")
app.add_typer(migrate.app, name="migrate")
app.add_typer(call.app, name="call")
app.add_typer(plans.app, name="plans")
app.add_typer(lint.app, name="lint")
app.add_typer(load.app, name="load")
app.command("demo")(demo.demo)
app.command("bench")(bench.bench)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eventlive-db {__version__}")
        raise typer.Exit


@app.callback()
def eventlive_db(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Live webinars in Postgres: install the schema, try it, look after it."""
