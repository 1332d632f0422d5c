"""``eventlive-db plans mutate|coverage|clean``: test the tests, and tidy up after them."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg import sql

from eventlive_db.cli.plans_common import (
    BROKEN,
    CaseOption,
    DsnOption,
    JsonOption,
    KindOption,
    SuiteArgument,
    fail,
    failures,
    find_suite,
    session_for,
)
from eventlive_db.plans.arena import build_schema, new_name
from eventlive_db.plans.check import Options
from eventlive_db.plans.session import APPLICATION_NAME


def mutate_command(
    suite: SuiteArgument = None,
    dsn: DsnOption = None,
    kind: KindOption = None,
    case: CaseOption = None,
    fail_under: Annotated[float, typer.Option(min=0, max=100, metavar="PERCENT", help="Lowest score.")] = 100.0,
    as_json: JsonOption = False,
) -> None:
    """Break the database in one way at a time, and see whether a budget notices.

    An index is dropped, one is added to a column that a hot call writes, a look-up, a lock or a caught error is put
    into a function, a policy's helper runs for each row, and so on. What no budget rejects survives, and is named.
    """
    from eventlive_db.plans.mutate import MutantReport, mutate, render
    from eventlive_db.plans.mutate import to_dict as mutation_dict

    def tell(mutant: MutantReport) -> None:
        if sys.stderr.isatty():
            typer.echo(f"{mutant.verdict:<11}  {mutant.operator}: {mutant.name}", err=True)

    with failures():
        loaded = find_suite(suite)
        with session_for(dsn, kind, Options(snapshots=False)) as session:
            report = mutate(loaded, session.arena(loaded), loaded.select(case or ()), tell)
    typer.echo(json.dumps(mutation_dict(report)) if as_json else render(report))
    if report.score < fail_under:
        raise typer.Exit(BROKEN)


def coverage_command(
    logs: Annotated[list[Path] | None, typer.Argument(help="Server logs of the test run.", show_default=False)] = None,
    suite: Annotated[
        Path | None,
        typer.Option(help="Take the schema and its files from this suite.", show_default="the only plans.toml"),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(metavar="DSN", help="A database with the functions.", show_default="one is made from the suite"),
    ] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option(help="SQL file with the functions; repeatable.", show_default="the suite's"),
    ] = None,
    schema: Annotated[list[str] | None, typer.Option(help="Judge this schema alone; may be repeated.")] = None,
    dsn: DsnOption = None,
    kind: KindOption = None,
    fail_under: Annotated[float, typer.Option(min=0, max=100, metavar="PERCENT", help="Lowest coverage.")] = 0.0,
    everything: Annotated[bool, typer.Option("--all", help="List also what is covered and not judged.")] = False,
    print_settings: Annotated[
        bool, typer.Option("--settings", help="Print the settings that the tests' server needs, and end.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say which SQL statements of the functions no test ran, by file and line.

    Run the tests on a server with the settings that --settings prints, and give its log. No extension is needed.
    """
    from eventlive_db.plans.coverage import COVERAGE_SETTINGS, render, report

    if print_settings:
        for name, value in COVERAGE_SETTINGS.items():
            typer.echo(f"{name} = '{value}'")
        return
    if not logs:
        fail("name the logs of the test run; --settings prints what its server needs")
    with failures(), ExitStack() as stack:
        sources = tuple(source or ())
        if database is None:
            loaded = find_suite(suite)
            sources = sources or loaded.sources
            server = stack.enter_context(session_for(dsn, kind, Options())).server
            name = new_name()
            stack.callback(server.drop_database, name)
            database = server.create_database(name)
            build_schema(database, loaded)
        with psycopg.connect(database, autocommit=True) as connection:
            coverage = report(logs, connection, schemas=schema, sources=sources)
    typer.echo(json.dumps(coverage.to_dict()) if as_json else render(coverage, all_functions=everything))
    if coverage.percent < fail_under:
        raise typer.Exit(BROKEN)


def clean_command(
    dsn: Annotated[
        str, typer.Option("--dsn", envvar="PLAN_GUARD_DSN", show_envvar=True, help="The server, as superuser.")
    ],
) -> None:
    """Drop the databases that killed runs left on a server.

    A run drops its own; only one that is killed cannot. Dropped is what is called plans_ and 16 digits and has nobody
    connected to it, and nothing while a run is under way.
    """
    with failures(), psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "select pid from pg_catalog.pg_stat_activity where application_name = %s", [APPLICATION_NAME]
        ).fetchone()
        if row is not None:
            fail(f"a run of the plan guard is under way on this server (process {row[0]}); wait until it has ended")
        found = connection.execute(
            "select datname, (select min(a.pid) from pg_catalog.pg_stat_activity a where a.datid = d.oid)"
            "  from pg_catalog.pg_database d where datname ~ '^plans_[0-9a-f]{16}$' order by 1"
        ).fetchall()
        for name, user in found:
            if user is not None:
                typer.echo(f"left {name}: process {user} is connected to it", err=True)
                continue
            connection.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))
            typer.echo(f"dropped {name}")
