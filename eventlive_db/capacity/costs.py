"""What one call costs, as it was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class CallCost:
    """One call.

    Attributes:
        requests: To the database, each a transaction.
        statements: That touch a table, foreign key checks included.
        wal_bytes: Write-ahead log.
        milliseconds: Of one connection, on the machine that it was measured on.
    """

    requests: int
    statements: int
    wal_bytes: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Costs:
    """All of them.

    Attributes:
        at: Day of the measurement.
        machine: What it was measured on.
        settings: Numbers and switches as shipped, by key.
        calls: By function.
        incumbent: ``ping`` and ``track`` of the design that this package replaces.
    """

    at: str
    machine: Mapping[str, str]
    settings: Mapping[str, float | bool]
    calls: Mapping[str, CallCost]
    incumbent: Mapping[str, CallCost]

    @classmethod
    def read(cls, measured: Mapping[str, Any]) -> Costs:
        """Costs from what ``load.costs.measure_costs`` returned."""
        return cls(
            measured["at"],
            measured["machine"],
            measured["settings"],
            {name: CallCost(**cost) for name, cost in measured["calls"].items()},
            {name: CallCost(**cost) for name, cost in measured["incumbent"].items()},
        )


def shipped_costs() -> Costs:
    """Those that were measured for this version of the package."""
    return Costs.read(json.loads((files(__package__) / "costs.json").read_text("utf-8")))
