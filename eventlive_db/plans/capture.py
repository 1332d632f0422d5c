"""Record the statements that run inside a function, with auto_explain.

``EXPLAIN select f()`` shows one ``Result`` node. auto_explain with ``log_nested_statements`` sees each statement of
the function, of the functions it calls, of triggers and of foreign key checks, and sends it to the client as a notice
of level LOG, together with the call stack. Source: PostgreSQL manual, appendix F, auto_explain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from eventlive_db.plans.errors import CaptureUnavailableError
from eventlive_db.plans.frames import Frame, Place, parse_context, place_of
from eventlive_db.plans.model import Statement
from eventlive_db.plans.nesting import Nest
from eventlive_db.plans.nodes import read_node

_SETTINGS = {
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_wal": "on",
    "auto_explain.log_triggers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_verbose": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "log",
    "auto_explain.sample_rate": "1",
}

# Neither BEFORE (2) nor INSTEAD OF (64).
_AFTER_TRIGGERS = """
    select distinct p.proname
      from pg_catalog.pg_trigger t
      join pg_catalog.pg_proc p on p.oid = t.tgfoid
     where t.tgtype & 66 = 0 and not t.tgisinternal
"""

# What a statement can leave unfinished: sets that are read row by row.
_SQL_FUNCTIONS = """
    select p.proname, p.prosrc
      from pg_catalog.pg_proc p
      join pg_catalog.pg_language l on l.oid = p.prolang
     where l.lanname = 'sql' and p.proretset and p.prosqlbody is null and p.pronamespace <> 'pg_catalog'::regnamespace
