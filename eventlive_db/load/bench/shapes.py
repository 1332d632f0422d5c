"""The shapes in which one statement reaches the database: by itself, or in the transaction that PostgREST makes.

PostgREST's statements were read from the server's log of requests through PostgREST 12.0.2, which prepares them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from eventlive_db.load.bench.pgbench import Script

FIRST_USER = 100_000_000_000
"""Users are numbered from here on, so that a number always has the twelve digits that end a UUID."""

USER_ID = "('00000000-0000-4000-8000-' || :n)::uuid"
"""The id of user ``:n``."""

SESSION_ID = "('00000000-0000-4000-9000-' || :n)::uuid"
"""The id of that user's session."""

REPEATED = 20
"""How often a plain call is repeated before the identity of the connection changes."""

_HEADERS = {
    "host": "127.0.0.1:3000",
    "content-type": "application/json",
    "accept": "*/*",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "authorization": f"Bearer {'x' * 220}",
    "content-length": "54",
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
}
_BEGIN = "begin isolation level read committed read write;"
_CLAIMS = """'{"exp":4102444800,"iat":1795311766,"role":"{role}","sub":"00000000-0000-4000-8000-' || :n || '"}'"""
_XID = "pg_current_xact_id()"


class Durability(Enum):
    """How a commit is waited for."""

    OFF = "no commit is waited for"
    ON = "every commit is waited for"
    SHIPPED = "as shipped: the UPDATE's commit is waited for, a ping's is not"

    def options(self) -> dict[str, str]:
        """Settings of the connection."""
        return {"synchronous_commit": "off" if self is Durability.OFF else "on"}


@dataclass(frozen=True, slots=True)
class Statement:
    """What is compared.

    Attributes:
        text: One statement without its semicolon, about user ``:n``.
        durable: The same by itself where its commit is to be waited for. A ping turns that off, but in a transaction
            that has an id already; so this one takes an id first, a ping and an UPDATE alike.
        role: Who makes it.
        path: What PostgREST would be asked for.
        writes: Whether it does; if not there is nothing to wait for, and no id is taken.
    """

    text: str
    durable: str
    role: str = "authenticated"
    path: str = "/rpc/webinar_presence_ping"
    writes: bool = True


def call(
    function: str, *arguments: str, role: str = "authenticated", writes: bool = True, schema: str = "eventlive_api"
) -> Statement:
    """A call of one of the functions."""
    called = f"{schema}.{function}({', '.join(arguments)})"
    durable = f"select {_XID}, {called}" if writes else f"select {called}"
    return Statement(f"select {called}", durable, role, f"/rpc/{function}", writes)


def update(table: str, webinar_id: UUID, user_id: str = USER_ID) -> Statement:
    """The bare UPDATE by key: what a ping writes, and nothing else."""
    seen = "last_seen_at = clock_timestamp(), expires_at = clock_timestamp() + interval '300 s'"
    text = f"update {table} set {seen} where webinar_id = '{webinar_id}' and user_id = {user_id}"  # noqa: S608
    return Statement(text, f"{text} and {_XID} is not null", path="/presence")


def random_user(users: int) -> str:
    """The lines that choose a user, any of so many."""
    return f"\\set n random({FIRST_USER}, {FIRST_USER + users - 1})\n"


def next_user(users: int) -> str:
    """The lines that choose one user after the other, no two clients the same."""
    return f"\\set i :i + 1\n\\set n {FIRST_USER} + (:start + (:i - 1) * :clients + :client_id) % {users}\n"


def plain(statement: Statement, choose: str, durability: Durability, *, times: int = REPEATED) -> Script:
    """A call by itself on a connection whose identity is set once for several calls.

    Args:
        statement: What to call.
        choose: The lines that choose the user.
        durability: How its commit is waited for.
        times: How many calls for one identity.
    """
    called = f"{statement.durable if durability is Durability.ON else statement.text};\n"
    claims = _CLAIMS.replace("{role}", statement.role)
    text = f"{choose}select set_config('request.jwt.claims', {claims}, false);\n{called * times}"
    return Script(text, times, durability.options() | {"role": statement.role})


def transaction(statement: Statement, choose: str, durability: Durability, *, before: str = "") -> Script:
    """A call in the transaction that PostgREST makes of a request.

    Args:
        statement: What to call.
        choose: The lines that choose the user.
        durability: How its commit is waited for.
        before: Statements between the identity and the call, such as that of ``db-pre-request``.
    """
    if durability is Durability.ON and statement.writes:
        before += f"select {_XID};\n"
    return Script(choose + requested(statement, before), 1, durability.options())


def requested(statement: Statement, before: str = "") -> str:
    """The lines of one request: its transaction."""
    settings = {
        "search_path": '\'"eventlive_api", "public"\'',
        "role": f"'{statement.role}'",
        "request.jwt.claims": _CLAIMS.replace("{role}", statement.role),
        "request.method": "'POST'",
        "request.path": f"'{statement.path}'",
        "request.headers": "'" + json.dumps(_HEADERS, separators=(",", ":")) + "'",
        "request.cookies": "'{}'",
    }
    identity = ", ".join(f"set_config('{name}', {value}, true)" for name, value in settings.items())
    return f"{_BEGIN}\nselect {identity};\n{before}{statement.text};\ncommit;\n"
