"""Redis beside the pings: skipped and said where it is missing; where it is installed, started and ended."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from eventlive_db.load.bench.compare import Timed
from eventlive_db.load.bench.errors import BenchError, MissingToolError
from eventlive_db.load.bench.parts import Sizes, measure
from eventlive_db.load.bench.ping import PingPlan
from eventlive_db.load.bench.redis import Programs, Zadd, find_redis, measure_redis, redis_server
from eventlive_db.server import Server
from tests.load.bench_place import place_on

pytestmark = pytest.mark.heavy


@pytest.fixture
def programs() -> Programs:
    try:
        return find_redis()
    except MissingToolError as error:
        pytest.skip(str(error))


def test_where_redis_is_missing_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match=r"redis-server is not on PATH.*apt-get install redis-server"):
        find_redis(str(tmp_path))
    (tmp_path / "redis-server").touch(mode=0o700)
    with pytest.raises(MissingToolError, match="redis-benchmark is not on PATH"):
        find_redis(str(tmp_path))


def test_a_part_without_its_tool_is_skipped_and_said(
    pg_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [results] = measure(["redis"], place_on(pg_server), Sizes())
    assert list(results.skipped) == ["redis"]
    assert "redis-server is not on PATH" in results.skipped["redis"]
    assert results.comparisons == ()


def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o700)
    with pytest.raises(BenchError, match="redis-server did not start"), redis_server(Programs(broken, broken), "no"):
        pass


@pytest.mark.parametrize("appendonly", ["no", "yes"])
def test_redis_has_the_persistence_that_is_said_and_leaves_nothing(programs: Programs, appendonly: str) -> None:
    def ask(*words: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(f"{' '.join(words)}\r\n".encode())
            return connection.recv(4096).decode()

    with redis_server(programs, appendonly) as path:
        assert appendonly in ask("CONFIG", "GET", "appendonly").split("\r\n")
        assert ask("CONFIG", "GET", "save").split("\r\n")[-2] == ""
        pid = int(ask("INFO", "server").partition("process_id:")[2].partition("\r\n")[0])
        done = Zadd(programs, path, clients=2, users=10).work(time.perf_counter())
        assert isinstance(done, Timed)
        assert 0 < int(ask("ZCARD", "presence").strip(":\r\n")) <= 10
    assert not path.parent.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_pings_and_zadd_take_turns(pg_server: Server, programs: Programs) -> None:
    plan = PingPlan(users=100, batches=2, rounds=1, slice_s=0.01, clients=(2,))
    [found] = measure_redis(place_on(pg_server), plan, programs).comparisons
    assert found.base == "Redis, in memory alone"
    assert len(found.rates) == 5
    assert all(rate > 0 for rates in found.rates.values() for rate in rates)
