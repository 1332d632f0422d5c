"""What a migration locks and rewrites, found out by running it in a transaction that is rolled back.

Run it on a copy of production: locks are held for as long as the trace takes, and a rewrite takes as long as it takes.
Only relations that existed before count; what a migration makes itself, nobody waits for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from eventlive_db.migrate.execute import execute_script
from eventlive_db.migrate.render import Names, render

# Postgres manual, "Explicit Locking", weakest first.
_STRENGTH = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)

_RELATIONS = """
select c.oid, c.oid::regclass::text, coalesce(pg_relation_filenode(c.oid), 0)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
 where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
"""

_LOCKS = """
select l.relation, l.mode
  from pg_locks l
 where l.locktype = 'relation' and l.pid = pg_backend_pid() and l.granted and l.database <> 0
"""


@dataclass(frozen=True, slots=True)
class RelationTrace:
    """What happened to one table, index, view or sequence.

    Attributes:
        relation: Its qualified name before the migration.
        lock: The strongest lock taken on it, as ``pg_locks`` spells it; None where it was only rewritten or dropped.
        rewritten: Whether its file was replaced.
        dropped: Whether it is gone.
    """

    relation: str
    lock: str | None
    rewritten: bool
    dropped: bool


def trace_locks(
    connection: psycopg.Connection[Any], script: str, names: Names | None = None, file: str = "script"
) -> list[RelationTrace]:
    """Run a migration's SQL, report, and roll back.

    Args:
        connection: As the migrating role, at the revision that the SQL is for; no transaction is open.
        script: The SQL, with the default names. Without transaction commands.
        names: The names in this database.
        file: What to call the script in an error.

    Returns:
        Relations that were locked, rewritten or dropped, the strongest lock first.

    Raises:
        StatementError: A statement failed.
    """
    try:
        connection.execute("set local search_path = ''")
        before = {oid: (name, node) for oid, name, node in connection.execute(_RELATIONS.encode()).fetchall()}
        own = set(connection.execute(_LOCKS.encode()).fetchall())
        execute_script(connection, render(script, names or Names()), file)
        connection.execute("reset role")
        after = {oid: node for oid, _, node in connection.execute(_RELATIONS.encode()).fetchall()}
        held: dict[int, str] = {}
        for oid, mode in set(connection.execute(_LOCKS.encode()).fetchall()) - own:
            if oid not in held or _STRENGTH.index(mode) > _STRENGTH.index(held[oid]):
                held[oid] = mode
    finally:
        connection.rollback()
    traces = [
        RelationTrace(name, held.get(oid), rewritten=oid in after and after[oid] != node, dropped=oid not in after)
        for oid, (name, node) in before.items()
        if oid in held or after.get(oid) != node
    ]
    return sorted(traces, key=lambda trace: (-_STRENGTH.index(trace.lock) if trace.lock else 0, trace.relation))


def trace_file(connection: psycopg.Connection[Any], path: Path, names: Names | None = None) -> list[RelationTrace]:
    """The same for a file such as ``migrations/versions/0007_x.up.sql``. See ``trace_locks``."""
    return trace_locks(connection, path.read_text(encoding="utf-8"), names, path.name)
