"""Statements and their results as one exchange with the server: all is sent, then all is read. No waiting is done here.

This is libpq's pipeline mode (Postgres manual, "Pipeline Mode") driven directly. psycopg's own pipeline, made for any
statements, ends with a Flush behind its Sync: where that reaches a pooler in transaction mode after the answer, the
pooler keeps the server connection for this client until it sends something again, and everybody else waits.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import OperationalError, errors
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, PipelineStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

_JSON = frozenset({114, 3802})
_VOID = 2278


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with ``$1`` for the first of its values, each in its text form; ``None`` is NULL."""

    query: bytes
    values: Sequence[bytes | None] = ()


class OutOfTimeError(OperationalError):
    """The answer did not come in time; what was sent may have been done."""


def exchange(
    connection: PGconn, statements: Sequence[Statement], deadline: float | None = None
) -> Generator[Wait, Ready | int, list[PGresult]]:
    """Send the statements and read their results, in one round trip; for ``Connection.wait``.

    Args:
        connection: Idle, or in a transaction, and not in pipeline mode.
        statements: What to send. After one that fails the server skips the others.
        deadline: The time of ``time.monotonic`` after which nobody waits any more; ``None`` for as long as it takes.

    Returns:
        A result for each statement.

    Raises:
        psycopg.OperationalError: The connection is lost, or (:class:`OutOfTimeError`) the time is over.
    """
    connection.enter_pipeline_mode()
    for statement in statements:
        connection.send_query_params(statement.query, list(statement.values))
    connection.pipeline_sync()
    while connection.flush():
        # Nothing is ready where the wait was only interrupted.
        if (ready := (yield Wait.RW)) and ready & Ready.R:
            connection.consume_input()
        _require_time(deadline)
    results: list[PGresult] = []
    while True:
        while connection.is_busy():
            if (yield Wait.R):
                connection.consume_input()
            _require_time(deadline)
        result = connection.get_result()
        if result is not None:
            if result.status == ExecStatus.PIPELINE_SYNC:
                break
            results.append(result)
        elif connection.status == ConnStatus.BAD:
            # What the server said before it went is in the results; where it said nothing, libpq is.
            require_success(results)
            raise OperationalError(connection.get_error_message())
    connection.exit_pipeline_mode()
    hand_on_notifies(connection)
    return results


def _require_time(deadline: float | None) -> None:
    if deadline is not None and time.monotonic() > deadline:
        msg = "no answer in time"
        raise OutOfTimeError(msg)


def hand_on_notifies(connection: PGconn) -> None:
    """Give what came by NOTIFY to psycopg, as psycopg does after each of its own statements."""
    while notify := connection.notifies():
        if connection.notify_handler is not None:
            connection.notify_handler(notify)


def encoding_of(name: str) -> str:
    """The codec for a connection's encoding; SQL_ASCII takes any bytes, and is given UTF-8."""
    return "utf-8" if name == "ascii" else name


def is_in_pipeline(connection: PGconn) -> bool:
    """Whether somebody else's pipeline is open on the connection."""
    return connection.pipeline_status != PipelineStatus.OFF


def require_success(results: Sequence[PGresult], encoding: str = "utf-8") -> None:
    """Raise the error of the statement that failed, if one did.

    Raises:
        psycopg.Error: What the server said, or libpq where the connection was lost.
    """
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            if result.error_field(DiagnosticField.SQLSTATE) is None:
                raise OperationalError(result.get_error_message(encoding_of(encoding)))
            raise errors.error_from_result(result, encoding_of(encoding))


def value_of(result: PGresult, encoding: str) -> Any:
    """The one value of a result: JSON as Python has it, void as ``None``, anything else as text."""
    kind, value = result.ftype(0), result.get_value(0, 0)
    if value is None or kind == _VOID:
        return None
    text = value.decode(encoding_of(encoding))
    return json.loads(text) if kind in _JSON else text
