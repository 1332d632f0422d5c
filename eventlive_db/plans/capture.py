"""Record the statements that run inside a function, with auto_explain.

``EXPLAIN select f()`` shows one ``Result`` node. auto_explain with ``log_nested_statements`` sees each statement of
the function, of the functions it calls, of triggers and of foreign key checks, and sends it to the client as a notice
of level LOG, together with the call stack. Source: PostgreSQL manual, appendix F, auto_explain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from eventlive_db.plans.errors import CaptureUnavailableError
from eventlive_db.plans.frames import Frame, Place, parse_context, place_of
from eventlive_db.plans.model import Statement
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

QUIET = "error"
"""``client_min_messages`` between recordings."""

RECORDING = "debug5"
"""``client_min_messages`` while recording: plans, and the beginning and end of subtransactions."""


@dataclass(slots=True)
class Recording:
    """What the server said while a call ran; filled as it runs.

    Attributes:
        statements: What ended, children before parents.
        subtransactions: Where one was begun.
        aborted: Where one was rolled back.
        after_triggers: Names of the functions that AFTER triggers call.
    """

    statements: list[Statement] = field(default_factory=list)
    subtransactions: list[Place] = field(default_factory=list)
    aborted: list[Place] = field(default_factory=list)
    after_triggers: frozenset[str] = frozenset()

    def clear(self) -> None:
        """Forget everything."""
        for items in (self.statements, self.subtransactions, self.aborted):
            items.clear()

    def receive(self, notice: psycopg.errors.Diagnostic) -> None:
        """Take a message of the server."""
        text = notice.message_primary or ""
        if notice.severity_nonlocalized == "LOG" and " plan:\n" in text:
            frames = parse_context(notice.context)
            self._end(_read(json.loads(text.split(" plan:\n", 1)[1]), frames))
        # The block's own level is (1); PL/pgSQL begins, ends and aborts one at a time.
        elif text.startswith("StartSubTransaction(1) "):
            self.subtransactions.append(place_of(parse_context(notice.context)))
        elif text.startswith("AbortSubTransaction(1) "):
            self.aborted.append(place_of(parse_context(notice.context)))

    def _end(self, statement: Statement) -> None:
        """A statement ended; those before it whose call stack ends with its own ran inside it."""
        own = statement.frames
        total, alone = _figures(statement), _figures(statement)
        for index in range(len(self.statements) - 1, -1, -1):
            child = self.statements[index]
            between = len(child.frames) - len(own)
            if between <= 0 or child.frames[between:] != own:
                break
            if child.depth == 0:  # directly below; what is deeper is part of its figures
                if self._fired_after(child.frames[between - 1]):
                    total = _plus(total, _figures(child), 1)
                else:
                    alone = _plus(alone, _figures(child), -1)
            self.statements[index] = replace(child, depth=child.depth + 1)
        buffers, temp_blocks, records, size, fpi = total
        self.statements.append(
            replace(
                statement,
                buffers=buffers,
                temp_blocks=temp_blocks,
                wal_records=records,
                wal_bytes=size,
                wal_fpi=fpi,
                own_buffers=alone[0],
                own_wal_records=alone[2],
                own_wal_bytes=alone[3],
            )
        )

    def _fired_after(self, frame: Frame) -> bool:
        """Whether what that frame ran is the work of an AFTER trigger, which no node of the plan above counts.

        A foreign key check hangs below its statement without a function in between.
        """
        return frame.kind == "statement" or frame.name.partition("(")[0].rpartition(".")[2] in self.after_triggers


def _figures(statement: Statement) -> tuple[int, int, int, int, int]:
    return (
        statement.buffers,
        statement.temp_blocks,
        statement.wal_records,
        statement.wal_bytes,
        statement.wal_fpi,
    )


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
    recording = Recording(after_triggers=frozenset(name for (name,) in triggers))
    connection.add_notice_handler(recording.receive)
    try:
        yield recording
    finally:
        connection.remove_notice_handler(recording.receive)


@contextmanager
def capture(connection: psycopg.Connection[Any]) -> Iterator[list[Statement]]:
    """Collect every statement that the connection runs inside the block, children before parents.

    Set the role before or inside the block: recording goes on under it, and it cannot switch it off.

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
    figures = _node_figures(plan)
    for unread in _unread_writes(plan):
        figures = _plus(figures, _node_figures(unread), 1)
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


def _unread_writes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Writes in WITH that nothing reads: they run after the top node has ended, and it does not count them."""
    nodes = list(_walk(plan))
    read = {f"CTE {node['CTE Name']}" for node in nodes if "CTE Name" in node}
    for node in nodes:
        name = node.get("Subplan Name", "")
        if node["Node Type"] == "ModifyTable" and name.startswith("CTE ") and name not in read:
            yield node


def _walk(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _walk(child)
