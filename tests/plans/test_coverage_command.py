"""The command for SQL statement coverage, and logs and schemas that it refuses or reads in another form."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from eventlive_db.cli.app import app
from eventlive_db.plans.coverage import (
    CoverageError,
    LogError,
    ParserMissingError,
    report,
)
from eventlive_db.server import open_server
from tests.plans.coverage_bench import FUNCTIONS, SETTINGS, TABLES, Shop


@pytest.fixture
def command(shop: Shop) -> Callable[..., tuple[int, str]]:
    """Run the command; its exit status and what it said."""

    def run(*more: str) -> tuple[int, str]:
        dsn = f"{shop.connection.info.dsn} password={shop.connection.info.password}"
        arguments = [str(shop.logged()), "--source", str(shop.file), "--database", dsn, "--schema", "shop"]
        done = CliRunner().invoke(app, ["plans", "coverage", *arguments, *more])
        return done.exit_code, done.output

    return run


def test_the_command_fails_a_suite_that_misses_a_branch_and_passes_it_when_it_does_not(
    shop: Shop, command: Callable[..., tuple[int, str]]
) -> None:
    shop.install("""\
create function shop.branch(_a int) returns int language plpgsql as $$
begin
    if _a = 1 then
        return (select 1);
    end if;
    return (select 2);
end $$;
""")
    shop.call("select shop.branch(1)")
    status, said = command("--fail-under", "95")
    assert (status, f"{shop.file}:6  (select 2)" in said) == (1, True)
    shop.call("select shop.branch(2)")
    assert command("--fail-under", "95")[0] == 0
    status, said = command("--json")
    assert (status, json.loads(said)["percent"]) == (0, 100)


def test_without_pglast_the_error_says_what_to_install(
    shop: Shop, command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.install(FUNCTIONS)
    shop.call("select shop.take('tea', 1)")
    monkeypatch.setitem(sys.modules, "pglast", None)
    with pytest.raises(ParserMissingError, match=r"pip install 'eventlive-db\[lint\]'"):
        shop.coverage()
    status, said = command()
    assert (status, "eventlive-db[lint]" in said) == (2, True)


def test_importing_the_package_does_not_import_pglast() -> None:
    program = "import sys, eventlive_db.plans.coverage; sys.exit('pglast' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_log_without_plans_and_a_schema_without_functions_are_refused_with_advice(
    shop: Shop, tmp_path: Path, empty_database: str
) -> None:
    shop.install(FUNCTIONS)
    quiet = tmp_path / "quiet.log"
    quiet.write_text("2026-01-01 00:00:00.000 UTC [1] LOG:  database system is ready to accept connections\n", "utf-8")
    for logs in ([quiet], [tmp_path / "none.log"], []):
        with pytest.raises(LogError, match=r"COVERAGE_SETTINGS|cannot be read|no log file"):
            report(logs, shop.connection, schemas=["shop"])
    shop.call("select 1")
    with pytest.raises(CoverageError, match="'shopp' has no function"):
        report([shop.logged()], shop.connection, schemas=["shopp"])


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user gets to: as root, the server runs as another one."""
    folder = Path(tempfile.mkdtemp(prefix="el-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_log_in_json_tells_the_same(pytestconfig: pytest.Config, open_folder: Path) -> None:
    kind, data = pytestconfig.getoption("--pg-kind"), open_folder / "kept"
    if kind in {"dsn", "container"}:
        pytest.skip("takes a server of this machine")
    collected = {"logging_collector": "on", "log_destination": "jsonlog", "log_directory": "log"}
    with open_server(kind=kind, data=data) as server, psycopg.connect(server.dsn(), autocommit=True) as connection:
        for name, value in collected.items():
            connection.execute(f"alter system set {name} = '{value}'".encode())
    with open_server(kind=kind, data=data, settings=SETTINGS) as server:
        file = open_folder / "shop.sql"
        file.write_text(FUNCTIONS, "utf-8")
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(f"{TABLES}{FUNCTIONS}".encode())
            connection.execute("select shop.take('tea', 1)")
            with suppress(psycopg.errors.RaiseException):
                connection.execute("select shop.take('rum', 1)")
            logs = list((data / "data" / "log").glob("*.json"))
            coverage = report(logs, connection, schemas=["shop"], sources=[file])
    assert coverage.functions == {"shop.take(text,integer)": (6, 9)}
