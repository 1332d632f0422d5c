"""The report of a load run: what it says is what was measured, whatever the texts are, and it needs nothing else."""

from __future__ import annotations

import html
import itertools
import json
import math
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eventlive_db.load.report import ResultsError, html_page, write_report
from tests.load.report_sample import (
    HOSTILE,
    audience,
    changed,
    drawn_points,
    hour,
    hour_without_plots,
    long_plot,
    plain,
    small,
)
from tests.plans.test_report_html import Page, policy


def test_a_run_that_passed_says_so_and_names_every_mark_call_and_figure(page: str) -> None:
    words = plain(page)
    results = hour()
    assert "Passed: all 8 marks are met" in words
    assert "failed" not in words
    for mark in results["marks"]:
        assert f"passed {mark['name']} {mark['wanted']} {mark['found']} {mark['source']}" in words
    for call in results["calls"]:
        assert f"{call['function']} {call['via']} {call['calls']:,} " in words
    assert "rate_limited × 3 fallback_off × 1 5.1 12.6 20.1 44" in words  # noqa: RUF001
    assert "presence_ping_interval_s 120" in words
    assert "3 25 min Realtime is cut" in words
    assert "22 November 2026, 03:00 UTC · took 1 h 2 min 23 s" in words
    assert all(note in words for note in results["notes"])


def test_a_run_that_failed_names_what_it_missed_first() -> None:
    results = audience(100_000, passed=False)
    told = Page(html_page(results))
    words = plain(html_page(results))
    assert words.index("Failed: 1 of 3 marks missed requests a second : wanted <= 50") < words.index("Pass marks")
    assert [a["id"] for t, a in told.elements if t == "tr" and a.get("class") == "fail"] == ["run-1-mark-1"]
    assert "#run-1-mark-1" in [a.get("href") for t, a in told.elements if t == "a"]
    assert told.of("title")[0].endswith(": failed")


def test_a_run_without_marks_has_not_passed() -> None:
    words = plain(html_page(small(marks=[])))
    assert "Not judged" in words
    assert "passed" not in words.lower()


def test_several_runs_have_a_list_and_their_common_marks_side_by_side() -> None:
    runs = [audience(1000), audience(10_000), audience(100_000, passed=False)]
    told = html_page(runs)
    words = plain(told)
    assert words.startswith("Load report: 3 runs: failed")
    for index, run in enumerate(runs, start=1):
        assert f'href="#run-{index}"' in told
        assert f'id="run-{index}"' in told
        assert words.count(run["title"]) >= 3
    found = " ".join(run["marks"][2]["found"] for run in runs)
    assert f"next poll that is told {found}" in words
    alone = plain(html_page([audience(1000), {**audience(10), "marks": []}]))
    assert "Side by side" not in alone
    assert alone.startswith("Load report: 2 runs: not judged")


def test_every_plot_is_also_words_and_a_table(page: str) -> None:
    told = Page(page)
    charts = [a["aria-label"] or "" for t, a in told.elements if t == "svg" and a.get("role") == "img"]
    assert [label.partition(", in ")[0] for label in charts] == [plot["title"] for plot in hour()["plots"]]
    assert "answer: 0." in charts[8]
    assert "highest at 34 min 21 s. limit 500" in charts[8]
    words = plain(page)
    assert words.count("The figures as a table") == len(charts)
    assert re.search(r"31 min to 36 min 10 s [\d.]+ to 432 ", words)


