"""``eventlive-db demo``: for a person, for a pipe, and for a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import eventlive_db.load
from eventlive_db.server import Server

pytestmark = pytest.mark.heavy

SAMPLES = Path(eventlive_db.load.__file__).parent / "samples"


def demo(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command against the server of the tests, with its output in a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "eventlive_db", "demo", "--viewers", "24", "--connections", "6", *arguments],
        env={**os.environ, **server.environment("postgres")},
        capture_output=True,
        text=True,
        check=False,
    )


def databases_left(server: Server) -> int:
    """Databases that a demonstration has not dropped."""
    with psycopg.connect(server.dsn()) as connection:
        row = connection.execute("select count(*) from pg_database where datname like 'eventlive_demo%'").fetchone()
    assert row
    return int(row[0])


RUNS = {
    "table": ("--seconds", "4"),
    "json": ("--seconds", "4", "--json"),
    "faulty": ("--seconds", "3", "--attendance", str(SAMPLES / "zoom_meeting_faulty.csv")),
}
Done = dict[str, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def done_at_once(pg_server: Server) -> Done:
    """Each run mostly waits."""
    with ThreadPoolExecutor(len(RUNS)) as pool:
        return dict(zip(RUNS, pool.map(lambda arguments: demo(pg_server, *arguments), RUNS.values()), strict=True))


def test_in_a_pipe_it_prints_the_tables_and_how_to_connect_and_leaves_no_database(
    pg_server: Server, done_at_once: Done
) -> None:
    done = done_at_once["table"]
    assert done.returncode == 0, done.stdout + done.stderr
    assert "psql" in done.stdout
    assert "All promises held." in done.stdout
    assert "\x1b" not in done.stdout
    for row in ("registrations created by pings", "statements per ping", "WAL per ping", "HOT ratio", "p95"):
        assert row in done.stdout
    assert databases_left(pg_server) == 0


def test_json_is_one_object_and_nothing_else(done_at_once: Done) -> None:
    done = done_at_once["json"]
    report = json.loads(done.stdout)
    assert report["passed"] is True
    assert report["traces"]["registrations_by_ping"] == 0
    assert report["errors"]["webinar_enter duplicate_session"] == 2


def test_a_faulty_attendance_file_is_reported_by_line_and_its_good_rows_are_replayed(done_at_once: Done) -> None:
    done = done_at_once["faulty"]
    assert done.returncode == 0, done.stdout + done.stderr
    assert "line 8: leave_before_join" in done.stdout
    assert "people, sessions" in done.stdout


def test_a_file_without_attendance_is_refused_before_a_server_starts(pg_server: Server, tmp_path: Path) -> None:
    other = tmp_path / "prices.csv"
    other.write_text("article,price\nchair,20\n")
    for path in (other, tmp_path / "missing.csv", tmp_path):
        done = demo(pg_server, "--attendance", str(path))
        assert done.returncode == 2
        assert done.stdout == ""
        assert str(path) in done.stderr
    assert demo(pg_server, "--timezone", "Mars/Olympus", "--attendance", str(other)).returncode == 2
