"""``eventlive-db load s1``, ``s2``, ``s3``: what they print and write, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eventlive_db.cli import load_scenarios
from eventlive_db.cli.app import app
from eventlive_db.load.scenarios import Mark, Outcome, Plan
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


def test_one_that_cannot_be_run_says_why_and_ends_with_2(runs: Runs) -> None:
    runs(error=ServerError("PostgREST was not found; put a postgrest 12 on PATH"))
    done = CliRunner().invoke(app, ["load", "s1"])
    assert done.exit_code == 2
    assert "put a postgrest 12 on PATH" in done.stderr
    assert "Traceback" not in done.output


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
