"""What logs tell: Postgres' three formats, PostgREST, Auth, Realtime and gateways, as one kind of event.

    >>> events = read_events(Path("postgresql.log"))
    >>> [event.message for event in events if event.sqlstate == "42703"], events.unparsed

    >>> follower = Follower(["/var/log/postgresql/*.log", "postgrest.log"])
    >>> follower.poll()  # what was written since

A reader judges by counts, so it has to know when it cannot tell: ``unparsed`` counts the lines that are no part of any
record, on both. What it passes on goes through :func:`redact` first.
"""

from eventlive_db.logs.follow import Follower
from eventlive_db.logs.model import LogError, LogEvent, LogFormat
from eventlive_db.logs.reading import Events, check_kind, detect_format, read_events
from eventlive_db.logs.realtime import is_disconnect
from eventlive_db.logs.redaction import redact
from eventlive_db.logs.requests import is_auth, is_named, is_rest, route, rpc

__all__ = [
    "Events",
    "Follower",
    "LogError",
    "LogEvent",
    "LogFormat",
    "check_kind",
    "detect_format",
    "is_auth",
    "is_disconnect",
    "is_named",
    "is_rest",
    "read_events",
    "redact",
    "route",
    "rpc",
]
