"""What makes a measurement worth nothing, and therefore fails it: plans that may differ in the next run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, LiteralString

import psycopg

from eventlive_db.plans.model import PlanMode, Run
from eventlive_db.plans.verdict import Violation

SAMPLED_PER_TARGET = 300
"""ANALYZE looks at this many rows for each unit of the statistics target. Source: PostgreSQL manual, ANALYZE."""

_AUTOVACUUM: LiteralString = """
    select n.nspname || '.' || c.relname
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where pg_catalog.current_setting('autovacuum')::boolean
       and n.nspname || '.' || c.relname = any (%s)
       and not exists (
            select from pg_catalog.pg_options_to_table(c.reloptions) o
             where o.option_name = 'autovacuum_enabled' and not o.option_value::boolean
       )
     order by 1
"""

# ANALYZE reads rows for the highest target among the columns; -1 (before 17) and null stand for the default.
_STATISTICS: LiteralString = """
    select n.nspname || '.' || c.relname, c.reltuples::bigint,
           max(case when a.attstattarget >= 0 then a.attstattarget
                    else pg_catalog.current_setting('default_statistics_target')::integer end)
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where n.nspname || '.' || c.relname = any (%s)
       and c.relkind in ('r', 'm')
       and exists (select from pg_catalog.pg_statistic s where s.starelid = c.oid)
     group by 1, 2
     order by 1
"""


def environment_violations(
    connection: psycopg.Connection[Any], case: str, tables: Iterable[str], analyzed_rows: Mapping[str, int]
) -> Iterator[Violation]:
    """What of the server and its statistics makes plans differ from run to run.

    Args:
        connection: Where the call is measured.
        case: Name of the case, for the violations.
        tables: Those that the call touches, as ``schema.table``.
        analyzed_rows: Rows that a table had when it was analyzed, where that is known; else it has as many now.
    """
    names = sorted(set(tables))
    watched = [name for (name,) in connection.execute(_AUTOVACUUM, [names])]
    if watched:
        yield Violation(
            "guard.autovacuum",
            case,
            f"autovacuum is on and may change the statistics of {', '.join(watched)} at any moment",
            "start the test server with autovacuum = off, or set autovacuum_enabled = off on these tables",
        )
    for table, rows_now, target in connection.execute(_STATISTICS, [names]):
        rows, limit = analyzed_rows.get(table, rows_now), SAMPLED_PER_TARGET * target
        if rows > limit:
            yield Violation(
                "guard.sampled_statistics",
                case,
                f"{table} was analyzed with {rows:,} rows, and ANALYZE samples from {limit:,} on:"
                " two runs give two sets of statistics",
                f"fill fewer rows, or raise the statistics target to {-(-rows // SAMPLED_PER_TARGET)}",
            )


def run_violations(
    case: str, mode: PlanMode, runs: tuple[Run, ...], *, limits_errors: bool = False
) -> Iterator[Violation]:
    """What of repeated runs shows that they are not the steady state.

    Args:
        case: Name of the case, for the violations.
        mode: Plan mode of the runs.
        runs: In the order they were made, the warm-ups left out.
        limits_errors: Whether the budget says how many errors may be caught.
    """
    steady = steady_run(runs)
    work = {run.work() for run in runs}
    dearest = max(runs[1:] or runs, key=lambda run: run.buffers)
    if len(work) > 1 or dearest.buffers > steady.buffers + slack(steady):
        told = "; ".join(f"{s} statements, {r} rows, {run.buffers} blocks" for run in runs for s, r in [run.work()])
        yield Violation(
            "guard.unstable",
            case,
            f"{len(runs)} runs did different work ({told})",
            "each call leaves the next one something else to do; put what resets it into before",
            mode=mode,
        )
    elif runs[0].buffers > steady.buffers + slack(steady):
        yield Violation(
            "guard.cold",
            case,
            f"the first measured call touched {runs[0].buffers} shared blocks and a later one {steady.buffers}",
            "it was cold: a connection's first calls also read the catalog; make two warm-up calls",
            mode=mode,
        )
    # A statement that fails in an exception block is not told; a budget that limits such errors knows of it.
    untold = (s for run in runs for s in run.untold if not (limits_errors and run.aborted))
    for sentence in dict.fromkeys([*(s for run in runs for s in run.unseen), *untold]):
        yield Violation(
            "guard.unseen",
            case,
            sentence,
            "client_min_messages was lowered, a cursor is left open, a statement failed inside an exception block, or"
            " COPY did it: figures without it prove nothing",
            mode=mode,
        )
    images = max(run.wal_fpi for run in runs)
    if images:
        yield Violation(
            "guard.full_page_images",
            case,
            f"{images} full-page images were written",
            "the first change of a page after a checkpoint logs all of it;"
            " start the test server with full_page_writes = off",
            mode=mode,
        )


def steady_run(runs: tuple[Run, ...]) -> Run:
    """The cheapest of repeated runs.

    What the others cost more is not the call's work: Postgres tidies a page or an index now and then, on the occasion
    of whoever comes by.
    """
    return min(runs, key=lambda run: (run.buffers, run.wal_records, run.wal_bytes))


def slack(run: Run) -> int:
    """Blocks by which a run may be dearer than the cheapest one, for such tidying or a table that becomes longer."""
    return max(10, run.buffers // 4)
