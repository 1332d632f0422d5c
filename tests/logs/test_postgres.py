"""The three logs of a real Postgres: each fault is found, with its SQLSTATE and statement, as often as it happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from eventlive_db.logs import Follower, LogEvent, LogFormat, detect_format, read_events
from tests.logs.conftest import PREFIX, Logged
from tests.logs.faults import HOSTILE, MISSING, make_faults, refused
from tests.support.own_server import wait_for

SUFFIXES = {"log": LogFormat.STDERR, "csv": LogFormat.CSVLOG, "json": LogFormat.JSONLOG}


@pytest.fixture(params=SUFFIXES)
def log(request: pytest.FixtureRequest, logged: Logged) -> Path:
    return logged.log / f"first.{request.param}"


@pytest.fixture
def follower(log: Path) -> Iterator[Follower]:
    with Follower([log], prefix=PREFIX) as follower:
        yield follower


def say_end(dsn: str) -> str:
    """Have the server log a line that nothing else says, to know that all before it was written."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        mark = f"the end of {id(connection)} {datetime.now(UTC).timestamp()}"
        connection.execute(f"set log_min_messages = 'log'; do $$ begin raise log '{mark}'; end $$".encode())
    return mark


def read_until(follower: Follower, mark: str) -> list[LogEvent]:
    events: list[LogEvent] = []

    def arrived() -> bool:
        events.extend(follower.poll())
        return any(event.message == mark for event in events)

    wait_for("the end of the log", arrived)
    return events


def test_each_fault_is_found_once_with_sqlstate_and_statement(logged: Logged, follower: Follower, log: Path) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    made = make_faults(logged.dsn)
    events = read_until(follower, say_end(logged.dsn))
    assert refused(events) == Counter(made)
    assert follower.unparsed == 0
    assert {event.source for event in events} == {"postgres"}
    assert all(began <= event.at <= datetime.now(UTC) + timedelta(seconds=1) for event in events)
    by_state = {event.sqlstate: event for event in events if event.severity == "ERROR"}
    missing = by_state["42703"]
    assert (missing.message, missing.statement) == ("column r.id does not exist", MISSING) or log.suffix == ".log"
    assert missing.message.startswith("column r.id does not exist")
    assert missing.application == 'app, "x"'
    assert missing.database == "logged"
    assert missing.user == "postgres"
    duplicate = by_state["23505"]
    assert duplicate.message == 'duplicate key value violates unique constraint "registrations_pkey"'
    assert (duplicate.detail or "").startswith("Key (webinar_id, user_id)=(")
    assert "while updating" not in duplicate.message
    assert "waits for" in (by_state["40P01"].detail or "")
    assert (by_state["42501"].context or "").startswith("SQL statement") or by_state["42501"].query is not None
    [hostile] = [event for event in events if event.message == "first" and event.severity == "ERROR"]
    assert HOSTILE in (hostile.statement or "")
    assert by_state["42P01"].sqlstate_guessed is (log.suffix == ".log")


def test_the_whole_file_says_the_same_and_its_format_is_found(logged: Logged, log: Path) -> None:
    before = refused(read_events(log, prefix=PREFIX))
    made = make_faults(logged.dsn)
    with Follower([log], prefix=PREFIX, from_start=True) as follower:
        read_until(follower, say_end(logged.dsn))
    events = read_events(log, prefix=PREFIX)
    assert refused(events) == before + Counter(made)
    assert events.unparsed == follower.unparsed == 0
    assert detect_format(log, prefix=PREFIX) is events.format is SUFFIXES[log.suffix[1:]]


def test_a_clean_run_has_no_errors(logged: Logged, follower: Follower) -> None:
    with psycopg.connect(logged.dsn) as connection:
        connection.execute("select 'ERROR:  column does not exist' from eventlive.registrations")
    events = read_until(follower, say_end(logged.dsn))
    assert refused(events) == Counter()
    assert follower.unparsed == 0


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "America/Caracas", "Europe/Berlin"])
def test_times_in_any_zone_come_out_in_utc(logged: Logged, log: Path, zone: str) -> None:
    with (
        logged.elsewhere() as stem,
        Follower([log.with_stem(stem)], prefix=PREFIX, timezone=ZoneInfo(zone)) as follower,
        logged.set(log_timezone=zone),
    ):
        before = datetime.now(UTC) - timedelta(seconds=1)
        mark = say_end(logged.dsn)
        [event] = [event for event in read_until(follower, mark) if event.message == mark]
    assert before <= event.at <= datetime.now(UTC) + timedelta(seconds=1)


@pytest.mark.parametrize(
    "prefix", ["%m [%p] %q%u@%d ", "%t:%r:%u@%d:[%p]:", "%h %m [%p] %q%u@%d ", "%n|%-20a|%e|%c|%l|", "%m [%p] "]
)
@pytest.mark.parametrize("verbosity", ["verbose", "terse"])
def test_any_prefix_and_verbosity(logged: Logged, prefix: str, verbosity: str) -> None:
    told = None if prefix.startswith(("%m", "%t", "%h")) else prefix
    with (
        logged.elsewhere() as stem,
        Follower([logged.log / f"{stem}.log"], prefix=told, format=LogFormat.STDERR) as follower,
        logged.set(log_line_prefix=prefix, log_error_verbosity=verbosity) as connection,
    ):
        for statement in ("select r.id\nfrom eventlive.registrations r", "select 1/0"):
            with pytest.raises(psycopg.Error):
                connection.execute(statement.encode())
        events = read_until(follower, say_end(logged.dsn))
    missing, zero = [event for event in events if event.severity == "ERROR"]
    assert missing.sqlstate == "42703"
    assert missing.message.startswith("column r.id does not exist at character 8")
    assert missing.statement == "select r.id\nfrom eventlive.registrations r"
    known = verbosity == "verbose" or "%e" in prefix
    assert (zero.sqlstate, zero.message, zero.sqlstate_guessed) == (
        "22012" if known else None,
        "division by zero",
        False,
    )
    assert missing.sqlstate_guessed is not known
