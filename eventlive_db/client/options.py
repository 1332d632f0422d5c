"""How a connection is made where only its address was given."""

from __future__ import annotations

from typing import Any

from psycopg.conninfo import conninfo_to_dict

TIMEOUT_S = 60.0
"""How long a call waits for its answer, in seconds."""

USUAL = {
    "connect_timeout": 10,
    "application_name": "eventlive-db",
    # A network that swallows everything is noticed after half a minute, not after the two hours of the system.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""Seconds, and milliseconds for the last one (Postgres manual, "Parameter Key Words")."""


def connect_options(dsn: str) -> dict[str, Any]:
    """What psycopg is told beside the DSN, unless the DSN says otherwise: patience, and a name to be seen by."""
    given = conninfo_to_dict(dsn)
    return {name: value for name, value in USUAL.items() if name not in given}
