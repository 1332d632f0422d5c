"""What the results file of a scenario says; its form is told in ``eventlive_db/load/scenarios/outcome.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.figures.markdown import bullets, mark_cells, measured_on, paragraphs, table, wrapped


def show_scenario(outcome: Mapping[str, Any]) -> str:
    """Its pass marks, and what they were taken from."""
    rows = [[mark["name"], *mark_cells(mark), mark["source"], mark["note"]] for mark in outcome["marks"]]
    options = ", ".join(f"{name} {value}" for name, value in outcome["options"].items())
    return paragraphs(
        wrapped(outcome["summary"]),
        wrapped(f"Options: {options}." if options else ""),
        measured_on(outcome["machine"], outcome["at"]),
        table(["pass mark", "found", "wanted", "", "how", "note"], rows),
        bullets(outcome["notes"]),
    )
