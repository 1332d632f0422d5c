"""The queries in the bodies of functions, with the variables they may name, ready to be compiled alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from eventlive_db.functions import ParserMissingError, UnreadableError, parse_function, read_catalog, tokens
from eventlive_db.lint.db.any_type import replaced, stand_ins
from eventlive_db.lint.db.declarations import declared_types, parameter_list, quoted, with_types_of_variables
from eventlive_db.lint.db.scope import Scope
from eventlive_db.lint.errors import LintError

# In the order of Postgres' own list of arguments, so that $1 is $1.
_ARGUMENTS = """
select f.oid, f.name, p.proname, l.lanname, p.prosrc,
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
            order by 1
       )
  from functions f
  join pg_proc p on p.oid = f.oid
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
        parameters: Its variables, as the parameters of another function: in one way, or in each that they may have.
        queries: What is in it.
        makes: Tables that it creates itself, without their schema.
        of_any_type: Whether it takes arguments of any type; then ``parameters`` are but some of many.
        problem: Why it cannot be taken apart; empty where it can.
    """

    name: str
    short_name: str
    search_path: str
    parameters: tuple[str, ...] = ("",)
    queries: tuple[Query, ...] = ()
    makes: frozenset[str] = frozenset()
    of_any_type: bool = False
    problem: str = ""


def read_bodies(connection: psycopg.Connection[Any], scope: Scope) -> list[Body]:
    """The functions in plpgsql and, as far as they are kept as text, in SQL.

    Raises:
        LintError: pglast, which reads them, is not installed.
    """
    catalog = read_catalog(connection)
    routines = {routine.oid: routine for routine in catalog.routines}
    found = []
    for oid, name, short, language, source, path, arguments, tables in connection.execute(scope.query(_ARGUMENTS)):
        routine = routines.get(oid)
        if routine is None:  # of the system itself
            continue
        base = Body(name, short, path, of_any_type=bool(stand_ins(type_ for _, type_ in arguments)))
        try:
            if language == "sql":
                found.append(replace(base, parameters=_parameters(arguments, {}, ()), queries=(Query(1, source),)))
            else:
                tree = parse_function(routine.header, source, catalog.scalar_types)
                found.append(_take_apart(base, tree, source, arguments, tables))
        except UnreadableError as error:
            found.append(replace(base, problem=f"pglast says {error}"))
        except ParserMissingError as error:
            msg = "the bodies of functions are read with pglast, which is not installed"
            raise LintError(msg, error.advice, token=error.token) from error
    return found


def _take_apart(base: Body, tree: dict[str, Any], source: str, arguments: list[list[str]], tables: list[str]) -> Body:
    types = {name: type_ for name, type_ in arguments if name}
    variables = with_types_of_variables(_variables(tree, source, types, tables), types)
    records = {name for name, type_ in variables.items() if type_ is None}
    known = {name: type_ for name, type_ in variables.items() if type_ is not None}
    asked = [query for query in _queries(tree, 1) if _COMPILED.match(query.text)]
    asked += _assigned_fields(tree["action"], tree["datums"], records, 1)
    return replace(
        base,
        parameters=_parameters(arguments, known, tables),
        queries=tuple(_prepared(query, records) for query in asked),
        makes=frozenset(name.strip('"') for name in _MAKES.findall(source)),
    )


def _parameters(arguments: list[list[str]], variables: dict[str, str], tables: Sequence[str]) -> tuple[str, ...]:
    """Arguments and variables as parameters, in each way that their types may be."""
    ways = [
        parameter_list(
            [(name, replaced(type_, fitting)) for name, type_ in arguments],
            {name: replaced(type_, fitting) for name, type_ in variables.items()},
        )
        for fitting in stand_ins(type_ for _, type_ in arguments)
    ]
    if not ways and len(tables) > 1:  # a trigger function, which takes no arguments
        rows = [name for name in ("new", "old") if variables.get(name) == tables[0]]
        ways = [parameter_list((), {**variables, **dict.fromkeys(rows, table)}) for table in tables]
    return tuple(ways) or (parameter_list(arguments, variables),)


def _variables(
    tree: dict[str, Any], source: str, arguments: Mapping[str, str], tables: list[str]
) -> dict[str, str | None]:
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
            # Of a trigger of several tables it is the row of any of them.
            found[name] = tables[0] if name in {"new", "old"} and tables else None
    found = {name: type_ for name, type_ in found.items() if name and name not in arguments}
    found |= declared_types(source)
    # There are many that no body declares, such as tg_op, and a function has 100 parameters at most.
    words = set(_WORD.findall(source.lower()))
    return {name: type_ for name, type_ in found.items() if words.issuperset(_WORD.findall(name.lower()))}


def _assigned_fields(node: Any, datums: list[dict[str, Any]], records: set[str], line: int) -> Iterator[Query]:
    """A query for each field of a variable, such as NEW, that a statement assigns to."""
    if isinstance(node, list):
        for child in node:
            yield from _assigned_fields(child, datums, records, line)
    elif isinstance(node, dict):
        line = node.get("lineno", line)
        for name, child in node.items():
            if name not in {"varno", "target"} or not isinstance(child, int):
                yield from _assigned_fields(child, datums, records, line)
            elif field := datums[child].get("PLpgSQL_recfield"):
                # Zero is left out of the tree.
                ((_, variable),) = datums[field.get("recparentno", 0)].items()
                if variable["refname"] not in records:
                    yield Query(line, f"select {quoted(variable['refname'])}.{quoted(field['fieldname'])}")


def _queries(node: Any, line: int) -> Iterator[Query]:
    """All expressions and statements below a node."""
    if isinstance(node, list):
        for child in node:
            yield from _queries(child, line)
    elif isinstance(node, dict):
        line = node.get("lineno", line)
        if "t_varno" in node:
            yield from _compared(node, line)
            return
        for name, child in node.items():
            if name == "PLpgSQL_expr":
                yield Query(line, _statement(child["query"], child.get("parseMode", 0)))
            else:
                yield from _queries(child, line)


def _compared(case: dict[str, Any], line: int) -> Iterator[Query]:
    """What is in a CASE with an expression, which plpgsql compares by a variable that nobody declared."""
    variable, value = f'"__Case__Variable_{case["t_varno"]}__"', case["t_expr"]["PLpgSQL_expr"]["query"]
    inside = {name: child for name, child in case.items() if name != "t_varno"}
    for query in _queries(inside, line):
        yield replace(query, text=query.text.replace(variable, f"({value})"))


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
