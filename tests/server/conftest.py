"""What the tests of the server need: a temp dir of their own, which must be empty at the end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import eventlive_db
from eventlive_db.server.binaries import find_embedded, find_installed

ROOT = Path(eventlive_db.__file__).parents[1]


def importing_this_checkout(**variables: str) -> dict[str, str]:
    """The environment for a program that imports this checkout, with ``variables`` on top."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **variables}


HOLD = """
import json, sys
from eventlive_db.server import TEST_SETTINGS, open_server
with open_server(kind=sys.argv[1], settings=TEST_SETTINGS) as server:
    print(json.dumps({"dsn": server.dsn(), "tcp": server.tcp_dsn(), "log": str(server.log)}), flush=True)
    sys.stdin.read()
"""


class Holder:
    """Another program that holds a server open until its standard input ends."""

    def __init__(self, command: list[str], **options: Any) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self._said: dict[str, str] | None = None

    def said(self) -> dict[str, str]:
        """What it printed when its server was ready."""
        if self._said is None:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, self.process.communicate()[1]
            self._said = json.loads(line)
        return self._said

    def finish(self) -> int:
        """Let it stop its server; its exit status."""
        _, errors = self.process.communicate()
        assert errors == ""
        return self.process.returncode

    def kill(self) -> None:
        """End it by SIGKILL, so that it cannot clean up."""
        self.process.kill()
        self.process.communicate()


def processes_in(directory: Path) -> list[int]:
    """Processes that work below ``directory`` or name it: all of a Postgres that keeps its data there."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            works_in = str((entry / "cwd").readlink())
            command = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue  # it has ended, or belongs to somebody else
        if works_in.startswith(f"{directory}/") or f"{directory}/" in command:
            found.append(int(entry.name))
    return found


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait for ``condition``; the limit only keeps a broken build from hanging."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temp dir for this test alone. At its end no Postgres may run there and no run directory be left."""
    if not Path("/proc/self").exists():
        pytest.skip("processes are counted through /proc")
    path = Path(tempfile.mkdtemp(prefix="el-", dir="/tmp"))
    path.chmod(0o755)
    monkeypatch.setenv("TMPDIR", str(path))
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    for name in ("EVENTLIVE_DSN", "EVENTLIVE_POSTGRES", "EVENTLIVE_PG_BINDIR"):
        monkeypatch.delenv(name, raising=False)
    try:
        yield path
        assert processes_in(path) == []
        assert list(path.glob("eventlive-pg-*")) == []
    finally:
        shutil.rmtree(path)


@pytest.fixture
def hold(base: Path) -> Iterator[Callable[..., Holder]]:
    """Start another program that holds a server: ``hold("embedded")``; killed at the end if it still runs."""
    holders: list[Holder] = []

    def start(kind: str, **options: Any) -> Holder:
        options.setdefault("env", importing_this_checkout())
        interpreter = options.pop("interpreter", sys.executable)
        holders.append(Holder([interpreter, "-c", HOLD, kind], **options))
        return holders[-1]

    yield start
    for holder in holders:
        if holder.process.poll() is None:
            holder.kill()


@pytest.fixture(params=["installed", "embedded"])
def each_kind(request: pytest.FixtureRequest) -> str:
    """Both kinds that our own launcher starts, as far as this machine has them."""
    kind = str(request.param)
    found, reasons = find_installed(os.environ) if kind == "installed" else find_embedded()
    if found is None:
        pytest.skip("; ".join(reasons))
    return kind


@pytest.fixture
def kind() -> str:
    """One kind that our own launcher can start."""
    if find_embedded()[0]:
        return "embedded"
    found, reasons = find_installed(os.environ)
    if found is None:
        pytest.skip("; ".join(reasons))
    return "installed"


@pytest.fixture
def ask() -> Callable[[str, str], Any]:
    """``ask(dsn, query)``: the one value that the query gives."""

    def one_value(dsn: str, query: str) -> Any:
        with psycopg.connect(dsn) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    return one_value


@pytest.fixture
def environment() -> Callable[..., dict[str, str]]:
    """``importing_this_checkout``, for test modules."""
    return importing_this_checkout


@pytest.fixture
def count_processes() -> Callable[[Path], list[int]]:
    """``processes_in``, for test modules."""
    return processes_in


@pytest.fixture
def until() -> Callable[[Callable[[], bool], str], None]:
    """``wait_for``, for test modules."""
    return wait_for
