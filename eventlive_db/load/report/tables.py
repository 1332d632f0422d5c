"""The tables of a run: pass marks, calls, statements, and what it ran with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eventlive_db.load.report.model import SOURCES, Calls, Mark, RunResults, StatementFigures
from eventlive_db.load.report.numbers import NOTHING, number, number_or_nothing, setting, share, size
from eventlive_db.plans.report.markup import element, escaped, table, text
from eventlive_db.plans.report.text import one_line, shortened

_QUERY = 160
"""Longer queries are shown in full when they are opened."""
_FIGURE = 20


def badge(passed: bool | None) -> str:
    """The verdict in a word; of what was not judged that it was not."""
    if passed is None:
        return text("span", "not judged", class_="badge none")
    return text("span", "passed" if passed else "failed", class_=f"badge {'pass' if passed else 'fail'}")


def marks_table(marks: Sequence[Mark], name: str) -> str:
    """Every pass mark, found again as ``#<name>-mark-3``."""
    headings = [("verdict", False), ("mark", False), ("wanted", True), ("found", True), ("how", False), ("note", False)]
    rows = (
        element(
            "tr",
            "".join(
                [
                    element("td", badge(mark.passed)),
                    text("th", mark.name, scope="row"),
                    text("td", mark.wanted, class_=f"num{_words(mark.wanted)}"),
                    text("td", mark.found, class_=f"num found{_words(mark.found)}"),
                    element("td", text("span", mark.source, class_=f"source {mark.source}")),
                    text("td", mark.note or "", class_="words"),
                ]
            ),
            id=f"{name}-mark-{index}",
            class_=None if mark.passed else "fail",
        )
        for index, mark in enumerate(marks, start=1)
    )
    used = [source for source in SOURCES if any(mark.source == source for mark in marks)]
    explained = " ".join(f"{source.capitalize()}: {SOURCES[source]}." for source in used)
    return table(headings, rows, class_="marks") + text("p", explained, class_="note")


def _words(figure: str) -> str:
    """Long ones may be broken over lines."""
    return " long" if len(figure) > _FIGURE else ""


def comparison(runs: Sequence[RunResults]) -> str:
    """Marks that several runs have, run beside run; nothing where there are none."""
    names = dict.fromkeys(mark.name for run in runs for mark in run.marks)
    shared = [name for name in names if sum(any(mark.name == name for mark in run.marks) for run in runs) > 1]
    if not shared:
        return ""
    rows = []
    for name in shared:
        cells = []
        for run in runs:
            found = next((mark for mark in run.marks if mark.name == name), None)
            told = escaped(found.found) + ("" if found.passed else f" {badge(False)}") if found else NOTHING
            cells.append(element("td", told, class_="num" if found is None or found.passed else "num fail"))
        rows.append(element("tr", text("th", name, scope="row") + "".join(cells)))
    return table([("mark", False), *((run.title, True) for run in runs)], rows, class_="compared")


def calls_table(calls: Sequence[Calls]) -> str:
    """Every function with its times; the times also as marks on one log axis."""
    times = [time for call in calls for time in call.times_ms if time is not None and time > 0]
    headings = [
        ("function", False),
        ("via", False),
        ("calls", True),
        ("errors", False),
        *((heading, True) for heading in ("p50 ms", "p95 ms", "p99 ms", "max ms")),
        *([(f"{number(_foot(times))} to {number(_head(times))} ms, log", False)] if times else []),
    ]
    rows = (
        element(
            "tr",
            "".join(
                [
                    element("th", text("code", call.function), scope="row"),
                    text("td", call.via),
                    text("td", number(call.calls), class_="num"),
                    element("td", _errors(call.errors)),
                    *(text("td", number_or_nothing(time), class_="num") for time in call.times_ms),
                    *([element("td", _strip(call, times), class_="strip", aria_hidden="true")] if times else []),
                ]
            ),
        )
        for call in calls
    )
    told = "On the right: a line from the median to the slowest call, with marks at 95 and 99 %."
    return table(headings, rows, class_="calls") + (text("p", told, class_="note") if times else "")


def _errors(errors: Mapping[str, float]) -> str:
    told = " ".join(
        element("span", f"{text('code', token)} × {number(count)}", class_="error")  # noqa: RUF001
        for token, count in errors.items()
        if count
    )
    return told or text("span", "none", class_="note")


def _foot(times: Sequence[float]) -> float:
    return float(10.0 ** math.floor(math.log10(min(times))))


def _head(times: Sequence[float]) -> float:
    return max(float(10.0 ** math.ceil(math.log10(max(times)))), _foot(times) * 10)


def _strip(call: Calls, times: Sequence[float]) -> str:
    """The times of a function on the axis of all."""
    foot, head = _foot(times), _head(times)
    places = [
        f"{100 * math.log(max(time, foot) / foot) / math.log(head / foot):.1f}%"
        for time in call.times_ms
        if time is not None
    ]
    if len(places) != 4:
        return ""
    names = ("p50", "p95", "p99", "max")
    marks = "".join(
        element("circle", class_=name, cx=place, cy="50%", r="3.5" if name == "p50" else "2.5")
        for name, place in zip(names, places, strict=True)
    )
    return element("svg", element("line", x1=places[0], x2=places[3], y1="50%", y2="50%") + marks, height="14")


def statements_table(statements: Sequence[StatementFigures]) -> str:
    """What the database ran, that on which it spent most time first."""
    by_time = sorted(statements, key=lambda statement: -statement.calls * statement.mean_ms)
    total = sum(statement.calls * statement.mean_ms for statement in statements)
    headings = [
        ("statement", False),
        *((h, True) for h in ("share of the time", "calls", "mean ms", "rows a call", "blocks a call", "WAL a call")),
        ("WAL", True),
    ]
    rows = (
        element(
            "tr",
            element("th", _query(statement.query), scope="row")
            + "".join(text("td", cell, class_="num") for cell in _cells(statement, total)),
        )
        for statement in by_time
    )
    return table(headings, rows, class_="statements")


def _cells(statement: StatementFigures, total: float) -> Iterator[str]:
    calls = statement.calls
    yield share(calls * statement.mean_ms, total) if total else NOTHING
    yield number(calls)
    yield number(statement.mean_ms)
    yield number(statement.rows / calls) if calls else NOTHING
    yield number(statement.blocks / calls) if calls else NOTHING
    yield size(statement.wal_bytes / calls) if calls else NOTHING
    yield size(statement.wal_bytes)


def _query(query: str) -> str:
    if len(one_line(query)) <= _QUERY:
        return text("code", one_line(query))
    return element(
        "details", element("summary", text("code", shortened(query, _QUERY))) + text("pre", query, tabindex=0)
    )


def facts(title: str, values: Mapping[str, Any], level: int) -> str:
    """Names and values under a heading; nothing where there are none."""
    if not values:
        return ""
    rows = "".join(
        element("tr", text("th", name, scope="row") + text("td", setting(value))) for name, value in values.items()
    )
    inside = text(f"h{level}", title) + element("table", element("tbody", rows), class_="facts", aria_label=title)
    return element("div", inside, class_="card")
