"""What the parts of the load tools share: marks and plots of a file, percentiles, what is between two looks, tokens."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, NamedTuple
from uuid import uuid4

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlive_db.load.bench.results import Results, as_json
from eventlive_db.load.looks import hot_percent, hot_percents, rate, rates
from eventlive_db.load.percentiles import percentile
from eventlive_db.load.report.model import RunResults, read_results
from eventlive_db.load.results_parts import COMPUTED, Mark, Plot, missed
from eventlive_db.load.scenarios import Outcome
from eventlive_db.load.tally import Tally
from eventlive_db.load.tokens import signer
from tests.load.report_sample import small

MARKS = [Mark("a", "1", "1", passed=True), Mark("b", "< 2", "3", passed=False, source=COMPUTED, note="by hand")]
PLOT = Plot(
    "Latency", "ms", [0, 1.23456], {"median": [1, None], "95 %": [2.34567, 3]}, 8, log=True, events=[(1.23456, "cut")]
)


class Looked(NamedTuple):
    t: float
    updates: int = 0
    hot: int = 0
    cpu_s: float | None = None


def of_bench() -> dict[str, Any]:
    return as_json(Results(marks=MARKS, plots=[PLOT]))


def of_scenario() -> dict[str, Any]:
    return Outcome("s1", "S1", "2026-01-01T00:00:00+00:00", marks=MARKS, plots=[PLOT]).as_json()


def test_both_kinds_of_results_write_marks_and_plots_alike() -> None:
    bench, scenario = of_bench(), of_scenario()
    assert (bench["marks"], bench["plots"]) == (scenario["marks"], scenario["plots"])
    [plot] = bench["plots"]
    assert plot["t"] == [0, 1.235]
    assert [line["values"] for line in plot["lines"]] == [[1, None], [2.3457, 3]]
    assert plot["events"] == [{"t": 1.235, "text": "cut"}]


@pytest.mark.parametrize("kind", [of_bench, of_scenario])
def test_the_report_reads_them(kind: Any) -> None:
    written = json.loads(json.dumps(kind()))
    read: RunResults = read_results(small(marks=written["marks"], plots=written["plots"]))
    assert [(mark.name, mark.passed, mark.source, mark.note) for mark in read.marks] == [
        ("a", True, "measured", None),
        ("b", False, "computed", "by hand"),
    ]
    [plot] = read.plots
    assert (plot.limit, plot.log, [line.name for line in plot.lines]) == (8, True, ["median", "95 %"])


def test_a_mark_that_was_missed_is_told_with_what_was_wanted() -> None:
    assert missed(MARKS) == ["b: 3, not < 2"]
    assert Results(marks=MARKS).missed() == missed(MARKS)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.integers(1, 99))
def test_a_percentile_lies_between_the_fastest_and_the_slowest(seconds: list[float], percent: int) -> None:
    found = percentile(seconds, percent)
    assert found is not None
    assert min(seconds) - 1e-9 <= found <= max(seconds) + 1e-9


def test_a_percentile_is_between_two_values_where_it_falls_there_and_none_of_nothing() -> None:
    assert percentile([4, 1, 3, 2], 50) == 2.5
    assert percentile(list(range(101)), 95) == 95
    assert percentile([7], 99) == 7
    assert percentile([], 50) is None
    tally = Tally()
    for took in (0.004, 0.001, 0.003, 0.002):
        tally.record("f", took)
    assert tally.summary()[0].p50_ms == pytest.approx(2.5)


def test_a_rate_is_what_a_counter_grew_by_in_the_time_between() -> None:
    looks = [Looked(0, 10, cpu_s=1.0), Looked(2, 30, cpu_s=2.0), Looked(4, 30, cpu_s=2.0)]
    assert rates(looks, lambda one: one.updates) == [10, 0]
    assert rates(looks, lambda one: one.cpu_s, 0.01) == [50, 0]
    assert rates(looks[:1], lambda one: one.updates) == []


def test_there_is_no_rate_where_no_time_has_gone_by_or_nothing_was_seen() -> None:
    assert rate(Looked(1, 10), Looked(1, 20), lambda one: one.updates) is None
    assert rate(Looked(0, cpu_s=1.0), Looked(1), lambda one: one.cpu_s) is None
    assert rate(Looked(0), Looked(1, cpu_s=1.0), lambda one: one.cpu_s) is None


def test_hot_updates_are_a_part_of_those_between_two_looks() -> None:
    looks = [Looked(0, 100, 0), Looked(1, 110, 9), Looked(2, 110, 9)]
    assert hot_percents(looks) == [90, None]
    assert hot_percent(looks[0], looks[2]) == 90


def test_a_token_is_of_its_user_and_good_for_longer_than_a_run() -> None:
    secret, user_id = "s" * 32, uuid4()
    claims = jwt.decode(signer(secret)(user_id), secret, algorithms=["HS256"])
    assert (claims["role"], claims["sub"]) == ("authenticated", str(user_id))
    assert claims["exp"] > time.time() + 86_400
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(signer(secret)(user_id), "t" * 32, algorithms=["HS256"])


def test_without_the_extra_nothing_is_signed_and_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ModuleNotFoundError, match=r"eventlive-db\[http\]"):
        signer("s" * 32)
