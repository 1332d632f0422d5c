"""Make a call and measure it: what ran, what it locked, what it burned.

Every measured call is rolled back, so that the next one finds what this one found. Source of the counters: PostgreSQL
manual, "The Cumulative Statistics System", pg_locks, and "System Information Functions" (snapshots).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import generators, sql

from eventlive_db.plans.budget import stronger
from eventlive_db.plans.capture import QUIET, RECORDING, Recording, enable, recorded
from eventlive_db.plans.case import Case
from eventlive_db.plans.errors import CallFailedError
from eventlive_db.plans.functions import called_functions, function_counts, silences
from eventlive_db.plans.model import MODES, PlanMode, Run, Updates
from eventlive_db.plans.unseen import activity, open_cursors, unseen_tables

MEASURED = 3
"""Calls that are measured in each plan mode; two of them have to agree."""

_LOCKS: LiteralString = """
    select case l.locktype when 'advisory' then 'advisory' else n.nspname || '.' || c.relname end, l.mode,
           l.classid, l.objid, l.objsubid
      from pg_catalog.pg_locks l
      left join pg_catalog.pg_class c on c.oid = l.relation
      left join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where l.pid = pg_catalog.pg_backend_pid()
       and l.granted
       and (l.locktype = 'advisory'
            or (l.locktype = 'relation' and c.relkind in ('r', 'p', 'm', 'f')
                and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
                and n.nspname not like 'pg\\_temp\\_%'))
"""

_SEQUENCES: LiteralString = """
    select n.nspname || '.' || c.relname,
           coalesce((pg_catalog.pg_sequence_last_value(s.seqrelid) - s.seqstart) / s.seqincrement + 1, 0)
      from pg_catalog.pg_sequence s
      join pg_catalog.pg_class c on c.oid = s.seqrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
"""

_XMAX: LiteralString = "select pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint"

# A utility command, which auto_explain does not report.
_LEVEL: LiteralString = "show client_min_messages"

_ASSIGNED: LiteralString = "select pg_catalog.pg_current_xact_id_if_assigned() is not null"

_UPDATES: LiteralString = """
    select schemaname || '.' || relname, n_tup_upd, n_tup_hot_upd from pg_catalog.pg_stat_user_tables
     where n_tup_upd > 0
"""


@contextmanager
def measuring(dsn: str, mode: PlanMode) -> Iterator[tuple[psycopg.Connection[Any], Recording]]:
    """A connection of its own that records, with plans that do not depend on the machine.

    Args:
        dsn: Connection string of a superuser, or of a role that may load auto_explain.
        mode: ``generic`` plans know no parameter's value, ``custom`` ones are made for it.

    Raises:
        CaptureUnavailableError: auto_explain cannot be loaded.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.prepare_threshold = None
        enable(connection)
        for name, value in {
            "plan_cache_mode": f"force_{mode}_plan",
            "jit": "off",
            "max_parallel_workers_per_gather": "0",
        }.items():
            connection.execute(sql.SQL("set {} = {}").format(sql.SQL(name), sql.Literal(value)))
        with recorded(connection) as recording:
            yield connection, recording


def prepare(connection: psycopg.Connection[Any], case: Case) -> None:
    """Run what comes before a call.

    Raises:
        CallFailedError: It failed.
    """
    if not case.before:
        return
    try:
        connection.execute(case.before.encode())
    except psycopg.Error as error:
        msg = f"case {case.name!r}: what comes before the call failed: {str(error).strip()}"
        raise CallFailedError(msg) from error


def become(connection: psycopg.Connection[Any], case: Case) -> None:
    """Make the open transaction the caller's.

    Raises:
        CallFailedError: There is no such role, or a setting cannot be set.
    """
    try:
        for name, value in case.identity().items():
            connection.execute("select pg_catalog.set_config(%s, %s, true)", [name, value])
    except psycopg.Error as error:
        msg = f"case {case.name!r}: {name} cannot be set: {str(error).strip()}"
        raise CallFailedError(msg) from error


def execute(connection: psycopg.Connection[Any], recording: Recording, case: Case) -> Run:
    """Make the call once, measure it and roll it back.

    Args:
        connection: From :func:`measuring`. Inside a transaction, a savepoint takes the place of a transaction, and
            transaction ids are not counted.
        recording: From :func:`measuring`.
        case: The call.

    Raises:
        CallFailedError: It failed.
    """
    alone = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    xmax = _value(connection, _XMAX)
    with connection.transaction(force_rollback=True):
        locks_before = connection.execute(_LOCKS).fetchall()
        sequences = _counts(connection, _SEQUENCES)
        functions = function_counts(connection)
        tables = activity(connection)
        become(connection, case)
        recording.clear()
        unseen = _call(connection, case)
        statements = tuple(recording.statements)
        begun, aborted = tuple(recording.subtransactions), tuple(recording.aborted)
        unseen += (*recording.unreadable, *open_cursors(connection))
        locks = _strongest(set(connection.execute(_LOCKS)) - set(locks_before))
        untold = tuple(unseen_tables(tables, activity(connection), statements, locks))
        sequences_taken = _difference(sequences, _counts(connection, _SEQUENCES))
        called = called_functions(connection, functions, RECORDING)
        assigned = _value(connection, _ASSIGNED)
    # Those of the session outlive the rollback, and the next call would take them for what comes before it.
    connection.execute("select pg_catalog.pg_advisory_unlock_all()")
    return Run(
        statements=statements,
        locks=locks,
        # The server's counter also moves by what others do; a transaction without an id of its own moved nothing.
        xids=None if not alone else _value(connection, _XMAX) - xmax if assigned else 0,
        sequences=sequences_taken,
        subtransactions=begun,
        aborted=aborted,
        function_calls=called.counts,
        unseen=(*unseen, *called.silent),
        untold=untold,
    )


