"""Two webinars full of things to find, and all that somebody with SQL of their own gets to see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg

from eventlive_db.client import Call
from tests.support.actors import named
from tests.support.cast import ELSEWHERE, EVERYBODY, USERS, WEBINAR, Cast, assemble
from tests.support.database import EventliveDatabase

STAFF = ("moderator", "host")
"""Who may read what is in WEBINAR; nobody here may read what is in ELSEWHERE."""

ATTACKERS = ("guest", "stranger", "attendee", "speaker", "ejected", *STAFF)


@dataclass(slots=True)
class Secrets:
    """What is stored, by whose it is.

    Attributes:
        of: Name of a user to the strings that others must not see: id, e-mail, sessions, nickname, profile.
        never: What nobody sees: leave tokens, and what browsers said of themselves.
        sessions: Name to session id.
    """

    of: dict[str, list[str]] = field(default_factory=dict)
    never: list[str] = field(default_factory=list)
    sessions: dict[str, UUID] = field(default_factory=dict)

    def hidden_from(self, attacker: str) -> list[str]:
        """What this attacker must not see."""
        seen = {attacker, f"profile of {attacker}", *(HERE if attacker in STAFF else ())}
        return self.never + [secret for name, secrets in self.of.items() if name not in seen for secret in secrets]


HERE = ("attendee", "speaker", "moderator", "host", "ejected", "guest", "list")
THERE = ("host_elsewhere", "viewer_elsewhere", "guest_elsewhere", "list_elsewhere")


def fill(db: EventliveDatabase) -> tuple[Cast, Secrets]:
    """Make both webinars, let everybody enter, and note what must not be seen. ELSEWHERE is a draft."""
    cast, secrets = assemble(db, access_policy="guest_allowed"), Secrets()
    db.admin.execute("update eventlive.registrations set ejected_at = null where user_id = %s", [USERS["ejected"]])
    for name in (*HERE[:-1], *THERE[:-1]):
        webinar_id = ELSEWHERE if name in THERE else WEBINAR
        session_id, agent = uuid4(), f"agent-{uuid4().hex}"
        reply = cast.actor("guest" if name == "guest_elsewhere" else name).call(
            "webinar_enter", webinar_id=webinar_id, session_id=session_id, client={"agent": agent}
        )
        secrets.sessions[name] = session_id
        secrets.of[name] = [str(session_id)]
        secrets.never += [reply["leave_token"], agent]
        if name in USERS:
            nickname, displayed = f"nick-{uuid4().hex}", f"shown-{uuid4().hex}"
            secrets.of[name] += [str(USERS[name]), nickname]
            # Not even staff reads the profile of another.
            secrets.of[f"profile of {name}"] = [displayed]
            db.admin.execute(
                "update eventlive.registrations set nickname = %s where user_id = %s", [nickname, USERS[name]]
            )
            db.admin.execute(
                "insert into eventlive.profiles (user_id, display_name) values (%s, %s)", [USERS[name], displayed]
            )
    for name, webinar_id in (("list", WEBINAR), ("list_elsewhere", ELSEWHERE)):
        email = f"mail-{uuid4().hex}@example.com"
        secrets.of[name] = [email]
        db.allow_email(webinar_id, email)
    slug = f"slug-{uuid4().hex}"  # no word, which might stand anywhere
    secrets.of["draft"] = [slug]
    db.admin.execute("update eventlive.webinars set status = 'draft', slug = %s where id = %s", [slug, ELSEWHERE])
    db.admin.execute("update eventlive.registrations set ejected_at = now() where user_id = %s", [USERS["ejected"]])
    db.admin.execute("create statistics eventlive.of_both (mcv) on user_id, webinar_id from eventlive.registrations")
    db.admin.execute("analyze")
    assert set(ATTACKERS) <= set(EVERYBODY)
    return cast, secrets


class Intruder:
    """Somebody on a connection with a client role and claims, who keeps everything the server says. Close it.

    Args:
        cast: The people.
        name: One of ``ATTACKERS``.
    """

    def __init__(self, cast: Cast, name: str) -> None:
        role, claims = cast.actor(name).identity.settings()
        self.connection = cast.db.acting(role, claims)
        self.heard: list[str] = []
        self.connection.add_notice_handler(lambda notice: self.heard.append(spoken(notice)))

    def __enter__(self) -> Intruder:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(self, query: Any, parameters: Any = None) -> str:
        """Run a statement, undo it, and return its SQLSTATE; empty for success."""
        try:
            with self.connection.transaction(force_rollback=True):
                cursor = self.connection.execute(query.encode() if isinstance(query, str) else query, parameters)
                if cursor.description:
                    self.heard += [str(row) for row in cursor]
        except psycopg.Error as error:
            self.heard.append(spoken(error.diag))
            return error.sqlstate or ""
        return ""

    def call(self, function: str, /, **arguments: object) -> str:
        """Call a function of the exposed schema; see ``ask``."""
        request: Call[Any] = Call(function, named(arguments))
        return self.ask(request.query(), request.parameters())


def found_in(heard: list[str], hidden: list[str]) -> list[str]:
    """Those strings of ``hidden`` that the server has said, and what it said."""
    return [f"{secret} in {text[:300]}" for text in heard for secret in hidden if secret in text]


def spoken(diag: psycopg.errors.Diagnostic) -> str:
    """Every field of an error or notice that comes over the wire, but for where in Postgres' source it arose."""
    names = (
        "severity", "sqlstate", "message_primary", "message_detail", "message_hint", "statement_position",
        "internal_position", "internal_query", "context", "schema_name", "table_name", "column_name", "datatype_name",
        "constraint_name",
    )  # fmt: skip
    return " | ".join(str(value) for name in names if (value := getattr(diag, name)))


def views(db: EventliveDatabase) -> dict[str, list[str]]:
    """The views of the exposed schema, with their columns."""
    return dict(
        db.rows(
            "select c.relname::text, array_agg(a.attname::text order by a.attnum)"
            "  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
            " where c.relnamespace = 'eventlive_api'::regnamespace and c.relkind = 'v' group by 1 order by 1"
        )
    )
