"""What goes wrong with migrations. Every message says what to do next."""

from __future__ import annotations

from typing import Any

import psycopg


class MigrateError(RuntimeError):
    """A migration, a comparison or what they were asked for cannot be done."""


class NameRefusedError(MigrateError, ValueError):
    """A schema or role name that the SQL cannot carry."""


class StatementError(MigrateError):
    """A statement of a SQL file failed; its transaction was rolled back.

    Attributes:
        file: Name of the file.
        line: Line in it where the statement begins.
        statement: The statement, as it was sent.
        sqlstate: SQLSTATE of the error; None where the connection broke.
    """

    def __init__(self, message: str, file: str, line: int, statement: str, sqlstate: str | None) -> None:
        super().__init__(message)
        self.file = file
        self.line = line
        self.statement = statement
        self.sqlstate = sqlstate

    @classmethod
    def of(cls, file: str, line: int, statement: str, error: psycopg.Error) -> StatementError:
        """The error of a statement, with a message that says where it stands."""
        where = f"{file}, line {line}: {_first_line(statement)}"
        message = f"{describe(error)}\nat {where}\nThis step was rolled back."
        return cls(message, file, line, statement, error.sqlstate)

    def __reduce__(self) -> tuple[Any, ...]:
        """So that it can go from one process to another."""
        return type(self), (str(self), self.file, self.line, self.statement, self.sqlstate)


def _first_line(statement: str) -> str:
    line = next(
        (line for line in statement.splitlines() if line.strip() and not line.lstrip().startswith("--")),
        "",
    ).strip()
    return line if len(line) <= 100 else f"{line[:97]}..."


_ADVICE = {
    "42501": (
        "The migrating role needs CREATE on the database, the right to create the owner role (CREATEROLE) or"
        " membership in it (--owner names an existing one), and, to use an existing schema as the exposed one,"
        " the right to grant on that schema."
    ),
    "55P03": "Another transaction holds the table. Try again at a quieter time; nothing has changed.",
}
# Postgres advises CASCADE, which would take along what is not ours.
_BETTER_ADVICE = {
    "2BP01": "Objects that are not part of eventlive-db depend on it. Drop them, or move them away, first.",
}


def describe(error: psycopg.Error) -> str:
    """A database error as lines of text: SQLSTATE, message, detail, context and hint; never the connection string."""
    diag, state = error.diag, error.sqlstate or ""
    message = diag.message_primary or str(error).strip() or type(error).__name__
    lines = [f"{error.sqlstate}: {message}" if error.sqlstate else message]
    if diag.message_detail:
        lines.append(f"detail: {diag.message_detail}")
    # Class 42: where in a function's body it is. Errors raised on purpose need no such help.
    if diag.context and state.startswith("42"):
        lines.append(f"context: {diag.context}")
    hint = _BETTER_ADVICE.get(state) or diag.message_hint or _ADVICE.get(state)
    if hint:
        lines.append(f"hint: {hint}")
    return "\n".join(lines)
