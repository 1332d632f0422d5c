"""The design that this package replaces, for comparison: its schema, and the requests that it made.

A web function stood between browser and database and made several requests for each one of the browser's, each a
transaction of its own through PostgREST, beside a call to the auth service.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any, LiteralString

import psycopg

from eventlive_db.client.calls import SET_IDENTITY
from eventlive_db.client.identity import Identity


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the web function to PostgREST.

    Attributes:
        does: What it is for.
        statement: Its SQL; ``%(webinar)s``, ``%(slug)s``, ``%(user)s`` and ``%(session)s`` are given.
    """

    does: str
    statement: LiteralString


_WEBINAR = Request("find the webinar", "select id, slug, access_policy from incumbent.webinars where slug = %(slug)s")
# By a column that exists: what it would have been without the fault.
_REGISTRATION = Request(
    "find the registration",
    "select role from incumbent.registrations where webinar_id = %(webinar)s and user_id = %(user)s",
)
_PING = Request("ping", "select incumbent.webinar_presence_ping(%(webinar)s)")
_THROTTLE = Request("look at the throttle", "select incumbent.check_heartbeat_throttle(%(session)s)")
_HEARTBEAT = Request("heartbeat", "select incumbent.update_session_heartbeat(%(session)s, clock_timestamp())")

PING = (_WEBINAR, _REGISTRATION, _PING, _THROTTLE, _HEARTBEAT)
"""One presence ping of a registered user, where nothing goes wrong; every 120 s."""

TRACK = (
    _WEBINAR,
    _REGISTRATION,
    Request(
        "log the visit",
        "insert into incumbent.event_access_logs (webinar_id, user_id, session_id)"
        " values (%(webinar)s, %(user)s, %(session)s)",
    ),
    _HEARTBEAT,
)
"""One access/track of a registered user; on entry, and every 300 s."""


def install(connection: psycopg.Connection[Any]) -> None:
    """Make the schema ``incumbent`` in a database where the client roles exist.

    Args:
        connection: As a superuser.
    """
    connection.execute((files(__package__) / "schema.sql").read_bytes())


def request(
    connection: psycopg.Connection[Any], wanted: Request, identity: Identity, arguments: dict[str, object]
) -> None:
    """Make one request in a transaction of its own, as PostgREST does.

    Args:
        connection: Whose role may become ``authenticated``.
        wanted: The request.
        identity: Who asks.
        arguments: ``webinar``, ``slug``, ``user`` and ``session``.
    """
    with connection.transaction():
        connection.execute(SET_IDENTITY, identity.settings())
        connection.execute(wanted.statement, arguments)
