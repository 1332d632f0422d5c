"""``eventlive-db server``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import eventlive_db

Ask = Callable[[str, str], Any]

CLI = "from eventlive_db.cli.server import app; app(prog_name='eventlive-db server')"


def arguments(*words: str) -> list[str]:
    return [sys.executable, "-c", CLI, *words]


def environment(**variables: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(Path(eventlive_db.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", **variables}


def cli(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments(*words), capture_output=True, text=True, env=environment(**variables), check=False)


def test_which_says_what_would_be_used_and_why(base: Path, kind: str) -> None:
    said = json.loads(cli("which", "--json", "--kind", kind).stdout)
    assert said["kind"] == kind
    assert said["major"] in range(15, 19)
    assert (Path(said["bindir"]) / "postgres").exists()
    assert said["reason"]
    assert cli("which", "--kind", kind).stdout.startswith(f"{kind}: {said['bindir']}")


def test_which_without_a_postgres_fails_with_advice(base: Path) -> None:
    result = cli("which", EVENTLIVE_PG_BINDIR="/nonexistent")
    assert result.returncode == 1
    assert result.stderr.startswith("eventlive-db: EVENTLIVE_PG_BINDIR")
    assert "Traceback" not in result.stderr


SHOW = """
import json, os, psycopg
by_variables = psycopg.connect(""); by_dsn = psycopg.connect(os.environ["EVENTLIVE_DSN"])
query = "select system_identifier from pg_control_system()"
systems = [c.execute(query).fetchone()[0] for c in (by_variables, by_dsn)]
by_variables.close(); by_dsn.close()
print(json.dumps(systems))
raise SystemExit(7)
"""


def test_run_gives_the_command_a_server_and_returns_its_status(base: Path, kind: str) -> None:
    # What the caller's own variables say must not lead the command to another server.
    strangers = {"PGHOST": "h", "PGPORT": "1", "PGUSER": "u", "PGDATABASE": "d", "PGSSLMODE": "require"}
    result = cli("run", "--kind", kind, sys.executable, "-c", SHOW, **strangers)
    assert result.returncode == 7, result.stderr
    by_variables, by_dsn = json.loads(result.stdout)
    assert by_variables == by_dsn


def test_a_variable_that_would_lead_astray_is_named_at_once(base: Path, kind: str) -> None:
    result = cli("run", "--kind", kind, "true", PGHOSTADDR="127.0.0.9", PGCONNECT_TIMEOUT="2")
    assert result.returncode == 125
    assert "unset PGHOSTADDR" in result.stderr


def test_run_leaves_the_options_of_the_command_alone(base: Path, kind: str) -> None:
    result = cli("run", "--kind", kind, "echo", "--kind", "--help")
    assert (result.returncode, result.stdout) == (0, "--kind --help\n")


@pytest.mark.parametrize(
    ("command", "status"),
    [(["sh", "-c", "kill -9 $$"], 137), (["/nonexistent"], 127), (["/dev/null"], 126)],
)
def test_run_reports_how_the_command_ended(base: Path, kind: str, command: list[str], status: int) -> None:
    assert cli("run", "--kind", kind, *command).returncode == status


def test_run_without_a_postgres_has_a_status_of_its_own(base: Path) -> None:
    result = cli("run", "true", EVENTLIVE_PG_BINDIR="/nonexistent")
    assert result.returncode == 125
    assert "EVENTLIVE_PG_BINDIR" in result.stderr


def test_run_passes_sigterm_on_and_stops_the_server_afterwards(base: Path, kind: str) -> None:
    command = ["sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done"]
    with subprocess.Popen(
        arguments("run", "--kind", kind, *command), stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 9


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_start_prints_how_to_connect_and_stops_cleanly(base: Path, kind: str, ask: Ask, number: signal.Signals) -> None:
    with subprocess.Popen(
        arguments("start", "--kind", kind, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert ask(said["dsn"], "select 1") == 1
        assert said["psql"].split()[0].endswith("psql")
        process.send_signal(number)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")


def test_start_for_a_person_prints_a_line_for_the_shell_and_the_psql_command(base: Path, kind: str) -> None:
    with subprocess.Popen(
        arguments("start", "--kind", kind),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        export, psql = process.stdout.readline(), process.stdout.readline()
        shell = subprocess.run(
            ["/bin/sh", "-c", f'{export}\necho "$EVENTLIVE_DSN"'], capture_output=True, text=True, check=True
        )
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert shell.stdout.startswith("postgresql://postgres:")
    assert "psql" in psql


def test_start_does_not_pretend_to_start_a_server_that_somebody_else_runs(base: Path) -> None:
    result = cli("start", EVENTLIVE_DSN="dbname=x")
    assert result.returncode == 1
    assert "nothing to start" in result.stderr


def test_help_shows_a_newcomer_the_command_to_type(base: Path) -> None:
    said = cli("--help").stdout
    assert "\n      eventlive-db server start\n" in said
    assert "EVENTLIVE_DSN" in said
