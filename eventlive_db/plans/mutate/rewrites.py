"""Faults that are a part of a function, policy or view written otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import LiteralString

from psycopg import sql

from eventlive_db.plans.mutate.catalog import Catalog, Function, Table
from eventlive_db.plans.mutate.model import Mutant
from eventlive_db.plans.mutate.text import compares_column, is_condition, masked, scalar_calls

_CONFLICT = re.compile(
    r"on\s+conflict\s*(?P<target>\((?P<columns>[^()]*)\)|on\s+constraint\s+\w+)?\s*(?:where\b.*?)?(?P<action>do\s+nothing)\b",
    re.IGNORECASE | re.DOTALL,
)
_INSERT = re.compile(r"\binsert\s+into\s+([\w.]+)", re.IGNORECASE)
_COMPARISON = re.compile(
    r"(?<![\w.])(?P<column>(?:(?P<alias>\w+)\.)?(?P<name>\w+))\s*=\s*(?:any\s*\(\s*)?(?P<value>\w+)(?:\.\w+)?(?![\w.(])",
    re.IGNORECASE,
)

_UNUSED = "nobody that the policy is for may use the table"
_ONCE = "it is compared with no column: the planner evaluates it once a statement anyway"

# Policies that somebody who may read the table, and is not above policies, can come under.
_POLICIES: LiteralString = """
    select p.polname::text, n.nspname || '.' || c.relname, c.oid::pg_catalog.regclass::text,
           pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid),
           exists (
                select from pg_catalog.pg_roles r
                 where not r.rolsuper and not r.rolbypassrls
                   and (c.relforcerowsecurity or not pg_catalog.pg_has_role(r.oid, c.relowner, 'usage'))
                   and (0 = any (p.polroles)
                        or exists (select from pg_catalog.unnest(p.polroles) as o (id) where o.id <> 0
                                      and pg_catalog.pg_has_role(r.oid, o.id, 'usage')))
                   and pg_catalog.has_any_column_privilege(
                        r.oid, c.oid, case p.polcmd when 'a' then 'insert' when 'w' then 'update' else 'select' end)
           )
      from pg_catalog.pg_policy p
      join pg_catalog.pg_class c on c.oid = p.polrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relrowsecurity
     order by 2, 1
"""

_VIEWS: LiteralString = """
    select n.nspname || '.' || c.relname, c.oid::pg_catalog.regclass::text, c.relname::text,
           pg_catalog.array_to_string(c.reloptions, ', '), pg_catalog.pg_get_viewdef(c.oid)
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'v' and n.nspname not in ('pg_catalog', 'information_schema')
     order by 1
