"""``eventlive-db bench`` runs to its end and leaves nothing; what it measures is not judged here."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from eventlive_db.cli.app import app
from eventlive_db.cli.bench import FAILED, MISSED
from eventlive_db.server import Server


def test_a_short_run_measures_every_way_and_drops_its_database(
    pg_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTLIVE_DSN", pg_server.tcp_dsn())
    monkeypatch.delenv("EVENTLIVE_POSTGRES", raising=False)
    out = tmp_path / "bench.json"
    done = CliRunner().invoke(
        app, ["bench", "client", "--rounds", "1", "--seconds", "0.02", "--loops", "50", "--out", str(out)]
    )
    assert done.exit_code in {0, MISSED}, done.output
    said = json.loads(out.read_text())
    assert [comparison["title"] for comparison in said["comparisons"]] == [
        "A call through the client, sync, TCP",
        "A call through the client, asyncio, TCP",
    ]
    for comparison in said["comparisons"]:
        assert all(rate > 0 for rates in comparison["rates"].values() for rate in rates)
    assert said["figures"]["memory of each of 50 heartbeat loops"]["value"] > 0
    assert said["machine"]["postgres"].startswith(f"{pg_server.version_num // 10000}.")
    with psycopg.connect(pg_server.dsn()) as connection:
        left = connection.execute("select datname from pg_database where datname like 'eventlive_bench%'").fetchall()
    assert left == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--kind", "nonsense"], "nonsense"), (["--kind", "dsn"], "DSN"), (["--rounds", "0"], "--rounds")],
)
def test_what_cannot_be_measured_is_told_in_a_line(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EVENTLIVE_DSN", raising=False)
    done = CliRunner().invoke(app, ["bench", *arguments])
    assert done.exit_code == FAILED, done.output
    assert says in done.stderr
