"""``eventlive-db load s1``, ``s2``, ``s3``: what they print and write, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from eventlive_db.cli import load_scenarios
from eventlive_db.cli.app import app
from eventlive_db.client.errors import ForbiddenError, UnavailableError
from eventlive_db.load.scenarios import Mark, Outcome, Plan, ground
from eventlive_db.load.scenarios.ground import NoStatementsError
from eventlive_db.load.scenarios.run import SpeedError
from eventlive_db.load.scenarios.together import OverdueError
from eventlive_db.load.tokens import EXTRA
from eventlive_db.migrate.errors import MigrateError
from eventlive_db.server import ServerError

Runs = Callable[..., list[Plan]]


def outcome(passed: bool) -> Outcome:
    """A scenario with one mark."""
    mark = Mark("ping, 95th percentile", "< 500 ms", "12.3 ms" if passed else "612.0 ms", passed)
    return Outcome("s1", "S1: a few", "2026-01-01T00:00:00+00:00", marks=[mark])


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Have the scenarios end at once, in some way; the plans that they were given."""

    def set_up(*, passed: bool = True, error: Exception | None = None) -> list[Plan]:
        plans: list[Plan] = []

        def run(plan: Plan, *_: object, several: bool = False) -> Outcome | list[Outcome]:
            plans.append(plan)
            if error:
                raise error
            return [outcome(passed)] if several else outcome(passed)

        for name in ("run_s1", "run_s3"):
            monkeypatch.setattr(load_scenarios, name, run)
        monkeypatch.setattr(load_scenarios, "run_s2", lambda *given: run(*given, several=True))
        return plans

    return set_up


@pytest.mark.parametrize("name", ["s1", "s2", "s3"])
def test_a_scenario_that_passes_says_so_and_writes_what_it_found(name: str, runs: Runs, tmp_path: Path) -> None:
    runs()
    out, html = tmp_path / "new" / "s.json", tmp_path / "new" / "s.html"
    done = CliRunner().invoke(app, ["load", name, "--out", str(out), "--html", str(html)])
    assert done.exit_code == 0
    assert "passed" in done.stdout
    assert "12.3 ms" in done.stdout
    assert [one["title"] for one in json.loads(out.read_text())] == ["S1: a few"]
    assert "S1: a few" in html.read_text()


