"""Starts and stops a Postgres from programs on this machine, as any user, root included.

What others on the machine can do: the Unix socket lies in a directory of mode 0700 and needs no password; TCP
is open on 127.0.0.1 alone and needs a random password (SCRAM). Started by root, Postgres runs as ``nobody``,
so other processes of ``nobody`` could reach the socket too.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg

from eventlive_db.server.account import Account, server_account
from eventlive_db.server.binaries import Binaries, copy_embedded
from eventlive_db.server.cluster import Cluster, give_to, kept_cluster, throwaway_cluster
from eventlive_db.server.errors import ServerStartError
from eventlive_db.server.model import Server
from eventlive_db.server.process import Child, child_environment, wrap
from eventlive_db.server.rundir import RunDirectory, base_directory, run_directory, sweep

START_TIMEOUT_S = 60.0
PORT_ATTEMPTS = 10

_OWN_SETTINGS = {
    "config_file",
    "data_directory",
    "external_pid_file",
    "hba_file",
    "listen_addresses",
    "log_destination",
    "logging_collector",
    "port",
    "unix_socket_directories",
    "unix_socket_permissions",
}


@contextmanager
def local_server(
    binaries: Binaries, *, settings: Mapping[str, str], data: Path | None = None, port: int | None = None
) -> Iterator[Server]:
    """Run a server for as long as the context lasts.

    Args:
        binaries: The programs.
        settings: Cluster settings, passed as ``-c name=value``.
        data: Directory to keep the cluster in; default: a new cluster that is removed at the end.
        port: TCP port on 127.0.0.1; default: a free one.

    Raises:
        ServerStartError: initdb or the server failed; the end of the log is in the message.
        ServerError: This user cannot run the programs, or the server could not be stopped.
        ValueError: A setting is one that the launcher has to choose itself.
    """
    own = sorted(_OWN_SETTINGS & {name.lower() for name in settings})
    if own:
        msg = f"the setting {own[0]} is chosen by the launcher; leave it out (use 'port' and 'data' instead)"
        raise ValueError(msg)
    account = server_account()
    base = base_directory(account)
    sweep(base)
    with ExitStack() as stack:
        run = stack.enter_context(run_directory(base))
        _prepare(run, account)
        programs = _readable(binaries, run, account)
        if data is None:
            cluster = throwaway_cluster(programs, run, account)
        else:
            cluster = stack.enter_context(kept_cluster(data, programs, run, account))
        child, port = _start(programs, cluster, settings, port=port, run=run, account=account)
        try:
            yield _server(binaries, cluster, child, port, run)
        finally:
            child.stop()


def _prepare(run: RunDirectory, account: Account | None) -> None:
    """Make the socket directory, and let the account pass through the run directory to it."""
    run.sockets.mkdir(mode=0o700)
    give_to(account, run.sockets)
    if account:
        run.path.chmod(0o711)


def _readable(binaries: Binaries, run: RunDirectory, account: Account | None) -> Binaries:
    """The programs, or a copy where the account cannot read them (below a home directory of mode 0700)."""
    if account is None:
        return binaries
    postgres = binaries.bindir / "postgres"
    probe = subprocess.run(
        wrap([str(postgres), "--version"], account),
        env=child_environment(binaries.bindir),
        cwd="/",
        capture_output=True,
        check=False,
    )
    if probe.returncode == 0:
        return binaries
    if binaries.kind == "embedded":
        target = run.path / "programs"
        target.mkdir()
        return replace(binaries, bindir=copy_embedded(target))
    why = probe.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    msg = f"{postgres} cannot be run by {account.name}, who stands in for root ({''.join(why)}); "
    msg += "make it readable to all, start as another user, or use kind='embedded'"
    raise ServerStartError(msg)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(
    programs: Binaries,
    cluster: Cluster,
    settings: Mapping[str, str],
    *,
    port: int | None,
    run: RunDirectory,
    account: Account | None,
) -> tuple[Child, int]:
    """Start the server; a port that was free and is taken meanwhile is exchanged for another."""
    for attempt in range(PORT_ATTEMPTS):
        chosen = port or free_port()
        own = {
            "listen_addresses": "127.0.0.1",
            "port": str(chosen),
            "unix_socket_directories": _list_of_one(run.sockets),
            "unix_socket_permissions": "0700",
        }
        command = [str(programs.bindir / "postgres"), "-D", str(cluster.data)]
        for name, value in {**settings, **own}.items():
            command += ["-c", f"{name}={value}"]
        child = Child(command, run=run, account=account, log=run.path / "server.log")
        try:
            _wait_until_ready(child, cluster.data, _socket_dsn(run, chosen))
        except ServerStartError as exc:
            child.stop()
            taken = "could not create any TCP/IP sockets" in exc.log_tail
            if not taken or port is not None or attempt + 1 == PORT_ATTEMPTS:
                raise
            continue
        except BaseException:
            child.stop()
            raise
        return child, chosen
    raise AssertionError  # the last attempt returns or raises


def _list_of_one(path: Path) -> str:
    """A list setting with one element, quoted as an identifier is."""
    return '"' + str(path).replace('"', '""') + '"'


def _wait_until_ready(child: Child, data: Path, dsn: str) -> None:
    """Wait until the server says that it is ready, and connect once by its own socket, where no other answers."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _says_ready(data / "postmaster.pid", child.pid):
        if child.wait(0.02):
            msg = f"Postgres ended with exit status {child.returncode} while it was starting"
            raise ServerStartError(msg, child.log_tail())
        if time.monotonic() > deadline:
            msg = f"Postgres was not ready within {START_TIMEOUT_S:.0f} s"
            raise ServerStartError(msg, child.log_tail())
    try:
        psycopg.connect(dsn, connect_timeout=10).close()
    except psycopg.OperationalError as exc:
        astray = [name for name in ("PGHOSTADDR", "PGSERVICE", "PGOPTIONS") if name in os.environ]
        advice = f"; unset {', '.join(astray)}, which every connection obeys" if astray else ""
        msg = f"Postgres is ready but cannot be connected to ({exc}){advice}"
        raise ServerStartError(msg, child.log_tail()) from exc


def _says_ready(pid_file: Path, pid: int) -> bool:
    """Whether the postmaster ``pid`` reports "ready" in its pid file, which is what pg_ctl waits for too."""
    try:
        lines = pid_file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return False
    return lines[:1] == [str(pid)] and [line.strip() for line in lines[7:8]] == ["ready"]


def _socket_dsn(run: RunDirectory, port: int) -> str:
    # libpq takes a plus sign as it is: no quote_plus.
    where = urlencode({"host": str(run.sockets), "port": port}, quote_via=quote, safe="")
    return f"postgresql://postgres@/postgres?{where}"


def _server(binaries: Binaries, cluster: Cluster, child: Child, port: int, run: RunDirectory) -> Server:
    # No encryption on loopback; drivers that insist on it by default need to be told.
    tcp_dsn = f"postgresql://postgres:{quote(cluster.password, safe='')}@127.0.0.1:{port}/postgres?sslmode=disable"

    def ended() -> str | None:
        if child.returncode is None:
            return None
        return f"Postgres ended with exit status {child.returncode}\n{child.log_tail()}"

    with psycopg.connect(_socket_dsn(run, port)) as connection:
        version_num = connection.info.server_version
    return Server(
        kind=binaries.kind,
        version_num=version_num,
        admin_dsn=_socket_dsn(run, port),
        admin_tcp_dsn=tcp_dsn,
        bindir=binaries.bindir,
        log=child.log,
        ended=ended,
    )
