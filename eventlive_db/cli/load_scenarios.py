"""``eventlive-db load s1``, ``s2`` and ``s3``: the scenarios, with their verdict."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventlive_db.load.report import write_report
from eventlive_db.load.scenarios import SIZES, WAYS, Outcome, Plan, run_s1, run_s2, run_s3
from eventlive_db.load.scenarios.ground import NoStatementsError
from eventlive_db.migrate.options import Options
from eventlive_db.migrate.runner import upgrade
from eventlive_db.server import ServerError

FAILED, COULD_NOT = 1, 2
"""Exit status where a mark was missed, and where the scenario could not be run."""

_PIPE_WIDTH = 160

ViewersOption = Annotated[int, typer.Option(min=2, max=20_000, help="Viewers who make real calls.")]
SpeedOption = Annotated[
    float, typer.Option(min=0.1, max=60, help="How much faster than life: settings are scaled, so that all is.")
]
ViaOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="|".join(WAYS), help="How calls are made; may be given twice. [default: both, viewers take turns]"
    ),
]
HistoryOption = Annotated[int, typer.Option(min=0, help="Rows in each large table that earlier webinars left.")]
ConnectionsOption = Annotated[
    int, typer.Option(min=1, max=60, help="Connections of PostgREST, and as many of psycopg.")
]
SeedOption = Annotated[int, typer.Option(help="Two runs with one seed send the same people.")]
KindOption = Annotated[
    str | None, typer.Option(help="Postgres to take: installed or embedded.", show_default="the first there is")
]
PostgRESTOption = Annotated[
    Path | None,
    typer.Option(metavar="PROGRAM", help="PostgREST.", show_default="$EVENTLIVE_POSTGREST, or the one on PATH"),
]
OutOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Write every figure here, as JSON.")]
HtmlOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report here: one page, offline.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the results as JSON instead of a table.")]


def s1(
    viewers: ViewersOption = 1000,
    minutes: Annotated[float, typer.Option(min=0.5, max=600, help="How long they watch.")] = 60,
    speed: SpeedOption = 1,
    via: ViaOption = None,
    history: HistoryOption = 100_000,
    connections: ConnectionsOption = 10,
    seed: SeedOption = 1,
    kind: KindOption = None,
    postgrest: PostgRESTOption = None,
    out: OutOption = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Everybody enters within two minutes and watches for an hour.

    Wanted: no 400, no 409, nor any other error; 95 % of pings within 500 ms, of entries and heartbeats within 1 s; less
    than 10,000 requests in any minute; no registration made by a ping; watch time right to the percent; HOT updates;
    no call that scans a table.

    Exit status: 0; 1 where something was missed; 2 where it could not be run.
    """
    plan = Plan(viewers, minutes, speed, _ways(via), history, connections, seed=seed, kind=kind, postgrest=postgrest)
    _run(lambda progress: [run_s1(plan, _install, progress)], out, html, as_json)


def s2(
    viewers: ViewersOption = 1000,
    size: Annotated[
        list[int] | None, typer.Option(min=2, max=1_000_000, help="An audience; may be given more than once.")
    ] = None,
    speed: SpeedOption = 5,
    via: ViaOption = None,
    history: HistoryOption = 100_000,
    connections: ConnectionsOption = 10,
    seed: SeedOption = 1,
    kind: KindOption = None,
    postgrest: PostgRESTOption = None,
    out: OutOption = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Realtime is cut for everybody, who then poll for messages: 1,000, 10,000 and 100,000 of them.

    Of an audience larger than --viewers the others are rows in the database, by which it paces, and the polls of all
    are those of the viewers, multiplied. Wanted: no more polls a second than fallback_target_rps, at any size, not in
    the moment of the cut either; no message skipped; everything else goes on; and polling can be switched off.

    Exit status: 0; 1 where something was missed; 2 where it could not be run.
    """
    sizes = tuple(size or SIZES)
    if min(sizes) < viewers:
        _fail(
            f"an audience of {min(sizes):,} is less than the {viewers:,} viewers who make calls", "Give --viewers too."
        )
    plan = Plan(
        viewers,
        speed=speed,
        ways=_ways(via),
        history=history,
        connections=connections,
        seed=seed,
        kind=kind,
        postgrest=postgrest,
    )
    _run(lambda progress: run_s2(plan, _install, progress, sizes), out, html, as_json)


def s3(
    viewers: ViewersOption = 1000,
    speed: SpeedOption = 5,
    via: ViaOption = None,
    history: HistoryOption = 100_000,
    connections: ConnectionsOption = 10,
    seed: SeedOption = 1,
    kind: KindOption = None,
    postgrest: PostgRESTOption = None,
    out: OutOption = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Two webinars, half of the viewers in each, and dashboards: one does not disturb the other.

    The second webinar comes and goes; wanted: 95 % of the first one's pings and heartbeats within twice the time that
    they take without it, or within 25 ms more. Dashboards are told to wait longer once nobody counts, and again as long
    as before when somebody does.

    Exit status: 0; 1 where something was missed; 2 where it could not be run.
    """
    plan = Plan(
        viewers,
        speed=speed,
        ways=_ways(via),
        history=history,
        connections=connections,
        seed=seed,
        kind=kind,
        postgrest=postgrest,
    )
    _run(lambda progress: [run_s3(plan, _install, progress)], out, html, as_json)


def _install(dsn: str) -> None:
    upgrade(Options(dsn=dsn))


def _ways(via: list[str] | None) -> tuple[str, ...]:
    for way in via or ():
        if way not in WAYS:
            _fail(f"there is no way {way!r}", f"There are {' and '.join(WAYS)}.")
    return tuple(dict.fromkeys(via or WAYS))


def _fail(problem: str, advice: str = "") -> NoReturn:
    typer.echo(f"eventlive-db: {problem}. {advice}".rstrip(), err=True)
    raise typer.Exit(COULD_NOT)


def _run(
    work: Callable[[Callable[[str], None]], Sequence[Outcome]], out: Path | None, html: Path | None, as_json: bool
) -> None:
    terminal = Console(stderr=True)
    for path in (out, html):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with terminal.status("") as status:
            outcomes = work(status.update)
    except (ServerError, NoStatementsError) as error:
        _fail(str(error))
    results = [outcome.as_json() for outcome in outcomes]
    if out is not None:
        out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if html is not None:
        write_report(results, html)
    if as_json:
        typer.echo(json.dumps(results))
    else:
        _show(outcomes)
    missed = [line for outcome in outcomes for line in outcome.failed()]
    for line in missed:
        typer.echo(f"missed: {line}", err=True)
    if missed:
        raise typer.Exit(FAILED)


def _show(outcomes: Sequence[Outcome]) -> None:
    console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    for outcome in outcomes:
        table = Table(title=Text(outcome.title), title_justify="left", title_style="bold")
        for heading in ("", "what", "wanted", "found", "how", "note"):
            table.add_column(heading)
        for mark in outcome.marks:
            verdict = Text("passed", "green") if mark.passed else Text("FAILED", "bold red")
            cells: list[Any] = [verdict, *map(Text, (mark.name, mark.wanted, mark.found, mark.source, mark.note or ""))]
            table.add_row(*cells)
        console.print(table)
