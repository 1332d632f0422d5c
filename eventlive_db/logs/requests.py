"""Which service a request went to, and for what: the rule of whoever counts answers, so that all count the same."""

from __future__ import annotations

import re

from eventlive_db.logs.model import LogEvent

_RPC = re.compile(r"/rpc/(\w+)")
_NAMED = re.compile(r"(?:/rest/v\d+)?/\w+")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)


def route(event: LogEvent) -> str:
    """The path of a request without its query; empty where the log has none. Some gateways log the whole address."""
    path = event.path or ""
    found = _ORIGIN.match(path)
    return path[found.end() if found else 0 :].partition("?")[0].rstrip("/")


def is_rest(event: LogEvent) -> bool:
    """A request to PostgREST, as it logs itself or as a gateway before it does; another service's is none."""
    if event.source == "postgrest":
        return True
    path = route(event)
    return event.source == "gateway" and (path.startswith("/rest/") or "/rpc/" in path)


def rpc(event: LogEvent) -> str | None:
    """The function that a request to PostgREST called, if it called one."""
    found = _RPC.search(route(event)) if is_rest(event) else None
    return found[1] if found else None


def is_named(event: LogEvent) -> bool:
    """A request for a function, table or view, going by its path; not a scanner's for ``/.env``."""
    return is_rest(event) and bool(_RPC.search(route(event)) or _NAMED.fullmatch(route(event)))


def is_auth(event: LogEvent) -> bool:
    """A request to the auth service, as it logs itself or as a gateway before it does."""
    return event.source == "auth" or (event.source == "gateway" and "/auth/v1/" in route(event) + "/")
