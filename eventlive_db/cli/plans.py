"""``eventlive-db plans``: hold calls against their budgets, look inside them, and test the tests."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import psycopg
import typer

from eventlive_db.plans.arena import build_schema, new_name
from eventlive_db.plans.case import Case
from eventlive_db.plans.check import Options, check, unused_snapshots
from eventlive_db.plans.errors import PlansError
from eventlive_db.plans.explain import explain as explain_call
from eventlive_db.plans.model import CaseReport, PlanMode, Report
from eventlive_db.plans.report.annotations import annotations as annotated
from eventlive_db.plans.report.as_json import run_to_dict, to_dict
from eventlive_db.plans.report.html import html_page
from eventlive_db.plans.report.junit import junit_xml
from eventlive_db.plans.report.terminal import nested, table
from eventlive_db.plans.session import Session
from eventlive_db.plans.suite import Suite, load_suite
from eventlive_db.plans.update import remove_unused
from eventlive_db.server import TEST_SETTINGS, ServerError, open_server

BROKEN = 1
"""Exit status when a budget, guard or snapshot does not hold, a mutant survived or too little is covered."""

FAILED = 2
"""Exit status when nothing could be judged."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""What calls cost inside their functions: plans, WAL, locks.

    \b
        eventlive-db plans explain "select app.take_job()" --as worker --dsn postgresql://...
        eventlive-db plans check tests/plans.toml

    A suite is a TOML file with calls and their budgets: docs/plans.md tells how to write one. It is judged in databases
    made for it on the server of --dsn, as superuser, or on one that is started for it.

    Exit status: 0; 1 when something does not hold; 2 when it could not be judged.
    """,
)

SuiteArgument = Annotated[
    Path | None,
    typer.Argument(help="The suite's TOML file.", show_default="the only plans.toml at or below this folder"),
]
DsnOption = Annotated[
    str | None,
    typer.Option(
        "--dsn",
        envvar="PLAN_GUARD_DSN",
        show_envvar=True,
        help="A server, as superuser.",
        show_default="one is started",
    ),
]
KindOption = Annotated[
    str | None,
    typer.Option(
        help="Where that one comes from: container, installed or embedded.", show_default="the first there is"
    ),
]
CaseOption = Annotated[
    list[str] | None, typer.Option("--case", help="Only cases whose name holds this; may be repeated.")
]
RealOption = Annotated[
    int | None,
    typer.Option(min=1, help="Fill the tables up to this size, not to [scale] real; snapshots are left out."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _fail(problem: object) -> NoReturn:
    typer.echo(f"eventlive-db: {problem}", err=True)
    raise typer.Exit(FAILED)


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (PlansError, ServerError) as error:
        _fail(error)
    except psycopg.Error as error:
        _fail(str(error).strip())


def _suite(path: Path | None) -> Suite:
    if path is not None:
        return load_suite(path)
    found = sorted(p for p in Path().rglob("plans.toml") if not any(part.startswith(".") for part in p.parts))
    if len(found) != 1:
        named = ", ".join(str(p) for p in found) or "none"
        _fail(f"name a suite: of plans.toml at or below this folder there is not exactly one ({named})")
    return load_suite(found[0])


def _tell(report: CaseReport) -> None:
    if sys.stderr.isatty():
        typer.echo(f"{'ok    ' if report.passed else 'FAILED'}  {report.name}", err=True)


def _width() -> int:
    return shutil.get_terminal_size((140, 24)).columns


@app.command("check")
def check_command(
    suite: SuiteArgument = None,
    dsn: DsnOption = None,
    kind: KindOption = None,
    case: CaseOption = None,
    real: RealOption = None,
    repeat: Annotated[int, typer.Option(min=1, help="Times, each in databases built anew.")] = 1,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete/--incomplete",
            help="Fail where a snapshot is missing or unused.",
            show_default="where the variable CI is set",
        ),
    ] = os.environ.get("CI", "").lower() not in {"", "0", "false", "no"},
    snapshots: Annotated[
        bool, typer.Option("--snapshots/--no-snapshots", help="Compare plans with those kept.")
    ] = True,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page that plans report writes.")] = None,
    annotate: Annotated[
        bool, typer.Option("--annotate", help="Print GitHub annotations.", show_default="where GITHUB_ACTIONS is true")
    ] = os.environ.get("GITHUB_ACTIONS") == "true",
    as_json: JsonOption = False,
) -> None:
    """Judge a suite: budgets, guards, snapshots."""
    with _failures():
        loaded = _suite(suite)
        cases = loaded.select(case or ())
        # Kept are the plans of the suite's own sizes.
        options = Options(snapshots=snapshots and real is None, complete=complete)
        broken = 0
        for round_number in range(1, repeat + 1):
            with _session(dsn, kind, options, real) as session:
                report = check(loaded, session.arena(loaded), options, cases if case else None, _tell)
            broken += not report.passed
            if repeat > 1:
                typer.echo(f"round {round_number} of {repeat}: {'holds' if report.passed else 'BROKEN'}", err=True)
            if not report.passed or round_number == repeat:
                _write(report, loaded, junit, html, annotate, as_json)
    if repeat > 1:
        typer.echo(f"{repeat - broken} of {repeat} rounds hold", err=True)
    if broken:
        raise typer.Exit(BROKEN)


@contextmanager
def _session(
    dsn: str | None, kind: str | None, options: Options, real: int | None = None, update: str = ""
) -> Iterator[Session]:
    session = Session(dsn=dsn, kind=kind, options=options, update=update, real=real)
    try:
        yield session
    finally:
        session.close()


def _write(report: Report, suite: Suite, junit: Path | None, html: Path | None, annotate: bool, as_json: bool) -> None:
    if junit:
        junit.write_text(junit_xml(report), encoding="utf-8")
    if html:
        html.write_text(html_page(report, title=f"Plans of {suite.name}"), encoding="utf-8")
    if annotate:
        for line in annotated(report):
            typer.echo(line, err=as_json)
    typer.echo(json.dumps(to_dict(report)) if as_json else table(report, width=_width()))


@app.command("report")
def report_command(
    html: Annotated[Path, typer.Option(metavar="FILE", help="Where to.")],
    suite: SuiteArgument = None,
    dsn: DsnOption = None,
    kind: KindOption = None,
    case: CaseOption = None,
    real: RealOption = None,
) -> None:
    """Judge a suite and write a page that draws every plan; it needs nothing but a browser.

    The page is written whether everything holds or not.
    """
    check_command(suite, dsn, kind, case, real, html=html, repeat=1)


@app.command("update")
def update_command(
    suite: SuiteArgument = None,
    dsn: DsnOption = None,
    kind: KindOption = None,
    case: CaseOption = None,
    new_only: Annotated[bool, typer.Option("--new-only", help="Write only snapshots that are missing.")] = False,
) -> None:
    """Write the snapshots of plans that three databases, each built anew, agree on; remove those that are unused.

    A snapshot is not written where a budget or a guard does not hold.
    """
    broken = False
    with _failures():
        loaded = _suite(suite)
        with _session(dsn, kind, Options(), update="new" if new_only else "all") as session:
            for wanted in loaded.select(case or ()):
                report = session.judge(loaded, wanted)
                _tell(report)
                broken |= not report.passed
                for line in (*report.changes, *(note for note in report.notes if note.startswith("snapshot"))):
                    typer.echo(f"{wanted.name}: {line}")
                for violation in report.violations:
                    typer.echo(f"{wanted.name}: {violation}", err=True)
            store = session.store(loaded)
            if not new_only and not case:
                for path in remove_unused(loaded, store):
                    typer.echo(f"removed {path.name}, which belongs to no case")
            elif unused_snapshots(loaded, store):
                typer.echo("some snapshots belong to no case; plans update without options removes them", err=True)
    if broken:
        raise typer.Exit(BROKEN)


@app.command("explain")
def explain_command(
    call: Annotated[str, typer.Argument(help='One statement, such as "select app.take_job()".')],
    dsn: Annotated[
        str, typer.Option("--dsn", envvar="EVENTLIVE_DSN", show_envvar=True, help="The database, as superuser.")
    ],
    role: Annotated[str | None, typer.Option("--as", help="Role that makes the call.")] = None,
    claims: Annotated[str | None, typer.Option(help="JSON object, set as request.jwt.claims.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the transaction; repeatable.")
    ] = None,
    before: Annotated[str, typer.Option(help="SQL that is run, and stays, before each call.")] = "",
    generic: Annotated[bool, typer.Option("--generic", help="Plans that know no parameter's value.")] = False,
    warmups: Annotated[int, typer.Option(min=0, help="Calls made before, so that the catalog is not read.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Show what a call runs inside its functions, as that role: each statement with its plan and cost.

    The call is made and rolled back; the sequence values it takes are lost.
    """
    with _failures():
        mode: PlanMode = "generic" if generic else "custom"
        case = Case(
            name="explain",
            call=call,
            role=role,
            claims=_claims(claims),
            settings=dict(_pair(setting) for setting in settings or ()),
            before=before,
            warmups=warmups,
        )
        run = explain_call(dsn, case, mode)
    typer.echo(json.dumps(run_to_dict(run, plans=True)) if as_json else nested(run, width=min(_width(), 140)))


