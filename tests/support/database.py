"""A database with the schema in it, for one test."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from eventlive_db.client import Identity
from tests.support.actors import Actor, new_id

TABLES = (
    "webinars",
    "webinar_allowed_emails",
    "profiles",
    "registrations",
    "webinar_live_presence",
    "webinar_user_sessions",
    "event_access_logs",
    "webinar_messages",
    "webinar_message_feeds",
    "settings",
)


class EventliveDatabase:
    """A database of its own for a test: connections that close by themselves, and shorthands for what tests set up.

    Attributes:
        dsn: How to connect as the superuser.
        admin: A connection of the superuser, in autocommit mode.
    """

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._open = ExitStack()
        self.admin = self.connect()

    def close(self) -> None:
        """Close every connection that was made here."""
        self._open.close()

    def connect(self) -> psycopg.Connection[Any]:
        """A further connection of the superuser, in autocommit mode."""
        connection: psycopg.Connection[Any] = psycopg.connect(self.dsn, autocommit=True)
        self._open.callback(connection.close)
        return connection

    def user(self, user_id: UUID | None = None, **claims: object) -> Actor:
        """A signed-in user on a connection of their own."""
        user_id = user_id or new_id()
        return Actor(self.connect(), Identity.user(user_id, **claims), user_id)

    def guest(self) -> Actor:
        """Somebody who is not signed in."""
        return Actor(self.connect(), Identity.guest())

    def service(self) -> Actor:
        """The application's back end."""
        return Actor(self.connect(), Identity.service())

    def acting(self, role: str, claims: str) -> psycopg.Connection[Any]:
        """A connection with a role and raw claims set for good; for claims that no client would send."""
        connection = self.connect()
        connection.execute("select set_config('request.jwt.claims', %s, false)", [claims])
        connection.execute(f'set role "{role}"'.encode())
        return connection

    def make_admin(self, user_id: UUID) -> None:
        """Make a user an administrator of all webinars."""
        self.admin.execute("insert into eventlive.profiles (user_id, is_admin) values (%s, true)", [user_id])

    def webinar(
        self,
        *,
        status: str = "live",
        access_policy: str = "auth",
        entry_policy: str = "auto_register",
        duplicate_login_policy: str = "ask",
        settings: dict[str, object] | None = None,
        host: UUID | None = None,
    ) -> UUID:
        """A webinar; with a host where one is named."""
        row = self.admin.execute(
            "insert into eventlive.webinars"
            " (slug, status, access_policy, entry_policy, duplicate_login_policy, settings)"
            " values (%s, %s, %s, %s, %s, %s) returning id",
            [f"w-{new_id()}", status, access_policy, entry_policy, duplicate_login_policy, Jsonb(settings or {})],
        ).fetchone()
        assert row
        webinar_id: UUID = row[0]
        if host:
            self.register(webinar_id, host, role="host")
        return webinar_id

    def register(self, webinar_id: UUID, user_id: UUID, role: str = "attendee") -> None:
        """A registration, made by hand."""
        self.admin.execute(
            "insert into eventlive.registrations (webinar_id, user_id, role) values (%s, %s, %s)",
            [webinar_id, user_id, role],
        )

    def allow_email(self, webinar_id: UUID, email: str) -> None:
        """An address on the list of a webinar."""
        self.admin.execute("insert into eventlive.webinar_allowed_emails values (%s, %s)", [webinar_id, email])

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of a query, asked as the superuser."""
        return self.admin.execute(query.encode(), parameters).fetchall()

    def value(self, query: str, *parameters: object) -> Any:
        """The one value of a query, asked as the superuser."""
        [(value,)] = self.rows(query, *parameters)
        return value

    def count(self, table: str) -> int:
        """Rows in a table of the schema ``eventlive``."""
        return int(self.value(f"select count(*) from eventlive.{table}"))

    def contents(self) -> dict[str, list[str]]:
        """Every row of every table, for showing that a call changed nothing."""
        return {
            table: [row for (row,) in self.rows(f"select t::text from eventlive.{table} t order by 1")]
            for table in TABLES
        }

    def shift_time(self, interval: str) -> None:
        """Let time pass: move everything that presence and sessions remember into the past."""
        self.admin.execute(
            "update eventlive.webinar_live_presence set joined_at = joined_at - %(by)s::interval,"
            " last_seen_at = last_seen_at - %(by)s::interval, expires_at = expires_at - %(by)s::interval",
            {"by": interval},
        )
        self.admin.execute(
            "update eventlive.webinar_user_sessions set entered_at = entered_at - %(by)s::interval,"
            " last_heartbeat_at = last_heartbeat_at - %(by)s::interval, expires_at = expires_at - %(by)s::interval,"
            " exited_at = exited_at - %(by)s::interval",
            {"by": interval},
        )


Furnish = Callable[[Callable[[EventliveDatabase], object]], str]
"""Fills a database once, and gives its name, to be copied."""
