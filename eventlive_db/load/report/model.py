"""What a results file holds, read and checked.

A file is a JSON object of ``format`` 1. Fields that are not named here are kept in the raw data and not drawn.

==================  =================================================================================================
``scenario``        short name, such as ``s1``
``title``           of the run
``at``              when it began, as ISO 8601
``machine``         texts by name: processor, versions
``options``         what was asked for, by name
``settings``        those of the database that were changed for the run
``duration_s``      how long it took
``summary``         a sentence or two
``marks``           pass marks: ``name``, ``wanted``, ``found``, ``passed``, ``source``, ``note`` or null
``calls``           ``function``, ``via``, ``calls``, ``errors`` (counts by token), ``p50_ms``, ``p95_ms``, ``p99_ms``,
                    ``max_ms`` (null where nothing was called)
``plots``           ``title``, ``unit``, ``log``, ``limit`` or null, ``t`` (seconds since the beginning, never falling)
                    and ``lines``: ``name`` and ``values``, one for each time, null where there is none
``events``          ``t`` and ``text``
``statements``      of pg_stat_statements, all of them sums but the mean: ``query``, ``calls``, ``rows``, ``mean_ms``,
                    ``wal_bytes``, ``blocks``
``notes``           sentences
==================  =================================================================================================
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eventlive_db.load.report.checked import Checked, ResultsError

FORMAT = 1
SOURCES = {
    "measured": "taken from what this run did",
    "computed": "by arithmetic from settings and measured figures",
    "sampled": "from real calls of a part of the audience",
}
"""How a figure was found."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A pass mark; see the module for the fields of this and of the others."""

    name: str
    wanted: str
    found: str
    passed: bool
    source: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one function over one way."""

    function: str
    via: str
    calls: float
    errors: Mapping[str, float]
    times_ms: tuple[float | None, ...]
    """50, 95 and 99 % were not slower, and the slowest."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over time."""

    title: str
    unit: str
    log: bool
    limit: float | None
    t: tuple[float, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    t: float
    text: str


@dataclass(frozen=True, slots=True)
class StatementFigures:
    """What the database says of a statement."""

    query: str
    calls: float
    rows: float
    mean_ms: float
    wal_bytes: float
    blocks: float


@dataclass(frozen=True, slots=True)
class RunResults:
    """A results file. ``raw`` is all of it, ready for :func:`json.dumps`."""

    scenario: str
    title: str
    at: datetime
    machine: Mapping[str, str]
    options: Mapping[str, Any]
    settings: Mapping[str, Any]
    duration_s: float
    summary: str
    marks: tuple[Mark, ...]
    calls: tuple[Calls, ...]
    plots: tuple[Plot, ...]
    events: tuple[Event, ...]
    statements: tuple[StatementFigures, ...]
    notes: tuple[str, ...]
    raw: Mapping[str, Any]

    @property
    def passed(self) -> bool | None:
        """Whether every mark holds; None where there are none."""
        return all(mark.passed for mark in self.marks) if self.marks else None

    @property
    def end(self) -> float:
        """Where the time axis of every plot ends, in seconds."""
        last = [plot.t[-1] for plot in self.plots if plot.t] + [event.t for event in self.events]
        return max(last, default=0.0) or self.duration_s or 1.0


def read_results(results: object, place: str = "") -> RunResults:
    """Check a results file as :func:`json.load` gives it.

    Args:
        results: The file's content.
        place: What to call it in an error, where there are several.

    Raises:
        ResultsError: It is not one; the message names the place.
    """
    root = Checked(results, place)
    raw = root.as_json()
    told = root.field("format").value
    if isinstance(told, bool) or told != FORMAT:
        msg = f"{place or 'the file'} is not of format {FORMAT}, the only one that is known"
        raise ResultsError(msg, "Take the version of eventlive-db that made them", token="unknown_results_format")
    return RunResults(
        scenario=root.field("scenario").text(),
        title=root.field("title").text(),
        at=_moment(root.field("at")),
        machine={name: value.text() for name, value in root.field("machine").fields()},
        options={name: value.value for name, value in root.field("options").fields()},
        settings={name: value.value for name, value in root.field("settings").fields()},
        duration_s=root.field("duration_s").not_negative(),
        summary=root.field("summary").text(),
        marks=tuple(map(_mark, root.field("marks").items())),
        calls=tuple(map(_calls, root.field("calls").items())),
        plots=tuple(map(_plot, root.field("plots").items())),
        events=tuple(
            sorted(
                (Event(e.field("t").not_negative(), e.field("text").text()) for e in root.field("events").items()),
                key=lambda event: event.t,
            )
        ),
        statements=tuple(map(_statement, root.field("statements").items())),
        notes=tuple(note.text() for note in root.field("notes").items()),
        raw=raw,
    )


def _moment(at: Checked) -> datetime:
    try:
        return datetime.fromisoformat(at.text())
    except ValueError:
        at.fail("is not a time as ISO 8601 has it")


def _mark(mark: Checked) -> Mark:
    source = mark.field("source")
    if source.text() not in SOURCES:
        source.fail(f"is none of {', '.join(SOURCES)}")
    return Mark(
        name=mark.field("name").text(),
        wanted=mark.field("wanted").text(),
        found=mark.field("found").text(),
        passed=mark.field("passed").flag(),
        source=source.text(),
        note=mark.field("note").text_or_none(),
    )


def _calls(calls: Checked) -> Calls:
    return Calls(
        function=calls.field("function").text(),
        via=calls.field("via").text(),
        calls=calls.field("calls").not_negative(),
        errors={token: count.not_negative() for token, count in calls.field("errors").fields()},
        times_ms=tuple(calls.field(name).number_or_none() for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")),
    )


def _plot(plot: Checked) -> Plot:
    times = plot.field("t")
    t = tuple(moment.not_negative() for moment in times.items())
    if any(after < before for before, after in itertools.pairwise(t)):
        times.fail("goes back in time")
    return Plot(
        title=plot.field("title").text(),
        unit=plot.field("unit").text(),
        log=plot.field("log").flag(),
        limit=plot.field("limit").number_or_none(),
        t=t,
        lines=tuple(_line(line, len(t)) for line in plot.field("lines").items()),
    )


def _line(line: Checked, count: int) -> Line:
    values = line.field("values")
    found = tuple(value.number_or_none() for value in values.items())
    if len(found) != count:
        values.fail(f"has {len(found)} values for {count} times")
    return Line(line.field("name").text(), found)


def _statement(statement: Checked) -> StatementFigures:
    return StatementFigures(
        query=statement.field("query").text(),
        **{name: statement.field(name).not_negative() for name in ("calls", "rows", "mean_ms", "wal_bytes", "blocks")},
    )
