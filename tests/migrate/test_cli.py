"""``eventlive-db migrate``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from eventlive_db.cli.migrate import app
from eventlive_db.migrate import revisions, status
from tests.migrate.conftest import connected, run, whole_catalog
from tests.migrate.test_round_trip import FILLED


@dataclass(frozen=True, slots=True)
class Told:
    """What a command said."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def migrate(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """Run the command on an empty database."""
    monkeypatch.setenv("EVENTLIVE_DSN", empty_database)
    monkeypatch.delenv("EVENTLIVE_API_SCHEMA", raising=False)
    monkeypatch.delenv("EVENTLIVE_OWNER", raising=False)
    runner = CliRunner()

    def call(*arguments: str) -> Told:
        result = runner.invoke(app, arguments)
        return Told(result.exit_code, result.stdout, result.stderr)

    return call


Migrate = Callable[..., Told]


def test_up_says_each_step_and_where_it_got(migrate: Migrate, empty_database: str) -> None:
    done = migrate("up")
    assert done.exit_code == 0
    assert done.stdout == f"at {revisions()[-1]}\n"
    assert [line.split()[:2] for line in done.stderr.splitlines()] == [["up", name] for name in revisions()]
    again = migrate("up")
    assert (again.exit_code, again.stderr) == (0, "nothing to do\n")


def test_down_needs_to_be_told_where_to(migrate: Migrate) -> None:
    assert migrate("down").exit_code == 2


def test_relative_steps(migrate: Migrate, empty_database: str) -> None:
    assert migrate("up", "+2").stdout == "at 0002\n"
    assert migrate("down", "-1").stdout == "at 0001\n"
    assert migrate("down", "base").stdout == "at base\n"


def test_down_refuses_to_lose_data_and_says_how(migrate: Migrate, empty_database: str) -> None:
    migrate("up")
    run(empty_database, FILLED["profiles"])
    refused = migrate("down", "base")
    assert refused.exit_code == 2
    assert "hold data: profiles" in refused.stderr
    assert "--discard-data" in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    assert migrate("down", "base", "--discard-data").exit_code == 0


@pytest.mark.parametrize(("way", "exit_code"), [((), 1), (("up", "0002"), 1), (("up",), 0)])
def test_status_tells_by_its_exit_code(migrate: Migrate, way: tuple[str, ...], exit_code: int) -> None:
    if way:
        migrate(*way)
    told = migrate("status", "--json")
    assert told.exit_code == exit_code
    found = json.loads(told.stdout)
    assert found["up_to_date"] is (exit_code == 0)
    assert found["head"] == revisions()[-1]
    assert found["api_schema"] == ("eventlive_api" if way else None)
    assert migrate("status").exit_code == exit_code


def test_sql_is_a_script_that_installs(migrate: Migrate, empty_database: str) -> None:
    before = whole_catalog(empty_database)
    with connected(empty_database) as connection:
        connection.execute(migrate("sql").stdout.encode())
        assert status(empty_database).up_to_date
        connection.execute(migrate("sql", "--down").stdout.encode())
    assert whole_catalog(empty_database) == before


def test_sql_of_a_part_needs_no_database(migrate: Migrate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENTLIVE_DSN")
    text = migrate("sql", "--from", "0003", "--to", "0004", "--api-schema", "public").stdout
    assert "create function public.webinar_enter(" in text
    assert "eventlive_api" not in text
    wrong = migrate("sql", "--from", "0004", "--to", "0003")
    assert wrong.exit_code == 2
    assert "add --down" in wrong.stderr


def test_diff_finds_drift(migrate: Migrate, empty_database: str) -> None:
    assert migrate("diff").exit_code == 2
    migrate("up")
    same = migrate("diff")
    assert (same.exit_code, same.stdout) == (0, "")
    run(empty_database, "drop index eventlive.registrations_user_id_idx")
    told = migrate("diff", "--json")
    assert told.exit_code == 1
    (found, _comment) = json.loads(told.stdout)["drift"]
    assert (found["object"], found["change"]) == ("table eventlive.registrations", "missing")
    assert "registrations_user_id_idx: missing" in migrate("diff").stdout


def test_diff_takes_a_scratch_database_where_it_may_not_make_one(
    migrate: Migrate, make_database: Callable[..., str]
) -> None:
    migrate("up")
    assert migrate("diff", "--scratch-dsn", make_database()).exit_code == 0


def test_a_bad_name_is_told_in_one_line(migrate: Migrate) -> None:
    told = migrate("up", "--api-schema", "Bad Name")
    assert told.exit_code == 2
    assert told.stderr.startswith("eventlive-db: 'Bad Name' cannot be the name of")


def test_an_unknown_revision_is_told(migrate: Migrate) -> None:
    told = migrate("up", "0815")
    assert told.exit_code == 2
    assert "0815" in told.stderr


def test_without_a_dsn_the_way_to_give_one_is_told(migrate: Migrate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENTLIVE_DSN")
    told = migrate("status")
    assert told.exit_code == 2
    assert "EVENTLIVE_DSN" in told.stderr
