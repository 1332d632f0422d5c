"""The report of a load run: what it says is what was measured, whatever the texts are, and it needs nothing else."""

from __future__ import annotations

import html
import itertools
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eventlive_db.load.report import ResultsError, html_page, write_report
from eventlive_db.load.report.numbers import byte_scale, number, seconds, share
from eventlive_db.load.report.scale import scale_for, time_ticks
from eventlive_db.load.report.thin import BUCKETS, LONGEST, thinned
from tests.load.report_sample import (
    END_S,
    HOSTILE,
    SPIKE_AT,
    SPIKE_MS,
    Browser,
    audience,
    hour,
    hour_without_plots,
    long_plot,
)
from tests.plans.test_report_html import Page, policy

ONE_OF = {"marks": 4, "calls": 5, "statements": 1, "notes": 0}
"""Of the hour's a mark with a note, a function with errors, a long statement."""


@pytest.fixture(scope="module")
def page() -> str:
    """The page of an hour."""
    return html_page(hour())


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; each test opens what it wants."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("neither chromium nor google-chrome is installed")
    opened = Browser(program, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


def small(**changes: Any) -> dict[str, Any]:
    """A run with one of everything."""
    plot = {"title": "Latency", "unit": "ms", "log": False, "limit": 8, "t": [0, 1, 2, 4]}
    whole = hour_without_plots()
    one_each = {name: [whole[name][index]] for name, index in ONE_OF.items()}
    lines = [{"name": "median", "values": [1, 10, None, 8]}]
    return {**whole, **one_each, "plots": [{**plot, "lines": lines}], "events": [{"t": 2, "text": "cut"}], **changes}


def plain(page: str) -> str:
    """The words of a page, without its data, style and script."""
    page = re.sub(r"<(style|script)>.*?</\1>|<pre class=\"raw\".*?</pre>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


# What it says


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


# What it cannot be broken by


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


def changed(value: Any, change: Callable[[str], str], place: str = "") -> Any:
    """The results with each text and each name that is free changed."""
    if isinstance(value, str):
        return value if place in {"at", "source"} else change(value)
    if isinstance(value, list):
        return [changed(item, change) for item in value]
    if isinstance(value, dict):
        free = place in {"machine", "options", "settings", "errors"}
        return {
            change(name) if free else name: changed(item, change, "" if free else name) for name, item in value.items()
        }
    return value


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


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 2}, "not of format 1"),
        ({"at": "yesterday"}, "at is not a time as ISO 8601 has it"),
        ({"duration_s": -1}, "duration_s is less than zero"),
        ({"marks": None}, "marks is missing, not a list"),
        ({"plots": [{**long_plot(), "t": [2, 1]}]}, "plots[0].t goes back in time"),
        ({"plots": [{**long_plot(), "t": [1, 2]}]}, "plots[0].lines[0].values has 29760 values for 2 times"),
        (
            {"marks": [{**hour_without_plots()["marks"][0], "source": "guessed"}]},
            "marks[0].source is none of measured, computed",
        ),
    ],
    ids=["format", "at", "duration", "missing", "back", "uneven", "source"],
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
    ],
    ids=["empty", "no lines", "no values", "one", "same", "nothing to log", "tiny", "huge"],
)
def test_odd_plots_are_drawn_or_said_to_be_empty(plot: dict[str, Any]) -> None:
    shown = html_page(small(plots=[{"title": "odd", "unit": "B", "log": False, "limit": None, **plot}], events=[]))
    assert not re.search(
        r"\b(nan|inf)\b", re.sub(r"<style>.*", "", shown[shown.index("<main") : shown.index("<script")])
    )
    empty = not any(value is not None for line in plot["lines"] for value in line["values"])
    assert ("No values were taken." in shown) == empty
    assert bool(drawn_points(shown, 0) if not empty else []) != empty


# Lines, limits and events


def drawn_points(page: str, plot: int) -> list[tuple[float, float]]:
    """Where the lines of a plot go, in thousandths of width and height from the upper left."""
    figure = page.split("<figure ")[plot + 1].partition("</figure>")[0]
    paths = re.findall(r'<path class="line[^"]*" data-line="\d+" d="([^"]*)"', figure)
    return [(float(x), float(y)) for path in paths for x, y in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path)]


