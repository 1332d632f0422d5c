"""Faults of indexes: one is gone, or one is added where a hot call writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

from psycopg import sql

from eventlive_db.plans.case import Case
from eventlive_db.plans.measure import prepare
from eventlive_db.plans.mutate.bench import Recorded
from eventlive_db.plans.mutate.catalog import Catalog
from eventlive_db.plans.mutate.model import Mutant

# An index of a partitioned table goes together with those of its partitions.
_INDEXES: LiteralString = """
    select n.nspname || '.' || c.relname, n.nspname || '.' || t.relname,
           i.indisunique or i.indisprimary or i.indisexclusion,
           case when c.relkind = 'I'
                then array(select p.relid::oid::bigint from pg_catalog.pg_partition_tree(c.oid) p)
                else array[c.oid::bigint] end
      from pg_catalog.pg_index i
      join pg_catalog.pg_class c on c.oid = i.indexrelid
      join pg_catalog.pg_class t on t.oid = i.indrelid
      join pg_catalog.pg_namespace n on n.oid = t.relnamespace
     where not c.relispartition and i.indisvalid
     order by 1
"""

_NAMES: LiteralString = "select oid::bigint, relname::text from pg_catalog.pg_class where oid::bigint = any (%s)"

# It belongs to whoever connects, so that it may note what any role changes.
_WATCH = """
    create table pg_temp.plans_written (relation oid, name text);
    create function pg_temp.plans_note_written() returns trigger language plpgsql security definer as $note$
    begin
        insert into pg_temp.plans_written
        select tg_relid, n.key
          from pg_catalog.jsonb_each(pg_catalog.to_jsonb(new)) n
          join pg_catalog.jsonb_each(pg_catalog.to_jsonb(old)) o on o.key = n.key and o.value <> n.value;
        return null;
    end $note$;
"""

# The table as a whole where it has partitions, and no column that an index has already.
_WRITTEN: LiteralString = """
    select distinct n.nspname || '.' || c.relname, a.attname::text, c.oid::pg_catalog.regclass::text
      from pg_temp.plans_written w
      join pg_catalog.pg_class c on c.oid = coalesce(pg_catalog.pg_partition_root(w.relation), w.relation)
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = w.name
     where not exists (
            select from pg_catalog.pg_index i
             where i.indrelid = c.oid
               and (a.attnum = any (i.indkey)
                    or exists (
                        select from pg_catalog.pg_depend d
                         where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.indexrelid
                           and d.refclassid = 'pg_catalog.pg_class'::regclass
                           and d.refobjid = c.oid and d.refobjsubid = a.attnum
                    ))
           )
     order by 1, 2
"""


def drop_index(catalog: Catalog) -> Iterator[Mutant]:
    """Each index of each table that a case touches: the planner has to do without it."""
    connection = catalog.connection
    tables = {part: table for table in catalog.tables for part in table.parts}
    for index, table, unique, oids in connection.execute(_INDEXES).fetchall():
        cases = catalog.touching(tables[table]) if table in tables else ()
        if not cases:
            continue
        names = {name for _, name in connection.execute(_NAMES, [oids])}
        used = any(t in tables[table].parts and i in names for n in cases for t, i in catalog.traces[n].indexes)
        yield Mutant(
            operator="drop_index",
            name=f"the index {index} of {table} is gone",
            sql=_valid(oids, "false"),
            undo=_valid(oids, "true"),
            cases=cases,
            advice=(
                "tighten buffers, rows_read or seq_scans of a case that uses it"
                if used
                else "no case uses it: add one that does, or drop the index"
            ),
            failure_kills=True,
            not_counted="" if used or not unique else "it serves its constraint only: no plan of a case uses it",
        )


def _valid(oids: list[int], valid: str) -> str:
    query = sql.SQL("update pg_catalog.pg_index set indisvalid = {} where indexrelid::bigint = any ({})")
    return query.format(sql.SQL(valid), sql.Literal(oids)).as_string(None)


def index_written_column(catalog: Catalog, recorded: Recorded, cases: tuple[Case, ...]) -> Iterator[Mutant]:
    """Each column whose value a case with a budget of heap-only updates changes: an index ends those.

    An index on a column that only calls without such a budget write may be worth its price.

    Args:
        catalog: Of the database.
        recorded: A connection to a copy of it.
        cases: What may be judged.
    """
    columns: dict[tuple[str, str, str], list[str]] = {}
    for case in cases:
        if case.budget.hot is not None:
            for written in written_columns(recorded, case, catalog):
                columns.setdefault(written, []).append(case.name)
    for (table, column, quoted), names in sorted(columns.items()):
        index = sql.SQL("create index zz_plans_written on {} ({})")
        schema = sql.Identifier(table.partition(".")[0])
        yield Mutant(
            operator="index_written_column",
            name=f"there is an index on {table} ({column}), which {', '.join(names)} writes",
            sql=index.format(sql.SQL(quoted), sql.Identifier(column)).as_string(None),
            undo=sql.SQL("drop index {}.zz_plans_written").format(schema).as_string(None),
            cases=tuple(names),
            advice="tighten wal_records or hot",
            hot=True,
        )


def written_columns(recorded: Recorded, case: Case, catalog: Catalog) -> list[tuple[str, str, str]]:
    """Columns without an index whose value a call changes, as table, column and the table as SQL names it."""
    connection, _ = recorded
    watched = [table for table in catalog.tables if table.touched_by(catalog.traces[case.name])]
    triggers = "".join(
        f"create trigger zz_plans_written after update on {table.sql} for each row"
        " execute function pg_temp.plans_note_written();"
        for table in watched
    )
    with connection.transaction(force_rollback=True):
        connection.execute((_WATCH + triggers).encode())
        prepare(connection, case)
        connection.execute("truncate pg_temp.plans_written")
        for name, value in case.identity().items():
            connection.execute("select pg_catalog.set_config(%s, %s, true)", [name, value])
        connection.execute(case.call.encode(), case.parameters or None)
        connection.execute("set constraints all immediate")
        connection.execute("set local role none")
        return [(str(table), str(column), str(quoted)) for table, column, quoted in connection.execute(_WRITTEN)]
