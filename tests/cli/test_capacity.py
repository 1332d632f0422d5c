"""``eventlive-db capacity`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eventlive_db.cli.app import app
from tests.support.database import EventliveDatabase

RUN = CliRunner()


def test_both_designs_are_set_side_by_side() -> None:
    result = RUN.invoke(app, ["capacity", "--viewers", "1000", "--fallback", "1"])
    assert result.exit_code == 0, result.output
    assert "webinar_messages_poll" in result.output
    assert "the design it replaces" in result.output
    assert "calls to the auth service 0 against 700" in result.output


def test_json_has_every_figure() -> None:
    result = RUN.invoke(app, ["capacity", "--viewers", "1000", "--json"])
    answer = json.loads(result.output)
    assert answer["eventlive_db"]["steady"]["requests"] < answer["incumbent"]["steady"]["requests"]
    assert {line["what"] for line in answer["eventlive_db"]["lines"]} >= {"webinar_session_heartbeat"}


def test_the_settings_of_a_database_count(db: EventliveDatabase) -> None:
    with db.connect() as connection:
        connection.execute("select eventlive.set_setting('session_heartbeat_interval_s', '60')")
    result = RUN.invoke(app, ["capacity", "--viewers", "600", "--dsn", db.dsn, "--json"])
    assert json.loads(result.output)["eventlive_db"]["lines"][0]["calls"] == 600


@pytest.mark.parametrize("text", ["", "{}", '{"at": 1}', "[]", "\udcff"])
def test_a_file_that_holds_no_costs_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "costs.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    result = RUN.invoke(app, ["capacity", "--viewers", "1", "--costs", str(file)])
    assert result.exit_code == 2
    assert "holds no costs" in result.output


def test_a_database_that_is_not_there_is_told() -> None:
    result = RUN.invoke(app, ["capacity", "--viewers", "1", "--dsn", "host=127.0.0.1 port=1"])
    assert result.exit_code == 2
    assert "eventlive-db: " in result.output
