"""Which functions a call ran, and whether they keep the server from telling what they do.

Source: PostgreSQL manual, "The Cumulative Statistics System", pg_stat_xact_user_functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

SILENCERS = ("client_min_messages", "auto_explain")
"""Settings by which a call hides what it runs."""

_COUNTS: LiteralString = "select funcid::bigint, calls from pg_catalog.pg_stat_xact_user_functions"

_FUNCTIONS: LiteralString = """
    select n.nspname || '.' || p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid), p.oid::bigint,
           p.proconfig, coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
     where p.oid = any (%s::oid[])
     order by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Called:
    """Functions that were called.

    Attributes:
        counts: How often, by ``schema.name``, with its arguments where several of the name were called.
        silent: A sentence for each one by which statements can go untold.
    """

    counts: Mapping[str, int]
    silent: tuple[str, ...]


def function_counts(connection: psycopg.Connection[Any]) -> dict[int, int]:
    """Calls of each function so far, by oid; also those of earlier transactions that the server has not yet taken."""
    return {oid: int(count) for oid, count in connection.execute(_COUNTS)}


def called_functions(connection: psycopg.Connection[Any], before: Mapping[int, int], level: str) -> Called:
    """What was called since ``before``.

    Args:
        connection: In the transaction of the call.
        before: From :func:`function_counts`.
        level: The ``client_min_messages`` of the recording, which may be set.
    """
    counts = {oid: n - before.get(oid, 0) for oid, n in function_counts(connection).items() if n != before.get(oid, 0)}
    if not counts:
        return Called({}, ())
    rows = connection.execute(_FUNCTIONS, [list(counts)]).fetchall()
    names = Counter(name for name, *_ in rows)
    called: dict[str, int] = {}
    silent: list[str] = []
    for name, arguments, oid, settings, body in rows:
        full = f"{name}({arguments})" if names[name] > 1 else name
        called[full] = counts[oid]
        harmless = f"client_min_messages={level}"
        if any(s.startswith(SILENCERS) and s != harmless for s in settings or ()) or silences(body):
            silent.append(f"{full} sets client_min_messages or auto_explain: what it runs is not told")
    return Called(called, tuple(silent))


def silences(text: str) -> bool:
    """Whether SQL names a setting by which statements can go untold."""
    return any(name in text.lower() for name in SILENCERS)
