"""Policies that call a function once for every row instead of once for every statement."""

from __future__ import annotations

from typing import Any

import psycopg

from eventlive_db.lint.db.model import Level, Rule, Sighting
from eventlive_db.lint.db.nodes import per_row_calls, read_tree
from eventlive_db.lint.db.scope import Scope

_POLICIES = """
select p.name, p.short_name, p.table_name, p.check_seen::text, p.check_written::text
  from policies p
 order by p.name
"""

# Those of the system are as cheap as an operator, but for the one that reads a setting from its text.
_COSTLY = """
select p.oid, format('%s.%s', n.nspname, p.proname), p.provolatile = 'i'
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace
 where n.nspname <> 'pg_catalog' or p.proname = 'current_setting'
"""


def find(connection: psycopg.Connection[Any], scope: Scope) -> list[Sighting]:
    """Look at the conditions of all policies."""
    costly = {oid: (name, immutable) for oid, name, immutable in connection.execute(_COSTLY)}
    found = {}
    for name, policy, table, *conditions in connection.execute(scope.query(_POLICIES)):
        for condition in conditions:
            for oid, of_row in per_row_calls(read_tree(condition)) if condition else ():
                function, immutable = costly.get(oid, ("", True))
                # An immutable one is worked out when the query is planned, unless it takes a column.
                if immutable and not (function and of_row):
                    continue
                how = "with a column" if of_row else "outside a sub-select"
                sentence = f"{policy} on {table} calls {function} {how}, and so once for every row."
                found[name, sentence] = Sighting(name, sentence)
    return list(found.values())


RULE = Rule(
    "policy_per_row",
    Level.WARNING,
    "Policies that call a function or current_setting for every row.",
    "Write (select f()) around a call without columns, so that it runs once a statement. Instead of a call with a"
    " column, compare the column with what a function returns: id = any ((select f())::uuid[]).",
    find,
)
