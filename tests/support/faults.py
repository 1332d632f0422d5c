"""Faults put into the schema of a test's own database, to show that a check sees them."""

from __future__ import annotations

from tests.support.database import EventliveDatabase


def break_function(db: EventliveDatabase, name: str, old: str, new: str) -> None:
    """Replace a part of the body of a function of the schema ``eventlive``."""
    definition = db.value("select pg_get_functiondef(%s::regproc)", f"eventlive.{name}")
    assert old in definition, f"eventlive.{name} has no {old!r} to break"
    db.admin.execute(definition.replace(old, new).encode())
