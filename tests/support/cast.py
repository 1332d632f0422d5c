"""A webinar with everybody in it who matters to a rule about who may do or see what."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from psycopg.types.json import Jsonb

from tests.support.actors import Actor
from tests.support.database import EventliveDatabase

WEBINAR = UUID(int=0x1000)
ELSEWHERE = UUID(int=0x2000)
"""Another webinar, with a host and an attendee of its own."""

USERS = {
    name: UUID(int=number)
    for number, name in enumerate(
        (
            "host",
            "moderator",
            "speaker",
            "attendee",
            "ejected",
            "admin",
            "stranger",
            "host_elsewhere",
            "viewer_elsewhere",
        ),
        start=0xA1,
    )
}

EVERYBODY = (*USERS, "guest", "service")

_REGISTRATIONS = (
    (WEBINAR, "host", "host"),
    (WEBINAR, "moderator", "moderator"),
    (WEBINAR, "speaker", "speaker"),
    (WEBINAR, "attendee", "attendee"),
    (WEBINAR, "ejected", "moderator"),
    (ELSEWHERE, "host_elsewhere", "host"),
    (ELSEWHERE, "viewer_elsewhere", "attendee"),
)


@dataclass(slots=True)
class Cast:
    """The two webinars and their people; each of them calls on a connection of their own."""

    db: EventliveDatabase
    _actors: dict[str, Actor] = field(default_factory=dict)

    def actor(self, name: str) -> Actor:
        """One of ``EVERYBODY``."""
        if name not in self._actors:
            self._actors[name] = (
                self.db.guest()
                if name == "guest"
                else self.db.service()
                if name == "service"
                else self.db.user(USERS[name])
            )
        return self._actors[name]


def assemble(
    db: EventliveDatabase,
    *,
    status: str = "live",
    access_policy: str = "auth",
    duplicate_login_policy: str = "allow",
    settings: dict[str, object] | None = None,
) -> Cast:
    """Make the webinars ``WEBINAR`` and ``ELSEWHERE``, register their people, name the administrator."""
    for webinar_id, slug in ((WEBINAR, "ours"), (ELSEWHERE, "elsewhere")):
        db.admin.execute(
            "insert into eventlive.webinars (id, slug, status, access_policy, duplicate_login_policy, settings)"
            " values (%s, %s, %s, %s, %s, %s)",
            [webinar_id, slug, status, access_policy, duplicate_login_policy, Jsonb(settings or {})],
        )
    for webinar_id, name, role in _REGISTRATIONS:
        db.register(webinar_id, USERS[name], role=role)
    db.admin.execute("update eventlive.registrations set ejected_at = now() where user_id = %s", [USERS["ejected"]])
    db.make_admin(USERS["admin"])
    return Cast(db)
