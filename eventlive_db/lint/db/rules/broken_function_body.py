"""Functions in which a query does not compile: plpgsql looks at a query only when it is first run.

Each query is compiled as the body of a temporary SQL function whose parameters are the variables, and rolled back.
Nothing is run. The variables of type record have no columns before they are assigned, so a query that uses one is
judged with nulls in their place, and only for what does not depend on their types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from eventlive_db.lint.db.bodies import Body, Query, read_bodies
from eventlive_db.lint.db.model import Level, Rule, Sighting
from eventlive_db.lint.db.scope import Scope

# 42P01 no such table, 42703 no such column, 3F000 no such schema, 42704 no such type or object.
_WHATEVER_THE_TYPES = {"42P01", "42703", "3F000", "42704"}


# 54023 more variables than a function may have parameters, 42P13 a variable that cannot be one.
_NOT_THE_QUERY = {"54023", "42P13"}

# What Postgres says of a variable without that column, too.
_NO_SUCH_TABLE = re.compile(r'missing FROM-clause entry for table "(.+)"')

_NO_RELATION = re.compile(r'relation "(.+)" does not exist')

_SETTINGS = "select set_config('search_path', %s, true), set_config('check_function_bodies', 'on', true)"


def find(connection: psycopg.Connection[Any], scope: Scope) -> list[Sighting]:
    """Compile the queries of all functions in plpgsql, and the bodies of those in SQL that are kept as text."""
    found = []
    for body in read_bodies(connection, scope):
        if body.problem:
            found.append(Sighting(body.name, f"The body of {body.name} cannot be read: {body.problem}.", Level.WARNING))
        else:
            found += _compile(connection, body)
    return found


def _compile(connection: psycopg.Connection[Any], body: Body) -> Iterator[Sighting]:
    # All at once, and one by one only where that fails.
    error = _error(connection, body, body.queries)
    if error is not None and error.sqlstate in _NOT_THE_QUERY:
        sentence = f"The body of {body.name} cannot be compiled alone: {error.diag.message_primary}."
        yield Sighting(body.name, sentence, Level.WARNING)
    elif error is not None:
        for query in body.queries:
            error = _error(connection, body, (query,))
            if error is None or _is_made_by(body, error):
                continue
            if not query.of_record or error.sqlstate in _WHATEVER_THE_TYPES:
                yield Sighting(body.name, _sentence(body, query, error))


def _is_made_by(body: Body, error: psycopg.Error) -> bool:
    """Whether all that is missing is a table that the function creates before."""
    missing = _NO_RELATION.fullmatch(error.diag.message_primary or "")
    return missing is not None and missing[1].rpartition(".")[2] in body.makes


def _error(connection: psycopg.Connection[Any], body: Body, queries: tuple[Query, ...]) -> psycopg.Error | None:
    types: Any = body.parameters  # as the body itself spells them
    statement = sql.SQL("create function pg_temp.{} ({}) returns void language sql as {}").format(
        sql.Identifier(body.short_name),
        sql.SQL(types),
        sql.Literal(";\n".join(query.text for query in queries)),
    )
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(_SETTINGS, [body.search_path])
            connection.execute(statement)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
        raise
    except psycopg.Error as error:
        return error
    return None


def _sentence(body: Body, query: Query, error: psycopg.Error) -> str:
    message = (error.diag.message_primary or str(error)).replace("\n", " ")
    missing = _NO_SUCH_TABLE.fullmatch(message)
    if missing and f'"{missing[1]}"' in body.parameters:
        message = f"variable {missing[1]} has no such column"
    return f"Line {query.line} of {body.name} does not compile: {message} ({error.sqlstate})."


RULE = Rule(
    "broken_function_body",
    Level.ERROR,
    "Functions in which a query names a column, table or function that does not exist.",
    "Correct the query, or bring back what it names; plpgsql finds out only when the line is run.",
    find,
    writes=True,
)
