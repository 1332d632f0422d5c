"""What Prometheus reads."""

from __future__ import annotations

import http.client
import re

import pytest

from eventlive_db.watch.alarms import Alarms
from eventlive_db.watch.errors import WatchError
from eventlive_db.watch.exposition import CONTENT_TYPE, Family, render
from eventlive_db.watch.figures import Figures, Job, TableFigures
from eventlive_db.watch.metrics import Snapshot, page
from eventlive_db.watch.prometheus import parse_address, serving
from eventlive_db.watch.readings import Reading
from tests.watch.made_up import NOW

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (NaN|[+-]Inf|-?[0-9.e+-]+)')


def samples(text: str) -> dict[str, str]:
    """Each sample's name with labels, and its value; all lines are in the format, and each metric has one head."""
    found: dict[str, str] = {}
    heads: list[str] = []
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (gauge|counter))", line)
            heads.append(" ".join(line.split()[1:3]))
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        assert heads[-1] == f"TYPE {match[1]}"
        key = line.rsplit(" ", 1)[0]
        assert key not in found
        found[key] = match[3]
    assert len(heads) == len(set(heads))
    return found


def test_rules_events_jobs_and_tables_are_told() -> None:
    alarms = Alarms()
    readings = [
        Reading("http_400", "", 12.5, 10, "/min", True),
        Reading("jobs", 'a "job"\\\n', detail="late", value=1, breached=True),
        Reading("xmin_age", detail="grant pg_monitor"),
    ]
    alarms.judge(readings, NOW, 60, 900)
    figures = Figures("me", True, 7, connections=5, connection_limit=97, lock_waiters=0)
    figures.tables = [TableFigures("t", 10, 3, 100, 90)]
    figures.jobs = [Job("purge", "late", None, 12.5), Job("new", "never_ran", None, None)]
    found = samples(
        page(
            Snapshot(
                at=NOW,
                readings=readings,
                alarms=alarms,
                events={("gateway", "400", ""): 3, ("postgres", "409", "23505"): 4},
                unparsed={"/var/log/x y.log": 2},
                late=1,
                notices={"sent": 1, "failed": 0, "dropped": 0},
                waiting=3,
                figures=figures,
                watches_database=True,
            )
        )
    )
    assert found['eventlive_rule_value{rule="http_400",subject=""}'] == "12.5"
    assert found['eventlive_rule_threshold{rule="http_400",subject=""}'] == "10"
    assert found['eventlive_rule_state{rule="http_400",subject="",state="firing"}'] == "1"
    assert found['eventlive_rule_state{rule="http_400",subject="",state="ok"}'] == "0"
    assert found['eventlive_rule_state{rule="xmin_age",subject="",state="no_data"}'] == "1"
    assert found[r'eventlive_rule_value{rule="jobs",subject="a \"job\"\\\n"}'] == "1"
    assert 'eventlive_rule_value{rule="xmin_age",subject=""}' not in found
    assert found['eventlive_log_events_total{source="postgres",status="409",sqlstate="23505"}'] == "4"
    assert found['eventlive_log_unparsed_lines_total{file="/var/log/x y.log"}'] == "2"
    assert found['eventlive_notices_total{outcome="sent"}'] == "1"
    assert found["eventlive_notices_waiting"] == "3"
    assert found["eventlive_database_up"] == "1"
    assert found["eventlive_pg_connections"] == "5"
    assert found['eventlive_pg_hot_updates_total{table="t"}'] == "90"
    assert found['eventlive_job_state{job="purge",state="late"}'] == "1"
    assert found['eventlive_job_success_age_seconds{job="purge"}'] == "12.5"
    assert 'eventlive_job_success_age_seconds{job="new"}' not in found


def test_a_database_that_is_down_is_told_and_has_no_figures() -> None:
    found = samples(page(Snapshot(NOW, [], Alarms(), watches_database=True)))
    assert found["eventlive_database_up"] == "0"
    assert "eventlive_pg_connections" not in found
    assert "eventlive_database_up" not in samples(page(Snapshot(NOW, [], Alarms())))


@pytest.mark.parametrize(
    ("value", "said"), [(float("inf"), "+Inf"), (float("-inf"), "-Inf"), (float("nan"), "NaN"), (1e21, str(10**21))]
)
def test_numbers_are_written_as_the_format_wants(value: float, said: str) -> None:
    assert render([Family("x", "gauge", "a\nb\\", [({}, value)])]) == f"# HELP x a\\nb\\\\\n# TYPE x gauge\nx {said}\n"


def ask(port: int, path: str, method: str = "GET") -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    found = answer.status, answer.getheader("Content-Type"), answer.read()
    connection.close()
    return found


def test_the_page_is_served_once_there_is_one_and_nothing_else_is() -> None:
    with serving("127.0.0.1", 0) as served:
        assert ask(served.port, "/metrics")[0] == 503
        served.show("x 1\n")
        assert ask(served.port, "/metrics?x=1") == (200, CONTENT_TYPE, b"x 1\n")
        assert ask(served.port, "/metrics", "HEAD") == (200, CONTENT_TYPE, b"")
        assert ask(served.port, "/")[0] == 404
        assert ask(served.port, "/metrics", "POST")[0] == 501
        with pytest.raises(WatchError, match="another port"), serving("127.0.0.1", served.port):
            pass


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9187", ("127.0.0.1", 9187)),
        (":9187", ("127.0.0.1", 9187)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),  # noqa: S104  # asked for
        ("[::1]:9187", ("::1", 9187)),
        ("x.example:9187", ("x.example", 9187)),
    ],
)
def test_without_a_host_it_is_this_machine_alone(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "x", "127.0.0.1", "host:x", "host:70000", "::1:9187", "host:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(WatchError):
        parse_address(text)
