"""Looks at a database with every rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from eventlive_db.lint.db.allowed import Allowance, read_allowances
from eventlive_db.lint.db.model import LEVELS, Finding, Report, Rule, Sighting
from eventlive_db.lint.db.rules import rules
from eventlive_db.lint.db.scope import find_scope
from eventlive_db.lint.errors import LintError

OLDEST_SERVER = 150000
"""Views run as their caller (``security_invoker``) since then."""


def lint_database(
    dsn: str,
    *,
    schemas: Sequence[str] = (),
    exposed: Sequence[str] = (),
    clients: Sequence[str] = (),
    allowances: Sequence[Allowance] | None = None,
) -> Report:
    """Look at a database. Changes nothing in it.

    The catalog is readable by everybody, so any role that may connect will do; to compile the bodies of functions it
    takes the right to make temporary objects, and they are rolled back.

    Args:
        dsn: libpq connection string or URI.
        schemas: What to look at; without any, what this package has installed.
        exposed: Which of them clients use by name; without any, those on which a client has USAGE.
        clients: The roles anybody may act as; without any, ``anon`` and ``authenticated``.
        allowances: What may be as it is; None for those that come with this package.

    Raises:
        LintError: The database cannot be reached or is too old, or there is no such schema or role.
    """
    with _connect(dsn) as connection:
        _begin(connection, read_only=True)
        scope = find_scope(connection, schemas, exposed, clients)
        found: list[Finding] = []
        unseen: list[tuple[str, str]] = []
        for writes in (False, True):
            _begin(connection, read_only=not writes)
            for rule in rules():
                if rule.writes is not writes:
                    continue
                try:
                    with connection.transaction(force_rollback=True):
                        sightings = rule.find(connection, scope)
                except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
                    unseen.append((rule.token, error.diag.message_primary or str(error)))
                except LintError as error:
                    unseen.append((rule.token, str(error)))
                else:
                    found += [_finding(rule, sighting) for sighting in sightings]
        connection.rollback()
    counted, allowed = _divide(found, read_allowances() if allowances is None else allowances)
    return Report(counted, allowed, tuple(unseen), scope)


def _connect(dsn: str) -> psycopg.Connection[Any]:
    try:
        connection = psycopg.connect(dsn, fallback_application_name="eventlive-db lint")
    except psycopg.Error as error:
        msg = f"cannot connect: {str(error).strip()}"
        raise LintError(msg, token="no_connection") from error
    if connection.info.server_version < OLDEST_SERVER:
        connection.close()
        msg = f"Postgres {OLDEST_SERVER // 10000} or newer is needed, and this server is older"
        raise LintError(msg, token="old_server")
    return connection


def _begin(connection: psycopg.Connection[Any], *, read_only: bool) -> None:
    """Begin the next transaction, in which names mean what the system's catalog says."""
    connection.rollback()
    connection.read_only = read_only
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.execute("set local search_path = pg_catalog, pg_temp")


def _finding(rule: Rule, sighting: Sighting) -> Finding:
    return Finding(rule.token, sighting.level or rule.level, sighting.object, sighting.sentence, rule.advice)


def _divide(
    found: Sequence[Finding], allowances: Sequence[Allowance]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What counts, and what is allowed."""
    counted, allowed = [], []
    for finding in sorted(found, key=lambda f: (LEVELS.index(f.level), f.rule, f.object, f.sentence)):
        reason = next((a.reason for a in allowances if a.covers(finding)), None)
        if reason is None:
            counted.append(finding)
        else:
            allowed.append(replace(finding, reason=reason))
    return tuple(counted), tuple(allowed)
