"""The queries in the bodies of functions, with the variables they may name, ready to be compiled alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from eventlive_db.lint.db.declarations import declared_types, parameter_list, tokens
from eventlive_db.lint.db.scope import Scope
from eventlive_db.lint.errors import LintError
from eventlive_db.plans.coverage import ParserMissingError, read_catalog
from eventlive_db.plans.coverage.parser import UnreadableError, parse_function

# In the order of Postgres' own list of arguments, so that $1 is $1.
_ARGUMENTS = """
select f.name, n.nspname, p.proname, l.lanname, p.prosrc, oidvectortypes(p.proargtypes),
       coalesce(f.search_path, (select s.reset_val from pg_settings s where s.name = 'search_path')),
       array(
           select array[coalesce(p.proargnames[u.position], ''), format_type(u.oid, null)]
             from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality as u (oid, position)
            order by u.position
       ),
       array(
           select distinct t.tgrelid::regclass::text
             from pg_trigger t
            where t.tgfoid = p.oid
       )
  from functions f
  join pg_proc p on p.oid = f.oid
  join pg_namespace n on n.oid = p.pronamespace
  join pg_language l on l.oid = p.prolang
 where l.lanname in ('plpgsql', 'sql')
   and not f.bound
 order by f.name
"""

_COMPILED = re.compile(r"\s*(select|insert|update|delete|merge|values|with|table)\b", re.IGNORECASE)
_SELECT = "select {}"
_WORD = re.compile(r"[\w$]+")


_MAKES = re.compile(
    r"\bcreate\s+(?:(?:global|local)\s+)?(?:temp(?:orary)?\s+|unlogged\s+)?(?:table|(?:materialized\s+)?view)\s+"
    r"(?:if\s+not\s+exists\s+)?(?:[\w$\"]+\.)?([\w$]+|\"[^\"]+\")",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Query:
    """Something that the executor would run.

    Attributes:
        line: Line of the body, the line of the opening quote being 1.
        text: A statement of SQL.
        of_record: Whether nulls stand in it where a variable has no known type.
    """

    line: int
    text: str
    of_record: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """A function taken apart.

    Attributes:
        name: As Postgres prints it, with the types of its arguments.
        short_name: Without schema and arguments; a body may qualify its arguments with it.
        search_path: In which its names are resolved.
        parameters: Its variables, as the parameters of another function.
        queries: What is in it.
        makes: Tables that it creates itself, without their schema.
        problem: Why it cannot be taken apart; empty where it can.
    """

    name: str
    short_name: str
    search_path: str
    parameters: str = ""
    queries: tuple[Query, ...] = ()
    makes: frozenset[str] = frozenset()
    problem: str = ""


def read_bodies(connection: psycopg.Connection[Any], scope: Scope) -> list[Body]:
    """The functions in plpgsql and, as far as they are kept as text, in SQL.

    Raises:
        LintError: pglast, which reads them, is not installed.
    """
    catalog = read_catalog(connection)
    routines = {(r.schema, r.name, r.arguments): r for r in catalog.all_routines}
    found = []
    for row in connection.execute(scope.query(_ARGUMENTS)):
        name, schema, short, language, source, types, path, arguments, tables = row
        routine = routines.get((schema, short, _bare(types)))
        if routine is None:  # of the system itself
            continue
        base = Body(name, short, path)
        try:
            if language == "sql":
                found.append(replace(base, parameters=parameter_list(arguments, {}), queries=(Query(1, source),)))
            else:
                tree = parse_function(routine.header, source, catalog.scalar_types)
                found.append(_take_apart(base, tree, source, arguments, tables))
        except UnreadableError as error:
            found.append(replace(base, problem=f"pglast says {error}"))
        except ParserMissingError as error:
            msg = "the bodies of functions are read with pglast, which is not installed"
            raise LintError(msg, "pip install 'eventlive-db[lint]'", token="parser_missing") from error
    return found


def _bare(types: str) -> str:
    return re.sub(r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)\.', "", types).replace(", ", ",")


def _take_apart(base: Body, tree: dict[str, Any], source: str, arguments: list[list[str]], tables: list[str]) -> Body:
    variables = _variables(tree, source, {name for name, _ in arguments}, tables)
    records = {name for name, type_ in variables.items() if type_ is None}
    known = {name: type_ for name, type_ in variables.items() if type_ is not None}
    queries = tuple(_prepared(query, records) for query in _queries(tree, 1) if _COMPILED.match(query.text))
    makes = frozenset(name.strip('"') for name in _MAKES.findall(source))
    return replace(base, parameters=parameter_list(arguments, known), queries=queries, makes=makes)


def _variables(tree: dict[str, Any], source: str, arguments: set[str], tables: list[str]) -> dict[str, str | None]:
    """Name and type of each variable that is no argument; None for one of type record."""
    found: dict[str, str | None] = {"sqlstate": "text", "sqlerrm": "text"}
    for entry in tree["datums"]:
        ((kind, datum),) = entry.items()
        name = datum.get("refname", "")
        if kind == "PLpgSQL_var" and "lineno" not in datum:
            type_ = datum["datatype"]["PLpgSQL_type"]["typname"]
            found[name] = f"{type_[1:]}[]" if type_.startswith("_") else type_
        elif kind == "PLpgSQL_var":
            found[name] = datum["datatype"]["PLpgSQL_type"]["typname"]
        elif kind == "PLpgSQL_rec":
            found[name] = tables[0] if name in {"new", "old"} and len(tables) == 1 else None
    found = {name: type_ for name, type_ in found.items() if name and name not in arguments}
    found |= declared_types(source)
    # There are many that no body declares, such as tg_op, and a function has 100 parameters at most.
    words = set(_WORD.findall(source.lower()))
    return {name: type_ for name, type_ in found.items() if words.issuperset(_WORD.findall(name.lower()))}


def _queries(node: Any, line: int) -> Iterator[Query]:
    """All expressions and statements below a node."""
    if isinstance(node, list):
        for child in node:
            yield from _queries(child, line)
    elif isinstance(node, dict):
        line = node.get("lineno", line)
        for name, child in node.items():
            if name == "PLpgSQL_expr":
                yield Query(line, _statement(child["query"], child.get("parseMode", 0)))
            else:
                yield from _queries(child, line)


def _statement(text: str, mode: int) -> str:
    """A statement of SQL for what plpgsql holds: 0 is a statement, 2 an expression, more than 2 an assignment."""
    if mode == 0:
        return text
    if mode > 2:
        sign = next(token for token in tokens(text) if token.name in {"COLON_EQUALS", "ASCII_61"})
        text = text[sign.end :]
    return _SELECT.format(text)


def _prepared(query: Query, records: set[str]) -> Query:
    """The query with null for each variable without a known type."""
    found = tokens(query.text) if records else []
    text, changed = query.text, False
    for position in reversed(range(len(found))):
        token = found[position]
        before = found[position - 1].name if position else ""
        if text[token.start : token.end].lower() not in records or before in {"ASCII_46", "AS"}:
            continue
        last = position + 2 if position + 2 < len(found) and found[position + 1].name == "ASCII_46" else position
        text, changed = f"{text[: token.start]}null{text[found[last].end :]}", True
    return Query(query.line, text, changed)
