"""docs/operations.md says what is so: schedules, settings, commands, files."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eventlive_db.cli.jobs import app
from eventlive_db.jobs.catalog import UNHEALTHY
from eventlive_db.jobs.pg_cron_runs import REFUSED
from tests.jobs.scene import ROOT, jobs, jobs_json, take_away
from tests.support.database import EventliveDatabase

TEXT = (ROOT / "docs" / "operations.md").read_text()
UNITS = re.findall(r"^```ini\n(.*?)^```", TEXT, re.M | re.S)


def test_the_table_of_jobs_is_that_of_the_database(db: EventliveDatabase) -> None:
    listed = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| (\d+ \w+) \| [^|]+ \| ([^|]+) \|$", TEXT, re.M)
    db.admin.execute("set intervalstyle = 'postgres_verbose'")
    actual = db.rows("select name, schedule, max_age::text from eventlive.jobs")
    assert sorted((name, schedule) for name, schedule, _, _ in listed) == sorted(row[:2] for row in actual)
    for name, _, late, settings in listed:
        assert db.value("select max_age = %s::interval from eventlive.jobs where name = %s", late, name), name
        for key in re.findall(r"`(\w+)`", settings):
            assert db.rows("select from eventlive.settings where key = %s", key), key


def test_every_setting_of_retention_is_named(db: EventliveDatabase) -> None:
    [(keys,)] = db.rows(
        "select array_agg(key) from eventlive.settings where key like '%%retention%%' or key like 'job%%'"
    )
    assert [key for key in keys if f"`{key}`" not in TEXT] == []


def test_a_row_that_is_missing_is_put_back_as_the_text_says(db: EventliveDatabase) -> None:
    before = db.rows("select name, schedule, max_age, enabled from eventlive.jobs order by name")
    assert jobs_json("run", "--all", dsn=db.dsn)["passed"]
    take_away(db, "rollup_live")
    [(state, job)] = [(p["state"], p["job"]) for p in jobs_json("check", dsn=db.dsn, status=1)["problems"]]
    assert (state, job) == ("missing", "rollup_live")
    assert f"| `{state}` |" in TEXT
    [statement] = re.findall(r"^insert into eventlive\.jobs .*?;$", TEXT, re.M | re.S)
    db.admin.execute("set role eventlive_owner")
    db.admin.execute(statement.encode())
    assert db.rows("select name, schedule, max_age, enabled from eventlive.jobs order by name") == before
    assert jobs_json("run", "rollup_live", dsn=db.dsn)["passed"]
    assert jobs("check", dsn=db.dsn) == "all jobs are well\n"


def test_every_state_has_its_line() -> None:
    for state in UNHEALTHY | {"bad_schedule"}:
        assert re.search(rf"^\| `{state}`", TEXT, re.M), state


def test_what_lets_pg_cron_in_is_said() -> None:
    for words in ("cron.use_background_workers = on", "`.pgpass`", "pg_hba.conf", REFUSED):
        assert words in TEXT, words


def commands() -> list[list[str]]:
    """Each call of the command in the files, in sentences and in JSON lists."""
    found = [shlex.split(line)[1:] for line in re.findall(r"eventlive-db jobs [a-z -]+", TEXT)]
    for listed in re.findall(r'\[("eventlive-db"[^]]+)\]', TEXT):
        found.append(json.loads(f"[{listed}]")[1:])
    found += [json.loads(f"[{listed}]")[1:] for listed in re.findall(r'\["CMD", ("eventlive-db"[^]]+)\]', TEXT)]
    return [words for words in found if words[0] == "jobs"]


def test_every_command_of_the_files_exists() -> None:
    found = commands()
    assert ["jobs", "run", "--loop"] in found
    assert ["jobs", "check"] in found
    for words in found:
        options = [word for word in words[2:] if word.startswith("--")]
        shown = CliRunner().invoke(app, [words[1], "--help"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, words
        assert all(option in shown.stdout for option in options), words


def test_the_line_of_cron_runs(db: EventliveDatabase, tmp_path: Path) -> None:
    [line] = re.findall(r"^\* \* \* \* \* nobody (.+)$", TEXT, re.M)
    program, _, rest = line.partition(" ")
    assert program == "/opt/eventlive/bin/eventlive-db"
    own = tmp_path / "eventlive-db"
    own.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m eventlive_db "$@"\n')
    own.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "EVENTLIVE_DSN": db.dsn, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        ["/bin/sh", "-c", f"{own} {rest}"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert jobs("check", dsn=db.dsn) == "all jobs are well\n"


def test_the_units_are_units(tmp_path: Path) -> None:
    service, timer = UNITS
    assert "[Service]" in service
    assert "[Timer]" in timer
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is missing; on Debian 'apt-get install systemd' gets it")
    (tmp_path / "jobs").write_text("#!/bin/sh\n")
    (tmp_path / "jobs").chmod(0o755)
    service = service.replace("/opt/eventlive/bin/eventlive-db", str(tmp_path / "jobs"))
    (tmp_path / "eventlive-jobs.service").write_text(service)
    (tmp_path / "eventlive-jobs.timer").write_text(timer)
    for name in ("eventlive-jobs.service", "eventlive-jobs.timer"):
        done = subprocess.run([verify, "verify", str(tmp_path / name)], capture_output=True, text=True, check=False)
        assert [line for line in done.stderr.splitlines() if "eventlive-jobs" in line] == []
        assert done.returncode == 0, done.stderr
