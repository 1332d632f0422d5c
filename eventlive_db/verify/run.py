"""A verification from the question to the report: once, or again and again while a release settles."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import psycopg

from eventlive_db.verify.answer_checks import answers
from eventlive_db.verify.auth_checks import auth_calls
from eventlive_db.verify.canary import CanaryResult, run_canary
from eventlive_db.verify.canary.doors import OpenDoor
from eventlive_db.verify.database import Database
from eventlive_db.verify.exposure import check_strangers, check_tables, check_views
from eventlive_db.verify.findings import Findings
from eventlive_db.verify.interruptions import Interrupted, Interruptions
from eventlive_db.verify.log_checks import Judged, duplicate_keys, missing_columns
from eventlive_db.verify.model import GROUPS, Check, Report, State, no_data
from eventlive_db.verify.place import Place, find_place
from eventlive_db.verify.rates import Window
from eventlive_db.verify.reading import Followed, existing, read_logs
from eventlive_db.verify.release import check_functions, check_jobs, check_schema
from eventlive_db.verify.rights import check_grants, check_row_security
from eventlive_db.verify.thresholds import Thresholds

_OF_DATABASE = ("schema", "functions", "jobs")


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be verified.

    Attributes:
        since: When the release was.
        until: The end; ``None`` for the present.
        logs: Files.
        without: Groups to leave out.
        dsn: The database, where there is one.
        open_door: How the canary's people come in; ``None`` for no canary.
        api_schema: The exposed schema; ``None`` for the one installed.
        prefix: ``log_line_prefix``, where it is none of the usual ones.
        timezone: ``log_timezone``, where the log's own abbreviation stands for several.
        ignored_applications: ``application_name`` of those whose errors do not count.
        known: Functions and views of somebody else in the exposed schema that were looked at.
        limits: What is too much; the thresholds of the database come over it.
    """

    since: datetime
    until: datetime | None = None
    logs: Sequence[Path] = ()
    without: frozenset[str] = frozenset()
    dsn: str | None = field(default=None, repr=False)
    open_door: OpenDoor | None = field(default=None, repr=False)
    api_schema: str | None = None
    prefix: str | None = None
    timezone: tzinfo | None = None
    ignored_applications: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    limits: Thresholds = field(default_factory=Thresholds)