@pytest.mark.parametrize("name", ["s1", "s2", "s3"])
def test_one_that_misses_a_mark_names_it_and_ends_with_1(name: str, runs: Runs, tmp_path: Path) -> None:
    runs(passed=False)
    done = CliRunner().invoke(app, ["load", name, "--out", str(tmp_path / "s.json")])
    assert done.exit_code == 1
    assert "FAILED" in done.stdout
    assert "missed: ping, 95th percentile: 612.0 ms, not < 500 ms" in done.stderr
    assert not json.loads((tmp_path / "s.json").read_text())[0]["marks"][0]["passed"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ServerError("PostgREST was not found; put a postgrest 12 on PATH"), "put a postgrest 12 on PATH."),
        (NoStatementsError("this Postgres has no pg_stat_statements"), "no pg_stat_statements."),
        (OverdueError("still running: 3 viewer", "Give it fewer --viewers"), "3 viewer. Give it fewer --viewers."),
        (SpeedError("marks would say nothing", "Give a --speed nearer to 1"), "Give a --speed nearer to 1."),
        (ForbiddenError(403, "not_registered", message="you are not registered"), "403 not_registered: you are not"),
        (UnavailableError(None, "unreachable", message="nobody answers"), "unreachable: nobody answers."),
        (MigrateError("the schema is newer"), "the schema is newer."),
        (
            psycopg.OperationalError("connection failed:\n  the server is away"),
            "connection failed: the server is away.",
        ),
        (OSError(28, "No space left on device"), "No space left on device."),
        (ModuleNotFoundError(EXTRA, name="jwt"), "pip install 'eventlive-db[http]'."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_that_cannot_be_run_says_why_and_ends_with_2(error: Exception, said: str, runs: Runs) -> None:
    runs(error=error)
    done = CliRunner().invoke(app, ["load", "s1"])
    assert done.exit_code == 2
    assert done.stderr.startswith("eventlive-db: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.output


def test_a_fault_of_the_programme_is_not_hidden(runs: Runs) -> None:
    runs(error=AssertionError("a bug"))
    assert isinstance(CliRunner().invoke(app, ["load", "s1"]).exception, AssertionError)


@pytest.mark.parametrize("missing", ["jwt", "httpx"])
def test_without_the_extra_nothing_starts_and_it_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "eventlive_db.client.http", raising=False)
    monkeypatch.setattr(ground, "open_server", lambda **_: pytest.fail("a server is started"))
    done = CliRunner().invoke(app, ["load", "s1"])
    assert done.exit_code == 2
    assert "pip install 'eventlive-db[http]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["s1", "--via", "carrier-pigeon"], "There are postgrest and psycopg"),
        (["s2", "--size", "10"], "is less than the 1,000 viewers"),
        (["s1", "--speed", "0"], "--speed"),
        (["s1", "--viewers", "1"], "--viewers"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(arguments: list[str], said: str, runs: Runs) -> None:
    plans = runs()
    done = CliRunner().invoke(app, ["load", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
    assert plans == []


def test_options_are_those_of_the_plan(runs: Runs) -> None:
    plans = runs()
    arguments = [
        "--viewers",
        "50",
        "--minutes",
        "2",
        "--speed",
        "3",
        "--via",
        "psycopg",
        "--history",
        "0",
        "--seed",
        "7",
    ]
    assert CliRunner().invoke(app, ["load", "s1", *arguments]).exit_code == 0
    assert plans == [Plan(50, 2, 3, ("psycopg",), 0, seed=7)]


def test_json_is_all_that_is_printed_where_it_is_asked_for(runs: Runs) -> None:
    runs()
    done = CliRunner().invoke(app, ["load", "s1", "--json"])
    assert json.loads(done.stdout)[0]["scenario"] == "s1"


def of_files(tmp_path: Path) -> dict[str, list[str]]:
    """Options that cannot be, by what is wrong."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "same.json")
    return {
        "is a folder": ["--out", str(tmp_path / "folder")],
        "Not a directory": ["--html", str(tmp_path / "file" / "s.html")],
        "cannot be written": ["--out", "/proc/x/y.json"],
        "File name too long": ["--out", str(tmp_path / ("x" * 300))],
        "is named twice": ["--out", str(tmp_path / "same.json"), "--html", str(tmp_path / "link")],
    }


@pytest.mark.parametrize(
    "said", ["is a folder", "Not a directory", "cannot be written", "File name too long", "is named twice"]
)
def test_a_file_that_cannot_be_written_is_told_before_the_run(said: str, runs: Runs, tmp_path: Path) -> None:
    plans = runs()
    done = CliRunner().invoke(app, ["load", "s1", *of_files(tmp_path)[said]])
    assert done.exit_code == 2
    assert said in done.stderr
    assert plans == []
    assert "Traceback" not in done.output


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full")
@pytest.mark.parametrize("option", ["--out", "--html"])
@pytest.mark.parametrize("passed", [True, False])
def test_what_was_found_is_shown_also_where_the_disk_is_full(
    option: str, passed: bool, runs: Runs, tmp_path: Path
) -> None:
    runs(passed=passed)
    other = {"--out": "--html", "--html": "--out"}[option]
    done = CliRunner().invoke(app, ["load", "s1", option, "/dev/full", other, str(tmp_path / "other")])
    assert done.exit_code == 2
    assert "12.3 ms" in done.stdout or "612.0 ms" in done.stdout
    assert "eventlive-db: /dev/full was not written: No space left on device." in done.stderr
    assert ("missed:" in done.stderr) is not passed
    # The other file is there, and the device is still one.
    assert "S1: a few" in (tmp_path / "other").read_text()
    assert Path("/dev/full").is_char_device()


def test_a_file_that_is_there_stays_as_it_is_until_the_new_one_is_whole(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs()
    for name in ("s.json", "s.html"):
        (tmp_path / name).write_text("before")
    (tmp_path / "s.json").chmod(0o640)
    # As where the disk is full in the middle of it.
    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        arguments = ["load", "s1", "--out", str(tmp_path / "s.json"), "--html", str(tmp_path / "s.html")]
        assert CliRunner().invoke(app, arguments).exit_code == 2
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"s.json": "before", "s.html": "before"}
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"s.json", "s.html"}
    assert "S1: a few" in (tmp_path / "s.json").read_text()
    assert (tmp_path / "s.json").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link_and_a_pipe_gets_what_is_written(runs: Runs, tmp_path: Path) -> None:
    runs()
    (tmp_path / "link").symlink_to(tmp_path / "new" / "s.json")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    done = CliRunner().invoke(app, ["load", "s1", "--out", str(tmp_path / "link"), "--html", str(pipe)])
    reader.join(60)
    assert done.exit_code == 0
    assert (tmp_path / "link").is_symlink()
    assert "S1: a few" in (tmp_path / "new" / "s.json").read_text()
    assert "S1: a few" in read[0]


COMMAND = """
import sys
from eventlive_db.cli import load_scenarios
from eventlive_db.cli.app import app
from tests.cli.test_load_scenarios import outcome

load_scenarios.run_s1 = lambda *_: outcome(passed=True)
app(["load", "s1", *sys.argv[1:]])
"""


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_files_are_written_also_where_the_table_cannot_be_printed(form: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", COMMAND, "--out", str(tmp_path / "s.json"), *form]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "stdout was not written: No space left on device" in done.stderr
    assert "S1: a few" in (tmp_path / "s.json").read_text()
