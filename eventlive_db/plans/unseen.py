"""What a recording missed, told by counters that no call can silence.

auto_explain reports a statement when it ends, to a client that wants to hear it. A call that lowers
``client_min_messages``, leaves a cursor open, fails inside an exception block or uses COPY does work that is not
reported. The server's own counters of the transaction show the tables all the same. Source: PostgreSQL manual, "The
Cumulative Statistics System", pg_stat_xact_user_tables, and pg_cursors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from eventlive_db.plans.model import Statement

_TABLES: LiteralString = """
    select schemaname || '.' || relname, coalesce(seq_scan, 0),
           coalesce(seq_scan, 0) + coalesce(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del,
           (select n.nspname || '.' || c.relname
              from pg_catalog.pg_class c
              join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where c.oid = pg_catalog.pg_partition_root(relid))
      from pg_catalog.pg_stat_xact_user_tables
     where schemaname not like 'pg\\_temp\\_%'
"""

_CURSORS: LiteralString = "select name, statement from pg_catalog.pg_cursors where name <> '' order by creation_time"

_SILENT: LiteralString = """
    select p.oid::pg_catalog.regprocedure::text
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     where n.nspname || '.' || p.proname = any (%s)
       and exists (
            select from unnest(p.proconfig) as c (setting)
             where c.setting like 'client\\_min\\_messages=%%' or c.setting like 'auto\\_explain.%%'
       )
     order by 1
"""


@dataclass(frozen=True, slots=True)
class Activity:
    """What the transaction has done to tables so far.

    Attributes:
        scans: Sequential scans, by table.
        anything: Scans and rows written, by table.
        roots: The partitioned table of a partition; a row finds its partition without a plan that names it.
    """

    scans: Mapping[str, int]
    anything: Mapping[str, int]
    roots: Mapping[str, str]


def activity(connection: psycopg.Connection[Any]) -> Activity:
    """Read the transaction's counters."""
    rows = connection.execute(_TABLES).fetchall()
    return Activity(
        scans={name: int(n) for name, n, _, _ in rows},
        anything={name: int(n) for name, _, n, _ in rows},
        roots={name: root for name, _, _, root in rows if root},
    )


def open_cursors(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """A sentence for each cursor that is open."""
    return tuple(
        f"the cursor {name} is left open, and what it reads is not told: {' '.join(statement.split())}"
        for name, statement in connection.execute(_CURSORS)
    )


def silent_functions(connection: psycopg.Connection[Any], called: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each called function whose own settings keep the server from telling what it runs."""
    return tuple(
        f"{name} sets client_min_messages or auto_explain for itself: what it runs is not told"
        for (name,) in connection.execute(_SILENT, [sorted(called)])
    )


def unseen_tables(before: Activity, after: Activity, statements: Iterable[Statement]) -> Iterator[str]:
    """A sentence for each table that was used by more than the statements that were recorded."""
    told: Counter[str] = Counter()
    touched: set[str] = set()
    for statement in statements:
        touched.update(statement.relations)
        for node in statement.node.walk():
            if node.type == "Seq Scan":
                told[node.relation] += node.loops
    for table, count in sorted(after.anything.items()):
        scans = after.scans[table] - before.scans.get(table, 0)
        if count > before.anything.get(table, 0) and not {table, after.roots.get(table)} & touched:
            yield f"{table} was used by something that was not told"
        elif scans > told[table]:
            yield f"{table} was read from end to end {scans} times, and {told[table]} of them were told"
