"""DDL in the bodies of functions and DO blocks."""

from __future__ import annotations

import re
from dataclasses import replace

from eventlive_db.lint.sql.apply import Session
from eventlive_db.lint.sql.apply_keep import keep
from eventlive_db.lint.sql.catalog import Catalog
from eventlive_db.lint.sql.parsed_body import BodyQuery
from eventlive_db.lint.sql.resolve import QUERY_KINDS
from eventlive_db.lint.sql.tree import unwrap

# Who asks the catalog first, or catches the error, may name what is not there.
_GUARD = re.compile(
    r"information_schema|pg_(?:catalog|class|tables|views|indexes|attribute|constraint|type|enum|proc|trigger|polic|"
    r"namespace|sequences?|matviews)|to_reg\w+|\bundefined_\w+|\bduplicate_\w+|\bwhen\s+others\b",
    re.IGNORECASE,
)
_READ_AS_QUERIES = frozenset({"CreateTableAsStmt", "ViewStmt"})


def is_ddl(query: BodyQuery) -> bool:
    """Whether a statement of a body makes, changes or drops something."""
    kind, _ = unwrap(query.node)
    return kind not in QUERY_KINDS and kind not in _READ_AS_QUERIES


def is_guarded(text: str) -> bool:
    """Whether a body finds out by itself what there is."""
    return _GUARD.search(text) is not None


def with_made(catalog: Catalog, path: tuple[str, ...], queries: list[BodyQuery]) -> Catalog:
    """The catalog with what a body makes in it; of that, the columns are not known.

    A body may run any of its statements, in any order and more than once.
    """
    made = [query for query in queries if unwrap(query.node)[0] not in QUERY_KINDS and not _is_temporary(query)]
    if not made:
        return catalog
    known = catalog.copy()
    session = Session(path, path)
    for query in made:
        kind, body = unwrap(query.node)
        keep(known, session, query.snippet, kind, body)
    for name, relation in known.relations.items():
        if name not in catalog.relations:
            known.relations[name] = replace(relation, columns=None)
    return known


def _is_temporary(query: BodyQuery) -> bool:
    _, body = unwrap(query.node)
    targets = (body.get("relation"), body.get("view"), body.get("into", {}).get("rel"))
    return any(target.get("relpersistence") == "t" for target in targets if target)
