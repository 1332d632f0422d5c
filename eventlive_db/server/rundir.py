"""Run directories: one for each running server, removed with it, or by the next start if it was killed.

A run directory lies in the temp dir, is named ``eventlive-pg-<uid>-<random>`` and holds::

    s/           the Unix socket, mode 0700, owned by the account that Postgres runs as
    data/        the cluster, unless it is kept elsewhere
    *.log        what initdb and the server said
    server.lock  locked through a descriptor that every Postgres process of the run inherits
    pid          the newest Postgres program of the run

Two locks (flock) tell its state. The directory itself is locked by the program that made it; when that lock
is free, the program has gone. ``server.lock`` is free only when no Postgres process of the run is left.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eventlive_db.server.account import Account
from eventlive_db.server.errors import ServerError

_log = logging.getLogger(__name__)

SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107
"""Longest path of a Unix socket in bytes: sockaddr_un in unix(7), less the closing zero."""

_ORPHAN_STOP_S = 20.0
_POLL_S = 0.01


def _prefix() -> str:
    return f"eventlive-pg-{os.geteuid()}-"


def base_directory(account: Account | None = None) -> Path:
    """Where run directories go: the temp dir, or ``/tmp`` where that one will not do.

    It will not do where its path is too long for a socket, has a comma, which libpq takes to divide hosts, or
    leads through a directory that is closed to the account.

    Args:
        account: Who runs Postgres, where it is not this user.

    Raises:
        ServerError: Both are closed to the account.
    """
    chosen, instead = Path(tempfile.gettempdir()), Path("/tmp")  # noqa: S108
    longest = chosen / f"{_prefix()}12345678" / "s" / ".s.PGSQL.65535"
    fits = len(os.fsencode(longest)) <= SOCKET_PATH_LIMIT and "," not in str(chosen)
    candidates = [chosen, instead] if fits else [instead]
    for candidate in candidates:
        if account is None or account.can_enter(candidate):
            return candidate
    assert account is not None  # noqa: S101  # without one the first candidate is taken
    msg = f"{' and '.join(map(str, candidates))} cannot be entered by {account.name}, who runs Postgres for root; "
    msg += "set TMPDIR to a directory that can be (chmod o+x on each directory of its path), or start as another user"
    raise ServerError(msg)


def _lock_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_directory(path: Path, descriptor: int) -> bool:
    """Whether ``path`` still names the directory behind ``descriptor``."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _is_ours(path: Path) -> bool:
    """Whether ``path`` is a directory that this user made and that nobody else can write to."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


class RunDirectory:
    """The directory of one run. See the module for what lies in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sockets = path / "s"
        self._lock = path / "server.lock"
        self._pid = path / "pid"

    @contextmanager
    def server_lock(self) -> Iterator[int]:
        """A locked descriptor for a child to inherit; the lock lasts as long as any process has it open."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def record_pid(self, pid: int) -> None:
        """Note the program that now runs, for whoever may have to stop it."""
        self._pid.write_text(str(pid), "ascii")

    def _no_process_left(self) -> bool:
        try:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            return _lock_now(descriptor)
        finally:
            os.close(descriptor)

    def wait_until_no_process(self, timeout_s: float) -> bool:
        """Wait until no Postgres process of this run is left; False when one is left after ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while not self._no_process_left():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _signal(self, number: signal.Signals) -> None:
        """Signal the recorded program if it still is one of this run."""
        with suppress(FileNotFoundError, ValueError):
            pid = int(self._pid.read_text("ascii"))
            if str(self.path) in _command_line(pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def clear(self) -> None:
        """Stop what still runs here and remove the directory.

        Raises:
            ServerError: A process of the run does not end.
            OSError: The directory cannot be removed.
        """
        for number in (signal.SIGQUIT, signal.SIGKILL):
            if self._no_process_left():
                break
            self._signal(number)
            self.wait_until_no_process(_ORPHAN_STOP_S)
        else:
            if not self._no_process_left():
                msg = f"a Postgres process still runs in {self.path}; find it by 'lsof {self._lock}' and end it"
                raise ServerError(msg)
        shutil.rmtree(self.path)


def _command_line(pid: int) -> str:
    """The command line of a process, '' when there is none."""
    proc = Path("/proc")
    if (proc / "self").exists():
        with suppress(FileNotFoundError, ProcessLookupError):
            return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        return ""
    ps = subprocess.run(["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, check=False)
    return ps.stdout.decode("utf-8", "replace")


@contextmanager
def run_directory(base: Path | None = None) -> Iterator[RunDirectory]:
    """A new run directory in ``base`` (default: ``base_directory()``), removed at the end with what runs in it.

    Raises:
        ServerError: The temp dir is not writable.
    """
    path, descriptor = _make_locked(base or base_directory())
    try:
        yield RunDirectory(path)
    finally:
        try:
            RunDirectory(path).clear()
        finally:
            os.close(descriptor)


def _make_locked(base: Path) -> tuple[Path, int]:
    while True:
        try:
            path = Path(tempfile.mkdtemp(prefix=_prefix(), dir=base))
        except OSError as exc:
            msg = f"cannot make a directory in {base}: {exc.strerror}; "
            msg += "set TMPDIR to a directory with a short path that you may write to"
            raise ServerError(msg) from exc
        # A sweep that comes before the lock is taken sees a leftover and removes it: then make another.
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_directory(path, descriptor):
                return path, descriptor
            os.close(descriptor)


def sweep(base: Path | None = None) -> list[Path]:
    """Remove the run directories that killed programs of this user left, and stop what still runs in them.

    A directory is a leftover when its owner's lock is free. Directories of other users, symbolic links and
    directories that others may write to are never touched. One that cannot be removed is logged as a warning:
    it must not keep the next server from starting.

    Returns:
        The directories that were removed.
    """
    removed = []
    for path in sorted((base or base_directory()).glob(f"{_prefix()}*")):
        if not _is_ours(path):
            continue
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            if _lock_now(descriptor) and _is_directory(path, descriptor):
                RunDirectory(path).clear()
                removed.append(path)
        except (OSError, ServerError) as exc:
            _log.warning("the leftover directory %s could not be removed: %s", path, exc)
        finally:
            os.close(descriptor)
    return removed