def test_a_spike_of_one_sample_among_thousands_is_drawn_in_full(page: str) -> None:
    points = drawn_points(page, 8)
    long = long_plot()
    x, y = min(points, key=lambda point: point[1])
    assert x == pytest.approx(long["t"][SPIKE_AT] / END_S * 1000, abs=0.01)
    assert y == pytest.approx(1000 * (1 - SPIKE_MS / 500), abs=0.1)
    assert len(points) <= LONGEST
    # A line through each nth value would not have it: the sample is one that thinning can lose.
    values = long["lines"][0]["values"]
    every = len(values) // LONGEST + 1
    assert SPIKE_MS not in values[::every]
    assert max(value for value in values if value is not None and value != SPIKE_MS) < SPIKE_MS / 10


SERIES = st.lists(st.none() | st.integers(-5, 5), min_size=1, max_size=60)


@settings(max_examples=30)
@given(SERIES, st.integers(1, 60))
@example([1, None, 5, None, 1], 40)
def test_thinning_keeps_extremes_order_and_gaps(values: list[int | None], times: int) -> None:
    repeated = [value for value in values for _ in range(times)] * (LONGEST // len(values) + 1)
    t = [float(index) for index in range(len(repeated))]
    points = thinned(t, repeated)
    known = [value for value in repeated if value is not None]
    kept = [(at, value) for at, value in points if value is not None]
    assert all(repeated[int(at)] == value for at, value in kept)
    assert [at for at, _ in points] == sorted(at for at, _ in points)
    assert [value for _, value in kept[:1]] == known[:1]
    assert {min(known, default=0), max(known, default=0)} <= {value for _, value in kept} or not known
    assert len(kept) <= 4 * BUCKETS + 4 or len(repeated) <= LONGEST
    missing = [0, *itertools.accumulate(value is None for value in repeated)]
    for index, (at, value) in enumerate(points[:-1]):
        after, following = points[index + 1]
        if value is not None and following is not None:
            assert missing[int(at)] == missing[int(after)], "a line is drawn over a gap"


def test_short_series_are_drawn_as_they_are() -> None:
    values = [float(index % 7) for index in range(LONGEST)]
    assert thinned(values, values) == list(zip(values, values, strict=True))


def test_a_limit_lies_where_its_value_would(page: str) -> None:
    shown = html_page(small())
    [line] = re.findall(r'<line class="limit" x1="0" x2="100%" y1="([\d.]+)%" y2="([\d.]+)%">', shown)
    at_limit = [y for x, y in drawn_points(shown, 0) if x == 1000]
    assert [float(y) * 10 for y in line] == pytest.approx([at_limit[0], at_limit[0]])
    assert float(line[0]) == pytest.approx(20)
    assert "Over the limit: median, 1 of 3 values, the first at 1 s." in plain(shown)
    assert "Over the limit" not in plain(page)


def test_a_limit_far_above_the_lines_is_told_and_does_not_flatten_them() -> None:
    plot = {**small()["plots"][0], "limit": 500}
    shown = html_page(small(plots=[plot]))
    assert "↑ limit 500 ms" in shown
    assert '<line class="limit"' not in shown
    assert min(y for _, y in drawn_points(shown, 0)) == 0
    assert '<line class="limit"' in html_page(small(plots=[{**plot, "log": True}]))


def test_events_are_in_every_plot_at_their_time_and_near_ones_share_a_flag(page: str) -> None:
    figures = page.split("<figure ")[1:]
    assert len(figures) == 10
    for figure in figures:
        at = [float(x) for x in re.findall(r'<line class="event" x1="([\d.]+)%"', figure)]
        assert at == pytest.approx([100 * event["t"] / END_S for event in hour_without_plots()["events"]], abs=0.01)
        assert "<title>25 min: Realtime is cut</title>" in figure
    near = html_page(small(events=[{"t": 2.01, "text": "b"}, {"t": 2, "text": "a"}, {"t": 9, "text": "late"}]))
    assert "<title>2 s: a; 2.01 s: b</title>" in near
    assert '<tspan class="flag">1–2</tspan>' in near  # noqa: RUF001
    assert plain(near).index("1 2 s a") < plain(near).index("3 9 s late")


@pytest.mark.parametrize(
    ("values", "limit", "log", "ends"),
    [
        ([3, 97], None, False, (0, 100)),
        ([0, 0], None, False, (0, 1)),
        ([0.2, 0.9], None, False, (0, 1)),
        ([90], 100, False, (0, 100)),
        ([10], 100, False, (0, 10)),
        ([0], 100, False, (0, 100)),
        ([-5, 5], None, False, (-6, 6)),
        ([1.5, 80], None, True, (1, 100)),
        ([1.5, 80], 500, True, (1, 1000)),
        ([0, 0], None, True, (0, 1)),
    ],
)
def test_axes_reach_what_they_have_to(
    values: list[float], limit: float | None, log: bool, ends: tuple[float, float]
) -> None:
    scale = scale_for(values, limit, log=log)
    assert (scale.low, scale.high) == ends
    assert scale.at(scale.low) == 0
    assert scale.at(scale.high) == 1
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks)
    assert 2 <= len(scale.ticks) <= 8