"""


def update_on_conflict(catalog: Catalog) -> Iterator[Mutant]:
    """A conflict that was let be becomes a write of the row that is there."""
    for function, cases in _written_in(catalog):
        code = masked(function.body)
        for match in _CONFLICT.finditer(code):
            table = _written_table(catalog, code, match.start())
            columns = [c.strip() for c in (match["columns"] or "").split(",")] if match["columns"] else []
            key = columns or list(table.key if table else ())
            if not key or not re.fullmatch(r"\w+", key[0]):
                continue
            update = f"do update set {key[0]} = excluded.{key[0]}"
            target = function.body[match.start() : match.start("action")]
            if not match["target"]:
                target = f"on conflict ({', '.join(key)}) "
            yield Mutant(
                operator="update_on_conflict",
                name=f"{function.label} line {function.line(match.start())} updates the row that is there already",
                sql=function.with_body(
                    f"{function.body[: match.start()]}{target}{update}{function.body[match.end() :]}"
                ),
                undo=function.definition,
                cases=cases,
                marker=update,
                advice="a case has to meet the conflict; then tighten wal_records or xids",
                failure_kills=True,
            )


def helper_per_row(catalog: Catalog) -> Iterator[Mutant]:
    """A helper that a policy or view evaluates once, as a scalar sub-select, is called for each row instead."""
    yield from _policies(catalog)
    yield from _views(catalog)


def _policies(catalog: Catalog) -> Iterator[Mutant]:
    tables = {part: table for table in catalog.tables for part in table.parts}
    for policy, name, quoted, using, check, reachable in catalog.connection.execute(_POLICIES).fetchall():
        cases = catalog.touching(tables[name]) if name in tables else ()
        for clause, expression in (("using", using), ("with check", check)):
            for start, end, call in scalar_calls(expression or "") if cases else ():
                changed = f"{expression[:start]}{call}{expression[end:]}"
                alter = f"alter policy {sql.Identifier(policy).as_string(None)} on {quoted} {clause}"
                yield Mutant(
                    operator="helper_per_row",
                    name=f"the policy {policy} on {name} calls {call} for each row",
                    sql=f"{alter} ({changed})",
                    undo=f"{alter} ({expression})",
                    cases=cases,
                    advice=f"a case has to read several rows of {name} under that policy; then tighten function_calls",
                    not_counted=_UNUSED * (not reachable) or _ONCE * (not compares_column(expression, start)),
                )


def _views(catalog: Catalog) -> Iterator[Mutant]:
    for name, quoted, bare, options, definition in catalog.connection.execute(_VIEWS).fetchall():
        named = re.compile(rf"\b{re.escape(bare)}\b", re.IGNORECASE)
        cases = tuple(case for case, trace in catalog.traces.items() if any(named.search(t) for t in trace.texts))
        for number, (start, end, call) in enumerate(scalar_calls(definition) if cases else (), 1):
            changed = f"{definition[:start]}{call}{definition[end:]}"
            create = f"create or replace view {quoted}{f' with ({options})' if options else ''} as"
            yield Mutant(
                operator="helper_per_row",
                name=f"the view {name} calls {call} for each row (sub-select {number})",
                sql=f"{create} {changed}",
                undo=f"{create} {definition}",
                cases=cases,
                advice="a case has to read several rows of it; then tighten function_calls",
                not_counted="" if compares_column(definition, start) else _ONCE,
            )


def defeat_index(catalog: Catalog) -> Iterator[Mutant]:
    """A comparison with a key is made of an expression, as a cast would, so that no index fits it."""
    for function, cases in _written_in(catalog):
        code, variables = masked(function.body), function.variables
        for match in _COMPARISON.finditer(code):
            value = match["value"].lower()
            if value not in variables or (match["alias"] or "").lower() in variables:
                continue
            if not _is_indexed(catalog, code, match) or not is_condition(code, match.start()):
                continue
            column = match["column"]
            hidden = f"coalesce({column}, {column})"
            rest = function.body[match.end("column") : match.end()]
            yield Mutant(
                operator="defeat_index",
                name=f"{function.label} line {function.line(match.start())} hides {column} from every index",
                sql=function.with_body(
                    f"{function.body[: match.start()]}{hidden}{function.body[match.end('column') :]}"
                ),
                undo=function.definition,
                cases=cases,
                marker=" ".join(f"{hidden}{rest}".split()),
                advice="tighten buffers, rows_read or seq_scans of a case that runs it",
                cheap=True,
            )


def _is_indexed(catalog: Catalog, code: str, match: re.Match[str]) -> bool:
    alias, column = match["alias"], match["name"].lower()
    return any(column in table.indexed and (alias is None or _is_alias(code, table, alias)) for table in catalog.tables)


def _is_alias(code: str, table: Table, alias: str) -> bool:
    """Whether a table goes by that name somewhere in a function."""
    schema, _, bare = table.name.partition(".")
    known = rf"\b(?:{re.escape(schema)}\.)?{re.escape(bare)}"
    pattern = rf"{known}\b" if alias.lower() == bare else rf"{known}\s+(?:as\s+)?{re.escape(alias)}\b"
    return re.search(pattern, code, re.IGNORECASE) is not None


def _written_in(catalog: Catalog) -> Iterator[tuple[Function, tuple[str, ...]]]:
    """Functions that a case runs and whose text can be changed; a body of ``begin atomic`` has none."""
    for function in catalog.functions:
        cases = catalog.running(function)
        if cases and function.body:
            yield function, cases


def _written_table(catalog: Catalog, code: str, position: int) -> Table | None:
    """The table of the INSERT before a position."""
    inserts = list(_INSERT.finditer(code, 0, position))
    written = inserts[-1][1].lower() if inserts else ""
    return next((t for t in catalog.tables if written in (t.name, t.name.rpartition(".")[2])), None)
