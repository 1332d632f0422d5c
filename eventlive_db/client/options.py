"""How a connection is made where only its address was given."""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import conninfo_to_dict

CONNECT_TIMEOUT_S = 10


def connect_options(dsn: str) -> dict[str, Any]:
    """What psycopg is told beside the DSN, unless the DSN says otherwise: patience, and a name to be seen by."""
    given = conninfo_to_dict(dsn)
    usual = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "eventlive-db"}
    return {name: value for name, value in usual.items() if name not in given}
