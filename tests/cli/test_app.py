"""The command line as a whole: what it offers, and that a command imports what it needs and no more."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eventlive_db.cli.app import app

ROOT = Path(__file__).resolve().parent.parent.parent

PROGRAM = """
import sys
blocked = set(sys.argv.pop(1).split(","))
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
from eventlive_db.cli import main
main()
"""


def run(blocked: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run where some packages are not installed."""
    command = [sys.executable, "-c", PROGRAM, blocked, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def offered() -> Iterator[str]:
    """Modules with a group of commands, or with a command of their name."""
    for path in (ROOT / "eventlive_db" / "cli").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        # What has two words in its name is a part of another.
        if "_" not in path.stem and re.search(rf"^(?:app = typer\.Typer\(\n|def {path.stem}\()", text, re.MULTILINE):
            yield path.stem


def test_help_lists_every_command_and_what_it_is_for() -> None:
    told = CliRunner().invoke(app, ["--help"]).stdout.split("Commands:\n")[1].splitlines()
    words = [line.split(maxsplit=1) for line in told if line.strip()]
    assert {name for name, _ in words} == set(offered())
    assert all(len(purpose) > 20 for _, purpose in words)


def test_a_command_that_does_not_exist_is_refused_with_one_that_does() -> None:
    done = CliRunner().invoke(app, ["migrat", "up"])
    assert done.exit_code == 2
    assert "No such command 'migrat'" in done.stderr
    assert "migrate" in done.stderr.removesuffix("'migrat'.")


@pytest.mark.parametrize(
    ("command", "needs"),
    [
        ("server", set()),
        ("call", set()),
        ("plans", set()),
        ("migrate", {"alembic", "sqlalchemy"}),
        ("lint", {"alembic", "sqlalchemy", "pglast"}),
        ("demo", {"alembic", "sqlalchemy", "psycopg_pool"}),
    ],
)
def test_a_command_imports_no_package_that_only_another_needs(command: str, needs: set[str]) -> None:
    blocked = {"alembic", "sqlalchemy", "pglast", "psycopg_pool"} - needs
    done = run(",".join(sorted(blocked)), command, "--help")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["typer", "alembic"])
def test_a_package_that_a_command_needs_and_is_missing_is_named_with_what_to_install(package: str) -> None:
    done = run(package, "migrate", "--help")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"eventlive-db: {package} is not installed. Run: pip install 'eventlive-db[cli]'\n"
