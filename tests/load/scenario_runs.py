"""Short runs of the scenarios for tests: what they find is asserted, and not how fast it was."""

from __future__ import annotations

import pytest

from eventlive_db.load.scenarios import POSTGREST, PSYCOPG, Outcome, Plan
from eventlive_db.migrate import Options, upgrade
from tests.support import http_parts


def install(dsn: str) -> None:
    """The schema, in the database of a DSN."""
    upgrade(Options(dsn=dsn))


def plan(kind: str, *, http: bool = False, **changes: object) -> Plan:
    """A plan for a few viewers and a minute of the scenario a second.

    Args:
        kind: Of the Postgres that the tests run on; one of its own is started.
        http: Whether half of the viewers come through PostgREST; the test is skipped where there is none.
        changes: Of the plan.
    """
    if kind not in {"installed", "embedded"}:
        pytest.skip("needs a server of its own: --pg-kind embedded or installed")
    usual: dict[str, object] = {"viewers": 30, "minutes": 3, "speed": 60, "history": 20_000}
    usual |= {"connections": 4, "margin_s": 60}
    if http:
        try:
            usual |= {"ways": (POSTGREST, PSYCOPG), "postgrest": http_parts.postgrest()}
        except http_parts.MissingPartError as missing:
            pytest.skip(str(missing))
    else:
        usual["ways"] = (PSYCOPG,)
    return Plan(kind=kind, **(usual | changes))  # type: ignore[arg-type]


def failed(outcome: Outcome) -> list[str]:
    """The marks that were missed, those of speed left out: a test machine may be as slow as it likes."""
    return [
        mark.name
        for mark in outcome.marks
        if not mark.passed and "percentile" not in mark.name and not mark.name.startswith("requests of")
    ]
