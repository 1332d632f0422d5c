"""What the tests of the verification share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from eventlive_db.verify.canary import PsycopgDoor
from eventlive_db.verify.model import Check, Report
from eventlive_db.verify.run import Question, verify
from tests.support.actors import new_id
from tests.support.database import TABLES, EventliveDatabase
from tests.support.own_server import wait_for

FORMATS = {"stderr": "postgres.log", "csvlog": "postgres.csv", "jsonlog": "postgres.json"}
DATABASE_GROUPS = frozenset({"dod-4", "schema", "functions", "jobs"})


def _holds(path: Path, text: str) -> bool:
    return text in path.read_text("utf-8")


@dataclass(frozen=True, slots=True)
class LoggedDatabase:
    """A database of its own on a server whose log is read; judged is what happened since it was made."""

    db: EventliveDatabase
    folder: Path
    since: datetime

    def log(self, form: str) -> Path:
        """The log, in one of ``FORMATS``."""
        return self.folder / FORMATS[form]

    def settle(self) -> None:
        """Return when all that the server has logged is in its logs: another process writes them."""
        mark = f"marked {new_id().hex}"
        self.db.admin.execute(f"do $$ begin raise log '{mark}'; end $$".encode())
        for form in FORMATS:
            wait_for(mark, partial(_holds, self.log(form), mark))

    def judge(
        self, *logs: Path, without: frozenset[str] = DATABASE_GROUPS | {"answers", "dod-3"}, **more: object
    ) -> Report:
        """Verify what happened, by logs."""
        self.settle()
        return verify(Question(self.since, logs=logs, without=without, **more))  # type: ignore[arg-type]


def states(report: Report, group: str) -> dict[str, str]:
    """State of each check of a group, by its name."""
    return {check.name: check.state.value for check in report.checks if check.group == group}


def check_of(report: Report, name: str) -> Check:
    """The check of this name."""
    [found] = [check for check in report.checks if check.name == name]
    return found


RELEASE = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)


def minutes(number: float) -> datetime:
    """So many minutes after the release."""
    return RELEASE + timedelta(minutes=number)


def postgres_line(at: datetime, text: str = "checkpoint starting: time", severity: str = "LOG") -> str:
    """A line of a text log, with the prefix that Postgres ships."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC [77] {severity}:  {text}\n"


def written(path: Path, lines: Iterator[str] | list[str]) -> Path:
    """A log with these lines."""
    path.write_text("".join(lines), "utf-8")
    return path


LOGS_AND_CANARY = frozenset({"dod-1", "answers", "dod-2", "dod-3", "dod-4"})


def look(db: EventliveDatabase, *groups: str) -> Report:
    """At these groups of what is installed alone."""
    without = LOGS_AND_CANARY | ({"schema", "functions", "jobs"} - set(groups))
    return verify(Question(datetime.now(UTC), without=without, dsn=db.dsn))


BUT_THE_CANARY = frozenset({"dod-1", "answers", "dod-2", "dod-3", "schema", "functions", "jobs"})
MADE = tuple(table for table in TABLES if table not in {"event_access_logs", "settings"})


def try_it(db: EventliveDatabase) -> Report:
    """The canary alone."""
    asked = Question(
        datetime.now(UTC),
        without=BUT_THE_CANARY,
        dsn=db.dsn,
        open_door=lambda: PsycopgDoor(db.dsn),
        api_schema="eventlive_api",
    )
    return verify(asked)


def left(db: EventliveDatabase) -> dict[str, int]:
    """What is in the tables that a canary writes to, but for the visit log."""
    return {table: count for table in (*MADE, "webinar_live") if (count := db.count(table))}
