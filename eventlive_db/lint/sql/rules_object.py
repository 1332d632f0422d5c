"""Rules for the objects of a schema: comments, privileges, row security, search_path."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from eventlive_db.lint.sql.catalog import Catalog, Function, Origin, Relation
from eventlive_db.lint.sql.config import Config
from eventlive_db.lint.sql.context import Fault, listing

_INTERNAL = frozenset({"pg_temp", "pg_catalog"})
_HOLE = re.compile(r"(?<!\w)_{2,}(?!\w)")


def check_objects(catalog: Catalog, config: Config) -> Iterator[Fault]:
    """The faults of a schema as a whole; of what a variable names, nothing is asked."""
    yield from (fault for fault in _faults(catalog, config) if not _HOLE.search(fault.object))


def _faults(catalog: Catalog, config: Config) -> Iterator[Fault]:
    yield from _comments(catalog, config)
    for function in catalog.all_functions():
        if function.kind != "aggregate":
            yield from _function(catalog, config, function)
    for relation in catalog.relations.values():
        if _needs_row_security(relation, config):
            message = f"{relation.name} has no row security, so that whoever may read it reads all of it"
            advice = f"alter table {relation.name} enable row level security, with a policy for each role"
            yield _fault(relation.origin, "object.row_security", message, advice, relation.name)


def _fault(origin: Origin, rule: str, message: str, advice: str, name: str) -> Fault:
    word = name.partition(" on ")[0].partition("(")[0].rpartition(".")[2]
    return Fault(origin.statement, origin.index, rule, message, advice, word, name.partition("(")[0])


def _needs_row_security(relation: Relation, config: Config) -> bool:
    if relation.kind != "table" or relation.row_security or relation.name.partition(".")[0] in _INTERNAL:
        return False
    return not any(fnmatchcase(relation.name, pattern) for pattern in config.row_security_except)


def _comments(catalog: Catalog, config: Config) -> Iterator[Fault]:
    for kind, name, origin in _commentable(catalog):
        if kind in config.comment_kinds and (kind, name) not in catalog.comments:
            message = f"the {kind} {name} has no comment"
            yield _fault(origin, "object.comment", message, f"comment on {kind} {name} is '...'", name)


def _commentable(catalog: Catalog) -> Iterator[tuple[str, str, Origin]]:
    for name, origin in catalog.schemas.items():
        if origin.index >= 0:
            yield "schema", name, origin
    for relation in catalog.relations.values():
        if relation.kind == "sequence" or relation.name.partition(".")[0] in _INTERNAL:
            continue
        yield relation.kind, relation.name, relation.origin
        if relation.kind == "table" and not relation.parent:
            for column in relation.columns or ():
                yield "column", f"{relation.name}.{column}", relation.origin
    for function in catalog.all_functions():
        yield "function", function.title, function.origin
    for name, origin in catalog.types.items():
        yield "type", name, origin
    for kind, attached in (("trigger", catalog.triggers), ("policy", catalog.policies)):
        for (table, name), entry in attached.items():
            yield kind, f"{name} on {table}", entry.origin
    for name, index in catalog.indexes.items():
        yield "index", name, index.origin


def _function(catalog: Catalog, config: Config, function: Function) -> Iterator[Fault]:
    origin = function.origin
    written = ", ".join(function.settings.get("search_path", ()))
    wanted = config.definer_path
    must = function.definer or (function.language == "plpgsql" and "plpgsql" in config.definer_path_for)
    if must and "search_path" not in function.settings:
        message = f"{function.name} sets no search_path, so that its caller decides what its names mean"
        advice = f"set search_path = {wanted or 'pg_catalog, pg_temp'}"
        yield _fault(origin, "object.search_path", message, advice, function.name)
    elif must and wanted and written != wanted:
        message = f"{function.name} has the search_path {written or repr('')}, not {wanted}"
        yield _fault(origin, "object.search_path", message, f"set search_path = {wanted}", function.name)
    if function.definer and function.name.partition(".")[0] in config.exposed:
        message = f"{function.name} runs as its owner in a schema that clients reach ({listing(config.exposed)})"
        advice = "keep it in a private schema, and call it from a function that runs as the caller"
        yield _fault(origin, "object.exposed_definer", message, advice, function.name)
    if catalog.closed.get(function.title) != origin.statement.source.name:
        message = f"everybody may execute {function.title}, for its file takes that from nobody"
        advice = f"revoke all on function {function.title} from public"
        yield _fault(origin, "object.public_execute", message, advice, function.name)
