"""A stranger's project that uses the plan guard: files in a folder, and pytest in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from eventlive_db.server import Server

EXAMPLE = Path(__file__).parent / "example"
"""The example of the documentation."""

SCHEMA = (EXAMPLE / "schema.sql").read_text(encoding="utf-8")
_INDEX = "create index jobs_waiting_idx on shop.jobs (queue, id) where state = 'waiting';"
WITHOUT_INDEX = SCHEMA.replace(_INDEX, "")
RENAMED = SCHEMA.replace("jobs_waiting_idx", "jobs_queue_idx")
PYTHON = ("conftest.py", "test_jobs.py")
EVERYTHING = ("plans.toml", *PYTHON)
SECOND = """
import pytest

@pytest.fixture(scope="session")
def plan_guard_schema():
    return "second/schema.sql"
"""
"""Another conftest.py."""

OTHERS = ("anyio", "hypothesispytest", "platformdirs", "timeout")
"""Plugins of no concern here: what they import takes longer than most runs."""

VARIABLES = ("CI", "GITHUB_ACTIONS", "PLAN_GUARD_DSN", "EVENTLIVE_DSN", "EVENTLIVE_POSTGRES", "PYTEST_XDIST_WORKER")
UPDATE_LINE = 1 + SCHEMA[: SCHEMA.index("    update shop.jobs")].count("\n")
"""Line of the schema's file on which the function's statement begins."""


class Project:
    """A project and a server for it.

    Args:
        pytester: Of the test.
        server: Where plans are judged.
    """

    def __init__(self, pytester: pytest.Pytester, server: Server) -> None:
        self.pytester = pytester
        self.server = server
        self.path = pytester.path
        self.write("pytest.ini", "[pytest]\n")
        self.write("schema.sql", SCHEMA)

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def example(self, *names: str) -> None:
        """Take files of the example, as they stand in the documentation."""
        for name in names:
            self.write(name, (EXAMPLE / f"{name}.txt").read_text(encoding="utf-8"))

    def arguments(self, *arguments: str) -> list[str]:
        """What pytest is called with: the running server, and no plugins of no concern here."""
        left_out = [*OTHERS]
        if "-n" not in arguments:
            left_out += ["xdist", "xdist.looponfail"]
        if "-p" not in arguments:
            left_out.append("randomly")
        no_plugins = [word for name in left_out for word in ("-p", f"no:{name}")]
        return ["--plan-dsn", self.server.admin_dsn, "-rN", *no_plugins, *arguments]

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest."""
        return self.pytester.runpytest_subprocess(*self.arguments(*arguments))

    def snapshots(self) -> dict[str, str]:
        """Snapshots on disk, without the folder of the version."""
        return {
            str(path.relative_to(self.path)).replace(f"/{self.server.version_num // 10000}/", "/"): path.read_text()
            for path in self.path.rglob("*.plan")
        }

    def snapshot(self, folder: str, name: str) -> Path:
        """Write a file that looks like a snapshot of this version."""
        return self.write(f"{folder}/{self.server.version_num // 10000}/{name}.plan", f"# {name}\n\n")


def databases(server: Server) -> set[str]:
    """Databases of runs of the plan guard."""
    with psycopg.connect(server.admin_dsn) as connection:
        return {name for (name,) in connection.execute(r"select datname from pg_database where datname ~ '^plans_'")}


@contextmanager
def mere_user(server: Server) -> Iterator[str]:
    """DSN of a role that is no superuser, though it may make databases."""
    with psycopg.connect(server.admin_dsn, autocommit=True) as connection:
        connection.execute("create role test_mere_user createdb")
        try:
            yield make_conninfo(server.admin_dsn, options="-c role=test_mere_user")
        finally:
            connection.execute("drop role test_mere_user")
