"""A right call of each function, in a webinar made for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from tests.support.actors import new_id
from tests.support.http_door import Caller, Door

# What a reply holds at least. Fields may be added, never removed.
REPLIES: dict[str, set[str] | None] = {
    "webinar_register": {"webinar_id", "user_id", "role", "registered_via", "registered_at", "created"},
    "webinar_enter": {
        "session",
        "registration",
        "settings",
        "next_heartbeat_s",
        "first_heartbeat_s",
        "leave_token",
        "other_sessions",
        "server_time",
    },
    "webinar_presence_ping": None,
    "webinar_session_heartbeat": {
        "state",
        "next_heartbeat_s",
        "fallback_poll_interval_s",
        "server_time",
        "settings_version",
    },
    "webinar_leave": None,
    "webinar_client_settings": {"presence_ping_interval_s", "session_heartbeat_interval_s", "settings_version"},
    "webinar_messages_poll": {"messages", "cursor", "more", "next_poll_s"},
    "webinar_message_post": {
        "message_id",
        "user_id",
        "kind",
        "body",
        "hidden",
        "created_at",
        "client_message_id",
        "created",
    },
    "webinar_message_hide": {"webinar_id", "message_id", "hidden", "changed"},
    "webinar_stats_access": {
        "status",
        "current_participants",
        "current_guests",
        "registered",
        "total_attendees",
        "max_concurrent_participants",
        "avg_concurrent_participants",
        "peak_time",
        "as_of",
        "timeline",
        "degraded",
        "next_poll_s",
    },
    "webinar_participants": {"participants", "cursor", "more"},
    "pre_request": None,
    "webinar_presence_ping_many": {"refreshed", "not_registered"},
    "webinar_create": {"webinar_id", "slug", "status", "created"},
    "webinar_configure": {"webinar_id", "title", "settings"},
    "webinar_set_status": {"webinar_id", "status", "changed", "closed_sessions", "remaining"},
    "webinar_grant_role": {"webinar_id", "user_id", "role"},
    "webinar_allow_emails": {"webinar_id", "added", "removed"},
    "webinar_eject": {"webinar_id", "closed_sessions"},
}

STABLE = {
    "webinar_client_settings",
    "webinar_messages_poll",
    "webinar_stats_access",
    "webinar_participants",
    "pre_request",
}


@dataclass(slots=True)
class Scene:
    """A webinar that is open to guests, its people, and arguments that are right for each function."""

    door: Door
    webinar_id: UUID = field(init=False)
    people: dict[str, Caller] = field(init=False)
    bystander: Caller = field(init=False)

    def __post_init__(self) -> None:
        self.webinar_id = self.door.db.webinar(access_policy="guest_allowed", duplicate_login_policy="allow")
        self.people = self.door.people(self.webinar_id)
        self.bystander = self.door.user("bystander")
        self.door.db.register(self.webinar_id, self.door.id_of(self.bystander))

    def enter(self, caller: Caller) -> tuple[UUID, UUID]:
        """Enter, and return the session and its leave token."""
        session_id = new_id()
        answer = self.door.call("webinar_enter", caller, webinar_id=self.webinar_id, session_id=session_id)
        return session_id, UUID(answer.data["leave_token"])

    def post(self, caller: Caller) -> int:
        """Post a message, and return its id."""
        message: dict[str, object] = {"client_message_id": new_id(), "kind": "chat", "body": "Hello"}
        answer = self.door.call("webinar_message_post", caller, webinar_id=self.webinar_id, **message)
        return int(answer.data["message_id"])

    def arguments(self, function: str, caller: Caller) -> dict[str, object]:
        """Arguments with which this caller may succeed if anybody of that kind may."""
        webinar: dict[str, object] = {"webinar_id": self.webinar_id}
        bystander = {"user_id": self.bystander.user_id}
        if function == "webinar_session_heartbeat":
            entered = caller if caller.name != "service" else self.bystander
            return webinar | {"session_id": self.enter(entered)[0]}
        if function == "webinar_leave":
            session_id, leave_token = self.enter(self.bystander)
            return webinar | {"session_id": session_id, "leave_token": leave_token}
        if function == "webinar_message_hide":
            return webinar | {"message_id": self.post(self.bystander)}
        more: dict[str, dict[str, object]] = {
            "webinar_enter": webinar | {"session_id": new_id()},
            "webinar_message_post": webinar | {"client_message_id": new_id(), "kind": "chat", "body": "Ünïc 🎥"},
            "webinar_presence_ping_many": webinar | {"user_ids": [self.bystander.user_id, new_id()]},
            "webinar_create": {"slug": f"new-{new_id()}"},
            "webinar_configure": webinar | {"changes": {"title": "Ünïc 🎥"}},
            "webinar_set_status": webinar | {"status": "ended"},
            "webinar_grant_role": webinar | bystander | {"role": "speaker"},
            "webinar_allow_emails": webinar | {"emails": ["a@b.example"]},
            "webinar_eject": webinar | bystander,
            "webinar_stats_access": webinar | {"since": "2026-01-01T00:00:00Z"},
            "webinar_participants": webinar | {"after": new_id(), "limit": 10},
            "pre_request": {},
        }
        return more.get(function, webinar)
