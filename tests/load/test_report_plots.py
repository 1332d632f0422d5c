"""Lines, limits, events and colours of a report: nothing is lost, and everybody can tell them apart."""

from __future__ import annotations

import itertools
import math
import re
from importlib.resources import files

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eventlive_db.load.report import html_page
from eventlive_db.load.report.numbers import byte_scale, number, seconds, share
from eventlive_db.load.report.scale import scale_for, time_ticks
from eventlive_db.load.report.thin import BUCKETS, LONGEST, thinned
from tests.load.report_sample import (
    END_S,
    SPIKE_AT,
    SPIKE_MS,
    drawn_points,
    hour_without_plots,
    long_plot,
    plain,
    small,
)


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
