"""A PostgREST of the tests: started from a config file, on loopback, and gone when the tests are."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from eventlive_db.server.errors import ServerStartError
from eventlive_db.server.launcher import PORT_ATTEMPTS, _free_port
from eventlive_db.server.process import Child
from eventlive_db.server.rundir import run_directory
from tests.support import http_parts

START_TIMEOUT_S = 60.0
SECRET = "a-secret-that-only-the-tests-know-and-no-service-uses"
_EXEC = Path(__file__).with_name("http_exec.py")
_TAKEN = ("Address already in use", "resource busy")


@dataclass(frozen=True, slots=True)
class PostgREST:
    """A PostgREST that runs.

    Attributes:
        url: Where it answers.
        admin_url: Where it says whether it is ready.
        pid: Its process.
        child: The process with its log.
    """

    url: str
    admin_url: str
    pid: int
    child: Child = field(repr=False)

    def is_ready(self) -> bool:
        """Whether it holds a connection and knows the schema."""
        try:
            return httpx.get(f"{self.admin_url}/ready", timeout=10).status_code == 200
        except httpx.TransportError:
            return False


def with_settings(config: str, changes: Mapping[str, str | int | bool | None]) -> str:
    """A config file with other values; None takes the line out.

    Raises:
        KeyError: The file has no such line.
    """
    for name, value in changes.items():
        line = rf"(?m)^{re.escape(name)} = .*\n"
        if not re.search(line, config):
            raise KeyError(name)
        text = str(value).lower() if isinstance(value, bool | int) else f'"{value}"'
        config = re.sub(line, "" if value is None else f"{name} = {text}\n".replace("\\", r"\\"), config)
    return config


@contextmanager
def running(config: str) -> Iterator[PostgREST]:
    """Run PostgREST for as long as the context lasts, on free ports.

    Args:
        config: Its config file, with the lines ``server-port`` and ``admin-server-port``.

    Raises:
        MissingPartError: It is not on this machine.
        ServerStartError: It did not start; the end of its log is in the message.
    """
    program = http_parts.postgrest()
    with run_directory() as run:
        file = run.path / "postgrest.conf"
        for attempt in range(PORT_ATTEMPTS):
            port, admin_port = _free_port(), _free_port()
            file.touch(mode=0o600)
            file.write_text(with_settings(config, {"server-port": port, "admin-server-port": admin_port}))
            command = [sys.executable, "-I", "-S", str(_EXEC), str(program), str(file)]
            child = Child(command, run=run, account=None, log=run.path / "postgrest.log")
            found = PostgREST(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}", child.pid, child)
            try:
                if _wait_until_ready(found) or attempt + 1 == PORT_ATTEMPTS:
                    yield found
                    return
            finally:
                child.stop()


def _wait_until_ready(server: PostgREST) -> bool:
    """Wait until it is ready; False where a port was taken meanwhile."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.is_ready():
        if server.child.wait(0.02):
            if any(sign in server.child.log_tail() for sign in _TAKEN):
                return False
            msg = f"PostgREST ended with exit status {server.child.returncode} while it was starting"
            raise ServerStartError(msg, server.child.log_tail())
        if time.monotonic() > deadline:
            msg = f"PostgREST was not ready within {START_TIMEOUT_S:.0f} s"
            raise ServerStartError(msg, server.child.log_tail())
    return True


def snippet(document: Path, language: str, number: int = 0) -> str:
    """A fenced block of a document."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.M | re.S)
    return blocks[number]
