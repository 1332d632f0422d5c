"""A plot with all that belongs to it: legend, drawing, what is over its limit, and its figures as a table."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from eventlive_db.load.report.chart import Chart, chart_of, drawing, line_class
from eventlive_db.load.report.model import Event, Line, Plot
from eventlive_db.load.report.numbers import NOTHING, number, number_or_nothing, seconds
from eventlive_db.load.report.thin import BUCKETS
from eventlive_db.plans.report.markup import element, escaped, table, text
from eventlive_db.plans.report.text import plural

_WINDOWS = 12
"""Rows of a plot's table: the run in so many equal parts."""


def figure(plot: Plot, events: Sequence[Event], end: float, *, name: str, index: int, level: int) -> str:
    """A plot.

    Args:
        plot: The plot.
        events: Of the run.
        end: Of the time axis, in seconds.
        name: An id for it.
        index: Its place in the results file, by which the script finds its values.
        level: Of its heading.
    """
    chart = chart_of(plot, end)
    heading = text(f"h{level}", plot.title, id=f"{name}-title")
    if not any(value is not None for line in plot.lines for value in line.values):
        nothing = text("p", "No values were taken.", class_="note")
        return element("figure", heading + nothing, class_="plot", id=name, aria_labelledby=f"{name}-title")
    asks = text("span", "highest", class_="when", aria_live="off")
    inside = [
        element("figcaption", heading + text("span", _subtitle(chart), class_="note")),
        element("div", asks + element("ul", "".join(_legend(chart))), class_="legend"),
        element("div", drawing(chart, events, description(chart)), class_="area"),
        *(text("p", told, class_="note over") for told in over_limit(chart)),
        *(text("p", told, class_="note") for told in _remarks(chart)),
        element("details", text("summary", "The figures as a table") + _windows(chart), class_="figures"),
    ]
    return element(
        "figure", "\n".join(inside), class_="plot", id=name, aria_labelledby=f"{name}-title", data_plot=index
    )


def _subtitle(chart: Chart) -> str:
    return f"{chart.unit}, log scale" if chart.scale.log else chart.unit


def known(line: Line) -> list[float]:
    """The values that there are."""
    return [value for value in line.values if value is not None]


def _legend(chart: Chart) -> Iterator[str]:
    swatch = element(
        "svg", '<line x1="1" x2="19" y1="50%" y2="50%"></line>', width="20", height="10", aria_hidden="true"
    )
    for index, line in enumerate(chart.plot.lines):
        values = known(line)
        highest = number(max(values) / chart.factor) if values else NOTHING
        yield element(
            "li",
            swatch
            + text("span", line.name, class_="name")
            + text("span", highest, class_="value", data_highest=highest),
            class_=line_class(index),
        )
    if chart.limit is not None:
        limit = text("span", "limit", class_="name") + text("span", number(chart.limit), class_="value")
        yield element("li", swatch + limit, class_="limit")


def description(chart: Chart) -> str:
    """The plot in words."""
    parts = [f"{chart.plot.title}, in {chart.unit}, over {seconds(chart.end)}"]
    for line in chart.plot.lines:
        values = known(line)
        if not values:
            parts.append(f"{line.name}: no values")
            continue
        highest = max(values)
        at = seconds(chart.plot.t[line.values.index(highest)])
        low, middle, high = (
            number(value / chart.factor) for value in (min(values), statistics.median(values), highest)
        )
        parts.append(f"{line.name}: {low} to {high}, median {middle}, highest at {at}")
    if chart.limit is not None:
        parts.append(f"limit {number(chart.limit)}")
    return ". ".join(parts)


def over_limit(chart: Chart) -> Iterator[str]:
    """A sentence for each line that has values over the limit."""
    limit = chart.plot.limit
    if limit is None:
        return
    for line in chart.plot.lines:
        over = [t for t, value in zip(chart.plot.t, line.values, strict=True) if value is not None and value > limit]
        if over:
            count = f"{len(over):,} of {plural(len(known(line)), 'value')}"
            yield f"Over the limit: {line.name}, {count}, the first at {seconds(over[0])}."


def _remarks(chart: Chart) -> Iterator[str]:
    plot = chart.plot
    if chart.is_thinned:
        part = seconds((plot.t[-1] - plot.t[0]) / BUCKETS)
        yield (
            f"{len(plot.t):,} values a line: of each {part} the first, the last, the lowest and the highest are drawn;"
            " the cursor finds all of them."
        )
    if plot.log and not chart.scale.log:
        yield "Drawn on a linear scale: nothing is above zero."
    elif plot.log and any(value <= 0 for line in plot.lines for value in known(line)):
        yield "Zero, which a log scale has no place for, lies on the lower edge."


def _windows(chart: Chart) -> str:
    """Lowest and highest value of each line in each part of the run, and of all of it."""
    plot, step = chart.plot, chart.end / _WINDOWS
    rows = []
    for window in range(_WINDOWS):
        first = bisect_left(plot.t, window * step)
        after = bisect_left(plot.t, (window + 1) * step) if window < _WINDOWS - 1 else len(plot.t)
        if after > first:
            span = f"{seconds(window * step)} to {seconds((window + 1) * step)}"
            rows.append(_row(span, [_range(chart, line.values[first:after]) for line in plot.lines]))
    middles = [
        number_or_nothing(statistics.median(known(line)) / chart.factor if known(line) else None) for line in plot.lines
    ]
    rows += [_row("median", middles), _row("all", [_range(chart, line.values) for line in plot.lines])]
    headings = [("time", False), *((f"{line.name}, {chart.unit}", True) for line in plot.lines)]
    return table(headings, rows)


def _row(name: str, cells: Sequence[str]) -> str:
    return element("tr", text("th", name, scope="row") + "".join(text("td", cell, class_="num") for cell in cells))


def _range(chart: Chart, values: Sequence[float | None]) -> str:
    found = [value / chart.factor for value in values if value is not None]
    if not found:
        return NOTHING
    low, high = number(min(found)), number(max(found))
    return low if low == high else f"{low} to {high}"


def event_list(events: Sequence[Event]) -> str:
    """The events with the numbers that their lines have in the plots; nothing where there are none."""
    told = "".join(
        element(
            "li",
            text("span", number_, class_="flag")
            + text("span", seconds(event.t), class_="time")
            + f" {escaped(event.text)}",
        )
        for number_, event in enumerate(events, start=1)
    )
    return element("ol", told, class_="events", aria_label="Events, by their numbers in the plots") if told else ""
