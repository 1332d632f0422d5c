"""The command line: one group of commands a module, which is imported when one of its commands is asked for."""

from __future__ import annotations

from collections import UserDict
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from eventlive_db import __version__

_GROUPS = ("server", "migrate", "call", "plans", "lint", "load", "jobs")
_COMMANDS = ("demo", "bench", "capacity", "watch", "verify")


class _Parts(UserDict[str, Any]):
    """Groups and commands by name. What one needs to be imported is no cost of the others: it is most of a call."""

    def __getitem__(self, name: str) -> Any:
        part = super().__getitem__(name)
        if part is None:
            module = import_module(f"eventlive_db.cli.{name}")
            around = typer.Typer(rich_markup_mode=None)
            if name in _GROUPS:
                around.add_typer(module.app, name=name)
            else:
                around.command(name)(getattr(module, name))
            part = self[name] = get_group(around).commands[name]
        return part


class _OnDemand(TyperGroup):
    """The whole command line."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Parts(dict.fromkeys((*_COMMANDS, *_GROUPS)))


app = typer.Typer(cls=_OnDemand, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


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
