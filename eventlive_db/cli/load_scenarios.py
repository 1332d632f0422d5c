"""``eventlive-db load s1``, ``s2`` and ``s3``: the scenarios, with their verdict."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, NoReturn

import psycopg
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventlive_db.client.errors import EventliveError
from eventlive_db.errors import AdvisedError
from eventlive_db.load.report import ResultsError, write_report
from eventlive_db.load.report.files import check_places, reason, write_aside
from eventlive_db.load.scenarios import SIZES, WAYS, Outcome, Plan, run_s1, run_s2, run_s3
from eventlive_db.load.scenarios.ground import NoStatementsError
from eventlive_db.migrate.errors import MigrateError
from eventlive_db.migrate.options import Options
from eventlive_db.migrate.runner import upgrade
from eventlive_db.server import ServerError
from eventlive_db.verify.writing import give_up

FAILED, COULD_NOT = 1, 2
"""Exit status where a mark was missed, and where the scenario could not be run or a file not be written."""

_COULD_NOT_RUN = (
    AdvisedError,
    EventliveError,
    MigrateError,
    ModuleNotFoundError,  # of an extra; says which one
    NoStatementsError,
    OSError,
    ServerError,
    psycopg.Error,
)
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
    than 10,000 requests in any minute; no registration made by a ping, and every ping written; an event in the visit
    log for each thing that happened and no other; watch time right to the percent; HOT updates; no call that scans a
    table.

    Exit status: 0; 1 where something was missed; 2 where it could not be run or a file not be written.
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
    the moment of the cut either; no message skipped; every session goes on; and polling can be switched off.

    Exit status: 0; 1 where something was missed; 2 where it could not be run or a file not be written.
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
    as before when somebody does. At more than --speed 10 they would not be, so that is refused.

    Exit status: 0; 1 where something was missed; 2 where it could not be run or a file not be written.
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
    typer.echo(f"eventlive-db: {' '.join(problem.split()).rstrip('.')}. {advice}".rstrip(), err=True)
    raise typer.Exit(COULD_NOT)


def _run(
    work: Callable[[Callable[[str], None]], Sequence[Outcome]], out: Path | None, html: Path | None, as_json: bool
) -> None:
    terminal = Console(stderr=True)
    try:
        check_places(*(path for path in (out, html) if path is not None))
        with terminal.status("") as status:
            outcomes = work(status.update)
    except _COULD_NOT_RUN as error:
        _fail(str(error))
    results = [outcome.as_json() for outcome in outcomes]
    # What was found is shown first: nothing that goes wrong with a file takes it away.
    problems = [
        *_print(json.dumps(results) + "\n" if as_json else _tables(outcomes)),
        *_attempt(out, lambda path: write_aside(path, json.dumps(results, indent=1) + "\n")),
        *_attempt(html, lambda path: write_report(results, path)),
    ]
    missed = [line for outcome in outcomes for line in outcome.failed()]
    for line in missed:
        typer.echo(f"missed: {line}", err=True)
    if problems:
        _fail("; ".join(problems))
    if missed:
        raise typer.Exit(FAILED)


def _attempt(path: Path | None, write: Callable[[Path], object]) -> Iterator[str]:
    """Write a file that was asked for; what was wrong, if anything."""
    if path is not None:
        try:
            write(path)
        except (OSError, ResultsError) as error:
            yield f"{path} was not written: {reason(error)}"


def _print(text: str) -> Iterator[str]:
    """Print it at once; what was wrong, if anything."""
    try:
        typer.echo(text, nl=False)
    except OSError as error:
        give_up(sys.stdout)
        yield f"stdout was not written: {reason(error)}"


def _tables(outcomes: Sequence[Outcome]) -> str:
    """The marks. Not printed by a console: that ends the process where nobody reads."""
    seen = sys.stdout.isatty()
    text = StringIO()
    console = Console(file=text, force_terminal=seen, width=Console().width if seen else _PIPE_WIDTH)
    for outcome in outcomes:
        console.print(_table(outcome))
    return text.getvalue()


def _table(outcome: Outcome) -> Table:
    table = Table(title=Text(outcome.title), title_justify="left", title_style="bold")
    for heading in ("", "what", "wanted", "found", "how", "note"):
        table.add_column(heading)
    for mark in outcome.marks:
        verdict = Text("passed", "green") if mark.passed else Text("FAILED", "bold red")
        cells: list[Any] = [verdict, *map(Text, (mark.name, mark.wanted, mark.found, mark.source, mark.note or ""))]
        table.add_row(*cells)
    return table
