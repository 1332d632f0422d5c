"""Ratios of a benchmark: measured in turns, judged by their median."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from eventlive_db.load.bench import Comparison, Contender, Results, compare, write_results
from eventlive_db.load.bench.compare import repeat


def comparison(**targets: float) -> Comparison:
    rates = {"base": [100.0, 10.0, 100.0], "other": [50.0, 20.0, 60.0]}
    return Comparison("title", "calls/s", "base", rates, targets)


def test_a_ratio_is_the_median_of_the_rounds_so_one_bad_moment_does_not_count() -> None:
    assert comparison().ratios("other") == [0.5, 2.0, 0.6]
    assert comparison().ratio("other") == 0.6
    assert comparison().ratio("base") == 1.0


def test_a_target_is_met_or_missed() -> None:
    assert comparison(other=0.6).missed() == []
    assert comparison(other=0.61).missed() == ["other"]
    assert Results([comparison(other=0.61)]).missed() == ["title: other has 0.60 of base, not 0.61"]


def test_each_has_its_turn_and_another_one_is_first_each_time() -> None:
    order: list[str] = []

    def contender(name: str) -> Contender:
        def work(_until: float) -> int:
            order.append(name)
            return 1

        return Contender(name, work)

    found = compare("t", [contender(name) for name in "abc"], unit="x", base="a", rounds=3, slice_s=0.001)
    assert "".join(order) == "abc" + "abc" + "bca" + "cab"
    assert {name: len(rates) for name, rates in found.rates.items()} == {"a": 3, "b": 3, "c": 3}


def test_a_base_or_target_that_does_not_exist_is_refused() -> None:
    contender = Contender("a", repeat(lambda: None))
    with pytest.raises(ValueError, match="no contender is called 'b'"):
        compare("t", [contender], unit="x", base="b", rounds=1, slice_s=0.001)
    with pytest.raises(ValueError, match="no contender is called 'c'"):
        compare("t", [contender], unit="x", base="a", rounds=1, slice_s=0.001, targets={"c": 1})


def test_work_is_repeated_until_its_time_is_over() -> None:
    done: list[int] = []
    assert repeat(lambda: done.append(1))(time.perf_counter() + 0.01) == len(done) > 0
    assert repeat(lambda: done.append(1))(time.perf_counter()) == 0


def test_the_file_has_ratios_and_every_raw_figure(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bench.json"
    write_results(Results([comparison(other=0.5)], {"memory": (5.0, "bytes")}, {"cores": "2"}), path)
    said = json.loads(path.read_text())
    assert said["machine"] == {"cores": "2"}
    assert said["figures"] == {"memory": {"value": 5.0, "unit": "bytes"}}
    [one] = said["comparisons"]
    assert one["ratios"] == {"base": 1.0, "other": 0.6}
    assert one["rates"]["other"] == [50.0, 20.0, 60.0]
    assert one["targets"] == {"other": 0.5}
