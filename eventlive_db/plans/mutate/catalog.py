"""What a database holds that can be broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from eventlive_db.plans.mutate.model import Trace
from eventlive_db.plans.mutate.text import begin_of_body, declared

_FUNCTIONS: LiteralString = """
    select p.oid, n.nspname || '.' || p.proname, p.oid::pg_catalog.regprocedure::text, l.lanname, p.provolatile = 'v',
           p.prosrc, pg_catalog.pg_get_functiondef(p.oid), coalesce(p.proargnames, '{}'),
           count(*) over (partition by p.pronamespace, p.proname)
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      join pg_catalog.pg_language l on l.oid = p.prolang
     where p.prokind in ('f', 'p') and l.lanname in ('plpgsql', 'sql')
       and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_temp\\_%'
     order by 2, 3
"""

# Partitions are part of their table.
_TABLES: LiteralString = """
    select n.nspname || '.' || c.relname, c.oid::pg_catalog.regclass::text,
           array(select tn.nspname || '.' || t.relname
                   from pg_catalog.pg_partition_tree(c.oid) p
                   join pg_catalog.pg_class t on t.oid = p.relid
                   join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace),
           array(select a.attname::text
                   from pg_catalog.pg_index i
                   join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
                  where i.indrelid = c.oid and i.indislive
                  order by a.attnum),
           array(select a.attname::text
                   from pg_catalog.pg_index i
                   join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
                  where i.indrelid = c.oid and i.indisprimary
                  order by a.attnum)
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
       and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
     order by 1
"""


@dataclass(frozen=True, slots=True)
class Function:
    """A function in PL/pgSQL or SQL.

    Attributes:
        oid: Of the function.
        name: ``schema.name``.
        signature: As the server prints it in a call stack.
        language: ``plpgsql`` or ``sql``.
        volatile: Whether it may lock and write.
        body: Its source.
        definition: The whole CREATE statement.
        arguments: Names of its parameters.
        overloads: Functions of that name.
    """

    oid: int
    name: str
    signature: str
    language: str
    volatile: bool
    body: str
    definition: str
    arguments: tuple[str, ...]
    overloads: int

    @property
    def label(self) -> str:
        """Its name, with the arguments where that takes them."""
        return self.name if self.overloads == 1 else self.signature

    @property
    def variables(self) -> frozenset[str]:
        """Names of parameters and variables."""
        names = frozenset(a.lower() for a in self.arguments if a)
        return names | declared(self.body) if self.language == "plpgsql" else names

    def with_body(self, body: str) -> str:
        """The CREATE statement with another body."""
        start = self.definition.rindex(self.body)
        return self.definition[:start] + body + self.definition[start + len(self.body) :]

    def with_statement(self, statement: str) -> str | None:
        """The CREATE statement with another statement at the beginning, lines unmoved; None if it has no block."""
        begin = begin_of_body(self.body) if self.language == "plpgsql" else None
        if begin is None:
            return None
        return self.with_body(f"{self.body[:begin]} {statement}{self.body[begin:]}")

    def line(self, position: int) -> int:
        """The line of a position in the body, as the server counts."""
        return self.body.count("\n", 0, position) + 1

    def called_by(self, trace: Trace) -> bool:
        """Whether a case runs it; of several of one name, the call stack has to tell."""
        if self.overloads == 1:
            return self.name in trace.functions or _bare(self.signature) in trace.signatures
        return _bare(self.signature) in trace.signatures


def _bare(signature: str) -> str:
    name, _, arguments = signature.partition("(")
    return f"{name.rpartition('.')[2]}({arguments}"


def bare_signatures(signatures: Iterable[str]) -> frozenset[str]:
    """Functions as call stacks name them, without the schema, which depends on search_path."""
    return frozenset(_bare(signature) for signature in signatures)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its partitions.

    Attributes:
        name: ``schema.table``.
        sql: As SQL has to name it.
        parts: Itself and its partitions.
        indexed: Columns that are part of an index.
        key: Columns of the primary key.
    """

    name: str
    sql: str
    parts: tuple[str, ...]
    indexed: tuple[str, ...]
    key: tuple[str, ...]

    def touched_by(self, trace: Trace) -> bool:
        """Whether a case touches it or a partition of it."""
        return not set(self.parts).isdisjoint(trace.relations) or self.name in trace.relations


@dataclass(frozen=True, slots=True)
class Catalog:
    """What can be broken, and what the cases do with it while it is whole.

    Attributes:
        connection: To a copy of the database, in which nothing stays changed.
        traces: What each case does, by its name, in the order of the suite.
        functions: All of them.
        tables: All of them.
    """

    connection: psycopg.Connection[Any]
    traces: Mapping[str, Trace]
    functions: tuple[Function, ...]
    tables: tuple[Table, ...]

    def running(self, function: Function) -> tuple[str, ...]:
        """Names of the cases that run a function."""
        return tuple(name for name, trace in self.traces.items() if function.called_by(trace))

    def touching(self, table: Table) -> tuple[str, ...]:
        """Names of the cases that touch a table."""
        return tuple(name for name, trace in self.traces.items() if table.touched_by(trace))


def read_catalog(connection: psycopg.Connection[Any], traces: Mapping[str, Trace]) -> Catalog:
    """Read what can be broken.

    Args:
        connection: To a copy of the database.
        traces: What each case does.
    """
    functions = tuple(
        Function(oid, name, signature, language, volatile, body, definition, tuple(arguments), overloads)
        for oid, name, signature, language, volatile, body, definition, arguments, overloads in connection.execute(
            _FUNCTIONS
        )
    )
    tables = tuple(
        Table(name, quoted, tuple(parts) or (name,), tuple(indexed), tuple(key))
        for name, quoted, parts, indexed, key in connection.execute(_TABLES)
    )
    return Catalog(connection, traces, functions, tables)
