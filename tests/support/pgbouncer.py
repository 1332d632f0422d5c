"""A PgBouncer of the tests: in transaction mode, on loopback, before their Postgres, and gone when they are."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventlive_db.server.account import server_account
from eventlive_db.server.cluster import give_to
from eventlive_db.server.errors import ServerStartError
from eventlive_db.server.launcher import PORT_ATTEMPTS, free_port
from eventlive_db.server.process import Child
from eventlive_db.server.rundir import RunDirectory, base_directory, run_directory

REQUIRED = "EVENTLIVE_PGBOUNCER_REQUIRED"
"""Where this variable is set, a PgBouncer that is missing fails the tests; else they are skipped."""

START_TIMEOUT_S = 60.0
_ALSO_IN = "/usr/sbin"  # where Debian has it, and where the PATH of a user does not lead
_CONFIG = """\
[databases]
* = host={host} port={port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
server_round_robin = 0
"""


@dataclass(frozen=True, slots=True)
class PgBouncer:
    """A PgBouncer that runs.

    Attributes:
        port: Where it listens.
        child: The process with its log.
    """

    port: int
    child: Child = field(repr=False)

    def dsn(self, behind: str) -> str:
        """The way through it to a database behind it, whose DSN by TCP is given."""
        return make_conninfo(behind, host="127.0.0.1", port=self.port, sslmode="disable")


def program() -> Path:
    """PgBouncer; without one the test is skipped, or fails where it was asked for."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path=_ALSO_IN)
    if found:
        return Path(found)
    missing = "PgBouncer is missing; on Debian and Ubuntu 'apt-get install pgbouncer' gets it"
    if os.environ.get(REQUIRED):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@contextmanager
def pgbouncer(behind: str, *, pool_size: int = 1) -> Iterator[PgBouncer]:
    """Run PgBouncer for as long as the context lasts.

    Args:
        behind: DSN by TCP, with a password, of any database of the server.
        pool_size: Connections to the server, for each database and user.

    Raises:
        ServerStartError: It did not start; the end of its log is in the message.
    """
    path, account, target = program(), server_account(), conninfo_to_dict(behind)
    with run_directory(base_directory(account)) as run:
        if account:
            run.path.chmod(0o711)
        users = _private(run, "users.txt", f'"{target["user"]}" "{target["password"]}"\n')
        for attempt in range(PORT_ATTEMPTS):
            port = free_port()
            text = _CONFIG.format(
                host=target["host"], port=target["port"], own_port=port, users=users, pool_size=pool_size
            )
            command = [str(path), str(_private(run, "pgbouncer.ini", text))]
            found = PgBouncer(port, Child(command, run=run, account=account, log=run.path / "pgbouncer.log"))
            try:
                if _wait_until_ready(found, behind) or attempt + 1 == PORT_ATTEMPTS:
                    yield found
                    return
            finally:
                with suppress(ProcessLookupError):
                    os.kill(found.child.pid, signal.SIGTERM)  # SIGINT would wait for the clients
                found.child.wait(START_TIMEOUT_S)
                found.child.stop()


def _private(run: RunDirectory, name: str, text: str) -> Path:
    """A file with a password in it, for whoever runs the program."""
    path = run.path / name
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
    give_to(server_account(), path)
    return path


def _wait_until_ready(server: PgBouncer, behind: str) -> bool:
    """Wait until it lets somebody through; False where the port was taken meanwhile."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            psycopg.connect(server.dsn(behind), connect_timeout=10).close()
        except psycopg.OperationalError as error:
            if server.child.wait(0.02):
                if "Address already in use" in server.child.log_tail():
                    return False
                msg = f"PgBouncer ended with exit status {server.child.returncode} while it was starting"
                raise ServerStartError(msg, server.child.log_tail()) from error
            if time.monotonic() > deadline:
                msg = f"PgBouncer was not ready within {START_TIMEOUT_S:.0f} s"
                raise ServerStartError(msg, server.child.log_tail()) from error
        else:
            return True
