"""docs/watch.md says what is so; its commands are run by ``tests/test_docs.py``."""

from __future__ import annotations

import configparser
import re
import secrets
from pathlib import Path

from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from eventlive_db.cli.app import app
from eventlive_db.watch.bodies import as_plain
from eventlive_db.watch.database import Database
from eventlive_db.watch.readings import RULES
from eventlive_db.watch.rules import DatabaseRules
from eventlive_db.watch.thresholds import Thresholds
from tests.support.database import EventliveDatabase
from tests.watch.made_up import NOW, notice

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "watch.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


def test_each_rule_and_each_threshold_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\S+)", TEXT, re.M)
    assert [rule for rule, _ in rows] == list(RULES)
    thresholds = {f"`alert_{name}`" for name in Thresholds.__slots__}
    assert thresholds <= {setting for _, setting in rows} | {"`alert_window_s`", "`alert_cooldown_s`"}
    assert "`alert_window_s`" in TEXT
    assert "`alert_cooldown_s`" in TEXT


def test_the_body_of_a_generic_receiver_is_told_whole() -> None:
    section = TEXT.split("## Where alarms go", 1)[1].split("\n## ", 1)[0]
    assert all(f"`{key}`" in section for key in as_plain(notice()))


def test_each_option_exists() -> None:
    known = CliRunner().invoke(app, ["watch", "--help"], env={"COLUMNS": "200"}).stdout
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", TEXT))
    assert used
    assert not [option for option in used if option not in known]


def test_the_unit_can_be_read_and_starts_the_watch() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    [text] = blocks("ini")
    unit.read_string(text)
    assert unit["Service"]["ExecStart"].split()[1] == "watch"
    assert "WEBHOOK" not in unit["Service"]["ExecStart"]


def test_the_role_that_is_made_sees_everything(db: EventliveDatabase) -> None:
    [statement] = blocks("sql")
    role = f"watch_{secrets.token_hex(4)}"
    db.admin.execute(statement.replace("eventlive_watch", role).encode())
    database = Database(make_conninfo(db.dsn, user=role))
    figures = database.read(0, settings=True)
    database.close()
    db.admin.execute(f"drop role {role}")
    assert figures is not None, database.problem
    assert Thresholds.of_settings(figures.settings or []) == (Thresholds(), [])
    assert figures.settings
    assert figures.jobs
    readings = DatabaseRules().readings(figures, Thresholds(), NOW)
    assert not [reading for reading in readings if reading.blind]
