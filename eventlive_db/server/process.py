"""Children of this process that run Postgres programs: who they run as, and that they never outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from eventlive_db.server.account import Account
from eventlive_db.server.errors import ServerError, ServerStartError
from eventlive_db.server.rundir import RunDirectory

_EXEC = Path(__file__).with_name("_exec.py")
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")

FAST_STOP_S = 20.0
"""How long a fast shutdown may take before it becomes an immediate one."""

IMMEDIATE_STOP_S = 10.0
"""How long an immediate shutdown may take (Postgres kills its own children after 5 s) before SIGKILL."""


def child_environment(bindir: Path) -> dict[str, str]:
    """What a Postgres program sees: the C locale, UTC, and none of the caller's PG* variables."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC", "PATH": f"{bindir}{os.pathsep}/usr/bin{os.pathsep}/bin"}


def wrap(command: Sequence[str], account: Account | None) -> list[str]:
    """The command line that runs ``command`` as ``account`` and ends it when this process ends.

    Raises:
        ServerError: The running interpreter does not know its own path.
    """
    if not sys.executable:
        msg = "this Python does not know its own executable, so it cannot start Postgres; pass a DSN instead"
        raise ServerError(msg)
    uid, gid = (account.uid, account.gid) if account else (-1, -1)
    return [sys.executable, "-I", "-S", str(_EXEC), str(os.getpid()), str(uid), str(gid), *command]


def _private(path: str, flags: int) -> int:
    """Open a log for this user alone: statements may be in it."""
    return os.open(path, flags, 0o600)


class Child:
    """A Postgres program that ends when this process does.

    On Linux the kernel tells it (parent-death signal), even when this process is killed. The signal fires
    when the *thread* that started the child ends, so each child has a thread of its own, which starts it and
    then waits for it. macOS has no such signal: a killed process leaves its server
    running, and the next start stops that server and removes its directory (``rundir.sweep``).

    Every child holds the run directory's server lock through an inherited descriptor, as its own children do,
    so that a free lock proves that no process of the run is left.
    """

    def __init__(self, command: Sequence[str], *, run: RunDirectory, account: Account | None, log: Path) -> None:
        self.name = Path(command[0]).name
        self.log = log
        self._run = run
        self._ended = threading.Event()
        started: Future[subprocess.Popen[bytes]] = Future()
        environment = child_environment(Path(command[0]).parent)
        live = (wrap(command, account), environment, started)
        threading.Thread(target=self._live, args=live, name=f"eventlive-{self.name}", daemon=True).start()
        try:
            self._process = started.result()
        except OSError as exc:
            msg = f"{self.name} could not be started: {exc}"
            raise ServerStartError(msg) from exc

    def _live(self, command: list[str], environment: dict[str, str], started: Future[subprocess.Popen[bytes]]) -> None:
        try:
            with self._run.server_lock() as lock, open(self.log, "wb", opener=_private) as log:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    cwd="/",
                    pass_fds=[lock],
                    start_new_session=True,  # Ctrl-C is for this process, which then stops the server
                )
                self._run.record_pid(process.pid)
        except BaseException as exc:
            started.set_exception(exc)
            return
        started.set_result(process)
        process.wait()
        self._ended.set()

    @property
    def pid(self) -> int:
        """Process id of the program."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while the program runs."""
        return self._process.returncode if self._ended.is_set() else None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the program; True when it has ended within ``timeout_s`` seconds."""
        return self._ended.wait(timeout_s)

    def log_tail(self, lines: int = 20) -> str:
        """The last ``lines`` lines that the program wrote."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def stop(self) -> None:
        """Shut down fast (SIGINT), then at once (SIGQUIT), then by SIGKILL; wait until no process is left.

        Raises:
            ServerError: A process of the run is alive after all of that.
        """
        for number, timeout_s in (
            (signal.SIGINT, FAST_STOP_S),
            (signal.SIGQUIT, IMMEDIATE_STOP_S),
            (signal.SIGKILL, IMMEDIATE_STOP_S),
        ):
            if self._ended.is_set():
                break
            self._process.send_signal(number)
            self._ended.wait(timeout_s)
        if not self._run.wait_until_no_process(IMMEDIATE_STOP_S):
            msg = f"{self.name} (pid {self.pid}) was stopped, but a process of it still holds {self._run.path}"
            raise ServerError(msg)


def run_to_end(
    command: Sequence[str], *, run: RunDirectory, account: Account | None, log: Path, timeout_s: float = 120.0
) -> None:
    """Run a Postgres program such as initdb to its end.

    Raises:
        ServerStartError: It failed or took more than ``timeout_s``; its last lines are in the message.
    """
    child = Child(command, run=run, account=account, log=log)
    deadline = time.monotonic() + timeout_s
    try:
        if not child.wait(deadline - time.monotonic()):
            msg = f"{child.name} did not end within {timeout_s:.0f} s"
            raise ServerStartError(msg, child.log_tail())
        if child.returncode != 0:
            msg = f"{child.name} failed with exit status {child.returncode}"
            raise ServerStartError(msg, child.log_tail())
    finally:
        child.stop()
