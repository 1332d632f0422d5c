"""The same webinars and people in a database, told in the words of the model."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import psycopg

from eventlive_db.client import Call, Identity, RpcError, call
from tests.fuzz.model import EXPIRY, GUEST, SERVICE, THROTTLE, Model, Person, Registration, Webinar
from tests.support.actors import named, new_id
from tests.support.database import EventliveDatabase
from tests.support.invariants import violations

PEOPLE = {
    p.name: p
    for p in (
        Person("host"),
        Person("moderator"),
        Person("root", admin=True),
        Person("ann", "ann@example.com", verified=True),
        Person("ben", "ben@example.com", verified=True),
        Person("eve", "eve@example.com"),
        Person("tom"),
    )
}
SESSIONS = ("s1", "s2", "s3", "s4", "s5", "s6")
RIGHT, WRONG, OTHER = "right", "wrong", "other"
"""Leave tokens: of the session, of none, and of the session with the same id in another webinar."""
PATIENCE_S = 20
"""Half of what the steps of time and the limits of the model are apart: after so long an example proves nothing."""

# Times in fifties of seconds, of which all limits of the model are multiples: how long ago, or ahead.
_ROWS = """
    select 'registration', webinar_id, user_id, array[role, registered_via, (ejected_at is not null)::text]
      from eventlive.registrations where webinar_id = any (%(ids)s)
     union all
    select 'session', webinar_id, session_id,
           array[coalesce(user_id::text, 'guest'), coalesce(exit_reason, 'open'), replaced_by::text, interval_s::text]
           || array[floor((watched_seconds + 0.001) / 50),
                    floor(extract(epoch from clock_timestamp() - last_heartbeat_at) / 50),
                    ceil(extract(epoch from expires_at - clock_timestamp()) / 50)]::integer[]::text[]
      from eventlive.webinar_user_sessions where webinar_id = any (%(ids)s)
     union all
    select 'presence', webinar_id, user_id,
           array[throttle_s, ttl_s]::text[]
           || array[floor(extract(epoch from clock_timestamp() - joined_at) / 50),
                    floor(extract(epoch from clock_timestamp() - last_seen_at) / 50),
                    ceil(extract(epoch from expires_at - clock_timestamp()) / 50)]::integer[]::text[]
      from eventlive.webinar_live_presence where webinar_id = any (%(ids)s)
     union all
    select 'emails', webinar_id, null, array_agg(email order by email)
      from eventlive.webinar_allowed_emails where webinar_id = any (%(ids)s) group by webinar_id"""

Rows = set[tuple[str, str, str, tuple[str, ...]]]


class Stage:
    """Fresh webinars and people in a database; all is gone after :meth:`close`.

    Attributes:
        ids: Webinars, people and sessions by name.
    """

    def __init__(
        self, db: EventliveDatabase, connection: psycopg.Connection[Any], webinars: dict[str, Webinar]
    ) -> None:
        self.db = db
        self.connection = connection
        # In the order of the names: the end of a webinar closes its sessions by their ids.
        names = sorted((*PEOPLE, *SESSIONS))
        self.ids: dict[str, UUID] = dict(zip(names, sorted(new_id() for _ in names), strict=True))
        self.tokens: dict[tuple[str, str], UUID] = {}
        for name, webinar in webinars.items():
            self.ids[name] = db.webinar(
                status=webinar.status,
                access_policy=webinar.access_policy,
                entry_policy=webinar.entry_policy,
                duplicate_login_policy=webinar.duplicate_login_policy,
                settings={
                    "pacing_jitter": 0,
                    "presence_ping_interval_s": webinar.ping_interval,
                    "session_heartbeat_interval_s": webinar.beat_interval,
                    "max_open_sessions_per_user": webinar.max_sessions,
                    "close_batch_size": webinar.batch,
                },
                host=self.ids["host"],
            )
            db.register(self.ids[name], self.ids["moderator"], role="moderator")
            for email in webinar.emails:
                db.allow_email(self.ids[name], email)
            webinar.registrations = {
                "host": Registration("host", "manual"),
                "moderator": Registration("moderator", "manual"),
            }
        db.make_admin(self.ids["root"])
        self.webinars = tuple(webinars)
        self.names = {str(value): name for name, value in self.ids.items()}
        self._began = time.monotonic()

    @property
    def in_time(self) -> bool:
        """Whether hardly any time has passed that the model does not know of."""
        return time.monotonic() - self._began < PATIENCE_S

    def pass_time(self, seconds: int) -> None:
        """Move what is stored into the past, the end of webinars too."""
        self.db.shift_time(f"{seconds} s")
        self.db.admin.execute(
            "update eventlive.webinar_live set closed_at = closed_at - %s::interval where webinar_id = any (%s)",
            [f"{seconds} s", [self.ids[name] for name in self.webinars]],
        )

    def close(self) -> None:
        """Remove all that was stored."""
        webinars = [self.ids[name] for name in self.webinars]
        self.db.admin.execute("delete from eventlive.event_access_logs where webinar_id = any (%s)", [webinars])
        self.db.admin.execute("delete from eventlive.webinars where id = any (%s)", [webinars])
        self.db.admin.execute("delete from eventlive.profiles where user_id = %s", [self.ids["root"]])
        # No autovacuum in the tests' Postgres: time would pass ever more slowly through what is gone.
        for table in ("webinar_user_sessions", "webinar_live_presence"):
            self.db.admin.execute(f"vacuum eventlive.{table}".encode())

    def call(self, function: str, webinar: str, who: str, **arguments: object) -> Any:
        """Call as somebody; the reply, or the token of the refusal."""
        request: Call[Any] = Call(f"webinar_{function}", named({"webinar_id": self.ids[webinar], **arguments}))
        try:
            return call(self.connection, request, self._identity(who))
        except RpcError as refusal:
            return refusal.token
        except psycopg.errors.InsufficientPrivilege:
            return "42501"

    def token(self, webinar: str, session: str, which: str) -> UUID:
        """The leave token of a session, or another one."""
        if which == OTHER:
            webinar = next(name for name in self.webinars if name != webinar)
        return new_id() if which == WRONG else self.tokens.get((webinar, session), new_id())

    def rows(self) -> Rows:
        """What is stored."""
        found = self.db.admin.execute(_ROWS, {"ids": [self.ids[name] for name in self.webinars]})
        return {
            (kind, self._name(webinar), self._name(key), tuple(self._name(value) for value in values))
            for kind, webinar, key, values in found
        }

    def violations(self) -> list[str]:
        """What is wrong with the rows, whatever was called."""
        return violations(self.db)

    def name(self, identifier: object) -> str | None:
        """Whose id that is."""
        return None if identifier is None else self.names[str(identifier)]

    def _name(self, value: object) -> str:
        return self.names.get(str(value), str(value))

    def _identity(self, who: str) -> Identity:
        if who in {GUEST, SERVICE}:
            return Identity.guest() if who == GUEST else Identity.service()
        person = PEOPLE[who]
        email = {"email": person.email.upper(), "email_verified": person.verified} if person.email else {}
        return Identity.user(self.ids[who], **email)


def expected_rows(model: Model) -> Rows:
    """What must be stored."""
    rows: Rows = set()
    for name, w in model.webinars.items():
        for user, r in w.registrations.items():
            rows.add(("registration", name, user, (r.role, r.via, str(r.ejected).lower())))
        for session_id, s in w.sessions.items():
            state = (s.user, s.end or "open", str(s.replaced_by), f"{s.interval:g}")
            times = (s.watched, model.now - s.last, s.expires - model.now)
            rows.add(("session", name, session_id, (*state, *map(_fifties, times))))
        for user, p in w.presence.items():
            paces = (THROTTLE * p.interval, EXPIRY * p.interval)
            times = (model.now - p.joined, model.now - p.last, p.expires - model.now)
            rows.add(("presence", name, user, (*(f"{pace:g}" for pace in paces), *map(_fifties, times))))
        if w.emails:
            rows.add(("emails", name, "None", tuple(sorted(w.emails))))
    return rows


def _fifties(seconds: float) -> str:
    return str(int(seconds // 50))