def test_time_is_told_in_what_fits_the_run() -> None:
    told = {
        end: ([name for _, name in ticks[1:3]], unit)
        for end in (5, 60, 600, 3720, 86400)
        for ticks, unit in [time_ticks(end)]
    }
    assert told == {
        5: (["1", "2"], "s"),
        60: (["10", "20"], "s"),
        600: (["2", "4"], "min"),
        3720: (["10", "20"], "min"),
        86400: (["6:00", "12:00"], "h:min"),
    }


def test_figures_have_sensible_digits() -> None:
    values = (0, -0.0, 1, 12.345, 99.97, 999.7, 1000.4, 1234567.8, 0.04567, -5.25, 1e20)
    told = ["0", "0", "1", "12.3", "99.97", "999.7", "1,000", "1,234,568", "0.0457", "-5.25", "1.00e+20"]
    assert [number(value) for value in values] == told
    assert [seconds(value) for value in (0.2, 59.96, 3600, 3661)] == ["0.2 s", "1 min", "1 h", "1 h 1 min 1 s"]
    assert [share(part, 3e6) for part in (0, 1, 1e6, 2_999_999, 3e6)] == [
        "0 %",
        "< 0.01 %",
        "33.3 %",
        "99.99 %",
        "100 %",
    ]
    assert byte_scale("B/s", 1_234_567) == (1e6, "MB/s")
    assert byte_scale("bytes a second", 1999) == (1e3, "kB a second")
    assert byte_scale("bytesome", 1_234_567) == (1, "bytesome")


# Colours


def luminance(colour: tuple[float, ...]) -> float:
    """Of linear red, green and blue (WCAG 2, "relative luminance")."""
    return sum(part * weight for part, weight in zip(colour, (0.2126, 0.7152, 0.0722), strict=True))


def linear(colour: str) -> tuple[float, ...]:
    parts = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(linear(one)), luminance(linear(other))))
    return (high + 0.05) / (low + 0.05)


