"""What a person sees of a demonstration: a live line, and tables at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from eventlive_db.load.attendance import AttendanceFile
from eventlive_db.load.demo import DemoReport, LiveView
from eventlive_db.load.replay import ReplayReport, ReplayView
from eventlive_db.load.tally import CallSummary

View = TypeVar("View")


@contextmanager
def live(console: Console, line: Callable[[View], str]) -> Iterator[Callable[[View], None]]:
    """Show what happens: one line that changes on a terminal, nothing in a pipe."""
    if not console.is_terminal:
        yield lambda _view: None
        return
    with Live(console=console, refresh_per_second=4, transient=True) as display:
        yield lambda view: display.update(Text(line(view)))


def demo_line(view: LiveView) -> str:
    """The live line of a demonstration."""
    errors = ", ".join(f"{token} {count}" for (_, token), count in sorted(view.errors.items()))
    return (
        f"{view.elapsed_s:5.1f} s   present {view.present:4}   guests {view.guests:3}   pings {view.pings:6}"
        f"   heartbeats {view.heartbeats:6}   calls {view.calls:6}   refused: {errors or 'none'}"
    )


def replay_line(view: ReplayView) -> str:
    """The live line of a replay."""
    return (
        f"{view.elapsed_s:5.1f} of {view.duration_s:.1f} s   watching {view.watching:4}   gone {view.done:4}"
        f"   calls {view.calls:6}"
    )


def show_file(console: Console, path: str, file: AttendanceFile) -> None:
    """What was read, and every row that could not be."""
    console.print(f"{path}: {len(file.rows)} sessions ({file.format})", soft_wrap=True)
    for note in file.notes:
        console.print(f"  note: {note}", soft_wrap=True, markup=False)
    for problem in file.problems:
        console.print(f"  line {problem.line}: {problem.token}: {problem.message}", soft_wrap=True, markup=False)


def show_demo(console: Console, report: DemoReport) -> None:
    """The tables at the end of a demonstration."""
    _show_calls(console, report.calls, report.errors, report.failures)
    traces, cost = report.traces, report.ping_cost
    table = Table("promise", "measured", box=None, pad_edge=False)
    table.add_row("registrations created by pings", str(traces.registrations_by_ping))
    table.add_row(
        "statements per ping", f"{cost.statements:.2f}" if cost else f"not measured: {report.ping_cost_missing}"
    )
    if cost:
        table.add_row("WAL per ping", f"{cost.wal_bytes:.0f} bytes (throttled: {cost.throttled_wal_bytes:.0f})")
    table.add_row(
        "HOT ratio of presence updates", "no update" if report.hot_ratio is None else f"{report.hot_ratio:.2%}"
    )
    table.add_row("first tabs told that another took over", str(report.replaced_tabs))
    table.add_row("sessions, and left open at the end", f"{traces.sessions}, {traces.open_sessions}")
    table.add_row("watch time credited", f"{traces.watched_seconds:.1f} s")
    console.print(table)
    for promise in report.broken:
        console.print(f"broken: {promise}")
    _show_verdict(console, report.passed)


def show_replay(console: Console, report: ReplayReport) -> None:
    """The tables at the end of a replay."""
    _show_calls(console, report.calls, report.errors, report.failures)
    file_s, database_s = report.file_seconds, report.database_seconds
    table = Table("watch time", "", box=None, pad_edge=False)
    table.add_row("people, sessions", f"{report.people}, {len(report.sessions)}")
    table.add_row("by the file", f"{file_s:.0f} s")
    table.add_row(
        f"by the database, x {report.speed:.0f}",
        f"{database_s:.0f} s ({database_s / file_s - 1:+.2%})" if file_s else "0 s",
    )
    table.add_row("sessions that disagree", str(len(report.disagreeing)))
    console.print(table)
    for session in report.disagreeing:
        console.print(
            f"  line {session.line}: file {session.file_seconds:.0f} s, database {session.database_seconds:.0f} s,"
            f" explained by late calls {session.tolerance_seconds:.0f} s"
        )
    _show_verdict(console, report.passed)


def _show_calls(
    console: Console, calls: list[CallSummary], errors: dict[tuple[str, str], int], failures: dict[str, int]
) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("function", overflow="fold", min_width=16)
    for heading in ("calls", "refused", "p50 ms", "p95 ms"):
        table.add_column(heading, justify="right")
    for call in calls:
        table.add_row(call.function, str(call.calls), str(call.refused), f"{call.p50_ms:.1f}", f"{call.p95_ms:.1f}")
    console.print(table)
    for (function, token), count in sorted(errors.items()):
        console.print(f"refused: {count} x {function}: {token}", soft_wrap=True)
    for failure, count in sorted(failures.items()):
        console.print(f"failed: {count} x {failure}", soft_wrap=True, markup=False)


def _show_verdict(console: Console, passed: bool) -> None:
    console.print("All promises held." if passed else "A promise was broken.")
