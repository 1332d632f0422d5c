"""Data directories: made by initdb, thrown away with the run or kept in a directory of the user's."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from eventlive_db.server.account import Account
from eventlive_db.server.binaries import Binaries
from eventlive_db.server.errors import ServerStartError
from eventlive_db.server.process import run_to_end
from eventlive_db.server.rundir import RunDirectory

# Who may enter the socket directory (mode 0700) is the superuser without a password; by TCP everybody on this
# machine gets as far as the password.
_HBA = """\
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""

_CHECKSUMS_BY_DEFAULT = 18


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data directory that is ready for a server.

    Attributes:
        data: The data directory.
        password: The superuser's password for TCP.
    """

    data: Path
    password: str = field(repr=False)


def give_to(account: Account | None, path: Path) -> None:
    """Make ``account`` the owner of ``path``; without an account it stays ours."""
    if account:
        os.chown(path, account.uid, account.gid)


def _initdb(data: Path, password: str, binaries: Binaries, run: RunDirectory, account: Account | None) -> None:
    """Make a cluster in ``data``, complete or not at all."""
    unfinished = data.with_name(f"{data.name}.new")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    give_to(account, unfinished)
    secret = run.path / "password"
    secret.touch(mode=0o600)
    secret.write_text(f"{password}\n", "ascii")
    give_to(account, secret)
    command = [str(binaries.bindir / "initdb"), "-D", str(unfinished), "-U", "postgres", "-A", "trust"]
    command += ["-E", "UTF8", "--locale=C", "-N", f"--pwfile={secret}"]
    if binaries.major >= _CHECKSUMS_BY_DEFAULT:
        # With checksums a mere read logs a page image when it sets hint bits, so that "writes no WAL" could
        # not be tested; 15 to 17 have them off unless asked.
        command.append("--no-data-checksums")
    run_to_end(command, run=run, account=account, log=run.path / "initdb.log")
    secret.unlink()
    (unfinished / "pg_hba.conf").write_text(_HBA, "ascii")
    unfinished.rename(data)


def throwaway_cluster(binaries: Binaries, run: RunDirectory, account: Account | None) -> Cluster:
    """A new cluster inside the run directory.

    Raises:
        ServerStartError: initdb failed.
    """
    cluster = Cluster(run.path / "data", secrets.token_urlsafe(24))
    _initdb(cluster.data, cluster.password, binaries, run, account)
    return cluster


@contextmanager
def kept_cluster(home: Path, binaries: Binaries, run: RunDirectory, account: Account | None) -> Iterator[Cluster]:
    """The cluster in ``home``, made there first if ``home`` is new or empty. It stays.

    ``home`` holds ``data/`` and ``password``, the latter readable by this user alone.

    Raises:
        ServerStartError: ``home`` is in use, or holds something else or a cluster of another version or user.
    """
    home = home.absolute()
    home.mkdir(mode=0o711 if account else 0o700, parents=True, exist_ok=True)
    _check_way(home, account)
    lock = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"another server runs on {home}; stop it first, or take another directory"
            raise ServerStartError(msg) from None
        yield _open_kept(home, binaries, run, account)
    finally:
        os.close(lock)


def _check_way(home: Path, account: Account | None) -> None:
    """Find the directory on the way that would keep the account out, before Postgres stumbles over it."""
    if account is None:
        return
    for directory in (home, *home.parents):
        found = directory.stat()
        if not (found.st_mode & 0o001 or found.st_uid == account.uid):
            msg = f"{directory} is closed to {account.name}, who runs Postgres for root; "
            msg += "open it (chmod o+x), take another directory, or start as another user"
            raise ServerStartError(msg)


def _open_kept(home: Path, binaries: Binaries, run: RunDirectory, account: Account | None) -> Cluster:
    data, password = home / "data", home / "password"
    strange = {path.name for path in home.iterdir()} - {"data", "data.new", "password"}
    if strange:
        msg = f"{home} holds {sorted(strange)[0]}, which this program did not put there; take a new directory"
        raise ServerStartError(msg)
    if not data.exists():
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24), "ascii")
        _initdb(data, password.read_text("ascii"), binaries, run, account)
    _check_kept(data, binaries.major, account.uid if account else os.geteuid())
    return Cluster(data, password.read_text("ascii"))


def _check_kept(data: Path, major: int, uid: int) -> None:
    if data.stat().st_uid != uid:
        msg = f"{data} belongs to the user with id {data.stat().st_uid}, and Postgres would run as {uid}; "
        msg += "start it as the user who made it, or take a new directory"
        raise ServerStartError(msg)
    made_by = (data / "PG_VERSION").read_text("ascii").strip()
    if made_by != str(major):
        msg = f"{data} was made by Postgres {made_by}, and this is Postgres {major}; "
        msg += "choose the other one (kind, or EVENTLIVE_PG_BINDIR), or take a new directory"
        raise ServerStartError(msg)