# Machado, Oliveira and Fernandes, 2009, severity 1.
SIGHT = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "deutan": ((0.367, 0.861, -0.228), (0.28, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "tritan": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}


def lab(colour: str, sight: str) -> tuple[float, float, float]:
    """A colour as seen, in CIELAB."""
    given_ = linear(colour)
    r, g, b = (min(1, max(0, sum(w * c for w, c in zip(row, given_, strict=True)))) for row in SIGHT[sight])
    x, y, z = (
        part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116
        for part in (
            (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
            0.2126 * r + 0.7152 * g + 0.0722 * b,
            (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_read_and_told_apart_by_everyone(scheme: str) -> None:
    css = files("eventlive_db.load.report").joinpath("page", "page.css").read_text(encoding="utf-8")
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", css)
    colours = {name: light if scheme == "light" else dark for name, light, dark in pairs}
    for words in ("ink", "muted", "link", "pass", "fail", "warn"):
        assert contrast(colours[words], colours["card"]) >= 4.5, words
        assert contrast(colours[words], colours["page"]) >= 4.5, words
    assert min(contrast(colours[kind], colours[f"{kind}-back"]) for kind in ("pass", "fail")) >= 4.5
    lines = [colours[f"c{index}"] for index in range(5)]
    assert min(contrast(line, colours["card"]) for line in lines) >= 3
    for sight, (one, other) in itertools.product(SIGHT, itertools.combinations(lines, 2)):
        assert math.dist(lab(one, sight), lab(other, sight)) >= 20, (sight, one, other)
    assert math.dist(lab("#0b61c4", "deutan"), lab("#7a3fc9", "deutan")) < 20, (
        "a blue and a violet that are one to some"
    )


# In a browser

BOX = "(e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom] })"


def box(browser: Browser, selector: str) -> list[float]:
    """Where an element is: left, top, right, bottom."""
    found: list[float] = browser.ask(f"{BOX}(document.querySelector({json.dumps(selector)}))")
    return found


def background(browser: Browser) -> str:
    return str(browser.ask("getComputedStyle(document.body).backgroundColor"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_every_line_and_asks_for_nothing(
    browser: Browser, page: str, tmp_path: Path, scheme: str
) -> None:
    browser.open(page, tmp_path, scheme=scheme)
    assert browser.complaints() == []
    assert [address.partition(":")[0] for address in browser.requests()] == ["file"]
    assert background(browser) == {"light": "rgb(244, 246, 248)", "dark": "rgb(13, 17, 23)"}[scheme]
    lines = browser.ask(
        "[...document.querySelectorAll('.plot')].map(p => new Set([...p.querySelectorAll('.line')]"
        ".map(e => e.dataset.line)).size)"
    )
    assert lines == [len(plot["lines"]) for plot in hour()["plots"]]
    sizes = browser.ask(f"[...document.querySelectorAll('.line')].map({BOX})")
    assert all(right - left > 20 for left, _, right, _ in sizes)
    strokes = browser.ask(
        "[...document.querySelectorAll('.plot:first-of-type .line')].map(e => getComputedStyle(e).stroke)"
    )
    assert len(set(strokes)) == 3
    assert "none" not in strokes


def test_what_a_page_asks_for_or_complains_of_is_seen(browser: Browser, page: str, tmp_path: Path) -> None:
    without = re.sub(r"<meta http-equiv[^>]*>", "", page)
    browser.open(without.replace("</main>", '<img src="http://127.0.0.1:9/x.png"></main>'), tmp_path)
    assert "http://127.0.0.1:9/x.png" in browser.requests()
    browser.open(page.replace("</main>", "<script>document.title = 1</script></main>"), tmp_path)
    assert browser.complaints()
    assert browser.ask("document.title") != "1"


def test_the_reader_may_choose_the_colours_with_scripts_and_without(browser: Browser, tmp_path: Path) -> None:
    light = "rgb(244, 246, 248)"
    for scripts in (True, False):
        browser.open(html_page(small()), tmp_path, scheme="dark", scripts=scripts)
        assert background(browser) != light
        for label, is_light in ((2, True), (1, False)):
            left, top, right, bottom = box(browser, f".theme label:nth-of-type({label})")
            browser.click((left + right) / 2, (top + bottom) / 2)
            assert (background(browser) == light) == is_light
        # What only a script can do is not offered without one.
        hidden = browser.ask("[...document.querySelectorAll('.hint, .download')].map(e => e.hidden)")
        assert hidden == [not scripts] * 2


def test_spike_and_limit_are_at_their_heights_on_the_screen(browser: Browser, page: str, tmp_path: Path) -> None:
    browser.open(page, tmp_path)
    [_, top, _, bottom] = box(browser, "#run-1-plot-9 .axis")
    foot = (top + bottom) / 2
    [_, spike, _, _] = box(browser, "#run-1-plot-9 .line")
    [_, top, _, bottom] = box(browser, "#run-1-plot-9 line.limit")
    limit = (top + bottom) / 2
    assert foot - limit > 100
    # Strokes have a width.
    assert (foot - spike) / (foot - limit) == pytest.approx(SPIKE_MS / 500, abs=0.02)


def test_the_cursor_reads_all_plots_at_one_time(browser: Browser, page: str, tmp_path: Path) -> None:
    results = hour()
    # As wide as that a sample has more than two pixels.
    browser.open(page, tmp_path, width=1000)
    browser.ask("document.querySelector('#run-1-plot-1 .chart').scrollIntoView({block: 'center'})")
    left, top, right, bottom = box(browser, "#run-1-plot-1 .chart")
    for index in (0, 93, 156, 372):
        at = results["plots"][0]["t"][index]
        browser.point(min(left + (right - left) * at / END_S, right - 1), (top + bottom) / 2)
        browser.drawn()
        for place, plot in ((1, results["plots"][0]), (5, results["plots"][4]), (6, results["plots"][5])):
            shown = browser.ask(
                f"[...document.querySelectorAll('#run-1-plot-{place} [data-highest]')].map(e => e.textContent)"
            )
            factor = 1000 if plot["unit"] == "B/s" else 1
            assert shown == [number(line["values"][index] / factor) for line in plot["lines"]]
        times = browser.ask("[...document.querySelectorAll('.when')].map(e => e.textContent)")
        assert set(times[:8]) == {seconds(at)}
    cursors = browser.ask(
        "[...document.querySelectorAll('.cursor')].map(e => [e.getAttribute('x1'), e.getAttribute('visibility')])"
    )
    assert {tuple(cursor) for index, cursor in enumerate(cursors) if index != 8} == {("100%", "visible")}
    browser.point(1, 1)
    browser.drawn()
    assert set(browser.ask("[...document.querySelectorAll('.when')].map(e => e.textContent)")) == {"highest"}


def test_the_cursor_finds_the_spike_and_says_it_to_those_who_use_keys(
    browser: Browser, page: str, tmp_path: Path
) -> None:
    browser.open(page, tmp_path)
    browser.ask("document.querySelector('#run-1-plot-9 .chart').focus()")
    browser.press("Home")
    for _ in range(5):
        browser.press("PageDown")
    assert seconds(5 * 2976 / 8) in browser.ask("document.getElementById('said').textContent")
    for _ in range(3):
        browser.press("ArrowRight")
    assert browser.ask("document.getElementById('said').textContent").startswith(seconds((5 * 2976 + 3) / 8))
    browser.press("Escape")
    browser.drawn()
    assert set(browser.ask("[...document.querySelectorAll('.when')].map(e => e.textContent)")) == {"highest"}


def test_the_cursor_tells_figures_as_the_tables_do(browser: Browser, tmp_path: Path) -> None:
    values = [0, 1, 12.345, 99.97, 9.996, 999.7, 99.9999, 1000.5, 1234567.8, 0.04567, -5.25, 1e-9]
    times = [index * 61.3 for index in range(len(values))]
    lines = [{"name": "v", "values": values}]
    plot = {"title": "p", "unit": "", "log": False, "limit": None, "t": times, "lines": lines}
    browser.open(html_page(small(plots=[plot], events=[])), tmp_path)
    browser.ask("document.querySelector('.chart').focus()")
    for value, at in zip(values, times, strict=True):
        browser.press("ArrowRight")
        said = browser.ask("document.getElementById('said').textContent")
        assert said == f"{seconds(at)}: v {number(value)}"


def test_a_hostile_run_is_text_in_a_browser_too(browser: Browser, tmp_path: Path) -> None:
    browser.open(html_page(changed(small(), lambda text: HOSTILE + text)), tmp_path)
    assert browser.complaints() == []
    assert len(browser.requests()) == 1
    assert browser.ask("document.images.length") == 0
    assert browser.ask("document.querySelectorAll('.chart .cursor').length") == 1


@pytest.mark.parametrize("width", [360, 700, 1600])
def test_the_page_fits_its_window(browser: Browser, page: str, tmp_path: Path, width: int) -> None:
    browser.open(page, tmp_path, width=width)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    columns = browser.ask(
        "new Set([...document.querySelectorAll('.plot')].map(e => e.getBoundingClientRect().left)).size"
    )
    assert columns == (2 if width == 1600 else 1)


def test_the_results_can_be_downloaded(browser: Browser, tmp_path: Path) -> None:
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path), eventsEnabled=True)
    browser.open(html_page(small()), tmp_path)
    browser.ask("document.querySelector('.download').click()")
    browser.until("Browser.downloadProgress", state="completed")
    assert json.loads((tmp_path / "s1.json").read_text(encoding="utf-8")) == small()