def _claims(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        claims = json.loads(text)
    except json.JSONDecodeError as error:
        _fail(f"--claims is not JSON: {error}")
    if not isinstance(claims, dict):
        _fail('--claims must be a JSON object, such as {"sub": "..."}')
    return claims


def _pair(setting: str) -> tuple[str, str]:
    name, equals, value = setting.partition("=")
    if not equals or not name:
        _fail(f"--set {setting!r} must be NAME=VALUE")
    return name, value


@app.command("mutate")
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
    from eventlive_db.plans.mutate import mutate, render
    from eventlive_db.plans.mutate import to_dict as mutation_dict

    with _failures():
        loaded = _suite(suite)
        with _session(dsn, kind, Options(snapshots=False)) as session:
            report = mutate(loaded, session.arena(loaded), loaded.select(case or ()))
    typer.echo(json.dumps(mutation_dict(report)) if as_json else render(report))
    if report.score < fail_under:
        raise typer.Exit(BROKEN)


@app.command("coverage")
def coverage_command(
    logs: Annotated[list[Path] | None, typer.Argument(help="Server logs of the test run.", show_default=False)] = None,
    suite: Annotated[
        Path | None,
        typer.Option(help="Take the schema and its files from this suite.", show_default="the only plans.toml"),
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
        _fail("name the logs of the test run; --settings prints what its server needs")
    with _failures(), ExitStack() as stack:
        loaded = _suite(suite)
        server = stack.enter_context(open_server(dsn=dsn, kind=kind, settings=None if dsn else TEST_SETTINGS))
        name = new_name()
        stack.callback(server.drop_database, name)
        database = server.create_database(name)
        build_schema(database, loaded)
        with psycopg.connect(database, autocommit=True) as connection:
            coverage = report(logs, connection, schemas=schema, sources=loaded.sources)
    typer.echo(json.dumps(coverage.to_dict()) if as_json else render(coverage, all_functions=everything))
    if coverage.percent < fail_under:
        raise typer.Exit(BROKEN)
