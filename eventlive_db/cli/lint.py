"""``eventlive-db lint``: what can be known of SQL without running it, and of a database by looking at it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eventlive_db.cli.lint_db import lint_db
from eventlive_db.cli.plans_common import fail, see_writable, write_whole
from eventlive_db.lint.errors import LintError
from eventlive_db.lint.sql.linter import find_config, lint
from eventlive_db.lint.sql.report import as_dict, as_json, as_sarif, as_text, locks_as_text

BROKEN = 1
"""Exit status when something was found."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Static contracts: names that exist, rules for functions and migrations, who touches what.

    \\b
        eventlive-db lint sql
        eventlive-db lint sql sql/30_rpc migrations/versions --json

    Exit status: 0 when nothing was found; 1 when something was; 2 when it could not be judged.
    """,
)


@app.command("sql")
def lint_sql(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Folders and files of SQL, migrations and Python.",
            show_default="what lint.toml names, else sql/ and migrations/versions",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The rules and contracts.", show_default="lint.toml, if it is here"),
    ] = None,
    locks: Annotated[
        bool, typer.Option("--locks", help="Print what each statement of each migration locks and rewrites.")
    ] = False,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write SARIF 2.1.0.")] = None,
    json_wanted: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look up every table, column and function that SQL names, and hold functions and migrations to the rules.

    Names are looked up in the DDL of the files themselves: no database is needed. With paths only what is found below
    them is told; what lint.toml names is read all the same.
    """
    see_writable(sarif)
    root = Path.cwd()
    try:
        report = lint(root, find_config(root, config), paths or (), locks=locks)
    except LintError as error:
        fail(error)
    if sarif:
        write_whole(sarif, as_json(as_sarif(report)) + "\n")
    if json_wanted:
        typer.echo(as_json(as_dict(report)))
    else:
        if locks:
            typer.echo(locks_as_text(report))
        typer.echo(as_text(report))
    if report.findings:
        raise typer.Exit(BROKEN)


app.command("db")(lint_db)
