"""One run of the page: verdict, key figures, and all that follows, each part where it has something to say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime

from eventlive_db.load.report.figure import event_list, figure
from eventlive_db.load.report.model import RunResults
from eventlive_db.load.report.numbers import number, seconds, share
from eventlive_db.load.report.tables import calls_table, facts, marks_table, statements_table
from eventlive_db.plans.report.markup import bullets, element, escaped, text
from eventlive_db.plans.report.text import plural

_HINT = "Point at a plot to read all of them at that time; a click holds the cursor, and arrow keys move it."
_CHECK = '<path d="M7 12.5l3.5 3.5L17 9"></path>'
_CROSS = '<path d="M8 8l8 8M16 8l-8 8"></path>'
_DASH = '<path d="M7 12h10"></path>'


def run_section(run: RunResults, number_: int, level: int) -> str:
    """A run.

    Args:
        run: The run.
        number_: Its number on the page, from 1: it is found as ``#run-<number>``.
        level: Of its heading; those inside it are below.
    """
    name = f"run-{number_}"
    parts = [(key, title, inside) for key, title, inside in _parts(run, name, level + 1) if inside]
    contents = "".join(text("a", title, href=f"#{name}-{key}") for key, title, _ in parts)
    sections = (
        element(
            "section",
            text(f"h{level + 1}", title, id=f"{name}-{key}-title") + inside,
            class_=f"part of-{key}",
            id=f"{name}-{key}",
            aria_labelledby=f"{name}-{key}-title",
        )
        for key, title, inside in parts
    )
    return element(
        "article",
        "\n".join(
            [
                text(f"h{level}", run.title, id=f"{name}-title"),
                _began(run),
                banner(run, name),
                _tiles(run),
                element("nav", contents, class_="contents", aria_label=f"Parts of {run.title}"),
                *sections,
            ]
        ),
        class_="run",
        id=name,
        aria_labelledby=f"{name}-title",
        data_file=f"{_file_name(run.scenario)}.json",
    )


def _file_name(scenario: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", scenario.lower()).strip("-")[:40] or "results"


def _began(run: RunResults) -> str:
    told = f"{run.scenario} · {moment(run.at)} · took {seconds(run.duration_s)}"
    return text("p", told, class_="began")


def moment(at: datetime) -> str:
    """``22 November 2026, 03:00 UTC``; other zones by their offset, and none where it is not known."""
    offset = f" {at:%Z}".rstrip()
    return f"{at.day} {at:%B %Y, %H:%M}{offset}"


def banner(run: RunResults, name: str) -> str:
    """Passed or failed, with every mark that was missed."""
    missed = [(index, mark) for index, mark in enumerate(run.marks, start=1) if not mark.passed]
    kind, icon = {True: ("pass", _CHECK), False: ("fail", _CROSS), None: ("none", _DASH)}[run.passed]
    said = {
        True: f"Passed: {'the one mark is' if len(run.marks) == 1 else f'all {len(run.marks)} marks are'} met",
        False: f"Failed: {len(missed)} of {plural(len(run.marks), 'mark')} missed",
        None: "Not judged: the run has no pass marks",
    }[run.passed]
    items = "".join(
        element(
            "li",
            text("a", mark.name, href=f"#{name}-mark-{index}")
            + escaped(f": wanted {mark.wanted}, found ")
            + text("strong", mark.found),
        )
        for index, mark in missed
    )
    inside = [
        text("p", said, class_="said"),
        element("ul", items, class_="missed") if items else "",
        text("p", run.summary, class_="summary") if run.summary else "",
    ]
    drawn = element("svg", f'<circle cx="12" cy="12" r="11"></circle>{icon}', viewBox="0 0 24 24", aria_hidden="true")
    return element("div", drawn + element("div", "".join(inside)), class_=f"banner {kind}")


def _tiles(run: RunResults) -> str:
    """A few figures in large type, from the table of calls."""
    told: list[tuple[str, str, str]] = []
    calls = sum(call.calls for call in run.calls)
    if calls:
        errors = sum(sum(call.errors.values()) for call in run.calls)
        told.append(("calls", number(calls), ""))
        if run.duration_s >= 60:
            told.append(("calls a minute", number(calls / run.duration_s * 60), "on average"))
        told.append(("errors", number(errors), f"{share(errors, calls)} of the calls" if errors else ""))
        timed = [(call.times_ms[1], call) for call in run.calls if call.times_ms[1] is not None]
        if timed:
            slowest, call = max(timed, key=lambda at: at[0] or 0.0)
            told.append(("highest p95", f"{number(slowest or 0.0)} ms", call.function))
    if run.marks:
        told.append(("marks met", f"{sum(mark.passed for mark in run.marks)} of {len(run.marks)}", ""))
    tiles = (
        element("div", text("dt", name) + text("dd", value) + (text("dd", note, class_="note") if note else ""))
        for name, value, note in told
    )
    return element("dl", "".join(tiles), class_="tiles") if told else ""


def _parts(run: RunResults, name: str, level: int) -> Iterator[tuple[str, str, str]]:
    """Key, title and content of each part."""
    yield "marks", "Pass marks", marks_table(run.marks, name) if run.marks else ""
    figures = "".join(
        figure(plot, run.events, run.end, name=f"{name}-plot-{index + 1}", index=index, level=level + 1)
        for index, plot in enumerate(run.plots)
    )
    plots = text("p", _HINT, class_="note hint", hidden=True) + element("div", figures, class_="plots")
    yield "plots", "Over time", event_list(run.events) + (plots if run.plots else "")
    yield "calls", "Calls", calls_table(run.calls) if run.calls else ""
    yield "statements", "Statements in the database", statements_table(run.statements) if run.statements else ""
    conditions = "".join(
        [
            facts("Machine", run.machine, level + 1),
            facts("Options", run.options, level + 1),
            facts("Settings changed for the run", run.settings, level + 1),
        ]
    )
    yield "conditions", "What it ran with", element("div", conditions, class_="cards") if conditions else ""
    yield "notes", "Notes", bullets(run.notes)
    yield "data", "All figures", _raw(run)


def _raw(run: RunResults) -> str:
    """The results file itself, a line for each of its fields; the script reads the values for its cursor here."""
    lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in run.raw.items())
    content = "{\n" + ",\n".join(lines) + "\n}\n"
    return '<p><button type="button" class="download" hidden>Download as JSON</button></p>' + element(
        "details", text("summary", "The results file") + text("pre", content, class_="raw", tabindex=0)
    )
