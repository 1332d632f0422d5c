"""The rules. Each is one file here, named after its token.

A ``.sql`` file begins with comments ``-- level:``, ``-- finds:`` and ``-- advice:`` (which may go on over further
lines), and holds one query with the columns ``object`` and ``sentence``, and ``level`` where it is not always the
same. It may name the parts of ``scope.sql``: ``schemas``, ``clients``, ``relations``, ``tables``, ``policies``,
``functions``, ``indexes``. What takes more than a query is a module with a constant ``RULE``, named below.
"""

from __future__ import annotations

import re
from functools import cache, partial
from importlib.resources import files
from typing import Any

import psycopg

from eventlive_db.lint.db.model import Level, Rule, Sighting
from eventlive_db.lint.db.rules import broken_function_body, policy_per_row
from eventlive_db.lint.db.scope import Scope

_MODULES = (broken_function_body, policy_per_row)
_HEADER = re.compile(r"\A(?:--.*\n)+")
_FIELD = re.compile(r"(level|finds|advice): ?(.*)")


@cache
def rules() -> tuple[Rule, ...]:
    """All rules, in the order of their tokens."""
    found = [module.RULE for module in _MODULES]
    for entry in files(__package__).iterdir():
        token, dot, suffix = entry.name.rpartition(".")
        if dot and suffix == "sql":
            found.append(_read(token, entry.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda rule: rule.token))


def _read(token: str, text: str) -> Rule:
    """A rule from its file."""
    header = _HEADER.match(text)
    fields: dict[str, str] = {}
    name = ""
    for line in header[0].splitlines() if header else ():
        words = line.removeprefix("--").strip()
        if match := _FIELD.fullmatch(words):
            name, words = match.groups()
        if name:
            fields[name] = f"{fields.get(name, '')} {words}".strip()
    return Rule(token, Level(fields["level"]), fields["finds"], fields["advice"], partial(_ask, text))


def _ask(text: str, connection: psycopg.Connection[Any], scope: Scope) -> list[Sighting]:
    cursor = connection.execute(scope.query(text))
    names = [column.name for column in cursor.description or ()]
    return [_sighting(dict(zip(names, row, strict=True))) for row in cursor]


def _sighting(row: dict[str, Any]) -> Sighting:
    level = row.get("level")
    return Sighting(row["object"], row["sentence"], Level(level) if level else None)
