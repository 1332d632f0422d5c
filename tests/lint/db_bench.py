"""A schema with functions of its own, and what the rule for their bodies finds."""

from __future__ import annotations

import psycopg

from eventlive_db.lint.db import Finding, lint_database

HEAD = "create function app.faulty(_webinar_id uuid) returns {returns} language {language} {path} as $$ {body} $$"
PATH = "set search_path = pg_catalog, pg_temp"


class App:
    """A schema with functions of its own, on the tables of the package."""

    def __init__(self, dsn: str, admin: psycopg.Connection[tuple[object, ...]]) -> None:
        self.dsn = dsn
        self.admin = admin

    def plant(self, body: str, *, language: str = "plpgsql", returns: str = "void") -> None:
        """Make a function ``faulty``; Postgres does not look into it."""
        self.admin.execute("set check_function_bodies = off")
        statement = HEAD.format(body=body, language=language, returns=returns, path=PATH)
        self.admin.execute(f"drop function if exists app.faulty; {statement}".encode())

    def broken(self) -> list[Finding]:
        """What the rule finds in it."""
        return broken(self.dsn, "app")


def broken(dsn: str, *schemas: str) -> list[Finding]:
    """What the rule finds in schemas, else in those of the package."""
    return [f for f in lint_database(dsn, schemas=schemas).findings if f.rule == "broken_function_body"]
