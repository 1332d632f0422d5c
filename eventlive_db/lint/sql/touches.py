"""Which tables a function reads and writes, by itself and through all that it calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from eventlive_db.lint.sql.catalog import Catalog, Function
from eventlive_db.lint.sql.functions import function_path
from eventlive_db.lint.sql.parsed_body import ParsedBody
from eventlive_db.lint.sql.text import Snippet
from eventlive_db.lint.sql.tree import Node, items, range_name, strings, walk

Place = tuple[Snippet, int]

_WRITES = {"InsertStmt": "insert", "UpdateStmt": "update", "DeleteStmt": "delete", "MergeStmt": ""}
_MERGED = {"CMD_INSERT": "insert", "CMD_UPDATE": "update", "CMD_DELETE": "delete"}


@dataclass(slots=True)
class Touches:
    """What something touches.

    Attributes:
        tables: Operations by table and where each is written.
        calls: Functions by name, with where they are called.
        dynamic: Where a text is executed, so that this may not be all.
    """

    tables: dict[tuple[str, str], Place] = field(default_factory=dict)
    calls: dict[str, Place] = field(default_factory=dict)
    dynamic: list[Place] = field(default_factory=list)


class CallGraph:
    """What each function touches, directly and with those it calls; triggers and views are followed too."""

    def __init__(self, catalog: Catalog, body_of: Callable[[Function], ParsedBody], path: tuple[str, ...]) -> None:
        self._catalog = catalog
        self._path = path
        self._direct = {}
        for function in catalog.all_functions():
            mine = self._direct.setdefault(function.name, Touches())
            if function.node:
                self._read(function, body_of(function), mine)

    _direct: dict[str, Touches]

    def direct(self, name: str) -> Touches:
        """What a function itself touches."""
        return self._direct.get(name, Touches())

    def names(self) -> list[str]:
        """The functions that are known."""
        return sorted(self._direct)

    def all_of(self, name: str) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """Everything a function touches, with the way to it: the functions that are called one after the other."""
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for function, way in self._reached(name).items():
            for touched in self._direct.get(function, Touches()).tables:
                found.setdefault(touched, way)
        return found

    def dynamic_of(self, name: str) -> list[str]:
        """The functions among those it reaches that execute a text."""
        return [function for function in self._reached(name) if self.direct(function).dynamic]

    def _reached(self, name: str) -> dict[str, tuple[str, ...]]:
        reached: dict[str, tuple[str, ...]] = {name: (name,)}
        waiting = [name]
        while waiting:
            current = waiting.pop(0)
            for called in self._called(current):
                if called not in reached:
                    reached[called] = (*reached[current], called)
                    waiting.append(called)
        return reached

    def _called(self, name: str) -> Iterator[str]:
        direct = self.direct(name)
        yield from direct.calls
        for table, operation in direct.tables:
            for trigger in self._catalog.triggers.values():
                if trigger.table == table and operation in trigger.events:
                    yield trigger.function

    def _read(self, function: Function, body: ParsedBody, mine: Touches) -> None:
        path = function_path(function, self._path)
        for query in body.queries:
            for operation, table, index in statement_touches(self._catalog, path, query.node, query.snippet):
                mine.tables.setdefault((table, operation), (query.snippet, index))
            for called, index in _calls(self._catalog, path, query.node, query.snippet):
                mine.calls.setdefault(called, (query.snippet, index))
            if query.embedded and query.embedded.dynamic:
                mine.dynamic.append((query.snippet, 0))


def _calls(catalog: Catalog, path: tuple[str, ...], node: Node, snippet: Snippet) -> Iterator[tuple[str, int]]:
    named = [body for kind, body in walk(node) if kind == "FuncCall"]
    if "CallStmt" in node:
        named.append(node["CallStmt"].get("funccall", {}))
    for body in named:
        for function in catalog.overloads(tuple(strings(body.get("funcname"))), path)[:1]:
            yield function.name, snippet.char_index(max(body.get("location", 0), 0))


def statement_touches(
    catalog: Catalog, path: tuple[str, ...], node: Node, snippet: Snippet
) -> Iterator[tuple[str, str, int]]:
    """Operation, table and place for each table that a statement reads or writes; views lead to their tables."""
    named: set[int] = set()
    for kind, body in walk(node):
        if kind in _WRITES:
            target = body.get("relation", {})
            named.add(id(target))
            for operation in _operations(kind, body):
                yield from _on(catalog, path, operation, target, snippet)
        elif kind == "TruncateStmt":
            for _, target in items(body.get("relations")):
                named.add(id(target))
                yield from _on(catalog, path, "truncate", target, snippet)
        elif kind == "LockStmt":
            named.update(id(target) for _, target in items(body.get("relations")))
        elif kind == "LockingClause":
            named.update(id(target) for _, target in items(body.get("lockedRels")))
    ctes = {body.get("ctename", "") for kind, body in walk(node) if kind == "CommonTableExpr"}
    for kind, body in walk(node):
        if (
            kind == "RangeVar"
            and id(body) not in named
            and not (len(range_name(body)) == 1 and body.get("relname") in ctes)
        ):
            yield from _on(catalog, path, "select", body, snippet)


def _operations(kind: str, body: Node) -> list[str]:
    if kind == "MergeStmt":
        commands = {clause.get("commandType") for _, clause in items(body.get("mergeWhenClauses"))}
        return sorted(_MERGED[command] for command in commands if command in _MERGED)
    if body.get("onConflictClause", {}).get("action") == "ONCONFLICT_UPDATE":
        return ["insert", "update"]
    return [_WRITES[kind]]


def _on(
    catalog: Catalog, path: tuple[str, ...], operation: str, target: Node, snippet: Snippet
) -> Iterator[tuple[str, str, int]]:
    relation = catalog.relation(range_name(target), path)
    if relation is None:
        return
    index = snippet.char_index(max(target.get("location", 0), 0))
    if relation.kind == "view":
        for table in _tables_of(catalog, relation.name, set()):
            yield operation, table, index
    else:
        yield operation, relation.name, index


def _tables_of(catalog: Catalog, name: str, seen: set[str]) -> Iterator[str]:
    relation = catalog.relations.get(name)
    if relation is None or name in seen:
        return
    seen.add(name)
    if relation.kind != "view":
        yield name
    for read in relation.reads:
        if relation.kind == "view":
            yield from _tables_of(catalog, read, seen)
