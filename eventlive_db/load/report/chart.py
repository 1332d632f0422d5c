"""A plot as SVG: it needs no script, keeps its text at one size however wide it is, and takes its colours from CSS.

Whatever has a place is placed in percent of the drawing. The lines themselves are in a drawing inside it of 1,000 by
1,000 units, which is stretched; their strokes are not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eventlive_db.load.report.model import Event, Plot
from eventlive_db.load.report.numbers import byte_scale, number, seconds
from eventlive_db.load.report.scale import Scale, scale_for, time_ticks
from eventlive_db.load.report.thin import LONGEST, Point, thinned
from eventlive_db.plans.report.markup import element, text
from eventlive_db.plans.report.text import one_line

COLOURS = 5
"""Further lines have the colours of the first ones, dashed."""
_DASHES = 3
_NEAR = 0.04
"""Events nearer than this part of the width share a flag."""
_FLAGS_Y = -24
_LETTER = 0.0125
"""Part of the width that a letter of an event takes where a plot is half a page wide."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot with its axis.

    Attributes:
        plot: The plot.
        end: Of the time axis, in seconds.
        factor: What values are divided by.
        unit: What they then are in.
        scale: The upright axis, in that unit.
        limit: The limit in that unit.
    """

    plot: Plot
    end: float
    factor: float
    unit: str
    scale: Scale
    limit: float | None

    @property
    def limit_inside(self) -> bool:
        """Whether the limit is in the reach of the axis."""
        return self.limit is not None and self.scale.low <= self.limit <= self.scale.high

    @property
    def is_thinned(self) -> bool:
        """Whether there are more values than are drawn."""
        return len(self.plot.t) > LONGEST


def chart_of(plot: Plot, end: float) -> Chart:
    """Choose unit and axis.

    Args:
        plot: The plot.
        end: Of the time axis, which all plots of a run share, in seconds.
    """
    values = [value for line in plot.lines for value in line.values if value is not None]
    factor, unit = byte_scale(plot.unit, max((*values, plot.limit or 0.0), default=0.0))
    limit = None if plot.limit is None else plot.limit / factor
    scale = scale_for([value / factor for value in values], limit, log=plot.log)
    return Chart(plot, end, factor, unit, scale, limit)


def line_class(index: int) -> str:
    """Classes that give a line its colour and its dashes."""
    return f"s{index % COLOURS} d{index // COLOURS % _DASHES}"


def drawing(chart: Chart, events: Sequence[Event], described: str) -> str:
    """The plot.

    Args:
        chart: What to draw.
        events: Of the run, in order.
        described: The plot in words, for those who do not see it.
    """
    content = "".join(
        [
            *_grid(chart),
            *_event_lines(chart, events),
            element(
                "svg",
                "".join(_lines(chart)),
                class_="lines",
                viewBox="0 0 1000 1000",
                preserveAspectRatio="none",
                width="100%",
                height="100%",
            ),
            *_limit(chart),
            *_event_flags(chart, events),
        ]
    )
    scale = chart.scale
    return element(
        "svg",
        content,
        class_="chart",
        role="img",
        aria_label=described,
        data_end=repr(chart.end),
        data_low=repr(scale.low),
        data_high=repr(scale.high),
        data_log=scale.log,
        data_factor=repr(chart.factor),
    )


def _percent(part: float) -> str:
    return f"{part * 100:.2f}%"


def _down(chart: Chart, value: float) -> str:
    return _percent(1 - chart.scale.at(value))


def _grid(chart: Chart) -> Iterator[str]:
    yield text("text", chart.unit, class_="unit y", x="-8", y="-9")
    for tick in chart.scale.ticks:
        y = _down(chart, tick)
        yield element("line", class_="grid", x1="0", x2="100%", y1=y, y2=y)
        yield text("text", number(tick), class_="tick y", x="-8", y=y, dy="0.32em")
    yield element("line", class_="axis", x1="0", x2="100%", y1="100%", y2="100%")
    ticks, unit = time_ticks(chart.end)
    for index, (at, name) in enumerate(ticks):
        class_ = "tick x odd" if index % 2 else "tick x"
        yield text("text", name, class_=class_, x=_percent(at / chart.end), y="100%", dy="1.5em")
    yield text("text", unit, class_="unit", x="-8", y="100%", dy="1.5em")


def _lines(chart: Chart) -> Iterator[str]:
    plain = len(chart.plot.lines) == 1 and not chart.scale.log and chart.scale.low == 0
    # The first line is drawn last: it lies on the others.
    for index, line in reversed(list(enumerate(chart.plot.lines))):
        parts = list(_parts(thinned(chart.plot.t, line.values)))
        paths = [" L".join(f"{_x(chart, t)},{_y(chart, value)}" for t, value in part) for part in parts]
        if plain:
            for part, path in zip(parts, paths, strict=True):
                area = f"M{_x(chart, part[0][0])},1000 L{path} L{_x(chart, part[-1][0])},1000 Z"
                yield element("path", class_=f"under s{index}", d=area)
        drawn = " ".join(f"M{path}" for part, path in zip(parts, paths, strict=True) if len(part) > 1)
        # What stands alone is a line of no length, which has round ends.
        alone = " ".join(f"M{path} h0" for part, path in zip(parts, paths, strict=True) if len(part) == 1)
        yield element("path", class_=f"line {line_class(index)}", data_line=index, d=drawn) if drawn else ""
        yield element("path", class_=f"line alone {line_class(index)}", data_line=index, d=alone) if alone else ""


def _parts(points: Sequence[Point]) -> Iterator[list[tuple[float, float]]]:
    """What lies between gaps."""
    for known, group in itertools.groupby(points, key=lambda point: point[1] is not None):
        if known:
            yield [(t, value) for t, value in group if value is not None]


def _x(chart: Chart, t: float) -> str:
    return f"{t / chart.end * 1000:.2f}".rstrip("0").rstrip(".")


def _y(chart: Chart, value: float) -> str:
    return f"{(1 - chart.scale.at(value / chart.factor)) * 1000:.1f}".removesuffix(".0")


def _limit(chart: Chart) -> Iterator[str]:
    if chart.limit is None:
        return
    told = f"limit {number(chart.limit)} {chart.unit}"
    if not chart.limit_inside:
        y, told = ("-9", f"↑ {told}") if chart.limit > chart.scale.high else ("100%", f"↓ {told}")
        yield text("text", told, class_="limit", x="100%", y=y, dx="-4", dy=None if y == "-9" else "-0.5em")
        return
    y = _down(chart, chart.limit)
    yield element("line", class_="limit", x1="0", x2="100%", y1=y, y2=y)
    below = chart.scale.at(chart.limit) > 0.5
    yield text("text", told, class_="limit", x="100%", y=y, dx="-4", dy="1.2em" if below else "-0.45em")


def _event_lines(chart: Chart, events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        x = _percent(event.t / chart.end)
        yield element("line", class_="event", x1=x, x2=x, y1=str(_FLAGS_Y + 4), y2="100%")


def _event_flags(chart: Chart, events: Sequence[Event]) -> Iterator[str]:
    """A number above each event, and its text where there is room: behind it, or before it at the right edge."""
    groups = _near_ones(chart, events)
    starts = [group[0][1].t / chart.end for group in groups]
    taken = 0.0
    for group, (start, after) in zip(groups, itertools.pairwise([*starts, 1.0]), strict=True):
        first, last = group[0][0], group[-1][0]
        said = "; ".join(f"{seconds(event.t)}: {event.text}" for _, event in group)
        name = one_line(group[0][1].text) if first == last else ""
        width = len(name) * _LETTER + _NEAR
        behind, before = width <= after - start, after == 1.0 and width <= start - taken
        flag = text("tspan", str(first) if first == last else f"{first}–{last}", class_="flag")  # noqa: RUF001
        words = [flag]
        if name and behind:
            words.append(text("tspan", f" {name}", class_="said"))
        elif name and before:
            words.insert(0, text("tspan", f"{name} ", class_="said"))
        taken = start + (width if behind else _NEAR)
        yield element(
            "text",
            text("title", said) + "".join(words),
            class_="event before" if before and not behind else "event",
            x=_percent(start),
            y=_FLAGS_Y,
        )


def _near_ones(chart: Chart, events: Sequence[Event]) -> list[list[tuple[int, Event]]]:
    """The events with their numbers, those together whose flags would lie on each other."""
    groups: list[list[tuple[int, Event]]] = []
    for number_, event in enumerate(events, start=1):
        if groups and (event.t - groups[-1][0][1].t) / chart.end < _NEAR:
            groups[-1].append((number_, event))
        else:
            groups.append([(number_, event)])
    return groups
