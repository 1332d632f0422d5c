"""``eventlive-db plans``: hold calls against their budgets, look inside them, and test the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from eventlive_db.cli import plans_trust
from eventlive_db.cli.plans_common import (
    BROKEN,
    CaseOption,
    DsnOption,
    JsonOption,
    KindOption,
    RealOption,
    SuiteArgument,
    fail,
    failures,
    find_suite,
    is_true,
    see_writable,
    session_for,
    tell,
    width,
    write_whole,
)
from eventlive_db.plans.case import Case
from eventlive_db.plans.check import Options, check, unused_snapshots
from eventlive_db.plans.errors import CallFailedError
from eventlive_db.plans.explain import explain as explain_call
from eventlive_db.plans.model import PlanMode
from eventlive_db.plans.report.annotations import annotations as annotated
from eventlive_db.plans.report.as_json import run_to_dict, to_dict
from eventlive_db.plans.report.html import html_page
from eventlive_db.plans.report.junit import junit_xml
from eventlive_db.plans.report.terminal import nested, table
from eventlive_db.plans.update import remove_unused
from eventlive_db.plans.verdict import Report

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


@app.command("check")
def check_command(
    suite: SuiteArgument = None,
    dsn: DsnOption = None,
    kind: KindOption = None,
    case: CaseOption = None,
    real: RealOption = None,
    repeat: Annotated[int, typer.Option(min=1, help="Times, each in databases built anew.")] = 1,
    complete: Annotated[
        bool | None,
        typer.Option(
            "--complete/--incomplete",
            help="Fail where a snapshot is missing or unused.",
            show_default="where the variable CI is set",
        ),
    ] = None,
    snapshots: Annotated[
        bool, typer.Option("--snapshots/--no-snapshots", help="Compare plans with those kept.")
    ] = True,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page that plans report writes.")] = None,
    annotate: Annotated[
        bool | None,
        typer.Option(
            "--annotate/--no-annotate", help="Print GitHub annotations.", show_default="where GITHUB_ACTIONS is true"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a suite: budgets, guards, snapshots.

    Of several rounds the first that does not hold is reported, else the last.
    """
    see_writable(junit, html)
    with failures():
        loaded = find_suite(suite)
        cases = loaded.select(case or ())
        # Kept are the plans of the suite's own sizes.
        options = Options(
            snapshots=snapshots and real is None, complete=is_true("CI") if complete is None else complete
        )
        told: Report | None = None
        broken = 0
        for number in range(1, repeat + 1):
            with session_for(dsn, kind, options, real) as session:
                report = check(loaded, session.arena(loaded), options, cases if case else None, tell)
            told = report if told is None or told.passed else told
            broken += not report.passed
            if repeat > 1:
                typer.echo(f"round {number} of {repeat}: {'holds' if report.passed else 'BROKEN'}", err=True)
    assert told is not None  # noqa: S101  # there is at least one round
    if junit:
        write_whole(junit, junit_xml(told))
    if html:
        write_whole(html, html_page(told, title=f"Plans of {loaded.name}"))
    if is_true("GITHUB_ACTIONS") if annotate is None else annotate:
        for line in annotated(told):
            typer.echo(line, err=as_json)
    rounds = {"rounds": {"made": repeat, "held": repeat - broken}} if repeat > 1 else {}
    typer.echo(json.dumps(to_dict(told) | rounds) if as_json else table(told, width=width()).rstrip())
    if repeat > 1:
        typer.echo(f"{repeat - broken} of {repeat} rounds hold", err=True)
    if broken:
        raise typer.Exit(BROKEN)


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
    check_command(suite, dsn, kind, case, real, html=html)


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
    with failures():
        loaded = find_suite(suite)
        with session_for(dsn, kind, Options(), update="new" if new_only else "all") as session:
            for wanted in loaded.select(case or ()):
                report = session.judge(loaded, wanted)
                tell(report)
                broken |= not report.passed
                for line in (*report.changes, *(note for note in report.notes if note.startswith("snapshot"))):
                    typer.echo(f"{wanted.name}: {line}")
                for violation in report.violations:
                    typer.echo(f"{wanted.name}: {violation}", err=True)
            store = session.store(loaded.snapshots)
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
    if not call.strip():
        fail('there is no call: give one statement, such as "select app.take_job()"')
    with failures():
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
        try:
            run = explain_call(dsn, case, mode)
        except CallFailedError as error:  # there is but this one case
            fail(str(error).removeprefix(f"case {case.name!r}: "))
    text = json.dumps(run_to_dict(run, plans=True)) if as_json else nested(run, width=min(width(), 140))
    typer.echo(text.rstrip())
    for sentence in (*run.unseen, *run.untold):
        typer.echo(f"not all of it is told: {sentence}", err=True)


def _claims(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        claims = json.loads(text)
    except json.JSONDecodeError as error:
        fail(f"--claims is not JSON: {error}")
    if not isinstance(claims, dict):
        fail('--claims must be a JSON object, such as {"sub": "..."}')
    return claims


def _pair(setting: str) -> tuple[str, str]:
    name, equals, value = setting.partition("=")
    if not equals or not name:
        fail(f"--set {setting!r} must be NAME=VALUE")
    return name, value


app.command("mutate")(plans_trust.mutate_command)
app.command("coverage")(plans_trust.coverage_command)
app.command("clean")(plans_trust.clean_command)
