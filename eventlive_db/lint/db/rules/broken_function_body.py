"""Functions in which a query does not compile: plpgsql looks at a query only when it is first run.

Each query is compiled as the body of a temporary SQL function whose parameters are the variables, and rolled back.
Nothing is run. The variables of type record have no columns before they are assigned, so a query that uses one is
judged with nulls in their place, and only for what does not depend on their types. NEW and OLD of a trigger are rows of
its table; of several tables, a query is broken if it is with the rows of each. So it is with arguments of any type
(``anyelement``), of which some are tried; then only a missing name counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from eventlive_db.lint.db.any_type import ENUM
from eventlive_db.lint.db.bodies import Body, Query, read_bodies
from eventlive_db.lint.db.model import Level, Rule, Sighting
from eventlive_db.lint.db.scope import Scope

# 42P01 no such table, 42703 no such column, 3F000 no such schema, 42704 no such type or object.
_WHATEVER_THE_TYPES = {"42P01", "42703", "3F000", "42704"}

# 54023 more variables than a function may have parameters, 42P13 a variable that cannot be one.
_NOT_THE_QUERY = {"54023", "42P13"}

# What Postgres says of a variable without that column, too.
_NO_SUCH_TABLE = re.compile(r'missing FROM-clause entry for table "(.+)"')

_NO_FUNCTION = re.compile(r"function (.+?)\(.*\) does not exist")

_NAMESAKES = """
select
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
 where p.proname = %(name)s
   and case %(schema)s when '' then pg_catalog.pg_function_is_visible(p.oid) else n.nspname = %(schema)s end
 limit 1
"""

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
    for parameters in body.parameters:
        error = _error(connection, body, parameters, body.queries)
        if error is None:
            return
        if error.sqlstate in _NOT_THE_QUERY:
            sentence = f"The body of {body.name} cannot be compiled alone: {error.diag.message_primary}."
            yield Sighting(body.name, sentence, Level.WARNING)
            return
    sentences = (_sentence(body, query, error) for query in body.queries if (error := _fault(connection, body, query)))
    yield from (Sighting(body.name, sentence) for sentence in dict.fromkeys(sentences))


def _fault(connection: psycopg.Connection[Any], body: Body, query: Query) -> psycopg.Error | None:
    """What is wrong with a query in whatever way its variables are declared."""
    errors = []
    for parameters in body.parameters:
        error = _error(connection, body, parameters, (query,))
        if error is None or _is_made_by(body, error):
            return None
        errors.append(error)
    if body.of_any_type:
        # There are more types than were tried, but what has no name is missing for them too.
        return next((error for error in errors if _is_missing(connection, body, error)), None)
    certain = [error for error in errors if not query.of_record or error.sqlstate in _WHATEVER_THE_TYPES]
    return errors[0] if len(certain) == len(errors) else None


def _is_missing(connection: psycopg.Connection[Any], body: Body, error: psycopg.Error) -> bool:
    """Whether an error says that nothing has a name, and not that something has the wrong type."""
    message = error.diag.message_primary or ""
    if unknown := _NO_SUCH_TABLE.fullmatch(message):
        # A variable may be of a type that has that field.
        return not _is_variable(body, unknown[1])
    if unknown := _NO_FUNCTION.fullmatch(message):
        return not _is_function(connection, body, unknown[1])
    return error.sqlstate in _WHATEVER_THE_TYPES


def _is_variable(body: Body, name: str) -> bool:
    return any(f'"{name}"' in parameters for parameters in body.parameters)


def _is_function(connection: psycopg.Connection[Any], body: Body, name: str) -> bool:
    """Whether there is a function of that name, whatever arguments it takes."""
    schema, _, short = name.rpartition(".")
    with connection.transaction(force_rollback=True):
        connection.execute(_SETTINGS, [body.search_path])
        return connection.execute(_NAMESAKES, {"name": short, "schema": schema}).fetchone() is not None


def _is_made_by(body: Body, error: psycopg.Error) -> bool:
    """Whether all that is missing is a table that the function creates before."""
    missing = _NO_RELATION.fullmatch(error.diag.message_primary or "")
    return missing is not None and missing[1].rpartition(".")[2] in body.makes


def _error(
    connection: psycopg.Connection[Any], body: Body, parameters: str, queries: tuple[Query, ...]
) -> psycopg.Error | None:
    types: Any = parameters  # as the body itself spells them
    statement = sql.SQL("create function pg_temp.{} ({}) returns void language sql as {}").format(
        sql.Identifier(body.short_name),
        sql.SQL(types),
        sql.Literal(";\n".join(query.text for query in queries)),
    )
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(_SETTINGS, [body.search_path])
            if ENUM in parameters:
                connection.execute(f"create type {ENUM} as enum ('one')".encode())
            connection.execute(statement)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
        raise
    except psycopg.Error as error:
        return error
    return None


def _sentence(body: Body, query: Query, error: psycopg.Error) -> str:
    message = (error.diag.message_primary or str(error)).replace("\n", " ")
    missing = _NO_SUCH_TABLE.fullmatch(message)
    if missing and _is_variable(body, missing[1]):
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
