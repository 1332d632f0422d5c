"""The functions of a database, read from its catalog and parsed with Postgres' own grammar.

    >>> catalog = read_catalog(connection)
    >>> [parse_function(f.header, f.source, catalog.scalar_types) for f in catalog.routines if f.language == "plpgsql"]

The grammar is that of pglast, which is under the GPL and an extra: it is imported when something is parsed.
"""

from __future__ import annotations

from eventlive_db.functions.catalog import Catalog, Routine, read_catalog, split_signature
from eventlive_db.functions.errors import FunctionError, ParserMissingError, UnreadableError
from eventlive_db.functions.parser import EXPRESSION, defaults, parse_function, runs, sql_statements
from eventlive_db.functions.tokens import Token, declared_names, tokens

__all__ = [
    "EXPRESSION",
    "Catalog",
    "FunctionError",
    "ParserMissingError",
    "Routine",
    "Token",
    "UnreadableError",
    "declared_names",
    "defaults",
    "parse_function",
    "read_catalog",
    "runs",
    "split_signature",
    "sql_statements",
    "tokens",
]
