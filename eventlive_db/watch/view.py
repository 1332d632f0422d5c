"""What a person, a pipe or a program sees of the watch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eventlive_db.watch.alarms import Change
from eventlive_db.watch.bodies import describe
from eventlive_db.watch.metrics import Snapshot
from eventlive_db.watch.readings import Reading

if TYPE_CHECKING:
    from rich.table import Table

_STYLES = {"firing": "bold red", "no_data": "yellow", "ok": "green"}


def time_text(seconds: float) -> str:
    """A time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def reading_line(snapshot: Snapshot, reading: Reading) -> str:
    """One rule as it is: ``ok       http_400: 0/min (threshold 10)``."""
    return f"{snapshot.alarms[reading.key].state:8} {describe(reading)}"


def change_line(change: Change, at: float) -> str:
    """One change: ``2026-11-21T18:00:00Z firing http_400: 12/min (threshold 10)``."""
    recovered = change.before == "firing" and change.alarm.state == "ok"
    return f"{time_text(at)} {'recovered' if recovered else change.alarm.state} {describe(change.reading)}"


def change_object(change: Change, at: float) -> dict[str, Any]:
    """One change, as JSON has it."""
    return {"at": time_text(at), "before": change.before} | _plain(change.reading, change.alarm.state)


def look_object(snapshot: Snapshot, status: int) -> dict[str, Any]:
    """One look, as JSON has it."""
    rules = [_plain(reading, snapshot.alarms[reading.key].state) for reading in snapshot.readings]
    return {
        "at": time_text(snapshot.at),
        "verdict": ("ok", "firing", "no_data")[status],
        "rules": rules,
        "unparsed_lines": dict(snapshot.unparsed),
        "late_events": snapshot.late,
    }


def table(snapshot: Snapshot) -> Table:
    """All rules, for a terminal."""
    from rich.table import Table
    from rich.text import Text

    title = f"eventlive-db watch  {time_text(snapshot.at)}"
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("rule", "state", "value", "threshold", ""):
        shown.add_column(heading, justify="right" if heading in {"value", "threshold"} else "left")
    for reading in snapshot.readings:
        state = snapshot.alarms[reading.key].state
        name = f"{reading.rule} {reading.subject}".strip()
        shown.add_row(
            # As text: square brackets in a name are no markup.
            Text(name),
            Text(state, style=_STYLES[state]),
            "" if reading.value is None or reading.threshold is None else f"{reading.value:.4g}{reading.unit}",
            "" if reading.threshold is None else f"{reading.threshold:.4g}",
            Text(" ".join(reading.detail.split())),
        )
    return shown


def _plain(reading: Reading, state: str) -> dict[str, Any]:
    return {
        "rule": reading.rule,
        "subject": reading.subject,
        "state": state,
        "value": reading.value,
        "threshold": reading.threshold,
        "unit": reading.unit.strip(),
        "detail": reading.detail,
    }
