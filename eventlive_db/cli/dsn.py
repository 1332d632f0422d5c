"""The option of the commands that work on one database."""

from __future__ import annotations

from typing import Annotated

import typer

DsnOption = Annotated[
    str | None,
    typer.Option("--dsn", envvar="EVENTLIVE_DSN", show_envvar=True, help="The database: libpq string or URI."),
]
