"""What results files are made of: marks, which say what had to be so, and plots. The report draws them from any file.

In a file they are::

    {"name", "wanted", "found", "passed", "source": "measured" or "sampled" or "computed", "note": text or null}

    {"title", "unit", "log", "limit": number or null, "t": [seconds since the beginning],
     "lines": [{"name", "values": [one for each t, null where there is none]}],
     "events": [{"t": seconds since the beginning, "text"}]}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MEASURED, SAMPLED, COMPUTED = "measured", "sampled", "computed"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that has to be so.

    Attributes:
        name: What was looked at.
        wanted: What it has to be, in words.
        found: What it is, in words.
        passed: Whether that will do.
        source: ``measured``; ``sampled``, of a part of the audience and multiplied; or ``computed``.
        note: What else there is to say.
    """

    name: str
    wanted: str
    found: str
    passed: bool
    source: str = MEASURED
    note: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plot:
    """Something over time.

    Attributes:
        title: What it shows.
        unit: Of the values.
        t: Seconds since the beginning.
        lines: By name, a value for each of them; None where there is none.
        limit: What the values should keep to, where there is such a thing.
        log: Whether the values are better seen on a logarithmic scale.
        events: What happened meanwhile, and when, where that is not told beside the plots.
    """

    title: str
    unit: str
    t: Sequence[float]
    lines: Mapping[str, Sequence[float | None]]
    limit: float | None = None
    log: bool = False
    events: Sequence[tuple[float, str]] = ()

    def as_json(self) -> dict[str, Any]:
        """For a file: times to the millisecond, values to four places."""
        return {
            "title": self.title,
            "unit": self.unit,
            "log": self.log,
            "limit": self.limit,
            "t": [round(at, 3) for at in self.t],
            "lines": [
                {"name": name, "values": [None if value is None else round(value, 4) for value in values]}
                for name, values in self.lines.items()
            ],
            "events": events_as_json(self.events),
        }


def events_as_json(events: Iterable[tuple[float, str]]) -> list[dict[str, Any]]:
    """What happened, and when in seconds since the beginning, for a file."""
    return [{"t": round(at, 3), "text": text} for at, text in events]


def missed(marks: Iterable[Mark]) -> list[str]:
    """The marks that were not passed, in words."""
    return [f"{mark.name}: {mark.found}, not {mark.wanted}" for mark in marks if not mark.passed]
