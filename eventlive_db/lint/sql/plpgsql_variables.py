"""The variables of a plpgsql body, and what is known of their types."""

from __future__ import annotations

from collections.abc import Iterator

from eventlive_db.lint.sql.catalog import Catalog, Columns, Function
from eventlive_db.lint.sql.context import Context
from eventlive_db.lint.sql.names import find_type
from eventlive_db.lint.sql.parsed_body import BodyQuery, ParsedBody
from eventlive_db.lint.sql.plpgsql import PlpgsqlBody
from eventlive_db.lint.sql.resolve import resolve
from eventlive_db.lint.sql.scope import Output, Variable, Variables

_TRIGGER = frozenset(
    {
        "tg_name",
        "tg_when",
        "tg_level",
        "tg_op",
        "tg_relid",
        "tg_relname",
        "tg_table_name",
        "tg_table_schema",
        "tg_nargs",
    }
    | {"tg_argv", "tg_event", "tg_tag"}
)
_GIVEN = frozenset({"found", "sqlstate", "sqlerrm"})


def declare(catalog: Catalog, path: tuple[str, ...], body: PlpgsqlBody, variables: Variables) -> None:
    variables.qualifiers |= body.labels
    for name in _GIVEN:
        variables.named.setdefault(name, Variable())
    for datum in body.tree.get("datums", []):
        for kind, variable in datum.items():
            if kind in {"PLpgSQL_var", "PLpgSQL_rec"} and variable.get("refname"):
                variables.named.setdefault(str(variable["refname"]), Variable())
    types: dict[str, set[str]] = {}
    for declaration in body.declarations:
        types.setdefault(declaration.name, set()).add(_declared_type(catalog, path, declaration.type))
    for name, _ in body.cursor_rows:
        # The record of a loop over a cursor needs no declaration, and hides one of its name.
        types.setdefault(name, set()).add("record")
    for name, found in types.items():
        # Two blocks may each have a variable of that name: then nothing is known of it.
        variables.named[name] = Variable(found.pop() if len(found) == 1 else "")


def _declared_type(catalog: Catalog, path: tuple[str, ...], written: str) -> str:
    if written.endswith("%rowtype"):
        return find_type(catalog, written.removesuffix("%rowtype"), path)
    if written.endswith("%type"):
        *owner, column = written.removesuffix("%type").split(".")
        relation = catalog.relation(tuple(owner), path) if owner else None
        return (relation.columns or {}).get(column, "") if relation else ""
    return find_type(catalog, written, path)


def declare_trigger_rows(catalog: Catalog, function: Function, variables: Variables) -> None:
    """NEW and OLD have the columns of the tables whose triggers call the function."""
    for name in _TRIGGER:
        variables.named.setdefault(name, Variable())
    tables = {t.table for t in catalog.triggers.values() if t.function == function.name}
    columns: dict[str, str] | None = {}
    for table in tables:
        relation = catalog.relations.get(table)
        known = relation.columns if relation else None
        columns = None if known is None or columns is None else {**columns, **known}
    title = " or ".join(sorted(tables))
    for row in ("new", "old"):
        variables.named[row] = Variable("", columns if tables else None, title)


def infer_records(catalog: Catalog, path: tuple[str, ...], parsed: ParsedBody, variables: Variables) -> None:
    """The fields of ``record`` variables: what all queries that fill one give, where all of them are known."""
    assert parsed.plpgsql is not None  # noqa: S101  # the callers looked
    shapes: dict[str, Columns | None] = {}
    for name, query in _filled(parsed.queries, parsed.plpgsql.cursor_rows):
        embedded = query.embedded
        assert embedded is not None  # noqa: S101  # as _filled gives them
        if variables.named.get(name, Variable("")).type != "record":
            continue
        quiet = Context(catalog, path, query.snippet, variables)
        output: Output = None if embedded.dynamic else resolve(quiet, query.node)
        known = shapes.get(name, {})
        shapes[name] = None if output is None or known is None else {**known, **dict(output)}
    for name, shape in shapes.items():
        if name not in parsed.plpgsql.unknown_targets:
            variables.named[name] = Variable("record", shape, "its query")


def _filled(queries: list[BodyQuery], cursor_rows: list[tuple[str, str]]) -> Iterator[tuple[str, BodyQuery]]:
    """Each record with each query that fills it: at once, or through a cursor."""
    for query in queries:
        embedded = query.embedded
        if embedded and embedded.is_row and embedded.target:
            yield embedded.target[0], query
        elif embedded and embedded.statement == "cursor":
            yield from ((record, query) for record, cursor in cursor_rows if (cursor,) == embedded.target)
