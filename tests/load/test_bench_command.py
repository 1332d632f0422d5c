"""``eventlive-db bench PART``: ratios, marks and what was skipped, in the terminal and in the file."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from eventlive_db.cli import bench as command
from eventlive_db.cli.app import app
from eventlive_db.cli.bench import FAILED, MISSED
from eventlive_db.load.bench import parts
from eventlive_db.load.bench import ping as ping_part
from eventlive_db.load.bench.crowd import BY_ITSELF, PING
from eventlive_db.load.bench.parts import PARTS, SHORT, Sizes
from eventlive_db.load.bench.ping import PingPlan
from eventlive_db.load.bench.shapes import Durability
from eventlive_db.server import Server

SMALL = ["--users", "200", "--rounds", "1", "--seconds", "0.01", "--clients", "2"]


@pytest.fixture(autouse=True)
def _here(pg_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLIVE_DSN", pg_server.tcp_dsn())
    monkeypatch.delenv("EVENTLIVE_POSTGRES", raising=False)


def test_a_missed_target_is_told_and_is_the_exit_status(
    pg_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping_part, "TARGETS", {PING: 1000.0})
    small = PingPlan(batches=2, shapes=(BY_ITSELF,), durabilities=(Durability.OFF,), counted=10)
    monkeypatch.setattr(parts, "PingPlan", lambda: small)
    out = tmp_path / "bench.json"
    done = CliRunner().invoke(app, ["bench", "ping", *SMALL, "--out", str(out)])
    assert done.exit_code == MISSED, done.output
    assert "missed: Ping by itself, 2 clients, prepared; no commit is waited for: ping has" in done.stderr
    assert done.stdout.index("of bare UPDATE") < done.stdout.index("pages touched")  # ratios first
    said = json.loads(out.read_text())
    assert said["machine"]["pgbench"].startswith("pgbench (PostgreSQL)")
    assert said["machine"]["fsync"] == "off"  # of the server of the tests
    assert all(mark["passed"] for mark in said["marks"])
    assert said["skipped"] == {}
    assert said["figures"]["ping inside the throttle, by itself, no commit is waited for: log"]["value"] == 0
    with psycopg.connect(pg_server.dsn()) as connection:
        left = connection.execute("select datname from pg_database where datname like 'eventlive_bench%'").fetchall()
    assert left == []


def test_without_pgbench_the_parts_that_need_it_are_skipped_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "pgbench_places", lambda _server: [])
    out = tmp_path / "bench.json"
    done = CliRunner().invoke(app, ["bench", "ping", "growth", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "skipped: growth: pgbench is not on this machine" in done.stdout
    assert set(json.loads(out.read_text())["skipped"]) == {"ping", "growth"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "no part is called 'nonsense': there are client, ping"),
        (["ping", "--clients", "1,x"], "--clients takes numbers"),
        (["ping", "--modes", "quick"], "--modes takes some of simple, extended, prepared"),
        (["million", "--users", "1000", "--hold", "60", "--rate", "500"], "inside the throttle"),
    ],
)
def test_what_cannot_be_measured_is_told_in_a_line(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["bench", *arguments])
    assert done.exit_code == FAILED, done.output
    assert says in done.stderr


def test_sizes_reach_every_part() -> None:
    sizes = Sizes(rounds=3, slice_s=0.5, users=20_000, clients=(1, 2), modes=("simple",), hold_s=60, rate=100)
    ping = sizes.ping()
    assert (ping.rounds, ping.slice_s, ping.users, ping.clients, ping.modes) == (3, 0.5, 20_000, (1, 2), ("simple",))
    assert (sizes.naive().users, sizes.naive().clients) == (20_000, 2)
    assert list(sizes.growth().sizes) == [1000, 10_000]
    assert (sizes.snapshot().held_s, sizes.snapshot().before_s, sizes.snapshot().rate) == (60, 6, 100)
    assert (sizes.million().viewers, sizes.million().seconds, sizes.million().peak_pings) == (20_000, 60, 6000)


def test_by_itself_each_part_has_the_sizes_that_it_is_for() -> None:
    sizes = Sizes()
    assert list(sizes.growth().sizes) == [10**3, 10**4, 10**5, 10**6, 10**7]
    assert sizes.snapshot().held_s == 600
    million = sizes.million()
    assert (million.viewers, million.rate, million.seconds) == (1_000_000, 8400, 600)
    assert set(SHORT) < set(PARTS)
