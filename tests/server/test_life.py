"""A server lives exactly as long as the program that opened it, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from eventlive_db.server import TEST_SETTINGS, Server, ServerStartError, open_server, rundir

pytestmark = pytest.mark.heavy

Ask = Callable[[str, str], Any]
Until = Callable[[Callable[[], bool], str], None]
Processes = Callable[[Path], list[int]]


def test_a_server_that_was_stopped_leaves_no_process_and_no_file(
    base: Path, each_kind: str, ask: Ask, count_processes: Processes
) -> None:
    with open_server(kind=each_kind, settings=TEST_SETTINGS) as server:
        assert server.kind == each_kind
        assert ask(server.dsn(), "show server_version_num") == str(server.version_num)
        assert count_processes(base) != []
    assert count_processes(base) == []
    assert list(base.iterdir()) == []


def test_a_server_stops_with_clients_connected_and_busy(base: Path, kind: str) -> None:
    with open_server(kind=kind, settings=TEST_SETTINGS) as server:
        connection = psycopg.connect(server.dsn())
        connection.pgconn.send_query(b"do $$ begin loop end loop; end $$")
    connection.close()
    assert list(base.iterdir()) == []


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_the_body_stops_the_server(base: Path, kind: str, problem: type[BaseException]) -> None:
    with pytest.raises(problem), open_server(kind=kind, settings=TEST_SETTINGS):
        raise problem
    assert list(base.iterdir()) == []


def test_a_killed_program_leaves_no_server_and_the_next_start_removes_its_directory(
    base: Path, each_kind: str, hold: Callable[..., Any], until: Until, count_processes: Processes
) -> None:
    holder = hold(each_kind)
    dsn = holder.said()["dsn"]
    busy = psycopg.connect(dsn)
    busy.pgconn.send_query(b"do $$ begin loop end loop; end $$")
    (left,) = base.glob("eventlive-pg-*")
    holder.kill()
    until(lambda: count_processes(base) == [], "the server ends with its parent")
    busy.close()
    assert left.exists()
    with open_server(kind=each_kind, settings=TEST_SETTINGS):
        assert not left.exists()


def test_a_server_outlives_the_thread_that_opened_it(base: Path, kind: str, ask: Ask) -> None:
    servers: list[Server] = []
    with ExitStack() as stack:
        opener = threading.Thread(
            target=lambda: servers.append(stack.enter_context(open_server(kind=kind, settings=TEST_SETTINGS)))
        )
        opener.start()
        opener.join()
        assert ask(servers[0].dsn(), "select 1") == 1
        assert servers[0].ended() is None


def test_four_programs_that_start_at_once_do_not_collide(
    base: Path, kind: str, hold: Callable[..., Any], ask: Ask
) -> None:
    holders = [hold(kind) for _ in range(4)]
    said = [holder.said() for holder in holders]
    systems = {ask(each["tcp"], "select system_identifier from pg_control_system()") for each in said}
    assert len(systems) == 4
    assert [holder.finish() for holder in holders] == [0] * 4


def test_a_live_server_is_never_swept(base: Path, kind: str, hold: Callable[..., Any], ask: Ask) -> None:
    holder = hold(kind)
    dsn = holder.said()["dsn"]
    assert rundir.sweep() == []
    assert ask(dsn, "select 1") == 1
    # The negative control: the same directory, once its owner has gone.
    (directory,) = base.glob("eventlive-pg-*")
    holder.kill()
    assert rundir.sweep() == [directory]


def test_sweep_stops_a_server_that_has_outlived_its_program(base: Path) -> None:
    """As happens where the system has no parent-death signal."""
    with rundir.run_directory() as live:
        path = live.path.with_name(f"{live.path.name}x")
    path.mkdir(mode=0o700)
    orphaned = rundir.RunDirectory(path)
    with orphaned.server_lock() as lock:
        sleeper = "import sys, time; print(flush=True); time.sleep(600)"
        orphan = subprocess.Popen([sys.executable, "-c", sleeper, f"{path}/s"], pass_fds=[lock], stdout=subprocess.PIPE)
    assert orphan.stdout is not None
    orphan.stdout.readline()
    orphaned.record_pid(orphan.pid)
    assert rundir.sweep() == [path]
    orphan.communicate()
    assert orphan.returncode == -signal.SIGQUIT


def test_sweep_never_signals_a_process_that_only_has_the_recorded_number(
    base: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rundir, "_ORPHAN_STOP_S", 0.05)
    path = base / f"eventlive-pg-{os.geteuid()}-leftover"
    path.mkdir(mode=0o700)
    leftover = rundir.RunDirectory(path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        leftover.record_pid(stranger.pid)
        with leftover.server_lock():
            assert rundir.sweep() == []
            assert "could not be removed" in caplog.text
        assert rundir.sweep() == [path]
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_sweep_touches_nothing_that_is_not_surely_ours(base: Path) -> None:
    prefix = f"eventlive-pg-{os.geteuid()}-"
    elsewhere = base / "elsewhere"
    elsewhere.mkdir()
    link, writable, locked = (base / f"{prefix}{name}" for name in ("link", "writable", "locked"))
    link.symlink_to(elsewhere)
    writable.mkdir()
    writable.chmod(0o777)
    locked.mkdir(mode=0o700)
    kept = [link, writable, locked, elsewhere]
    if os.geteuid() == 0:
        foreign = base / f"{prefix}foreign"
        foreign.mkdir(mode=0o700)
        os.chown(foreign, 65534, 65534)
        kept.append(foreign)
    descriptor = os.open(locked, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert rundir.sweep() == []
    os.close(descriptor)
    assert all(path.exists() for path in kept)
    assert rundir.sweep() == [locked]
    link.unlink()
    writable.rmdir()
    if os.geteuid() == 0:
        foreign.rmdir()


def test_a_long_temp_dir_does_not_break_the_socket(
    base: Path, kind: str, hold: Callable[..., Any], environment: Callable[..., dict[str, str]]
) -> None:
    long = base / ("x" * 100)
    long.mkdir()
    holder = hold(kind, env=environment(TMPDIR=str(long)))
    with psycopg.connect(holder.said()["dsn"]) as connection:
        assert connection.info.host.startswith("/tmp/eventlive-pg-")  # noqa: S108
    assert holder.finish() == 0
    assert not Path(holder.said()["log"]).parent.exists()


def test_a_port_that_is_taken_meanwhile_is_exchanged(
    base: Path, kind: str, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        real = sys.modules["eventlive_db.server.launcher"].free_port
        ports = iter([busy, busy])
        monkeypatch.setattr("eventlive_db.server.launcher.free_port", lambda: next(ports, None) or real())
        with open_server(kind=kind, settings=TEST_SETTINGS) as server:
            assert ask(server.tcp_dsn(), "show port") != str(busy)


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(base: Path, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = taken.getsockname()[1]
        with (
            pytest.raises(ServerStartError, match="Address already in use"),
            open_server(kind=kind, port=busy),
        ):
            pass


def test_a_failed_start_shows_the_end_of_the_log(base: Path, each_kind: str) -> None:
    with pytest.raises(ServerStartError) as caught, open_server(kind=each_kind, settings={"no_such": "1"}):
        pass
    assert 'unrecognized configuration parameter "no_such"' in caught.value.log_tail
    assert caught.value.log_tail in str(caught.value)
    assert list(base.iterdir()) == []


def test_a_server_that_ends_by_itself_says_so(base: Path, kind: str, ask: Ask, until: Until) -> None:
    with open_server(kind=kind, settings=TEST_SETTINGS) as server:
        assert server.ended() is None
        data = Path(ask(server.dsn(), "show data_directory"))
        os.kill(int((data / "postmaster.pid").read_text().splitlines()[0]), signal.SIGTERM)
        until(lambda: server.ended() is not None, "the end is noticed")
        assert "shutdown request" in str(server.ended())
