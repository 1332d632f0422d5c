"""Indexes that fit a statement equally well, so that chance decides which one its plan names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from eventlive_db.plans.capture import Recording
from eventlive_db.plans.case import Case
from eventlive_db.plans.frames import Place
from eventlive_db.plans.measure import execute, measuring, prepare
from eventlive_db.plans.model import Run, Statement
from eventlive_db.plans.verdict import Violation

MARGIN = 0.02
"""Costs this close, as a share of the cheaper one, are a tie."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of a table by an index, somewhere in a call."""

    place: Place
    statement: str
    alias: str
    relation: str
    index: str
    cost: float
    statement_cost: float


@dataclass(frozen=True, slots=True)
class Tie:
    """Two indexes that fit equally well.

    Attributes:
        scan: What the planner took.
        runner_up: The index that it takes when the first one is not there.
        cost: What the scan costs with that one, in the planner's units.
    """

    scan: Scan
    runner_up: str
    cost: float

    def accepted(self, ties: tuple[str, ...]) -> bool:
        """Whether a budget knows of it: it names one of the two, or both as ``one = other``."""
        pair = {self.scan.index, self.runner_up}
        return any({part.strip() for part in tie.split("=")} <= pair for tie in ties)

    def sentence(self) -> str:
        """The tie, told."""
        return (
            f"{self.scan.index} and {self.runner_up} fit {self.scan.relation} equally well"
            f" (cost {self.scan.cost:.2f} and {self.cost:.2f})"
        )

    def violation(self, case: str) -> Violation:
        """The tie as what fails a case."""
        return Violation(
            "guard.tie",
            case,
            f"{self.sentence()}: chance decides which one is used",
            f'make one of them fit better, drop one, or accept it with ties = ["{self.scan.index} = {self.runner_up}"]',
            self.scan.place,
            statement=self.scan.statement,
        )


@contextmanager
def without_index(connection: psycopg.Connection[Any], index: str) -> Iterator[None]:
    """Let the planner do without an index until the block ends; it goes on to enforce and to be kept.

    Args:
        connection: Of a superuser, with no transaction open.
        index: As ``schema.index``.
    """
    with connection.transaction(force_rollback=True):
        connection.execute(
            "update pg_catalog.pg_index set indisvalid = false where indexrelid = %s::pg_catalog.regclass", [index]
        )
        connection.execute("discard plans")
        yield
    connection.execute("discard plans")


def find_ties(dsn: str, case: Case, run: Run, margin: float = MARGIN) -> tuple[Tie, ...]:
    """Plan a measured call again without each index that it used.

    Args:
        dsn: Where it was measured, as a superuser.
        case: The call.
        run: What it did, with generic plans.
        margin: See :data:`MARGIN`.

    Returns:
        The ties, each statement's once.
    """
    ties: dict[tuple[Place, str, str, str], Tie] = {}
    used = dict.fromkeys(scan.index for scan in _scans(run) if scan.index)
    arbiters = {name for s in run.table_statements for node in s.node.walk() for name in node.arbiters}
    with measuring(dsn, "generic") as (connection, recording):
        for index in used:
            if index in arbiters:
                continue  # ON CONFLICT needs it: without it there is no statement to plan
            for before, after in _replanned(connection, recording, case, run, index):
                if after.index and after.index != index and _close(before, after, margin):
                    tie = Tie(before, after.index, after.cost)
                    ties.setdefault((before.place, before.statement, before.index, after.index), tie)
    return tuple(ties.values())


def _replanned(
    connection: psycopg.Connection[Any], recording: Recording, case: Case, run: Run, index: str
) -> Iterator[tuple[Scan, Scan]]:
    schema = _schema_of(connection, run, index)
    if schema is None:
        return
    prepare(connection, case)
    with without_index(connection, f'"{schema}"."{index}"'):
        again = {(s.place, s.statement, s.relation, s.alias): s for s in _scans(execute(connection, recording, case))}
    for scan in _scans(run):
        key = scan.place, scan.statement, scan.relation, scan.alias
        if scan.index == index and key in again:
            yield scan, again[key]


def _close(one: Scan, other: Scan, margin: float) -> bool:
    """Whether neither the scan nor the statement costs much more with one index than with the other."""
    return all(
        abs(a - b) <= min(a, b) * margin
        for a, b in ((one.cost, other.cost), (one.statement_cost, other.statement_cost))
    )


def _schema_of(connection: psycopg.Connection[Any], run: Run, index: str) -> str | None:
    tables = {scan.relation for scan in _scans(run) if scan.index == index}
    row = connection.execute(
        "select n.nspname from pg_catalog.pg_index i"
        " join pg_catalog.pg_class c on c.oid = i.indexrelid"
        " join pg_catalog.pg_class t on t.oid = i.indrelid"
        " join pg_catalog.pg_namespace n on n.oid = t.relnamespace"
        " where c.relname = %s and n.nspname || '.' || t.relname = any (%s)",
        [index, sorted(tables)],
    ).fetchone()
    return row[0] if row else None


def _scans(run: Run) -> Iterator[Scan]:
    for statement in run.table_statements:
        yield from _scans_of(statement, statement.plan["Plan"])


def _scans_of(statement: Statement, node: dict[str, Any]) -> Iterator[Scan]:
    if "Relation Name" in node and node["Node Type"].endswith("Scan"):
        index = node.get("Index Name") or next(
            (child["Index Name"] for child in node.get("Plans", ()) if "Index Name" in child), ""
        )
        yield Scan(
            statement.place,
            statement.text,
            node.get("Alias", ""),
            f"{node['Schema']}.{node['Relation Name']}",
            index,
            float(node["Total Cost"]),
            float(statement.plan["Plan"]["Total Cost"]),
        )
    for child in node.get("Plans", ()):
        yield from _scans_of(statement, child)