"""

_PLAN = re.compile(r"duration: [\d.]+ ms  plan:\n")

# Of a MERGE into several partitions the server writes these counts into the list of tables, which is no JSON.
_MERGED = re.compile(r',\s*"Tuples (?:Inserted|Updated|Deleted|Skipped)": \d+(?:\.\d+)?(?=\s*[,\]])')

QUIET = "error"
"""``client_min_messages`` between recordings."""

RECORDING = "debug5"
"""``client_min_messages`` while recording: plans, and the beginning and end of subtransactions."""


@dataclass(slots=True)
class Recording:
    """What the server said while a call ran; filled as it runs.

    Attributes:
        nest: What ended, and what ran inside what.
        subtransactions: Where one was begun.
        aborted: Where one was rolled back.
        unreadable: A sentence for each plan that cannot be read.
    """

    nest: Nest = field(default_factory=Nest)
    subtransactions: list[Place] = field(default_factory=list)
    aborted: list[Place] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def statements(self) -> list[Statement]:
        """What ended, children directly before parents; the list that fills."""
        return self.nest.statements

    def clear(self) -> None:
        """Forget everything."""
        self.nest.clear()
        self.subtransactions.clear()
        self.aborted.clear()
        self.unreadable.clear()

    def receive(self, notice: psycopg.errors.Diagnostic) -> None:
        """Take a message of the server."""
        text = notice.message_primary or ""
        if notice.severity_nonlocalized == "LOG" and (found := _PLAN.match(text)):
            frames = parse_context(notice.context)
            try:
                plan = json.loads(_MERGED.sub("", text[found.end() :]))
            except json.JSONDecodeError as error:
                # An error in a notice handler would end nothing.
                self.unreadable.append(
                    f"a plan that the server sent cannot be read ({error}): {' '.join(text.split())[:200]}"
                )
                return
            self.nest.end(_read(plan, frames))
        # The block's own level is (1); PL/pgSQL begins, ends and aborts one at a time.
        elif text.startswith("StartSubTransaction(1) "):
            self.subtransactions.append(place_of(parse_context(notice.context)))
        elif text.startswith("AbortSubTransaction(1) "):
            self.aborted.append(place_of(parse_context(notice.context)))


def _plus(one: tuple[int, ...], other: tuple[int, ...], sign: int) -> tuple[int, int, int, int, int]:
    a, b, c, d, e = (x + sign * y for x, y in zip(one, other, strict=True))
    return a, b, c, d, e


def enable(connection: psycopg.Connection[Any]) -> None:
    """Switch auto_explain on for the session, with messages still quiet.

    Args:
        connection: Of a superuser, or of a role that may load auto_explain and set its settings.

    Raises:
        CaptureUnavailableError: It cannot be loaded or set.
    """
    try:
        connection.execute("load 'auto_explain'")
        for name, value in {**_SETTINGS, "track_functions": "all", "lc_messages": "C"}.items():
            connection.execute(sql.SQL("set {} = {}").format(sql.SQL(name), sql.Literal(value)))
    except psycopg.Error as error:
        msg = f"auto_explain cannot be loaded ({str(error).strip()})"
        advice = (
            "It is part of Postgres' contrib package (Debian: postgresql-contrib, in the official images included);"
            " loading and setting it takes a superuser, or session_preload_libraries = auto_explain and a role that"
            " was granted SET on its settings"
        )
        raise CaptureUnavailableError(msg, advice) from error
    connection.execute(sql.SQL("set client_min_messages = {}").format(sql.Literal(QUIET)))


@contextmanager
def recorded(connection: psycopg.Connection[Any]) -> Iterator[Recording]:
    """Receive what an enabled connection reports; switch ``client_min_messages`` to :data:`RECORDING` to let it."""
    triggers = connection.execute(_AFTER_TRIGGERS).fetchall()
    bodies = connection.execute(_SQL_FUNCTIONS).fetchall()
    recording = Recording(Nest(frozenset(name for (name,) in triggers), {body.strip(): name for name, body in bodies}))
    connection.add_notice_handler(recording.receive)
    try:
        yield recording
    finally:
        connection.remove_notice_handler(recording.receive)


@contextmanager
def capture(connection: psycopg.Connection[Any]) -> Iterator[list[Statement]]:
    """Collect every statement that the connection runs inside the block, children before parents.

    Set the role before or inside the block: recording goes on under it. What it runs goes untold where it lowers
    ``client_min_messages``; the measurements of this package see that by other counters (``unseen``).

    Args:
        connection: Of a superuser, or of a role that may load auto_explain and set its settings.

    Yields:
        A list that fills as statements end. A statement that fails is not in it.

    Raises:
        CaptureUnavailableError: auto_explain cannot be loaded.
    """
    enable(connection)
    with recorded(connection) as recording:
        connection.execute("set client_min_messages = log")
        recording.clear()
        try:
            yield recording.statements
        finally:
            # A connection that the block left broken or in a failed transaction is its owner's to mend.
            if connection.info.transaction_status in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
                for name in ("client_min_messages", "track_functions", "lc_messages", *_SETTINGS):
                    connection.execute(sql.SQL("reset {}").format(sql.SQL(name)))


def _read(entry: dict[str, Any], frames: tuple[Frame, ...]) -> Statement:
    plan = entry["Plan"]
    figures = _plus(_node_figures(plan), _after_the_end(plan), 1)
    buffers, temp_blocks, records, size, images = figures
    return Statement(
        query=entry.get("Query Text", ""),
        frames=frames,
        node=read_node(plan),
        plan=entry,
        buffers=buffers,
        temp_blocks=temp_blocks,
        wal_records=records,
        wal_bytes=size,
        wal_fpi=images,
        triggers={t["Trigger Name"]: int(t.get("Calls", 0)) for t in entry.get("Triggers", ())},
    )


def _node_figures(plan: dict[str, Any]) -> tuple[int, int, int, int, int]:
    return (
        plan.get("Shared Hit Blocks", 0) + plan.get("Shared Read Blocks", 0),
        plan.get("Temp Read Blocks", 0) + plan.get("Temp Written Blocks", 0),
        plan.get("WAL Records", 0),
        plan.get("WAL Bytes", 0),
        plan.get("WAL FPI", 0),
    )


def _after_the_end(plan: dict[str, Any]) -> tuple[int, ...]:
    """What writes in WITH do after the top node has ended, which it does not count: rows that nothing has read."""
    nodes = list(_walk(plan))
    total: tuple[int, ...] = (0,) * len(_node_figures(plan))
    for node in nodes:
        name = node.get("Subplan Name", "").removeprefix("CTE ")
        if node["Node Type"] == "ModifyTable" and name != node.get("Subplan Name", ""):
            rest: tuple[int, ...] = _node_figures(node)
            for scan in nodes:
                if scan.get("CTE Name") == name:
                    rest = _plus(rest, _node_figures(scan), -1)
            total = _plus(total, tuple(max(0, figure) for figure in rest), 1)
    return total


def _walk(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _walk(child)