def test_headings_go_down_one_level_at_a_time(page: str) -> None:
    for shown in (page, html_page([audience(1000), audience(10)])):
        levels = [int(t[1]) for t, _ in Page(shown).elements if re.fullmatch(r"h\d", t)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        ids = [a["id"] for _, a in Page(shown).elements if "id" in a]
        assert len(ids) == len(set(ids))


def test_the_results_file_is_in_the_page_as_it_is(page: str) -> None:
    for results in (hour(), small(title=HOSTILE, more={"unknown": [1, None, 1e300, True, "ünï"]})):
        shown = html_page(results)
        [raw] = re.findall(r'<pre class="raw"[^>]*>(.*?)</pre>', shown, re.DOTALL)
        assert json.loads(html.unescape(raw)) == results


def test_it_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_report(small(), path)
    assert path.read_text(encoding="utf-8") == html_page(small())
    with pytest.raises(ResultsError):
        write_report({}, tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()


def test_nothing_is_fetched_and_nothing_else_may_run(page: str) -> None:
    told = Page(page)
    assert told.fetched() == []
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[^' ]+'; style-src 'sha256-[^' ]+'; img-src data:;"
        r" base-uri 'none'; form-action 'none'",
        policy(told),
    )
    assert not [a for _, attributes in told.elements for a in attributes if a.startswith("on") or a == "style"]
    for name in ("page.css", "page.js"):
        asset = files("eventlive_db.load.report").joinpath("page", name).read_text(encoding="utf-8")
        assert not re.search(r"</|<!--|\r|url\(|@import|https?:(?!//www\.w3\.org/2000/svg)", asset)


def test_hostile_texts_are_text_wherever_they_stand() -> None:
    missed = small(marks=[{**small()["marks"][0], "passed": False}])
    hostile, tame = (
        html_page([changed(run, before.__add__) for run in (small(), missed)]) for before in (HOSTILE, "x" * 80)
    )
    shape = [t for t, _ in Page(tame).elements]
    assert [t for t, _ in Page(hostile).elements] == shape
    assert "<img" not in hostile
    assert hostile.count(html.escape("<img src=x onerror=alert(1)>")) > 80
    assert not set(hostile) & set("\x1b\x00\u202e")
    broken = hostile.replace(html.escape("<img src=x onerror=alert(1)>"), "<img src=x onerror=alert(1)>", 1)
    assert [t for t, _ in Page(broken).elements] != shape


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Everything in the results, by its path."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


WRONG = ({"a": "secret"}, ["secret"], "secret", 5, True, None, math.nan, math.inf, 10**400, object())


def is_right(path: tuple[Any, ...], wrong: Any) -> bool:
    """Whether a value may stand at a place after all."""
    if path[0] in {"options", "settings"} and len(path) > 1:
        return wrong is not WRONG[-1] and not (isinstance(wrong, int | float) and not -1e9 < wrong < 1e9)
    may_be: dict[Any, tuple[Any, ...]] = {
        "note": ("secret", None),
        "limit": (5, None),
        **dict.fromkeys(("p50_ms", "p95_ms", "p99_ms", "max_ms"), (5, None)),
    }
    return any(wrong is value for value in (may_be.get(path[-1]) or ((5, None) if "values" in path[:-1] else ())))


def test_a_wrong_value_is_refused_wherever_it_stands() -> None:
    for path in places(small()):
        for wrong in WRONG:
            results = small()
            inside: Any = results
            for key in path[:-1]:
                inside = inside[key]
            if type(inside[path[-1]]) in {type(wrong), float if type(wrong) is int else None} and wrong in WRONG[:5]:
                continue
            inside[path[-1]] = wrong
            if is_right(path, wrong):
                html_page(results)
                continue
            with pytest.raises(ResultsError) as refused:
                pytest.fail(f"{wrong!r} at {path} is taken: {len(html_page(results))}")
            assert refused.value.token == (
                "unknown_results_format" if path == ("format",) and wrong in WRONG[:6] else "malformed_results"
            )
            assert refused.value.advice
            assert "secret" not in str(refused.value)
            assert str(path[0]) in str(refused.value)


def one_line(*values: float | None, log: bool = False, limit: float | None = None) -> dict[str, Any]:
    """A plot with one value a second."""
    lines = [{"name": "a", "values": list(values)}]
    return {"title": "a", "unit": "B", "log": log, "limit": limit, "t": list(range(len(values))), "lines": lines}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 2}, "not of format 1"),
        ({"at": "yesterday"}, "at is not a time as ISO 8601 has it"),
        ({"duration_s": -1}, "duration_s is less than zero"),
        ({"marks": None}, "marks is missing, not a list"),
        ({"duration_s": 1e308}, "duration_s is too large"),
        ({"plots": [{**long_plot(), "limit": -1.5e308}]}, "plots[0].limit is too large"),
        ({"plots": [one_line(1, 1e308)]}, "plots[0].lines[0].values[1] is too large"),
        ({"plots": [one_line(1, -1e308)]}, "plots[0].lines[0].values[1] is too large"),
        ({"plots": [{**long_plot(), "t": [2, 1]}]}, "plots[0].t goes back in time"),
        ({"plots": [{**long_plot(), "t": [1, 2]}]}, "plots[0].lines[0].values has 29760 values for 2 times"),
        (
            {"marks": [{**hour_without_plots()["marks"][0], "source": "guessed"}]},
            "marks[0].source is none of measured, computed",
        ),
    ],
    ids=["format", "at", "duration", "missing", "long", "far", "high", "low", "back", "uneven", "source"],
)
def test_what_is_wrong_is_named_with_its_place(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ResultsError, match=re.escape(told)) as refused:
        html_page(small(**changes))
    assert refused.value.token == ("unknown_results_format" if "format" in changes else "malformed_results")


