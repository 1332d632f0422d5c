"""Calls of each function that somebody has every reason to make, and what they come to.

Made as they are, they are what a function must do; made by everybody else, they are what it must not. A new function
needs at least one that succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

from tests.fuzz.world import DRAFT, ENDED, LEFT, NEW_SESSION, World, session_of, token_of
from tests.support.cast import ELSEWHERE, USERS, WEBINAR

Arguments = dict[str, Any]
"""As JSON has them, by the names of the parameters."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A call.

    Attributes:
        caller: One of the people of the world.
        outcome: ``done``, or the token of the refusal.
    """

    function: str
    caller: str
    arguments: Arguments
    outcome: str = "done"


def _calls(function: str, *calls: tuple[str, Arguments] | tuple[str, Arguments, str]) -> list[Recipe]:
    return [Recipe(function, call[0], call[1], *call[2:]) for call in calls]


def recipes(world: World) -> list[Recipe]:
    """All of them, for the functions that there are."""
    known = {function.name for function in world.functions}
    return [recipe for recipe in chain(*_ALL) if recipe.function in known]


_HERE: Arguments = {"_webinar_id": str(WEBINAR)}
_THERE: Arguments = {"_webinar_id": str(ELSEWHERE)}
_DRAFT: Arguments = {"_webinar_id": str(DRAFT)}
_ENDED: Arguments = {"_webinar_id": str(ENDED)}
_NEW: Arguments = {"_session_id": str(NEW_SESSION)}
_ID = {name: str(user_id) for name, user_id in USERS.items()}
_EVERYTHING_KNOWN: Arguments = {
    "agent": "Mozilla/5.0", "referrer": "https://example.com/?q=1", "campaign": "spring", "timezone": "Asia/Tokyo",
    "language": "ja", "version": 3, "mobile": True, "screen": [1920, 1080],
}  # fmt: skip


def _session(webinar: Arguments, name: str) -> Arguments:
    return webinar | {"_session_id": session_of(name)}


def _leave(name: str, token: str | None = None) -> Arguments:
    return _session(_HERE, name) | {"_leave_token": token_of(token or name)}


def _message(body: str, kind: str = "chat") -> Arguments:
    return _HERE | {"_client_message_id": str(NEW_SESSION), "_kind": kind, "_body": body}


def _changes(**changes: object) -> Arguments:
    return _HERE | {"_changes": dict(changes)}


_TITLES: tuple[str, ...] = ("", "two\nlines", "x" * 301, "\x7f")
_TIMES_BACKWARDS: dict[str, object] = {"starts_at": "2030-01-02T00:00:00Z", "ends_at": "2030-01-01T00:00:00Z"}
_WHOLE_WEBINAR: Arguments = {
    "_title": "New", "_access_policy": "invite_only", "_entry_policy": "registered_only",
    "_duplicate_login_policy": "reject", "_starts_at": "2030-01-01T00:00:00Z", "_ends_at": "2030-01-02T00:00:00Z",
    "_settings": {"pacing_jitter": 0}, "_host_id": _ID["stranger"],
}  # fmt: skip

_ALL: tuple[list[Recipe], ...] = (
    _calls("pre_request", ("attendee", {}), ("guest", {}), ("service", {})),
    _calls(
        "webinar_client_settings",
        ("guest", _HERE), ("attendee", _HERE), ("service", _DRAFT), ("speaker", _DRAFT), ("host", _DRAFT),
        ("guest", _DRAFT, "webinar_not_found"), ("guest", _ENDED),
    ),
    _calls(
        "webinar_register",
        ("stranger", _HERE), ("stranger", _HERE | {"_registered_via": "email"}),
        ("stranger", _THERE), ("viewer_elsewhere", _HERE),
        ("attendee", _HERE), ("host", _DRAFT), ("ejected", _HERE, "ejected"),
        ("attendee", _THERE, "email_not_verified"),
        ("attendee", _DRAFT, "webinar_not_found"), ("attendee", _ENDED, "webinar_ended"), ("admin", _DRAFT),
        ("attendee", _HERE | {"_registered_via": "auto"}, "invalid_argument"),
    ),
    _calls(
        "webinar_enter",
        ("stranger", _HERE | _NEW), ("attendee", _HERE | _NEW), ("guest", _HERE | _NEW), ("host", _DRAFT | _NEW),
        ("attendee", _HERE | _NEW | {"_client": _EVERYTHING_KNOWN}),
        ("guest", _HERE | _NEW | {"_client": _EVERYTHING_KNOWN}),
        ("attendee", _HERE | _NEW | {"_take_over": True}), ("guest", _HERE | _NEW | {"_take_over": True}),
        ("attendee", _session(_HERE, "attendee")), ("guest", _session(_HERE, "guest")),
        ("moderator", _session(_HERE, "moderator")), ("viewer_elsewhere", _THERE | _NEW),
        ("stranger", _session(_HERE, "attendee"), "session_not_yours"),
        ("guest", _session(_HERE, "attendee"), "session_not_yours"),
        ("speaker", _session(_HERE, LEFT), "session_left"),
        ("ejected", _HERE | _NEW, "ejected"), ("guest", _THERE | _NEW, "guests_not_allowed"),
        ("attendee", _DRAFT | _NEW, "webinar_not_found"), ("host", _ENDED | _NEW, "webinar_ended"),
        ("attendee", _HERE | _NEW | {"_client": {"agent": "x" * 5000}}, "invalid_argument"),
    ),
    _calls(
        "webinar_session_heartbeat",
        ("attendee", _session(_HERE, "attendee")), ("guest", _session(_HERE, "guest")),
        ("moderator", _session(_HERE, "moderator")), ("host_elsewhere", _session(_THERE, "host_elsewhere")),
        ("speaker", _session(_HERE, LEFT)), ("attendee", _HERE | _NEW, "session_not_found"),
        ("stranger", _HERE | _NEW, "session_not_found"),
        ("attendee", _session(_THERE, "attendee"), "session_not_found"),
    ),
    _calls(
        "webinar_presence_ping",
        ("attendee", _HERE), ("moderator", _HERE), ("speaker", _HERE), ("viewer_elsewhere", _THERE),
        ("stranger", _HERE, "not_registered"), ("ejected", _HERE, "ejected"), ("host", _ENDED, "webinar_ended"),
        ("attendee", _THERE, "not_registered"),
    ),
    _calls(
        "webinar_presence_ping_many",
        ("service", _HERE | {"_user_ids": [_ID["attendee"]]}), ("service", _HERE | {"_user_ids": []}),
        ("service", _HERE | {"_user_ids": [_ID["speaker"], _ID["stranger"], _ID["ejected"], _ID["moderator"]]}),
        ("service", _ENDED | {"_user_ids": [_ID["host"]]}, "webinar_ended"),
        ("service", _HERE | {"_user_ids": [None]}, "invalid_argument"),
    ),
    _calls(
        "webinar_leave",
        ("attendee", _leave("attendee")), ("guest", _leave("attendee")), ("guest", _leave("guest")),
        ("stranger", _leave("moderator")), ("speaker", _leave(LEFT)),
        ("attendee", _leave("attendee", "host"), "session_not_found"),
        ("guest", _leave("guest", "host_elsewhere"), "session_not_found"),
        ("attendee", _leave("attendee") | _THERE, "session_not_found"),
        ("attendee", _leave("attendee") | _NEW, "session_not_found"),
    ),
    _calls(
        "webinar_messages_poll",
        ("attendee", _HERE), ("guest", _HERE), ("host", _HERE | {"_after": 0, "_limit": 1}), ("speaker", _DRAFT),
        ("stranger", _HERE | {"_after": -1}), ("viewer_elsewhere", _THERE), ("service", _ENDED),
        ("ejected", _HERE, "ejected"), ("guest", _THERE, "guests_not_allowed"), ("stranger", _THERE, "not_registered"),
        ("attendee", _DRAFT, "webinar_not_found"), ("speaker", _ENDED, "webinar_ended"),
        ("attendee", _HERE | {"_limit": 0}, "invalid_argument"),
    ),
    _calls(
        "webinar_message_post",
        ("attendee", _message("Hello")), ("attendee", _message("Why?", "question")),
        ("host", _message("So.", "answer")),
        ("viewer_elsewhere", _message("Hello") | _THERE), ("speaker", _message("Hello") | _DRAFT),
        ("attendee", _message("So.", "answer"), "not_allowed"), ("stranger", _message("Hello"), "not_registered"),
        ("ejected", _message("Hello"), "ejected"), ("host", _message("Hello") | _ENDED, "webinar_ended"),
        *(("attendee", _message(text), "invalid_argument") for text in ("", " \r\n\t", "\x1b[2J", "x" * 2001)),
        ("attendee", _message("Hello", "shout"), "invalid_argument"),
    ),
    _calls(
        "webinar_message_hide",
        ("host", _HERE | {"_message_id": 1}), ("moderator", _HERE | {"_message_id": 2, "_hidden": False}),
        ("service", _DRAFT | {"_message_id": 1}), ("admin", _HERE | {"_message_id": 2}),
        ("host", _HERE | {"_message_id": 99}, "message_not_found"),
        ("speaker", _HERE | {"_message_id": 1}, "not_allowed"),
    ),
    _calls(
        "webinar_create",
        ("service", {"_slug": "new"}), ("admin", {"_slug": "new"}), ("admin", {"_slug": "new"} | _WHOLE_WEBINAR),
        ("service", {"_slug": "new"} | _WHOLE_WEBINAR),
        ("admin", {"_slug": "ours"}, "webinar_exists"), ("admin", {"_slug": "Not A Slug"}, "invalid_argument"),
        *(("admin", {"_slug": "new", "_title": title}, "invalid_argument") for title in _TITLES),
        ("admin", {"_slug": "new", "_ends_at": "2029-01-01", "_starts_at": "2030-01-01"}, "invalid_argument"),
        ("service", {"_slug": "new", "_settings": {"nonsense": 1}}, "unknown_setting"),
        ("service", {"_slug": "new", "_settings": {"pacing_jitter": 1}}, "setting_out_of_range"),
    ),
    _calls(
        "webinar_configure",
        ("host", _changes(title="Changed")), ("host", _changes()), ("host_elsewhere", _THERE | {"_changes": {}}),
        ("admin", _changes(access_policy="auth", entry_policy="registered_only", duplicate_login_policy="reject")),
        ("service", _changes(settings={"pacing_jitter": 0, "expiry_factor": None})),
        ("host", _changes(starts_at="2030-01-01T00:00:00Z", ends_at=None, title=None)),
        *(("host", _changes(title=title), "invalid_argument") for title in _TITLES),
        ("host", _changes(**_TIMES_BACKWARDS), "invalid_argument"),
        ("host", _changes(access_policy="open"), "invalid_argument"),
        ("host", _changes(starts_at="soon"), "invalid_argument"), ("host", _changes(slug="x"), "invalid_argument"),
        ("host", _changes(settings={"close_batch_size": 1.5}), "setting_out_of_range"),
        ("host", _changes(settings={"jwt_audience": "x"}), "unknown_setting"),
        ("moderator", _changes(title="Changed"), "not_allowed"),
    ),
    _calls(
        "webinar_set_status",
        ("host", _HERE | {"_status": "ended"}), ("service", _HERE | {"_status": "ended"}),
        ("host", _HERE | {"_status": "live"}), ("host", _ENDED | {"_status": "live"}),
        ("host", _DRAFT | {"_status": "live"}), ("admin", _DRAFT | {"_status": "scheduled"}),
        ("host", _HERE | {"_status": "draft"}, "status_change_refused"),
        ("host", _HERE | {"_status": "open"}, "invalid_argument"),
        ("moderator", _HERE | {"_status": "ended"}, "not_allowed"),
    ),
    _calls(
        "webinar_grant_role",
        ("host", _HERE | {"_user_id": _ID["attendee"], "_role": "speaker"}),
        ("host", _HERE | {"_user_id": _ID["stranger"], "_role": "attendee"}),
        ("admin", _HERE | {"_user_id": _ID["ejected"], "_role": "attendee"}),
        ("service", _HERE | {"_user_id": _ID["moderator"], "_role": "host"}),
        ("host", _HERE | {"_user_id": _ID["host"], "_role": "attendee"}, "last_host"),
        ("host", _HERE | {"_user_id": _ID["attendee"], "_role": "admin"}, "invalid_argument"),
        ("moderator", _HERE | {"_user_id": _ID["attendee"], "_role": "host"}, "not_allowed"),
    ),
    _calls(
        "webinar_allow_emails",
        ("host", _HERE | {"_emails": ["New@Example.com", "a@b.example"]}), ("service", _HERE | {"_emails": []}),
        ("host_elsewhere", _THERE | {"_emails": ["invited@example.com", "none@x"], "_remove": True}),
        ("host", _HERE | {"_emails": ["a@b.example", "nobody"]}, "invalid_argument"),
        ("host", _HERE | {"_emails": [None]}, "invalid_argument"),
        ("moderator", _HERE | {"_emails": ["a@b.example"]}, "not_allowed"),
    ),
    _calls(
        "webinar_eject",
        ("host", _HERE | {"_user_id": _ID["attendee"]}), ("moderator", _HERE | {"_user_id": _ID["speaker"]}),
        ("service", _HERE | {"_user_id": _ID["moderator"]}), ("admin", _HERE | {"_user_id": _ID["ejected"]}),
        ("host", _session(_HERE, "guest")), ("moderator", _session(_HERE, "guest")),
        ("host", _session(_HERE, "attendee"), "session_not_found"),
        ("admin", _HERE | {"_user_id": _ID["host"]}, "not_allowed"),
        ("host", _HERE | {"_user_id": _ID["stranger"]}, "invalid_argument"),
        ("host", _HERE, "invalid_argument"),
        ("host_elsewhere", _session(_HERE, "guest"), "not_allowed"),
    ),
    _calls(
        "webinar_stats_access",
        ("host", _HERE), ("moderator", _HERE | {"_since": "2026-01-01T00:00:00Z"}), ("admin", _THERE),
        ("service", _DRAFT), ("host", _DRAFT), ("host", _ENDED), ("host", _HERE | {"_since": "-infinity"}),
        ("attendee", _HERE, "not_allowed"), ("speaker", _HERE, "not_allowed"), ("ejected", _HERE, "not_allowed"),
        ("stranger", _DRAFT, "not_allowed"), ("host_elsewhere", _HERE, "not_allowed"),
    ),
    _calls(
        "webinar_participants",
        ("host", _HERE), ("moderator", _HERE | {"_limit": 1}), ("admin", _THERE), ("service", _DRAFT),
        ("host", _HERE | {"_after": _ID["attendee"], "_limit": 2_147_483_647}), ("host", _ENDED),
        ("host", _HERE | {"_limit": 0}, "invalid_argument"),
        ("attendee", _HERE, "not_allowed"), ("speaker", _HERE, "not_allowed"), ("ejected", _HERE, "not_allowed"),
        ("stranger", _DRAFT, "not_allowed"), ("host_elsewhere", _HERE, "not_allowed"),
    ),
)  # fmt: skip
