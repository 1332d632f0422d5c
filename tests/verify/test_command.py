"""``eventlive-db verify``: for a person, for a ticket, for a program, once and again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from eventlive_db.cli.app import app
from eventlive_db.migrate import Options, upgrade
from eventlive_db.verify.model import GROUPS
from eventlive_db.verify.triggers import MEANING, Trigger
from tests.support.database import EventliveDatabase
from tests.verify.stand import LoggedDatabase
from tests.verify.test_postgres_logs import ordinary_traffic

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = ("--without", "answers,dod-3,schema", "--without", "jobs")


def command(*arguments: object, **environment: str) -> Result:
    """Run it here, with its output in a pipe."""
    return CliRunner().invoke(app, ["verify", *map(str, arguments)], env={"COLUMNS": "250", **environment})


def ordinary(logged: LoggedDatabase) -> tuple[str, ...]:
    """The options of an ordinary run."""
    return ("--since", logged.since.isoformat(), "--log", str(logged.log("csvlog")), "--dsn", logged.db.dsn)


def test_a_good_release_is_a_go(logged: LoggedDatabase) -> None:
    ordinary_traffic(logged)
    logged.settle()
    done = command(*ordinary(logged), "--canary", *LEFT_OUT)
    assert done.exit_code == 0, done.output
    assert "Go: every check passed." in done.output
    assert "left out" in done.output
    assert "--without dod-3" in done.output
    assert "registered_only, auth: unregistered user enters" in done.output
    assert "stay in the visit log, which is append-only" in done.output
    assert "\x1b" not in done.output


def test_a_bad_release_is_rolled_back_and_its_triggers_are_named(logged: LoggedDatabase, tmp_path: Path) -> None:
    with pytest.raises(psycopg.errors.UndefinedColumn):
        logged.db.admin.execute("select id from eventlive.registrations where user_id::text = 'ada@example.org'")
    logged.settle()
    ticket, file = tmp_path / "ticket.md", tmp_path / "report.json"
    outputs = ("--markdown", ticket, "--json", file)
    done = command(*ordinary(logged), "--without", "dod-4", *LEFT_OUT, *outputs)
    assert done.exit_code == 1, done.output
    assert "trigger missing_column_400" in done.output
    assert "Roll back." in done.output

    text = ticket.read_text()
    assert text.startswith("# Verification: roll back\n")
    assert "- `missing_column_400`: " in text
    assert "| dod-3 | auth calls not exploding | left out | --without dod-3 |" in text
    assert str(logged.log("csvlog")).replace("_", "\\_") in text
    for line in text.splitlines():
        assert line.count("|") in {0, 5, 7}, line

    report = json.loads(file.read_text())
    assert report["verdict"] == "roll_back"
    assert report["exit_status"] == 1
    assert report["triggers"] == ["missing_column_400"]
    [check] = [check for check in report["checks"] if check["state"] == "failed"]
    assert check["first"]["file"] == str(logged.log("csvlog"))
    assert check["last"] is None
    assert "ada" not in file.read_text() + text + done.output


def test_json_on_stdout_is_one_object_and_nothing_else(logged: LoggedDatabase) -> None:
    ordinary_traffic(logged)
    logged.settle()
    done = command(*ordinary(logged), "--json", "-")
    assert done.exit_code == 2
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["verdict"] == "could_not_tell"
    assert {check["group"] for check in report["checks"]} == set(GROUPS)
    assert report["logs"][0]["sources"] == ["postgres"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--since", "noon"], "'noon' is no time"),
        (["--since", "2026-08-01T12:00:00"], "no time zone"),
        (["--since", "1h", "--until", "2h"], "--since is not before the end"),
        (["--since", "1h", "--log", "/nowhere/a.log"], "there is no log /nowhere/a.log"),
        (["--since", "1h", "--without", "dod-5"], "--without dod-5: there is dod-1"),
        (["--since", "1h", "--canary"], "the canary needs a database"),
        (["--since", "1h", "--api-url", "http://127.0.0.1:1"], "are for the canary"),
        (["--since", "1h", "--log-timezone", "Mars/Olympus"], "there is no such time zone"),
        (["--since", "1h", "--watch", "soon"], "'soon' is no duration"),
        (["--since", "1h", "--markdown", "/nowhere/a.md"], "/nowhere/a.md: No such file"),
    ],
)
def test_what_cannot_be_asked_is_status_2_and_says_why(arguments: list[str], says: str) -> None:
    done = command(*arguments, EVENTLIVE_DSN="")
    assert done.exit_code == 2, done.output
    assert says in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "dsn", ["postgresql://ada:s3cr3t-word@[half/db", "host=127.0.0.1 port=1 password=s3cr3t-word x"]
)
def test_a_password_in_an_address_is_never_shown(dsn: str) -> None:
    for more in ((), ("--canary",)):
        done = command("--since", "1h", "--dsn", dsn, *more)
        assert done.exit_code == 2
        assert "s3cr3t" not in done.output
        assert "s3cr3t" not in str(done.exception)


def test_tokens_and_secrets_are_read_from_where_they_are_not_seen(db: EventliveDatabase, tmp_path: Path) -> None:
    door = ("--since", "1h", "--canary", "--dsn", db.dsn, "--api-url", "http://127.0.0.1:1")
    assert "needs tokens" in command(*door, EVENTLIVE_JWT_SECRET="").output
    short = tmp_path / "secret"
    short.write_text("s3cr3t\n")
    done = command(*door, "--jwt-secret-file", short)
    assert done.exit_code == 2
    assert "shorter than 32 bytes" in done.output
    assert "s3cr3t" not in done.output
    for text in ("no json", "[]", '{"service": "s3cr3t"}', json.dumps(dict.fromkeys(_PEOPLE, "s3cr3t"))):
        short.write_text(text)
        done = command(*door, "--tokens-file", short)
        assert done.exit_code == 2, done.output
        assert "s3cr3t" not in done.output
    # With a good secret and nobody who answers there is no verdict, and nothing is left.
    done = command(*door, EVENTLIVE_JWT_SECRET="x" * 32)
    assert done.exit_code == 2
    assert "unreachable" in done.output
    assert db.count("webinars") == db.count("profiles") == 0


_PEOPLE = ("registered", "unregistered", "admin", "service")


def test_a_watch_goes_on_until_its_end_with_a_line_for_each_round(logged: LoggedDatabase) -> None:
    ordinary_traffic(logged)
    logged.settle()
    done = command(
        *ordinary(logged),
        "--canary",
        *LEFT_OUT,
        "--watch",
        "1s",
        "--every",
        "1s",
        "--canary-rounds",
        "1",
        "--json",
        "-",
    )
    assert done.exit_code == 0, done.output
    assert [line.partition(",")[0] for line in done.stderr.splitlines()] == ["round 1", "round 2"]
    assert "canary was made and removed 2 times" in json.loads(done.stdout)["notes"][0]


def test_a_watch_ends_when_a_trigger_fires_unless_it_is_to_go_on(logged: LoggedDatabase) -> None:
    ordinary_traffic(logged)
    with pytest.raises(psycopg.errors.UndefinedColumn):
        logged.db.admin.execute("select id from eventlive.registrations")
    logged.settle()
    asked = (*ordinary(logged), "--without", "dod-4", *LEFT_OUT)
    done = command(*asked, "--watch", "1h")
    assert done.exit_code == 1
    assert "round 1" in done.output
    assert "fired: missing_column_400" in done.output
    assert "round 2" not in done.output
    done = command(*asked, "--watch", "1s", "--every", "1s", "--keep-going")
    assert done.exit_code == 1
    assert "round 2" in done.output


def test_a_watch_sees_what_is_logged_while_it_watches(logged: LoggedDatabase) -> None:
    ordinary_traffic(logged)
    logged.settle()
    arguments = ["verify", *ordinary(logged), "--without", "dod-4", *LEFT_OUT, "--watch", "1h", "--every", "1s"]
    with subprocess.Popen(
        [sys.executable, "-m", "eventlive_db", *arguments],
        env={**os.environ, "COLUMNS": "250"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert process.stdout
        try:
            assert process.stderr.readline().startswith("round 1, ")
            with pytest.raises(psycopg.errors.UniqueViolation):
                logged.db.admin.execute(
                    "insert into eventlive.registrations (webinar_id, user_id)"
                    " select r.webinar_id, r.user_id from eventlive.registrations r"
                )
            output = process.stdout.read()
            assert process.wait(60) == 1
        finally:
            process.kill()
    assert "trigger duplicate_registration" in output


def test_the_exposed_schema_is_found_or_named(make_database: Callable[[], str]) -> None:
    dsn = make_database()
    upgrade(Options(dsn=dsn, api_schema="public"))
    asked = ("--since", "5m", "--canary", "--dsn", dsn, "--without", "dod-1,answers,dod-2,dod-3,jobs")
    done = command(*asked)
    assert done.exit_code == 0, done.output
    for more in ({"EVENTLIVE_API_SCHEMA": "nowhere"}, {}):
        done = command(*asked, *(() if more else ("--api-schema", "nowhere")), **more)
        assert done.exit_code == 2, done.output
        assert done.output.count("there is no function of the contract in schema nowhere") == 2
    for name in ("`--api-schema`", "`EVENTLIVE_API_SCHEMA`"):
        assert name in (ROOT / "docs" / "verify.md").read_text()


def test_a_database_without_the_schema_is_no_roll_back(empty_database: str) -> None:
    done = command("--since", "1h", "--canary", "--dsn", empty_database)
    assert done.exit_code == 2, done.output
    # Of the schema and of the canary.
    assert done.output.count("there is no schema eventlive") == 2


def test_the_document_lists_every_trigger_and_every_group() -> None:
    text = (ROOT / "docs" / "verify.md").read_text()
    assert set(MEANING) == set(Trigger)
    for name in (*Trigger, *GROUPS):
        assert f"| `{name}` |" in text, name
