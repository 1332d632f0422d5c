"""What the tests of the migrations share: people who migrate, and databases they own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from eventlive_db.migrate import Catalog, read_catalog
from eventlive_db.server import Server

CLIENT_ROLES = ("anon", "authenticated", "service_role")


@contextmanager
def connected(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def run(dsn: str, *statements: str) -> None:
    """Run statements, each in its own transaction."""
    with connected(dsn) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def ask(dsn: str, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with connected(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def whole_catalog(dsn: str) -> Catalog:
    """Everything in every schema but the system's, the migrations' own tables included."""
    with connected(dsn) as connection:
        return read_catalog(connection, schemas=[], machinery=True)


class People:
    """Roles with names of their own, dropped at the end of the test."""

    def __init__(self, admin_dsn: str) -> None:
        self._admin_dsn = admin_dsn
        self._made: list[str] = []

    def name(self, role: str) -> str:
        """A role name that nobody else has. The role is dropped if somebody makes it."""
        name = f"{role}_{secrets.token_hex(6)}"
        self._made.append(name)
        return name

    def make(self, role: str, attributes: str = "") -> str:
        """Make a role that may log in."""
        name = self.name(role)
        # With the administrator's password, so that a DSN needs no more than another user, also where one is asked for.
        password = sql.Literal(conninfo_to_dict(self._admin_dsn).get("password", secrets.token_hex(16)))
        with connected(self._admin_dsn) as admin:
            admin.execute(
                sql.SQL("create role {} login password {} {}").format(
                    sql.Identifier(name), password, sql.SQL(attributes)
                )
            )
        return name

    def drop(self) -> None:
        """Drop those that exist; their databases are gone by now."""
        with connected(self._admin_dsn) as admin:
            for name in self._made:
                admin.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(name)))


@pytest.fixture
def people(pg_server: Server) -> Iterator[People]:
    """Makes roles. Ask for it before ``make_database``, so that databases go first."""
    with connected(pg_server.dsn()) as admin:
        for role in CLIENT_ROLES:
            if not admin.execute("select from pg_roles where rolname = %s", [role]).fetchall():
                admin.execute(sql.SQL("create role {} nologin noinherit").format(sql.Identifier(role)))
    everybody = People(pg_server.dsn())
    yield everybody
    everybody.drop()


@pytest.fixture
def database_of(people: People, make_database: Callable[..., str]) -> Callable[[str], tuple[str, str]]:
    """Make a database for a role that may create in it: ``(DSN of the role, DSN of the superuser)``."""

    def make(role: str) -> tuple[str, str]:
        dsn = make_database()
        name = conninfo_to_dict(dsn)["dbname"]
        run(dsn, f'alter database "{name}" owner to "{role}"')
        return make_conninfo(dsn, user=role), dsn

    return make
