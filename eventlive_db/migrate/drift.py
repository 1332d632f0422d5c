"""How a database differs from the declared schema, in lines for people."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg

from eventlive_db.migrate import session
from eventlive_db.migrate.build import build_declared
from eventlive_db.migrate.catalog import SETTING, VALUE_IN_FORCE, Catalog, read_catalog
from eventlive_db.migrate.partitions import expected_at_run_time, may_be_so
from eventlive_db.migrate.render import Names


class Change(StrEnum):
    """What is the matter with an entry, seen from the database."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        object: What differs, such as ``table eventlive.webinars``.
        aspect: In what, such as ``column slug``.
        change: Whether it is missing, unexpected or different in the database.
        declared: What was declared; None where nothing was.
        found: What the database has; None where it has nothing.
    """

    object: str
    aspect: str
    change: Change
    declared: str | None
    found: str | None

    def __str__(self) -> str:
        head = f"{self.object}: {self.aspect}: {self.change}"
        values = [value for value in (self.declared, self.found) if value]
        if not any("\n" in value for value in values):
            details = []
            if self.declared:
                details.append(f"    declared: {self.declared}")
            if self.found:
                details.append(f"    found:    {self.found}")
            return "\n".join([head, *details])
        lines = difflib.unified_diff(
            (self.declared or "").splitlines(), (self.found or "").splitlines(), "declared", "found", "", "", 1, ""
        )
        return "\n".join([head, *(f"    {line}" for line in lines)])


def compare(
    declared: Catalog, found: Catalog, *, shared_schema: str | None = None, strict: bool = False
) -> list[Difference]:
    """The differences between two catalogs, sorted.

    Args:
        declared: What ought to be.
        found: What is.
        shared_schema: A schema that holds other objects too: those, its owner, its comment and further privileges
            on it are none of our business.
        strict: Compare everything. Otherwise partitions that time has added pass, where they are like the declared
            one, and so do settings that were changed.
    """
    known = declared.objects()
    expected = declared.entries if strict else declared.entries | expected_at_run_time(declared, found)
    differences = []
    for key in sorted(expected.keys() | found.entries.keys()):
        object_, aspect = key
        ought, is_ = expected.get(key), found.entries.get(key)
        if ought == is_:
            continue
        if ought is None and _is_foreign(object_, known, shared_schema):
            continue
        if object_ == f"schema {shared_schema}" and (ought is None or not aspect.startswith("grant ")):
            continue
        if not strict and (_is_own_value(object_, aspect) or may_be_so(object_, aspect, known, found)):
            continue
        change = Change.MISSING if is_ is None else Change.UNEXPECTED if ought is None else Change.DIFFERENT
        differences.append(Difference(object_, aspect, change, ought, is_))
    return differences


def _is_foreign(object_: str, known: frozenset[str], shared_schema: str | None) -> bool:
    """Whether an object lies in a shared schema and is not one of ours."""
    if shared_schema is None or object_ in known:
        return False
    return f" {shared_schema}." in object_ or object_.endswith(f" in {shared_schema}")


def _is_own_value(object_: str, aspect: str) -> bool:
    return object_.startswith(f"{SETTING} ") and aspect == VALUE_IN_FORCE


def declared_catalog(scratch: psycopg.Connection[Any], names: Names) -> Catalog:
    """The catalog of the declared schema.

    Args:
        scratch: Connection to a database without the schema; it is built there.
        names: The names to build it with.

    Raises:
        StatementError: It cannot be built.
    """
    build_declared(scratch, names)
    return read_catalog(scratch, names)


def find_drift(
    database: psycopg.Connection[Any], scratch: psycopg.Connection[Any], names: Names | None = None
) -> list[Difference]:
    """How a database differs from the declared schema.

    Args:
        database: The database to look at. Nothing is changed in it.
        scratch: An empty database, on the same server; the declared schema is built in it.
        names: The names; default: those that the database was installed with.

    Raises:
        StatementError: The declared schema cannot be built.
    """
    recorded = session.recorded_names(database)
    names = names or recorded or Names()
    shared = None
    if names.api_schema == "public" or (recorded is not None and session.shares_api_schema(database)):
        shared = names.api_schema
    database.rollback()
    return compare(declared_catalog(scratch, names), read_catalog(database, names), shared_schema=shared)
