"""The databases a suite is judged in: the same schema and rows each time, one database for each size."""

from __future__ import annotations

import importlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, LiteralString

import psycopg

from eventlive_db.plans.errors import SuiteError
from eventlive_db.plans.suite import Suite
from eventlive_db.server import Server

_ROWS: LiteralString = """
    select n.nspname || '.' || c.relname, c.reltuples::bigint
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
"""

# Partitions are vacuumed with their table.
_TABLES: LiteralString = """
    select pg_catalog.format('%I.%I', n.nspname, c.relname)
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'm', 'p') and not c.relispartition and c.relpersistence <> 't'
       and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
"""

# Absolute, so that raising twice is raising once. Pages stay what they are: the planner multiplies by the real file's.
_RAISE: LiteralString = """
    update pg_catalog.pg_class c
       set reltuples = case when c.oid = t.oid then %(target)s
                            else c.reltuples * (%(target)s / greatest(t.reltuples, 1)) end
      from pg_catalog.pg_class t
      join pg_catalog.pg_namespace n on n.oid = t.relnamespace
     where n.nspname || '.' || t.relname = %(table)s
       and (c.oid = t.oid or c.oid in (select i.indexrelid from pg_catalog.pg_index i where i.indrelid = t.oid))
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A database of one size.

    Attributes:
        name: Of the database.
        dsn: Connection string.
        rows: Size it is judged as; 0 where nothing is filled.
        raised: Tables whose row count was only told to the planner.
        analyzed_rows: Rows of each table when it was analyzed.
        filled_rows: Rows that each table really has.
    """

    name: str
    dsn: str
    rows: int = 0
    raised: tuple[str, ...] = ()
    analyzed_rows: Mapping[str, int] = field(default_factory=dict)
    filled_rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arena:
    """The databases of a suite, smallest first."""

    server: Server
    stages: tuple[Stage, ...]

    @property
    def major(self) -> int:
        """Major version of Postgres."""
        return self.server.version_num // 10000

    @property
    def version(self) -> str:
        """Version of Postgres, such as ``18.6``."""
        return f"{self.major}.{self.server.version_num % 10000}"

    @contextmanager
    def copy(self, stage: Stage) -> Iterator[str]:
        """A copy of a stage's database, for what is committed; its connection string."""
        name = new_name()
        dsn = self.server.create_database(name, stage.name)
        try:
            yield dsn
        finally:
            self.server.drop_database(name)


@contextmanager
def build_arena(server: Server, suite: Suite, sizes: tuple[int, ...] | None = None) -> Iterator[Arena]:
    """Build a suite's databases; they are dropped at the end.

    Statistics are those of the smallest size, where ANALYZE reads each row: larger tables are vacuumed, which counts
    their rows and pages exactly, and not analyzed again, which would sample them and differ from run to run.

    Args:
        server: Where; its role must be a superuser.
        suite: What.
        sizes: Other sizes than the suite's.

    Raises:
        SuiteError: The schema, the seed or the filling failed.
    """
    wanted = suite.scale.sizes if sizes is None else sizes
    with ExitStack() as stack:
        stages: list[Stage] = []
        for rows in wanted or (0,):
            stage = _smallest(server, suite, rows, stack) if not stages else _larger(server, suite, rows, stages, stack)
            stages.append(stage)
        yield Arena(server, tuple(stages))


def new_name() -> str:
    """A name for a database that no other run takes."""
    return f"plans_{secrets.token_hex(8)}"


def _create(server: Server, stack: ExitStack, template: str | None = None) -> tuple[str, str]:
    name = new_name()
    stack.callback(server.drop_database, name)
    return name, server.create_database(name, template)


def _smallest(server: Server, suite: Suite, rows: int, stack: ExitStack) -> Stage:
    name, dsn = _create(server, stack)
    build_schema(dsn, suite)
    if rows:
        _fill(dsn, suite, rows, 0)
    with psycopg.connect(dsn, autocommit=True) as connection:
        _vacuum(connection, "vacuum (freeze, analyze)")
        analyzed = {table: int(count) for table, count in connection.execute(_ROWS)}
    return Stage(name, dsn, rows, (), analyzed, analyzed)


