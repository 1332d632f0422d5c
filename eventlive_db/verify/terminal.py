"""A report on a terminal, and in a pipe."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventlive_db.verify.model import GROUPS, Check, Report, State, Verdict
from eventlive_db.verify.report import SENTENCE, lines_of
from eventlive_db.verify.times import said
from eventlive_db.verify.triggers import MEANING

_STYLE = {State.PASSED: "green", State.FAILED: "bold red", State.NO_DATA: "yellow"}
_VERDICT = {Verdict.GO: "bold green", Verdict.ROLL_BACK: "bold red", Verdict.COULD_NOT_TELL: "bold yellow"}


def show(console: Console, report: Report) -> None:
    """The table of the checks, then the triggers and the verdict."""
    table = Table("group", "check", "state", "what was seen", box=None, pad_edge=False)
    table.columns[0].no_wrap = table.columns[2].no_wrap = True
    table.columns[3].overflow = "fold"
    for check in report.checks:
        table.add_row(check.group, Text(check.name), Text(check.state.value, _STYLE[check.state]), _seen(check))
    for group in report.without:
        table.add_row(group, GROUPS[group], "left out", f"--without {group}")
    console.print(table)
    for log in report.logs:
        span = f"{said(log.first_at)} to {said(log.last_at)}" if log.first_at and log.last_at else "nothing"
        of = f", {', '.join(log.sources)}" if log.sources else ""
        _line(console, f"log {log.file}: {span}, {log.events} events{of}, {log.unparsed} lines not read")
    for note in report.notes:
        _line(console, note)
    if report.stopped:
        _line(console, f"Ended early by {report.stopped}.")
    for trigger in report.triggers:
        _line(console, f"trigger {trigger.value}: {MEANING[trigger]}", "red")
    _line(
        console,
        f"{SENTENCE[report.verdict]} From {said(report.since)} to {said(report.until)}.",
        _VERDICT[report.verdict],
    )


def _seen(check: Check) -> Text:
    more = [*lines_of(check), *((check.advice,) if check.advice else ())]
    return Text("\n".join((check.says, *more)))


def _line(console: Console, text: str, style: str = "") -> None:
    # Of no markup, and not wrapped: a path stays one word.
    console.print(Text(text, style), soft_wrap=True)


def progress_line(number: int, report: Report) -> str:
    """One round of a watch."""
    states = [check.state for check in report.checks]
    counts = ", ".join(f"{states.count(state)} {state.value}" for state in State)
    fired = ", ".join(trigger.value for trigger in report.triggers)
    return f"round {number}, {said(report.until)}: {counts}" + (f"; fired: {fired}" if fired else "")
