"""``eventlive-db verify``: after a release, go or roll back."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from eventlive_db.cli.dsn import DsnOption
from eventlive_db.verify import Report, Verdict, VerifyError
from eventlive_db.verify.canary.doors import Door, HttpDoor, OpenDoor, PsycopgDoor, read_tokens, sign
from eventlive_db.verify.database import Database
from eventlive_db.verify.interruptions import Interrupted, Interruptions
from eventlive_db.verify.model import GROUPS
from eventlive_db.verify.place import installed_schema
from eventlive_db.verify.run import Question, Schedule, first_line, watch
from eventlive_db.verify.run import verify as verify_once
from eventlive_db.verify.terminal import progress_line
from eventlive_db.verify.thresholds import Thresholds
from eventlive_db.verify.times import parse_duration, parse_time
from eventlive_db.verify.writing import give_up, write

COULD_NOT_TELL = int(Verdict.COULD_NOT_TELL)
SECRET_VARIABLE = "EVENTLIVE_JWT_SECRET"
KEY_VARIABLE = "EVENTLIVE_API_KEY"


def verify(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="When the release was: 2h, 2026-08-01T12:00:00Z, or as git prints it.")
    ],
    until: Annotated[str, typer.Option(metavar="TIME", help="The end.", show_default="now")] = "",
    log: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A log of Postgres, PostgREST, the auth service or a gateway; repeatable."),
    ] = None,
    canary: Annotated[
        bool, typer.Option("--canary", help="Make canary webinars, try who gets in, remove them. Needs --dsn.")
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="GROUP", help=f"Leave out: {', '.join(GROUPS)}; repeatable. The report says so."),
    ] = None,
    dsn: DsnOption = None,
    api_schema: Annotated[
        str | None,
        typer.Option(
            envvar="EVENTLIVE_API_SCHEMA",
            metavar="NAME",
            help="The exposed schema.",
            show_default="the one installed, else eventlive_api",
        ),
    ] = None,
    api_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help=f"The canary goes through PostgREST here, with tokens signed with {SECRET_VARIABLE};"
            f" {KEY_VARIABLE} is sent as apikey.",
        ),
    ] = None,
    jwt_secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"The secret, instead of {SECRET_VARIABLE}.")
    ] = None,
    tokens_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON with a token each for registered, unregistered, admin and service."),
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON; - for stdout.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as Markdown.")] = None,
    watch_for: Annotated[
        str, typer.Option("--watch", metavar="DURATION", help="Go on for so long: 30m.", show_default="look once")
    ] = "",
    every: Annotated[str, typer.Option(metavar="DURATION", help="With --watch: how often.")] = "60s",
    canary_rounds: Annotated[
        int, typer.Option(min=1, help="With --watch: the canary runs in the first round, and each so many.")
    ] = 5,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="With --watch: go on when a trigger has fired.")
    ] = False,
    log_prefix: Annotated[
        str | None, typer.Option(help="log_line_prefix of a text log, where it is none of the usual.")
    ] = None,
    log_timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="log_timezone, where a log's abbreviation stands for several.")
    ] = None,
    log_silence: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="A log in which so long nothing succeeds, or that ends so long before the end, tells nothing.",
            show_default="by the length of the window",
        ),
    ] = "",
    allow_unparsed: Annotated[int, typer.Option(min=0, help="Lines of a log that may be unreadable.")] = 0,
    known: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A function or view of yours that was looked at; repeatable."),
    ] = None,
    ignore_application: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Leave out errors of this application_name, such as psql; repeatable."),
    ] = None,
) -> None:
    """Judge a release by its logs, by a canary webinar, and by what is installed.

    A check that had nothing to look at is not a pass. docs/verify.md lists the checks and the rollback triggers.

    Exit status: 0 go; 1 roll back, a check failed; 2 could not tell, or the verification could not be made.
    """
    with _failures(), _taken() as interruptions:
        now = datetime.now(UTC)
        begin, end = parse_time(since, now), parse_time(until, now) if until else None
        if begin >= (end or now):
            _fail("--since is not before the end")
        if canary and not dsn:
            _fail("the canary needs a database: give --dsn, or set EVENTLIVE_DSN")
        if not canary and (api_url or jwt_secret_file or tokens_file):
            _fail("--api-url, --jwt-secret-file and --tokens-file are for the canary: say --canary")
        question = Question(
            since=begin,
            until=end,
            logs=log or (),
            without=_groups(without or []),
            dsn=dsn,
            open_door=_door(dsn, api_schema, api_url, jwt_secret_file, tokens_file) if canary and dsn else None,
            api_schema=api_schema,
            prefix=log_prefix,
            timezone=_zone(log_timezone) if log_timezone else None,
            ignored_applications=frozenset(ignore_application or ()),
            known=frozenset(known or ()),
            limits=Thresholds(silence=parse_duration(log_silence) if log_silence else None, unparsed=allow_unparsed),
        )
        if watch_for:
            schedule = Schedule(parse_duration(watch_for), parse_duration(every), canary_rounds, keep_going)
            with _progress() as progress:
                report = watch(question, schedule, progress, interruptions)
        else:
            report = verify_once(question, interruptions)
        with interruptions.shield():
            problems = write(report, json_file, markdown)
        if problems:
            # A go that nobody has read is none; what has to be rolled back has to be, whoever reads it.
            _fail("; ".join(problems), Verdict(int(report.verdict) or COULD_NOT_TELL))
    raise typer.Exit(int(report.verdict))


def _fail(problem: object, status: int = COULD_NOT_TELL) -> NoReturn:
    with _unread():
        typer.echo(f"eventlive-db: {problem}", err=True)
    raise typer.Exit(int(status))


@contextmanager
def _unread() -> Iterator[None]:
    """Go on where nobody reads stderr any more: the status is what counts."""
    try:
        yield
    except OSError:
        give_up(sys.stderr)


@contextmanager
def _failures() -> Iterator[None]:
    """End with what is known to go wrong as a message, and whatever it is never with the status of a verdict."""
    try:
        yield
    except typer.Exit:
        raise
    except VerifyError as error:
        _fail(error)
    except psycopg.Error as error:
        _fail(first_line(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    except Interrupted as interrupted:
        _fail(f"ended by {interrupted.name}")
    except Exception as error:  # a defect; Python would end with 1, which says "roll back" here
        with _unread():
            traceback.print_exception(error)
        _fail(f"{type(error).__name__}: this is a defect of eventlive-db, and nothing was verified")


@contextmanager
def _taken() -> Iterator[Interruptions]:
    interruptions = Interruptions()
    with interruptions.installed():
        yield interruptions


def _groups(given: list[str]) -> frozenset[str]:
    groups = frozenset(part.strip() for one in given for part in one.split(","))
    if unknown := groups - set(GROUPS):
        _fail(f"--without {', '.join(sorted(unknown))}: there is {', '.join(GROUPS)}")
    return groups


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        _fail(f"--log-timezone {name}: there is no such time zone")


def _door(
    dsn: str, api_schema: str | None, api_url: str | None, secret_file: Path | None, tokens_file: Path | None
) -> OpenDoor:
    """How the canary's people come in; what can be wrong with it is found before anything is made."""

    def schema() -> str:
        return api_schema or installed_schema(dsn)

    if api_url is None:
        return lambda: PsycopgDoor(dsn, schema())
    key = os.environ.get(KEY_VARIABLE)
    if key and not (key.isascii() and key.isprintable()):
        _fail(f"{KEY_VARIABLE} holds what no header can")
    if tokens_file:
        tokens, ids = read_tokens(tokens_file)

        def given() -> Door:
            return HttpDoor(api_url, tokens, ids, made_up=False, api_key=key, api_schema=schema())

        given().close()
        return given
    secret = _read_secret(secret_file) if secret_file else os.environ.get(SECRET_VARIABLE)
    if not secret:
        _fail(f"--api-url needs tokens: set {SECRET_VARIABLE}, or give --jwt-secret-file or --tokens-file")

    def signed() -> Door:
        tokens, ids = sign(secret, _token_settings(dsn))
        return HttpDoor(api_url, tokens, ids, made_up=True, api_key=key, api_schema=schema())

    signed().close()
    return signed


def _read_secret(path: Path) -> str:
    try:
        return path.read_text("utf-8").rstrip("\n")
    except UnicodeDecodeError:
        # Its own words would quote a byte of it.
        _fail(f"{path}: no text in UTF-8")


def _token_settings(dsn: str) -> dict[str, str]:
    """What the database demands of tokens."""
    with Database(dsn) as database:
        return dict(
            database.owned(
                "select s.key, s.value #>> '{}' from eventlive.settings s"
                " where s.key in ('jwt_issuer', 'jwt_audience', 'jwt_service_issuer')"
            )
        )


@contextmanager
def _progress() -> Iterator[Callable[[int, Report], None]]:
    """On a terminal one line that changes, in a pipe a line for each round; on stderr, for stdout is the report's."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda number, report: typer.echo(progress_line(number, report), err=True)
        return
    with Live(console=console, refresh_per_second=4, transient=True) as display:
        yield lambda number, report: display.update(Text(progress_line(number, report)))
