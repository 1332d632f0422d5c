"""Entering and registering, told in the words of the tables of ``test_entry_policies``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from eventlive_db.client import RpcError
from tests.support.actors import Actor, new_id
from tests.support.database import EventliveDatabase

LISTED: dict[str, Any] = {"email": "Ana@Example.com", "email_verified": True}
UNVERIFIED: dict[str, Any] = {"email": "ana@example.com", "email_verified": False}
UNLISTED: dict[str, Any] = {"email": "eve@example.com", "email_verified": True}


def the_caller(db: EventliveDatabase, kind: str, webinar_id: UUID) -> Actor:
    """Somebody of that kind, in that webinar."""
    if kind == "guest":
        return db.guest()
    claims: dict[str, Any] = {
        "not_on_the_list": UNLISTED,
        "registered": UNLISTED,
        "on_the_list": LISTED,
        "on_the_list_unverified": UNVERIFIED,
        "registered_and_on_the_list": LISTED,
        "ejected_and_on_the_list": LISTED,
    }.get(kind, {})
    user_id = new_id()
    if kind in {"speaker", "moderator", "host"}:
        db.register(webinar_id, user_id, role=kind)
    elif kind.startswith(("registered", "ejected")):
        db.register(webinar_id, user_id)
    if kind.startswith("ejected"):
        db.admin.execute("update eventlive.registrations set ejected_at = now() where user_id = %s", [user_id])
    if kind.endswith("admin"):
        db.make_admin(user_id)
    return db.user(user_id, **claims)


def the_webinar(
    db: EventliveDatabase, access_policy: str = "auth", entry_policy: str = "auto_register", status: str = "live"
) -> UUID:
    """A webinar whose list has one address."""
    webinar_id = db.webinar(access_policy=access_policy, entry_policy=entry_policy, status=status)
    db.allow_email(webinar_id, "ana@example.com")
    return webinar_id


def registrations(db: EventliveDatabase, webinar_id: UUID, actor: Actor) -> list[tuple[object, ...]]:
    """Role and origin of the caller's registration."""
    return db.rows(
        "select role, registered_via from eventlive.registrations where webinar_id = %s and user_id = %s",
        webinar_id,
        actor.user_id,
    )


def events(db: EventliveDatabase, webinar_id: UUID, actor: Actor) -> list[str]:
    """What the visit log has of the caller."""
    query = (
        "select event from eventlive.event_access_logs"
        " where webinar_id = %s and user_id is not distinct from %s order by event"
    )
    return [event for (event,) in db.rows(query, webinar_id, actor.user_id)]


def outcome(db: EventliveDatabase, attempt: Callable[[], str]) -> str:
    """What an attempt says it did, or the token of its refusal, which must have changed nothing."""
    before = db.contents()
    try:
        return attempt()
    except RpcError as refusal:
        return refusal.token if db.contents() == before else f"{refusal.token}, but wrote"


def enter(db: EventliveDatabase, actor: Actor, webinar_id: UUID) -> str:
    """Enter, and say what happened according to the reply and to every table; they must agree."""
    session_id = new_id()
    known = registrations(db, webinar_id, actor)

    def attempt() -> str:
        reply = actor.call("webinar_enter", webinar_id=webinar_id, session_id=session_id)
        joined = actor.user_id is not None and not known
        expected = known or ([("attendee", "auto")] if joined else [])
        assert registrations(db, webinar_id, actor) == expected
        assert (reply["registration"] or {}).get("role") == (expected[0][0] if expected else None)
        assert db.rows(
            "select session_id, user_id from eventlive.webinar_user_sessions"
            " where webinar_id = %s and exited_at is null and expires_at > clock_timestamp()",
            webinar_id,
        ) == [(session_id, actor.user_id)]
        assert db.rows("select user_id from eventlive.webinar_live_presence where webinar_id = %s", webinar_id) == (
            [(actor.user_id,)] if actor.user_id else []
        )
        assert events(db, webinar_id, actor) == ["entered", *(["registered"] if joined else [])]
        return "joins" if joined else "enters"

    return outcome(db, attempt)


def register(db: EventliveDatabase, actor: Actor, webinar_id: UUID) -> str:
    """Register, and say what happened according to the reply and to every table; they must agree."""
    before = db.contents()
    known = registrations(db, webinar_id, actor)

    def attempt() -> str:
        reply = actor.call("webinar_register", webinar_id=webinar_id)
        assert reply["created"] is not bool(known)
        assert registrations(db, webinar_id, actor) == (known or [("attendee", "manual")])
        assert db.rows("select 1 from eventlive.webinar_user_sessions where webinar_id = %s", webinar_id) == []
        assert db.rows("select 1 from eventlive.webinar_live_presence where webinar_id = %s", webinar_id) == []
        if known:
            assert db.contents() == before
            return "repeats"
        assert events(db, webinar_id, actor) == ["registered"]
        return "registers"

    return outcome(db, attempt)


ACTS = {"enter": enter, "register": register}


def observed(db: EventliveDatabase, act: str, callers: dict[str, str], **properties: str) -> dict[str, str]:
    """What each of the callers meets, each in a webinar of their own."""
    result = {}
    for kind in callers:
        webinar_id = the_webinar(db, **properties)
        result[kind] = ACTS[act](db, the_caller(db, kind, webinar_id), webinar_id)
    return result
