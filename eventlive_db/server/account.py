"""The account that Postgres programs run as where this process is root."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from eventlive_db.server.errors import ServerError

# Run as root by an interpreter that the account may not be able to read, it becomes the account and then looks.
_PROBE = """
import os, sys
uid, gid, path = sys.argv[1:]
os.setgroups([])
os.setgid(int(gid))
os.setuid(int(uid))
try:
    os.stat(os.path.join(path, "."))
except PermissionError:
    sys.exit(3)
"""
_CLOSED = 3


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that Postgres programs run as when this process is root, which Postgres refuses."""

    name: str
    uid: int
    gid: int

    def can_enter(self, directory: Path) -> bool:
        """Whether the account gets to ``directory`` and into it: tried out as the account, by this root process."""
        command = [sys.executable, "-I", "-S", "-c", _PROBE, str(self.uid), str(self.gid), str(directory)]
        return subprocess.run(command, cwd="/", capture_output=True, check=False).returncode != _CLOSED


def server_account() -> Account | None:
    """The account to drop to, or None where this process is not root and simply stays who it is.

    Raises:
        ServerError: This process is root and the system has no user ``nobody``.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        msg = "Postgres refuses to run as root, and there is no user 'nobody' instead; start as another user"
        raise ServerError(msg) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
