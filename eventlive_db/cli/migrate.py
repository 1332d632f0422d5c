"""``eventlive-db migrate``: apply migrations, take them back, write them out, compare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import psycopg
import typer

from eventlive_db.cli.dsn import DsnOption
from eventlive_db.migrate import (
    Difference,
    MigrateError,
    Options,
    Status,
    Step,
    downgrade,
    find_drift,
    scratch_database,
    status,
    upgrade,
)
from eventlive_db.migrate import script as write_script
from eventlive_db.migrate.errors import describe
from eventlive_db.migrate.session import connect

BEHIND = 1
"""Exit status of ``status`` when there are steps to go, and of ``diff`` when there is drift."""

FAILED = 2
"""Exit status of every command when it failed."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Apply migrations, take them back, write them out as SQL, compare.

    \b
        eventlive-db migrate up --dsn postgresql://...
        eventlive-db migrate sql > install.sql

    The role that migrates needs no superuser: CREATE on the database and CREATEROLE will do. Where it may not make
    roles, an administrator makes anon, authenticated and service_role, and --owner names an existing role as the
    owner, such as the migrating role itself. Roles belong to the whole cluster and are never dropped.

    Installers of one database wait for each other. Connect to the server itself, or to a pooler that keeps sessions.

    Exit status: 0; 1 when status finds steps to go or diff finds drift; 2 when a command failed.
    """,
)

SchemaOption = Annotated[
    str | None,
    typer.Option(
        "--api-schema",
        envvar="EVENTLIVE_API_SCHEMA",
        help="The exposed schema; it may exist and hold other objects, such as public.",
        show_default="the one installed, else eventlive_api",
    ),
]
OwnerOption = Annotated[
    str | None,
    typer.Option(
        "--owner",
        envvar="EVENTLIVE_OWNER",
        help="The role that owns everything; made if it is missing.",
        show_default="the one installed, else eventlive_owner",
    ),
]
DiscardOption = Annotated[
    bool, typer.Option("--discard-data", help="Drop tables even if they hold data. It cannot be brought back.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

# So that -1 is a revision and not an option.
_RELATIVE = {"ignore_unknown_options": True}


def _fail(problem: object) -> NoReturn:
    typer.echo(f"eventlive-db: {problem}", err=True)
    raise typer.Exit(FAILED)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except MigrateError as error:
        _fail(error)
    except psycopg.Error as error:
        _fail(describe(error))


def _tell(step: Step) -> None:
    typer.echo(f"{step.direction:4} {step.revision} {step.title}", err=True)


def _report(steps: list[Step], now: Status) -> None:
    if not steps:
        typer.echo("nothing to do", err=True)
    typer.echo(f"at {now.current or 'base'}")


@app.command(context_settings=_RELATIVE)
def up(
    revision: Annotated[str, typer.Argument(help="Where to: a revision, head, or +1.")] = "head",
    dsn: DsnOption = None,
    api_schema: SchemaOption = None,
    owner: OwnerOption = None,
) -> None:
    """Migrate forward. A step that fails is rolled back; those before it stay.

    Exit status: 0, also when there was nothing to do; 2 when it failed.
    """
    with _failures():
        steps = upgrade(Options(dsn, api_schema, owner, on_step=_tell), revision)
        _report(steps, status(dsn))


@app.command(context_settings=_RELATIVE)
def down(
    revision: Annotated[str, typer.Argument(help="Where to: base, a revision, or -1.", show_default=False)],
    dsn: DsnOption = None,
    discard_data: DiscardOption = False,
    api_schema: SchemaOption = None,
    owner: OwnerOption = None,
) -> None:
    """Migrate back. Refuses to drop tables that hold data, unless told to.

    base leaves nothing but the roles: an exposed schema that was there before stays, with its other objects.

    Exit status: 0; 2 when it failed or refused.
    """
    with _failures():
        options = Options(dsn, api_schema, owner, discard_data=discard_data, on_step=_tell)
        _report(downgrade(options, revision), status(dsn))


@app.command(name="status")
def show_status(dsn: DsnOption = None, as_json: JsonOption = False) -> None:
    """Say where the database is. Changes nothing.

    Exit status: 0 up to date, 1 steps to go, 2 when it cannot be told.
    """
    with _failures():
        now = status(dsn)
    if as_json:
        found = {
            "current": now.current,
            "head": now.head,
            "pending": list(now.pending),
            "up_to_date": now.up_to_date,
            "api_schema": now.names.api_schema if now.names else None,
            "owner": now.names.owner if now.names else None,
        }
        typer.echo(json.dumps(found))
    else:
        typer.echo(f"current: {now.current or 'base'}\nhead: {now.head}")
        typer.echo(f"pending: {', '.join(now.pending) or 'none'}")
        if now.names:
            typer.echo(f"exposed schema: {now.names.api_schema}\nowner: {now.names.owner}")
    if not now.up_to_date:
        raise typer.Exit(BEHIND)


@app.command()
def sql(
    start: Annotated[
        str | None, typer.Option("--from", help="Where the database is.", show_default="base, or head with --down")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Where it is to go.", show_default="head, or base with --down")
    ] = None,
    back: Annotated[bool, typer.Option("--down", help="Write the way back.")] = False,
    discard_data: DiscardOption = False,
    api_schema: SchemaOption = None,
    owner: OwnerOption = None,
) -> None:
    """Write the migrations out as SQL, to be read, and run with psql --set ON_ERROR_STOP=1 --file.

    It leads to the same catalog and the same revision as up and down do, and refuses a database that is elsewhere.

    Exit status: 0; 2 when there is no such way.
    """
    first, last = ("head", "base") if back else ("base", "head")
    with _failures():
        options = Options(None, api_schema, owner, discard_data=discard_data)
        text = write_script(options, start or first, end or last, back=back)
    typer.echo(text, nl=False)


@app.command()
def diff(
    dsn: DsnOption = None,
    scratch_dsn: Annotated[
        str | None,
        typer.Option(
            "--scratch-dsn",
            help="An empty database of the same server to build the declared schema in; it is left filled.",
            show_default="a temporary database",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the database with the declared schema. Changes nothing in it.

    Partitions that time has added, settings that were changed and other objects of a shared exposed schema are no
    drift.

    Exit status: 0 no drift, 1 drift, 2 when it failed.
    """
    with _failures():
        now = status(dsn)
        if now.current is None:
            _fail("eventlive is not installed in this database; run: eventlive-db migrate up")
        if not now.up_to_date:
            typer.echo(f"note: the database is at {now.current}, the declared schema at {now.head}", err=True)
        differences = _drift(dsn or "", scratch_dsn)
    if as_json:
        listed = [
            {name: getattr(found, name) for name in ("object", "aspect", "change", "declared", "found")}
            for found in differences
        ]
        typer.echo(json.dumps({"drift": listed}))
    else:
        for found in differences:
            typer.echo(str(found))
        typer.echo(f"{len(differences)} differences" if differences else "no drift", err=True)
    if differences:
        raise typer.Exit(BEHIND)


def _drift(dsn: str, scratch_dsn: str | None) -> list[Difference]:
    if scratch_dsn is not None:
        with connect(dsn) as database, connect(scratch_dsn) as scratch:
            return find_drift(database, scratch)
    with scratch_database(dsn) as temporary, connect(dsn) as database, connect(temporary) as scratch:
        return find_drift(database, scratch)