@dataclass(slots=True)
class Run:
    """One verification under way: what is known so far, and the report over it."""

    question: Question
    interruptions: Interruptions = field(default_factory=Interruptions)
    findings: Findings = field(init=False)
    canary: CanaryResult = field(default_factory=CanaryResult)
    installed: dict[tuple[str, str], Check] = field(default_factory=dict)
    limits: Thresholds = field(init=False)
    silent_errors: str | None = None
    place: Place | None = None
    stopped: str | None = None

    def __post_init__(self) -> None:
        asked = self.question
        # Text logs have milliseconds: what happened in the very one of --since is not before it.
        since = asked.since.replace(microsecond=asked.since.microsecond // 1000 * 1000)
        self.findings = Findings(since, asked.until, asked.ignored_applications)
        self.limits = asked.limits

    def look_at_database(self) -> None:
        """Read what is installed, and the thresholds; the worse of two looks stays."""
        wanted = [group for group in _OF_DATABASE if group not in self.question.without]
        if self.question.dsn is None:
            self._installed(no_data(group, group, "no database was named", "Give --dsn.") for group in wanted)
            return
        try:
            with Database(self.question.dsn) as database:
                self.limits = replace(self.limits, settings=database.thresholds())
                self.silent_errors = database.why_errors_are_not_logged()
                self.place = find_place(database, self.question.api_schema)
                self._installed(self._of_database(database, self.place, wanted))
        except psycopg.Error as error:
            says = f"the database cannot be asked: {first_line(error)}"
            self._installed(no_data(group, group, says, "Correct --dsn.") for group in wanted)

    def _of_database(self, database: Database, place: Place, wanted: Sequence[str]) -> Iterator[Check]:
        if place.nothing_there and not place.installed:
            yield from (no_data(group, group, *place.nothing_there) for group in wanted[:1])
            return
        if "schema" in wanted:
            yield check_schema(database)
        if "functions" in wanted and place.nothing_there:
            yield no_data("functions", "contract", *place.nothing_there)
        elif "functions" in wanted:
            yield from check_functions(database, place.schema)
            yield check_grants(database, place.schema)
            yield check_views(database, place.schema)
            yield check_tables(database, place.schema)
            yield check_strangers(database, place.schema, self.question.known)
            yield check_row_security(database)
        if "jobs" in wanted:
            yield check_jobs(database)

    def _installed(self, checks: Iterable[Check]) -> None:
        for check in checks:
            before = self.installed.get((check.group, check.name))
            if before is None or before.state is not State.FAILED:
                self.installed[check.group, check.name] = check

    def try_canary(self) -> None:
        """Run the canary once, if it was asked for.

        Raises:
            VerifyError: Its people cannot come in.
            Interrupted: A signal came.
        """
        if "dod-4" not in self.question.without and self.question.open_door and self.question.dsn:
            if self.place and self.place.nothing_there:
                self.canary.add(no_data("dod-4", "canary", *self.place.nothing_there))
                return
            run_canary(self.question.dsn, self.question.open_door, self.interruptions, self.canary)

    def report(self) -> Report:
        """What is known by now."""
        now = datetime.now(UTC)
        asked, until = self.question, self.question.until or now
        judged = Judged(self.findings, Window(self.findings.since, until), now, self.limits, self.silent_errors)
        checks = [*missing_columns(judged), *answers(judged), *duplicate_keys(judged), *auth_calls(judged)]
        checks += self._tried()
        checks += self.installed.values()
        order = list(GROUPS)
        return Report(
            since=self.findings.since,
            until=until,
            checks=sorted(
                (check for check in checks if check.group not in asked.without),
                key=lambda check: order.index(check.group),
            ),
            without=[group for group in GROUPS if group in asked.without],
            logs=[file.summary() for file in self.findings.book.files.values()],
            thresholds=self.limits.settings,
            notes=list(self._notes()),
            stopped=self.stopped,
        )

    def _tried(self) -> list[Check]:
        if self.canary.checks or self.canary.runs or self.stopped:
            return list(self.canary.checks.values())
        return [no_data("dod-4", "canary", "nothing was tried", "Say --canary, with --dsn; or --without dod-4.")]

    def _notes(self) -> Iterator[str]:
        if self.findings.ignored:
            who = ", ".join(sorted(self.question.ignored_applications))
            yield f"{self.findings.ignored} errors of {who} were left out (--ignore-application)."
        yield from self.canary.notes
        if self.canary.events:
            yield (
                f"The canary was made and removed {_times(self.canary.runs)};"
                f" {self.canary.events} events of it stay in the visit log, which is append-only."
            )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def verify(question: Question, interruptions: Interruptions | None = None) -> Report:
    """Verify once.

    Args:
        question: What is to be verified.
        interruptions: Installed by whoever wants signals to end it.

    Raises:
        VerifyError: It cannot be made as it was asked for.
    """
    run = Run(question, interruptions or Interruptions())
    paths = existing(question.logs)
    try:
        run.look_at_database()
        # First, so that what it does to the logs is read.
        run.try_canary()
        read_logs(paths, run.findings, prefix=question.prefix, timezone=question.timezone)
    except Interrupted as interrupted:
        run.stopped = interrupted.name
    return run.report()


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a release is watched.

    Attributes:
        length: For how long.
        every: From the begin of one round to that of the next.
        canary_rounds: The canary runs in the first round and each so many rounds.
        keep_going: Whether to go on when a trigger has fired.
    """

    length: timedelta
    every: timedelta = timedelta(seconds=60)
    canary_rounds: int = 5
    keep_going: bool = False


def watch(
    question: Question,
    schedule: Schedule,
    progress: Callable[[int, Report], None],
    interruptions: Interruptions | None = None,
) -> Report:
    """Verify round by round, over the same growing window; the last report is over all of it.

    Args:
        question: What is to be verified.
        schedule: How long and how often.
        progress: Hears of each round: its number from 1, and the report so far.
        interruptions: Installed by whoever wants signals to end it.

    Raises:
        VerifyError: It cannot be made as it was asked for.
    """
    run = Run(question, interruptions or Interruptions())
    paths = existing(question.logs)
    begin = time.monotonic()
    end = begin + schedule.length.total_seconds()
    with ExitStack() as stack:
        try:
            logs = Followed(paths, run.findings, prefix=question.prefix, timezone=question.timezone)
            stack.callback(logs.close)
            number = 0
            while True:
                number += 1
                run.look_at_database()
                if number % schedule.canary_rounds == 1 or schedule.canary_rounds == 1:
                    run.try_canary()
                logs.read()
                report = run.report()
                progress(number, report)
                following = begin + number * schedule.every.total_seconds()
                if following > end or (report.triggers and not schedule.keep_going):
                    break
                time.sleep(max(following - time.monotonic(), 0))
        except Interrupted as interrupted:
            run.stopped = interrupted.name
    return run.report()


def first_line(error: psycopg.Error) -> str:
    """What the database said, for people; without the address, which may hold a password."""
    # No SQLSTATE and no server: libpq could not read the address, and would quote it.
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return "the DSN cannot be read"
    return (error.diag.message_primary or str(error)).strip().splitlines()[0]