def _larger(server: Server, suite: Suite, rows: int, stages: list[Stage], stack: ExitStack) -> Stage:
    smallest, before, scale = stages[0], stages[-1], suite.scale
    name, dsn = _create(server, stack, before.name)
    limit = rows if scale.real is None else max(scale.real, smallest.rows)
    filled, filled_before = min(rows, limit), min(before.rows, limit)
    counts = dict(before.filled_rows)
    with psycopg.connect(dsn, autocommit=True) as connection:
        if filled > filled_before:
            _fill(dsn, suite, filled, filled_before)
            _vacuum(connection, "vacuum")
            counts = {table: int(count) for table, count in connection.execute(_ROWS)}
            counts |= {table: smallest.filled_rows[table] for table in scale.raised if table in smallest.filled_rows}
        targets = {table: _rows_of(smallest, table) * rows // smallest.rows for table in scale.raised}
        if rows > filled:
            grown = [table for table, count in counts.items() if count > smallest.filled_rows.get(table, 0)]
            targets |= {table: counts[table] * rows // filled for table in grown}
        if rows > filled and not targets:
            msg = f"[scale] real = {scale.real} leaves it open which tables have more rows at {rows:,}"
            raise SuiteError(msg, "Let real be the second of sizes at least, or name tables in raise")
        for table, target in targets.items():
            connection.execute(_RAISE, {"target": float(target), "table": table})
    return Stage(name, dsn, rows, tuple(sorted(targets)), smallest.analyzed_rows, counts)


def _vacuum(connection: psycopg.Connection[Any], command: LiteralString) -> None:
    """Vacuum what is the suite's: the system's catalogs are most of a small database, and of no concern."""
    tables = [table for (table,) in connection.execute(_TABLES)]
    if tables:
        connection.execute(f"{command} {', '.join(tables)}".encode())


def _rows_of(stage: Stage, table: str) -> int:
    if table not in stage.filled_rows:
        msg = f"[scale] raise names {table!r}, and there is no such table"
        raise SuiteError(msg, "Write it as schema.table", token="unknown_table")
    return stage.filled_rows[table]


def build_schema(dsn: str, suite: Suite) -> None:
    """Make a suite's schema and seed in an empty database.

    Raises:
        SuiteError: A file or the hook failed.
    """
    if suite.hook:
        hook = _hook(suite)
        try:
            hook(dsn)
        except Exception as error:
            msg = f"hook {getattr(hook, '__name__', suite.hook)} failed: {str(error).strip() or type(error).__name__}"
            raise SuiteError(msg, token="schema_failed") from error
    # One transaction for all: SET LOCAL in one file holds for the next, as in a migration.
    _run(dsn, suite.schema)
    _run(dsn, suite.seed)


def _hook(suite: Suite) -> Callable[[str], object]:
    if callable(suite.hook):
        return suite.hook
    module, _, function = suite.hook.partition(":")
    try:
        found: Callable[[str], object] = getattr(importlib.import_module(module), function)
        if not callable(found):
            raise TypeError(f"{function} is no function")
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        msg = f"hook {suite.hook!r} of {suite.path} cannot be imported: {error}"
        raise SuiteError(msg, 'It is "module:function", and the function takes a DSN') from error
    return found


def _fill(dsn: str, suite: Suite, rows: int, rows_before: int) -> None:
    assert suite.scale.fill is not None  # noqa: S101  # load_suite saw to it
    _run(dsn, [suite.scale.fill], {"plans.rows": str(rows), "plans.rows_before": str(rows_before)})


def _run(dsn: str, paths: Sequence[Path], settings: Mapping[str, str] = MappingProxyType({})) -> None:
    """Run files in one transaction."""
    path: Path | None = None
    try:
        with psycopg.connect(dsn) as connection:
            for name, value in settings.items():
                connection.execute("select pg_catalog.set_config(%s, %s, false)", [name, value])
            for path in paths:  # the one that is told of when it fails; the last one when the commit does
                connection.execute(path.read_bytes())
            connection.commit()  # in here: a connection whose last commit fails is not closed
    except (OSError, psycopg.Error) as error:
        msg = f"{path.name if path else 'connecting'} failed: {str(error).strip()}"
        raise SuiteError(msg, token="schema_failed") from error
