"""Record the statements that run inside a function, with auto_explain.

``EXPLAIN select f()`` shows one ``Result`` node. auto_explain with ``log_nested_statements`` sees each statement of
the function, of the functions it calls, and of foreign key checks, and sends it to the client as a notice of level
LOG. Source: PostgreSQL manual, appendix F, auto_explain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

_SETTINGS = {
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_wal": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_verbose": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "log",
    "client_min_messages": "log",
}


class CaptureUnavailableError(RuntimeError):
    """auto_explain is not installed, or this role may not load it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement that ran, with what it and everything below it cost.

    Attributes:
        query: Its text; empty for the body of a ``begin atomic`` function.
        relations: Tables it read or wrote, as ``schema.table``, each once, in the order of the plan.
        buffers: Shared buffers touched, hit or read.
        wal_records: WAL records written.
        wal_bytes: Bytes of WAL written.
        plan: The plan as auto_explain gives it.
    """

    query: str
    relations: tuple[str, ...]
    buffers: int
    wal_records: int
    wal_bytes: int
    plan: dict[str, Any]


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
    try:
        connection.execute("load 'auto_explain'")
    except psycopg.Error as error:
        msg = (
            f"auto_explain cannot be loaded ({error}). It is part of Postgres' contrib package"
            " (postgresql-contrib); loading it takes a superuser, or session_preload_libraries = auto_explain"
        )
        raise CaptureUnavailableError(msg) from error

    statements: list[Statement] = []

    def receive(notice: psycopg.errors.Diagnostic) -> None:
        text = notice.message_primary or ""
        if notice.severity_nonlocalized == "LOG" and " plan:\n" in text:
            statements.append(_read(json.loads(text.split(" plan:\n", 1)[1])))

    connection.add_notice_handler(receive)
    try:
        with _set(connection, _SETTINGS):
            statements.clear()
            yield statements
    finally:
        connection.remove_notice_handler(receive)


@contextmanager
def _set(connection: psycopg.Connection[Any], settings: dict[str, str]) -> Iterator[None]:
    for name, value in settings.items():
        connection.execute(sql.SQL("set {} = {}").format(sql.SQL(name), sql.Literal(value)))
    try:
        yield
    finally:
        # A connection that the block left broken or in a failed transaction is its owner's to mend.
        if connection.info.transaction_status in (TransactionStatus.IDLE, TransactionStatus.INTRANS):
            for name in reversed(settings):
                connection.execute(sql.SQL("reset {}").format(sql.SQL(name)))


def _read(entry: dict[str, Any]) -> Statement:
    plan = entry["Plan"]
    return Statement(
        query=entry.get("Query Text", ""),
        relations=tuple(dict.fromkeys(_relations(plan))),
        buffers=plan.get("Shared Hit Blocks", 0) + plan.get("Shared Read Blocks", 0),
        wal_records=plan.get("WAL Records", 0),
        wal_bytes=plan.get("WAL Bytes", 0),
        plan=plan,
    )


def _relations(node: dict[str, Any]) -> Iterator[str]:
    if "Relation Name" in node:
        yield f"{node['Schema']}.{node['Relation Name']}"
    for child in node.get("Plans", ()):
        yield from _relations(child)