def _call(connection: psycopg.Connection[Any], case: Case) -> tuple[str, ...]:
    """Make the call; what kept the server from telling, a sentence each."""
    try:
        connection.execute(f"set local client_min_messages = {RECORDING}".encode())
        send(connection, case)
        level = _value(connection, _LEVEL)
        # What would run at commit belongs to the call.
        connection.execute("set constraints all immediate")
        connection.execute(f"set local client_min_messages = {QUIET}".encode())
        # What is asked next is not the caller's.
        connection.execute("set local role none")
        connection.execute("set local statement_timeout = 0")
    # psycopg's TypeError: the parameters do not fit the placeholders.
    except (psycopg.Error, TypeError) as error:
        msg = f"case {case.name!r}: the call failed: {str(error).strip()}"
        raise CallFailedError(msg) from error
    if level != RECORDING:
        return (f"the call sets client_min_messages to {level}: what it runs is not told",)
    if silences(case.call):
        return ("the call sets client_min_messages or auto_explain: what it runs is not told",)
    return ()


def send(connection: psycopg.Connection[Any], case: Case) -> None:
    """Send the call in the transaction that is open.

    Raises:
        psycopg.Error: It failed, or is more than one statement.
        CallFailedError: It ended the transaction.
    """
    if case.parameters:
        connection.execute(case.call.encode(), case.parameters)
    else:
        # By the extended protocol, which takes one statement: a COMMIT behind the call would keep what is to be rolled
        # back. psycopg itself takes the simple one where there are no parameters. Waited for as psycopg does, for a
        # signal to interrupt it.
        connection.pgconn.send_query_params(case.call.encode(), None)
        result = connection.wait(generators.execute(connection.pgconn))[-1]
        if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
            raise psycopg.errors.error_from_result(result, encoding=connection.info.encoding)
        if result.status not in {psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.COMMAND_OK}:
            connection.close()
            status = psycopg.pq.ExecStatus(result.status)
            if status == psycopg.pq.ExecStatus.EMPTY_QUERY:
                msg = f"case {case.name!r}: the call is empty"
                raise CallFailedError(msg, "Write one statement")
            msg = f"case {case.name!r}: {status.name} is no result that can be measured"
            raise CallFailedError(msg, "COPY cannot be measured; measure the query in it")
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
        msg = f"case {case.name!r}: the call ended the transaction in which it is measured"
        raise CallFailedError(msg, "Measure the function that it calls, without COMMIT or ROLLBACK")


def measure_run(dsn: str, case: Case, mode: PlanMode) -> tuple[Run, ...]:
    """Warm up on a new connection, then measure.

    Args:
        dsn: As for :func:`measuring`.
        case: The call.
        mode: The plan mode.

    Returns:
        :data:`MEASURED` runs.
    """
    with measuring(dsn, mode) as (connection, recording):
        return repeat(connection, recording, case)


def repeat(connection: psycopg.Connection[Any], recording: Recording, case: Case) -> tuple[Run, ...]:
    """The warm-ups, which are thrown away, then :data:`MEASURED` runs on an open connection."""
    runs = []
    for _ in range(case.warmups + MEASURED):
        prepare(connection, case)
        runs.append(execute(connection, recording, case))
    return tuple(runs[case.warmups :])


def measure_both(dsn: str, case: Case) -> dict[PlanMode, tuple[Run, ...]]:
    """Measure in both plan modes."""
    return {mode: measure_run(dsn, case, mode) for mode in MODES}


def measure_updates(dsn: str, case: Case) -> dict[str, Updates]:
    """Make the call repeatedly, each time committed, and count updates and heap-only ones by table.

    What comes before a call updates tables too, and is not counted.

    Args:
        dsn: Of a database in which the calls may stay.
        case: The call; ``case.repeat`` says how often.

    Returns:
        Updates for each table (``schema.table``) that the call updated.
    """
    total: Counter[str] = Counter()
    hot: Counter[str] = Counter()
    with psycopg.connect(dsn, autocommit=True) as connection:
        for _ in range(case.repeat):
            prepare(connection, case)
            before = _updates(connection)
            with connection.transaction():
                become(connection, case)
                try:
                    send(connection, case)
                except psycopg.Error as error:
                    msg = f"case {case.name!r}: the call failed when repeated: {str(error).strip()}"
                    raise CallFailedError(msg) from error
            for table, (updates, heap_only) in _updates(connection).items():
                total[table] += updates - before.get(table, (0, 0))[0]
                hot[table] += heap_only - before.get(table, (0, 0))[1]
    return {table: Updates(count, hot[table]) for table, count in sorted(total.items()) if count}


def _updates(connection: psycopg.Connection[Any]) -> dict[str, tuple[int, int]]:
    connection.execute("select pg_catalog.pg_stat_force_next_flush()")
    return {table: (updates, hot) for table, updates, hot in connection.execute(_UPDATES)}


def _value(connection: psycopg.Connection[Any], query: LiteralString) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _counts(connection: psycopg.Connection[Any], query: LiteralString) -> dict[str, int]:
    return {name: int(count) for name, count in connection.execute(query)}


def _difference(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {name: n - before.get(name, 0) for name, n in sorted(after.items()) if n != before.get(name, 0)}


def _strongest(locks: set[tuple[Any, ...]]) -> dict[str, str]:
    held: dict[str, str] = {}
    for name, lock, *_ in sorted(locks):
        mode = lock.removesuffix("Lock")
        if name not in held or stronger(mode, held[name]):
            held[name] = mode
    return held
