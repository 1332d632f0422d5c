"""Runs a SQL script on a connection, statement by statement, so that an error says where it happened."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from eventlive_db.migrate.errors import StatementError
from eventlive_db.migrate.sqltext import split_statements


def execute_script(connection: psycopg.Connection[Any], script: str, file: str) -> None:
    """Run the statements of a script in the transaction that is open, or that the first one opens.

    Args:
        connection: Where. Never committed here.
        script: SQL with the names in place.
        file: Name of the script, for the error.

    Raises:
        StatementError: A statement failed; the caller rolls back.
    """
    for statement in split_statements(script):
        try:
            connection.execute(statement.text.encode())
        except psycopg.Error as error:
            raise StatementError.of(file, statement.line, statement.text, error) from error


def execute_scripts(connection: psycopg.Connection[Any], scripts: Iterable[tuple[str, str]]) -> None:
    """Run several scripts, given as name and text, one after the other. See ``execute_script``."""
    for file, script in scripts:
        execute_script(connection, script, file)
