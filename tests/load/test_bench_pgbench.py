"""pgbench as the load generator: found or said to be missing, its report read, its failures told, none left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from eventlive_db.load.bench.errors import BenchError, MissingToolError
from eventlive_db.load.bench.footprint import counters, footprint
from eventlive_db.load.bench.pgbench import Pgbench, Script, find_pgbench, pgbench_places, read_run
from eventlive_db.load.bench.turns import Ration, contender
from eventlive_db.load.processes import postmaster_pid, processor_seconds
from eventlive_db.server import Server

REPORT = """\
pgbench (15.20 (Debian 15.20-0+deb12u1))
transaction type: script.sql
number of transactions actually processed: 1200{of}
number of failed transactions: {failed} (0.000%)
latency average = 0.417 ms
initial connection time = 9.1 ms
tps = 2400.500000 (without initial connection time)
"""
POINTS = """\
pgbench: note
progress: 1.0 s, 2390.1 tps, lat 0.415 ms stddev 0.103, 0 failed
progress: 2.0 s, 2410.0 tps, lat 0.419 ms stddev 0.201, 0 failed, lag 0.012 ms
"""


@pytest.fixture
def pgbench(pg_server: Server, empty_database: str) -> Pgbench:
    return Pgbench(find_pgbench(pgbench_places(pg_server)), empty_database)


@pytest.fixture
def connection(empty_database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(empty_database, autocommit=True) as opened:
        opened.execute("create table things (n integer primary key, seen integer not null) with (fillfactor = 50)")
        opened.execute("insert into things select n, 0 from generate_series(1, 5000) n")
        opened.execute("vacuum analyze things")
        yield opened


def test_the_first_place_that_has_it_is_taken(tmp_path: Path) -> None:
    program = tmp_path / "pgbench"
    program.touch(mode=0o700)
    assert find_pgbench([tmp_path / "nowhere", program, tmp_path / "later"]) == program


def test_where_it_is_nowhere_one_is_told_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match=r"pgbench is not on this machine.*apt-get install") as caught:
        find_pgbench([tmp_path / "pgbench"])
    assert caught.value.token == "tool_missing"


@pytest.mark.parametrize("of", ["", "/1200"], ids=["for a time", "so often"])
def test_a_report_is_read_with_its_points(of: str) -> None:
    run = read_run(REPORT.format(of=of, failed=0), POINTS)
    assert (run.done, run.rate, run.latency_ms, run.seconds) == (1200, 2400.5, 0.417, 1200 / 2400.5)
    assert [(point.t, point.rate, point.latency_ms) for point in run.points] == [(1, 2390.1, 0.415), (2, 2410, 0.419)]


def test_a_report_of_failures_or_of_nothing_is_refused() -> None:
    with pytest.raises(BenchError, match="3 transactions failed"):
        read_run(REPORT.format(of="", failed=3))
    with pytest.raises(BenchError, match="not understood"):
        read_run("nonsense")


def test_it_runs_so_often_with_its_settings_and_variables(
    pgbench: Pgbench, connection: psycopg.Connection[tuple[object, ...]]
) -> None:
    connection.execute("create table said (text text)")
    script = Script(
        "\\set i :i + 1\ninsert into said values (current_setting('synchronous_commit') || :start + :i);\n",
        options={"synchronous_commit": "off"},
    )
    assert pgbench.run(script, runs=3, start=5, mode="simple").done == 3
    assert connection.execute("select string_agg(text, ' ' order by text) from said").fetchone() == ("off6 off7 off8",)


def test_a_statement_that_fails_is_told(pgbench: Pgbench) -> None:
    with pytest.raises(BenchError, match=r"pgbench failed: .*division by zero") as caught:
        pgbench.run(Script("select 1 / 0;\n"), runs=1)
    assert caught.value.token == "pgbench_failed"


def test_it_ends_with_its_block(pgbench: Pgbench, connection: psycopg.Connection[tuple[object, ...]]) -> None:
    with pgbench.running(Script("select pg_sleep(0.01);\n"), seconds=600) as running:
        pid = running.pid
        assert not running.ended()
    assert running.ended()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    counters(connection)  # returns when the server has seen that it has gone


def test_no_password_is_shown() -> None:
    shown = Pgbench(Path("/bin/pgbench"), "postgresql://me:secret@localhost/db")
    assert "secret" not in repr(shown)


def test_a_footprint_counts_what_an_operation_did(
    pgbench: Pgbench, connection: psycopg.Connection[tuple[object, ...]]
) -> None:
    update = "\\set n random(1, 5000)\nupdate things set seen = seen + 1 where n = :n;\n"
    reading = footprint(connection, pgbench, Script("select count(*) from things where seen < 0;\n"), runs=20)
    assert (reading.updates, reading.wal_bytes, reading.seq_scans) == (0, 0, 1)
    once = footprint(connection, pgbench, Script(update), runs=20)
    assert (once.updates, once.hot_ratio, once.inserts, once.seq_scans) == (1, 1, 0, 0)
    assert once.wal_bytes > 0
    half = footprint(connection, pgbench, Script(update, operations=2), runs=20)
    assert half.updates == 0.5


def test_a_turn_counts_operations_and_has_its_reset(pgbench: Pgbench) -> None:
    resets: list[int] = []
    one = contender("one", pgbench, Script("select 1;\n", operations=7), reset=lambda: resets.append(1))
    one.reset()
    done = one.work(0.0)  # a time that has gone by: one run all the same
    assert not isinstance(done, int)
    assert (done.done, resets) == (7, [1])
    assert done.seconds > 0


def test_who_may_have_one_turn_has_no_second_one() -> None:
    refills: list[int] = []
    ration = Ration(100, lambda: refills.append(1))
    assert [ration.take(10, 2), ration.take(10, 2)] == [(0, 10), (20, 10)]
    assert ration.take(1000, 2) == (40, 25)  # at most half of all
    assert refills == []
    assert ration.take(10, 2) == (0, 10)  # ten are left, which is too few
    assert refills == [1]


def test_processor_time_is_that_of_the_server_and_its_children(
    pg_server: Server, connection: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    pid = postmaster_pid(connection)
    if pg_server.kind in {"installed", "embedded"}:
        assert pid is not None
        assert processor_seconds(pid) > 0
    assert postmaster_pid(connection, tmp_path) is None

    def process(number: int, parent: int, ticks: int) -> None:
        (tmp_path / str(number)).mkdir()
        fields = ["S", str(parent), *["0"] * 9, str(ticks), "0", "100", "0"]
        (tmp_path / str(number) / "stat").write_text(f"{number} (a ) name) {' '.join(fields)}")

    process(10, 1, 100)
    process(11, 10, 50)
    process(12, 1, 7)
    assert processor_seconds(10, tmp_path) == pytest.approx(250 / os.sysconf("SC_CLK_TCK"))
