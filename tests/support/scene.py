"""One webinar, one user with several tabs, a host and a gateway, for playing two calls against each other."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from eventlive_db.client import RpcError
from tests.support.actors import Actor, new_id
from tests.support.database import EventliveDatabase
from tests.support.races import Step

TABS = "123"


class Scene:
    """What two calls meet in.

    Args:
        db: Where. The scene goes with :meth:`close`.
        given: How it begins, and after ``@`` the duplicate-login policy: ``stranger``, ``registered``, ``present``
            (has pinged, watches in no tab), ``one`` and ``two`` (tabs that watch), ``unseen`` (one tab watches, but
            the presence is gone), ``guest`` (one tab watches, not signed in). All are past the throttle.
    """

    def __init__(self, db: EventliveDatabase, given: str) -> None:
        state, _, policy = given.partition("@")
        self.db = db
        self.user_id, self.host_id = new_id(), new_id()
        self.webinar_id = db.webinar(
            access_policy="guest_allowed", duplicate_login_policy=policy or "ask", host=self.host_id
        )
        self.sessions = {tab: new_id() for tab in TABS}
        self.tokens: dict[str, UUID] = {}
        self._actors: dict[tuple[str, int], Actor] = {}
        if state not in {"stranger", "guest"}:
            db.register(self.webinar_id, self.user_id)
        if state == "present":
            self.step("ping").attempt()
        enter = "guest_enter" if state == "guest" else "enter"
        for tab in {"one": "1", "unseen": "1", "guest": "1", "two": "12"}.get(state, ""):
            self.tokens[tab] = UUID(self.step(f"{enter}:{tab}").attempt()["leave_token"])
        if state == "unseen":
            db.admin.execute("delete from eventlive.webinar_live_presence where webinar_id = %s", [self.webinar_id])
        db.shift_time("4 minutes")

    def close(self) -> None:
        """Remove all that was stored."""
        for actor in self._actors.values():
            actor.connection.close()
        self.db.admin.execute("delete from eventlive.event_access_logs where webinar_id = %s", [self.webinar_id])
        self.db.admin.execute("delete from eventlive.webinars where id = %s", [self.webinar_id])

    def actor(self, who: str, slot: int) -> Actor:
        """``user``, ``host``, ``guest`` or ``service``, on a connection of that slot."""
        if (who, slot) not in self._actors:
            self._actors[who, slot] = {
                "user": lambda: self.db.user(self.user_id),
                "host": lambda: self.db.user(self.host_id),
                "guest": self.db.guest,
                "service": self.db.service,
            }[who]()
        return self._actors[who, slot]

    @property
    def actors(self) -> list[Actor]:
        """All who have called."""
        return list(self._actors.values())

    def step(self, name: str, slot: int = 0) -> Step:
        """A call by its short name, such as ``ping`` or ``leave:2``; the number is the tab."""
        verb, _, tab = name.partition(":")
        who, verb = ("guest", verb.removeprefix("guest_")) if verb.startswith("guest_") else ("user", verb)
        session: dict[str, object] = {"session_id": self.sessions.get(tab)}
        calls: dict[str, tuple[str, str, dict[str, object]]] = {
            "register": ("user", "webinar_register", {}),
            "enter": (who, "webinar_enter", session),
            "take_over": ("user", "webinar_enter", {**session, "take_over": True}),
            "heartbeat": (who, "webinar_session_heartbeat", session),
            "ping": ("user", "webinar_presence_ping", {}),
            "leave": (who, "webinar_leave", {**session, "leave_token": self.tokens.get(tab)}),
            "ping_many": ("service", "webinar_presence_ping_many", {"user_ids": [self.user_id]}),
            "grant": ("host", "webinar_grant_role", {"user_id": self.user_id, "role": "speaker"}),
            "eject": ("host", "webinar_eject", {"user_id": self.user_id}),
            "eject_guest": ("host", "webinar_eject", session),
            "end": ("host", "webinar_set_status", {"status": "ended"}),
        }
        who, function, arguments = calls[verb]
        return Step(self.actor(who, slot), function, {"webinar_id": self.webinar_id, **arguments})

    def state(self) -> str:
        """Role, presence and the tabs that watch, such as ``attendee:present:12``."""
        key = (self.webinar_id, self.user_id)
        role = self.db.rows(
            "select case when ejected_at is null then role else 'ejected' end from eventlive.registrations"
            " where (webinar_id, user_id) = (%s, %s)",
            *key,
        )
        present = self.db.rows(
            "select 1 from eventlive.webinar_live_presence where (webinar_id, user_id) = (%s, %s)", *key
        )
        open_sessions = self.db.rows(
            "select session_id from eventlive.webinar_user_sessions where webinar_id = %s and exited_at is null",
            self.webinar_id,
        )
        tabs = "".join(tab for tab in TABS if (self.sessions[tab],) in open_sessions)
        return f"{role[0][0] if role else '-'}:{'present' if present else '-'}:{tabs or '-'}"


def said(outcome: Any) -> str:
    """What a caller is told, in a word."""
    if isinstance(outcome, RpcError):
        return outcome.token
    if outcome is None:
        return "done"
    for key, word in {
        "refreshed": "refreshed-{}",
        "closed_sessions": "closed-{}",
        "state": "{}",
        "session": "{created}",
        "registered_at": "{created}",
    }.items():
        if key in outcome:
            created = {None: outcome.get("role"), True: "created", False: "known"}[outcome.get("created")]
            return word.format(outcome[key], created=created)
    raise AssertionError(f"no word for {outcome}")
