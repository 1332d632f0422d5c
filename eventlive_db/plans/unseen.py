"""What a recording missed, told by counters that no call can silence.

auto_explain reports a statement when it ends, to a client that wants to hear it. A call that lowers
``client_min_messages``, leaves a cursor open, fails inside an exception block or uses COPY does work that is not
reported. The server's own counters of the transaction show the tables all the same. Source: PostgreSQL manual, "The
Cumulative Statistics System", pg_stat_xact_user_tables, and pg_cursors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from eventlive_db.plans.model import Statement

_TABLES: LiteralString = """
    select schemaname || '.' || relname,
           coalesce(seq_scan, 0) + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del,
           array(
               select n.nspname || '.' || c.relname
                 from pg_catalog.pg_partition_ancestors(relid) a
                 join pg_catalog.pg_class c on c.oid = a.relid
                 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
           )
      from pg_catalog.pg_stat_xact_user_tables
     where schemaname not like 'pg\\_temp\\_%'
"""

_CURSORS: LiteralString = "select name, statement from pg_catalog.pg_cursors where name <> '' order by creation_time"

# Of commands without a plan, such as TRUNCATE, REFRESH and CREATE INDEX, which read and write the table themselves.
_UTILITY = frozenset({"ShareUpdateExclusive", "Share", "ShareRowExclusive", "Exclusive", "AccessExclusive"})


@dataclass(frozen=True, slots=True)
class Activity:
    """What the transaction has done to tables so far.

    Attributes:
        counts: Scans and rows written, by table.
        ancestors: The partitioned tables above a partition; a row finds its partition without a plan that names it.
    """

    counts: Mapping[str, int]
    ancestors: Mapping[str, frozenset[str]]


def activity(connection: psycopg.Connection[Any]) -> Activity:
    """Read the transaction's counters."""
    rows = connection.execute(_TABLES).fetchall()
    return Activity(
        counts={name: int(n) for name, n, _ in rows},
        ancestors={name: frozenset(above) for name, _, above in rows},
    )


def open_cursors(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """A sentence for each cursor that is open."""
    return tuple(
        f"the cursor {name} is left open, and what it reads is not told: {' '.join(statement.split())}"
        for name, statement in connection.execute(_CURSORS)
    )


def unseen_tables(
    before: Activity, after: Activity, statements: Iterable[Statement], locks: Mapping[str, str]
) -> Iterator[str]:
    """A sentence for each table that something used of which nothing was recorded.

    Not by the number of scans: the server counts one when a node begins again, EXPLAIN when it is asked for a row.
    """
    touched = {table for statement in statements for table in statement.relations}
    for table, count in sorted(after.counts.items()):
        used = count > before.counts.get(table, 0)
        if used and locks.get(table) not in _UTILITY and not {table, *after.ancestors[table]} & touched:
            yield f"{table} was used by something that was not told"
