"""Puts the names that a user chose into the SQL.

The SQL is written with the default names: ``eventlive_api``, the exposed schema, and ``eventlive_owner``, the role
that owns everything. Rendering replaces them as whole words and changes nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from eventlive_db.migrate.errors import NameRefusedError

DEFAULT_API_SCHEMA = "eventlive_api"
DEFAULT_OWNER = "eventlive_owner"

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PLACEHOLDER = re.compile(rf"(?<![\w$])(?:{DEFAULT_API_SCHEMA}|{DEFAULT_OWNER})(?![\w$])")

# Postgres manual, appendix "SQL Key Words": what must be quoted as a name in one of the versions 15 to 18.
_KEYWORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case
    cast char character check coalesce collate collation column concurrently constraint create cross
    current_catalog current_date current_role current_schema current_time current_timestamp current_user dec
    decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze
    from full grant greatest group grouping having ilike in initially inner inout int integer intersect interval
    into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar
    json_serialize json_table json_value lateral leading least left like limit localtime localtimestamp
    merge_action national natural nchar none normalize not notnull null nullif numeric offset on only or order out
    outer overlaps overlay placing position precision primary real references returning right row select
    session_user setof similar smallint some substring symmetric system_user table tablesample then time timestamp
    to trailing treat trim true union unique user using values varchar variadic verbose when where window with
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize
    xmltable
    """.split()  # noqa: SIM905  # a hundred quotes would not help a reader
)
_TAKEN_SCHEMAS = frozenset({"eventlive", "information_schema"})
_TAKEN_ROLES = frozenset({"public", "anon", "authenticated", "service_role"})


@dataclass(frozen=True, slots=True)
class Names:
    """The names that may be chosen.

    Attributes:
        api_schema: The exposed schema. May exist and hold other objects, such as ``public``.
        owner: The role that owns everything. May exist, and may be the migrating role itself.

    Raises:
        NameRefusedError: Not a plain lower-case identifier, a key word, or a name that is taken.
    """

    api_schema: str = DEFAULT_API_SCHEMA
    owner: str = DEFAULT_OWNER

    def __post_init__(self) -> None:
        _check(self.api_schema, "the exposed schema (--api-schema)", _TAKEN_SCHEMAS)
        _check(self.owner, "the owner role (--owner)", _TAKEN_ROLES)


def _check(name: str, what: str, taken: frozenset[str]) -> None:
    if not _IDENTIFIER.fullmatch(name):
        problem = "must be a plain identifier: lower-case letters, digits and underscores, 63 at most"
    elif name in _KEYWORDS:
        problem = "is a key word of SQL"
    elif name in taken or name.startswith("pg_"):
        problem = "has a meaning of its own"
    else:
        return
    msg = f"{name!r} cannot be the name of {what}: it {problem}; choose another one"
    raise NameRefusedError(msg)


def render(text: str, names: Names) -> str:
    """The SQL with the chosen names.

    Args:
        text: SQL with the default names.
        names: The chosen ones.
    """
    chosen = {DEFAULT_API_SCHEMA: names.api_schema, DEFAULT_OWNER: names.owner}
    return _PLACEHOLDER.sub(lambda found: chosen[found.group()], text)
