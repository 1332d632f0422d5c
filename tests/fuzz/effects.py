"""What a call did to the rows, and words for what it may do: whose rows, which columns. ``rights`` is made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from tests.fuzz.claims import Caller

Row = Mapping[str, Any]
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A row before and after a call; ``None`` where there was, or is, none."""

    table: str
    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        """The row, as it was if it was."""
        row = self.after if self.before is None else self.before
        assert row is not None
        return row

    @property
    def columns(self) -> set[str]:
        """What an update changed."""
        before, after = self.before or {}, self.after or {}
        return {name for name in before if before[name] != after[name]}

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"{self.table}: {'inserted' if self.before is None else 'deleted'} {_short(self.row)}"
        return f"{self.table}: changed {sorted(self.columns)} of {_short(self.row)}"


@dataclass(frozen=True)
class Facts:
    """What is stored before a call.

    Args:
        rows: The rows of each table.
    """

    rows: Mapping[str, list[Row]]

    @cached_property
    def webinars(self) -> dict[str, Row]:
        """By id."""
        return {row["id"]: row for row in self.rows["webinars"]}

    @cached_property
    def registrations(self) -> dict[Key, Row]:
        """By webinar and user."""
        return {(row["webinar_id"], row["user_id"]): row for row in self.rows["registrations"]}

    @cached_property
    def sessions(self) -> dict[Key, Row]:
        """By webinar and session."""
        return {(row["webinar_id"], row["session_id"]): row for row in self.rows["webinar_user_sessions"]}

    @cached_property
    def admins(self) -> set[str]:
        """Administrators of all webinars."""
        return {row["user_id"] for row in self.rows["profiles"] if row["is_admin"]}

    @cached_property
    def listed(self) -> set[Key]:
        """Webinar and address on its list."""
        return {(row["webinar_id"], row["email"]) for row in self.rows["webinar_allowed_emails"]}


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made.

    Attributes:
        arguments: As text, by the names of the parameters.
    """

    facts: Facts
    caller: Caller
    arguments: Mapping[str, str | None]

    @property
    def user(self) -> str | None:
        """Who calls."""
        return str(self.caller.user_id) if self.caller.user_id else None

    @property
    def is_service(self) -> bool:
        """Whether the application's back end calls."""
        return self.caller.role == "service_role" and self._claim("role", "service_role") == "service_role"

    @property
    def is_admin(self) -> bool:
        """Whether an administrator calls."""
        return self.user in self.facts.admins

    def ids(self, parameter: str) -> list[str]:
        """The ids that an argument names, in the one spelling that all spellings have in common."""
        return ids_in(self.arguments.get(parameter))

    @property
    def webinar(self) -> Row:
        """The webinar that is named; empty where there is none."""
        return self.facts.webinars.get(self._one("_webinar_id"), {})

    @property
    def registration(self) -> Row:
        """The caller's registration in it."""
        return self.facts.registrations.get((self._one("_webinar_id"), self.user or ""), {})

    @property
    def session(self) -> Row:
        """The session that is named."""
        return self.facts.sessions.get((self._one("_webinar_id"), self._one("_session_id")), {})

    @property
    def role(self) -> str | None:
        """The caller's role in it, unless ejected."""
        return self.registration.get("role") if self.registration.get("ejected_at") is None else None

    @property
    def is_invited(self) -> bool:
        """Whether the verified address of the caller is on the list."""
        email = str(self._claim("email", "")).lower().strip()
        verified = self._claim("email_verified", False) is True
        return verified and (self.webinar.get("id", ""), email) in self.facts.listed

    def _claim(self, name: str, otherwise: object) -> object:
        """A claim, as far as it can be read."""
        try:
            claims = json.loads(self.caller.claims or "{}")
        except (ValueError, RecursionError):
            return otherwise
        return claims.get(name, otherwise) if isinstance(claims, dict) else otherwise

    def _one(self, parameter: str) -> str:
        return next(iter(self.ids(parameter)), "")


Whose = Callable[[Made], Collection[str | int | bool | None]]
"""The values that a column of a row may have, for a row that is the call's to write."""

Rows = dict[str, Whose]
"""Columns, and whose values they have in the rows that are meant."""


def caller(made: Made) -> list[str | None]:
    """Who calls, a guest too."""
    return [made.user]


def signed_in(made: Made) -> list[str | None]:
    """Who calls, but no guest: one guest is not another."""
    return [made.user] if made.user else []


def host_to_be(made: Made) -> list[str | None]:
    """Of a webinar that is made."""
    return [*made.ids("_host_id")] or signed_in(made)


def watcher(made: Made) -> list[str | None]:
    """Whose session is named."""
    return [made.session["user_id"]] if made.session else []


def argument(name: str) -> Whose:
    """Whom or what an argument names."""
    return lambda made: made.ids(name)


def nobody(_: Made) -> list[str | None]:
    """A guest's."""
    return [None]


def one_of(*values: str) -> Whose:
    """One of these words."""
    return lambda _: values


def number(name: str) -> Whose:
    """The number that an argument is, in any way that Postgres reads it."""

    def read(made: Made) -> list[int]:
        text = (made.arguments.get(name) or "").strip()
        for base in (10, 0):
            with suppress(ValueError):
                return [int(text, base)]
        return []

    return read


@dataclass(frozen=True, slots=True)
class May:
    """What may be done to rows of one table.

    Attributes:
        rows: Which rows: each column, and the values that it may have.
        columns: Those that an update may change.
        becomes: What else is true of an inserted row.
    """

    rows: Rows
    insert: bool = False
    columns: frozenset[str] = frozenset()
    delete: bool = False
    becomes: Rows = field(default_factory=dict)

    def covers(self, change: Change, made: Made) -> bool:
        """Whether the change is one of these."""
        if change.before is None:
            allowed = self.insert
        elif change.after is None:
            allowed = self.delete
        else:
            allowed = change.columns <= self.columns
        expected = self.rows | (self.becomes if change.before is None else {})
        return allowed and all(change.row[column] in whose(made) for column, whose in expected.items())


@dataclass(frozen=True, slots=True)
class Effect:
    """What a function may do.

    Attributes:
        succeeds: Whether the call may come to anything but a refusal.
        writes: By table, what may be done; any of several.
    """

    succeeds: Callable[[Made], object] = lambda _: True
    writes: Mapping[str, tuple[May, ...]] = field(default_factory=dict)

    def faults(self, made: Made, changes: Iterable[Change], *, done: bool) -> list[str]:
        """What the call did and should not have done."""
        if not done:
            return [f"refused, but changed {change}" for change in changes]
        faults = [] if self.succeeds(made) else ["done, though the caller may not"]
        for change in changes:
            if not any(may.covers(change, made) for may in self.writes.get(change.table, ())):
                faults.append(_told(change))
        return faults


def ids_in(text: str | None) -> list[str]:
    """The uuids in a text, however they are spelled."""
    return [str(UUID(found)) for found in re.findall(r"[0-9a-f]{32}", (text or "").lower().replace("-", ""))]


def _told(change: Change) -> str:
    if change.table == "registrations" and change.before is None:
        return f"{change.row['user_id']} was registered without being asked"
    if change.table == "registrations" and change.after is None:
        return f"a registration is gone: {_short(change.row)}"
    return f"wrote what is not its own: {change}"


def _short(row: Row) -> str:
    named = ("id", "webinar_id", "session_id", "user_id", "event", "email", "key", "name")
    return str({name: row[name] for name in named if row.get(name) is not None})