def test_of_several_runs_the_wrong_one_is_named() -> None:
    with pytest.raises(ResultsError, match=re.escape("results[1].summary is missing, not a text")):
        html_page([small(), small(summary=None)])


@pytest.mark.parametrize("results", [[], None, "text", 5, [5], [small(), {}]], ids=repr)
def test_what_are_no_results_at_all_is_refused(results: Any) -> None:
    with pytest.raises(ResultsError):
        html_page(results)


@pytest.mark.parametrize(
    "plot",
    [
        {"t": [], "lines": [{"name": "a", "values": []}]},
        {"t": [0, 1], "lines": []},
        {"t": [0, 1], "lines": [{"name": "a", "values": [None, None]}]},
        {"t": [0], "lines": [{"name": "a", "values": [0]}]},
        {"t": [5, 5], "lines": [{"name": "a", "values": [-3, -3]}]},
        {"t": [0, 1], "log": True, "limit": 0, "lines": [{"name": "a", "values": [0, -1]}]},
        {"t": [0, 1], "log": True, "limit": 5, "lines": [{"name": "a", "values": [0, 1e-12]}]},
        {"t": [0, 1e9], "lines": [{"name": "a", "values": [1e300, -1e300]}]},
        {"t": [0, 1], "log": True, "limit": 1e300, "lines": [{"name": "a", "values": [1e-299, 1e300]}]},
        {"t": [0, 1], "lines": [{"name": "a", "values": [0, 5e-324]}]},
        {"t": [0, 1], "log": True, "lines": [{"name": "a", "values": [0, 5e-324]}]},
        {"t": [0, 1], "limit": 1e-140, "lines": [{"name": "a", "values": [0, 0]}]},
        {"t": [0, 5e-324], "lines": [{"name": "a", "values": [0, 1]}]},
    ],
    ids=[
        "empty",
        "no lines",
        "no values",
        "one",
        "same",
        "nothing to log",
        "tiny",
        "huge",
        "all powers of ten",
        "next to nothing",
        "next to nothing to log",
        "a tiny limit",
        "no time",
    ],
)
def test_odd_plots_are_drawn_or_said_to_be_empty(plot: dict[str, Any]) -> None:
    shown = html_page(small(plots=[{"title": "odd", "unit": "B", "log": False, "limit": None, **plot}], events=[]))
    assert not re.search(
        r"\b(nan|inf)\b", re.sub(r"<style>.*", "", shown[shown.index("<main") : shown.index("<script")])
    )
    empty = not any(value is not None for line in plot["lines"] for value in line["values"])
    assert ("No values were taken." in shown) == empty
    assert bool(drawn_points(shown, 0) if not empty else []) != empty


ANY = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=150)
@given(st.lists(st.none() | ANY, min_size=1, max_size=4), st.none() | ANY, st.booleans())
@example([1e308], None, False)
@example([1e308, -1e308], None, True)
@example([5e-324, 1e300], None, True)
def test_whatever_the_numbers_a_plot_is_drawn_or_refused(
    values: list[float | None], limit: float | None, log: bool
) -> None:
    results = small(plots=[one_line(*values, limit=limit, log=log)], events=[])
    if any(abs(number) > 1e300 for number in (*values, limit) if number is not None):
        with pytest.raises(ResultsError, match="is too large"):
            html_page(results)
        return
    shown = html_page(results)
    assert not re.search(r'"-?(nan|inf)\b', shown)
