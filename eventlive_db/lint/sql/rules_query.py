"""Rules for queries, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eventlive_db.lint.sql.config import Config
from eventlive_db.lint.sql.context import Fault
from eventlive_db.lint.sql.parsed_body import BodyQuery
from eventlive_db.lint.sql.rules_body import Unit
from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node, items, strings, unwrap, walk

_CLOCKS = frozenset({"now", "transaction_timestamp", "statement_timestamp", "clock_timestamp", "timeofday"})
_CLOCK_WORDS = ("SVFOP_CURRENT_", "SVFOP_LOCALTIME")
_NOT_CLOCKS = ("USER", "ROLE", "CATALOG", "SCHEMA")


@dataclass(frozen=True, slots=True)
class Query:
    """A query and what it is for.

    Attributes:
        snippet: Its text.
        node: ``{kind: body}``.
        leaves: Whether its columns go beyond the function or file: views, results, programs.
        into_row: Whether its result goes as a whole into a variable of a row type.
    """

    snippet: Snippet
    node: Node
    leaves: bool
    into_row: bool = False


def queries_of(unit: Unit) -> Iterator[Query]:
    """The queries of a function or DO block."""
    body = unit.parsed.plpgsql
    records = {d.name for d in body.declarations if d.type == "record"} if body else set()
    for query in unit.parsed.queries:
        yield Query(query.snippet, query.node, _leaves(query), _goes_into_row(query, records))


def _leaves(query: BodyQuery) -> bool:
    return query.embedded is None or query.embedded.statement == "return_query"


def _goes_into_row(query: BodyQuery, records: set[str]) -> bool:
    embedded = query.embedded
    return embedded is not None and embedded.is_row and bool(embedded.target) and embedded.target[0] not in records


def check_query(query: Query, config: Config) -> Iterator[Fault]:
    """The faults of one query."""
    if query.leaves or config.select_star == "everywhere":
        yield from _stars(query, everywhere=config.select_star == "everywhere")
    yield from _clocks(query)


def _stars(query: Query, *, everywhere: bool) -> Iterator[Fault]:
    top = unwrap(query.node)[1]
    harmless = {id(entry) for entry in _tested(query.node)}
    outermost = {id(entry) for entry in _arms(top)}
    for kind, body in _statements(query.node):
        if kind not in {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"} or id(body) in harmless:
            continue
        if not everywhere and id(body) not in outermost:
            continue
        targets = body.get("targetList", []) if kind == "SelectStmt" else _returned(body)
        if query.into_row and body is top and len(targets) == 1:
            continue
        for _, target in items(targets):
            value, reference = unwrap(target.get("val"))
            if value == "ColumnRef" and "A_Star" in reference.get("fields", [{}])[-1]:
                owner = strings(reference.get("fields"))
                star = f"{owner[0]}.*" if owner else "*"
                index = query.snippet.char_index(reference.get("location", 0))
                message = f"{star} takes whatever columns there are on the day"
                yield Fault(query.snippet, index, "query.select_star", message, "name the columns", star)


def _statements(node: Node) -> Iterator[tuple[str, Node]]:
    for kind, body in walk(node):
        yield kind, body
        if kind == "SelectStmt" and "larg" in body:
            yield from (("SelectStmt", arm) for arm in _arms(body) if arm is not body)


def _arms(body: Node) -> Iterator[Node]:
    """The query itself, and those that a UNION joins."""
    yield body
    for key in ("larg", "rarg"):
        if key in body:
            yield from _arms(body[key])


def _returned(body: Node) -> list[Node]:
    found: list[Node] = body.get("returningClause", {}).get("exprs", body.get("returningList", []))
    return found


def _tested(node: Node) -> Iterator[Node]:
    """Queries of which only the existence counts."""
    for kind, body in walk(node):
        if kind == "SubLink" and body.get("subLinkType") == "EXISTS_SUBLINK":
            yield unwrap(body.get("subselect"))[1]


def _clocks(query: Query) -> Iterator[Fault]:
    for kind, body in walk(query.node):
        clause = body.get("onConflictClause") if kind == "InsertStmt" else None
        if not clause:
            continue
        for inner, found in walk([clause.get("targetList", []), clause.get("whereClause", {})]):
            word = _clock(inner, found)
            if word:
                index = query.snippet.char_index(found.get("location", 0))
                message = (
                    f"{word} inside ON CONFLICT DO UPDATE cannot be distributed, and differs from the inserted time"
                )
                advice = "take excluded.<column>, or a variable"
                yield Fault(query.snippet, index, "query.now_in_conflict", message, advice, word)


def _clock(kind: str, body: Node) -> str:
    if kind == "FuncCall" and (strings(body.get("funcname")) or [""])[-1] in _CLOCKS:
        return strings(body["funcname"])[-1]
    operation = str(body.get("op", ""))
    if kind == "SQLValueFunction" and operation.startswith(_CLOCK_WORDS) and not operation.endswith(_NOT_CLOCKS):
        return operation.removeprefix("SVFOP_").removesuffix("_N").lower()
    return ""
