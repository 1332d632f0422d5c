"""By whom each function succeeds, and which rows of which tables it then may write.

A new function needs an entry in :data:`EFFECTS`. A call that is refused writes nothing, whoever makes it.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.effects import (
    Effect,
    Made,
    May,
    Rows,
    argument,
    caller,
    host_to_be,
    nobody,
    number,
    one_of,
    signed_in,
    watcher,
)


def effect_of(function: str) -> Effect:
    """What a function may do.

    Raises:
        AssertionError: Nobody has said it yet.
    """
    assert function in EFFECTS, f"say in tests/fuzz/rights.py by whom {function} succeeds and what it may write"
    return EFFECTS[function]


def _staff(*roles: str) -> Callable[[Made], bool]:
    return lambda made: bool(made.webinar) and (made.is_service or made.is_admin or made.role in roles)


def _may_register(made: Made) -> bool:
    status, policy = made.webinar.get("status"), made.webinar.get("access_policy")
    if made.user is None or not status or made.registration:
        return made.role is not None
    passes = policy in {"auth", "guest_allowed"} or made.is_invited
    return status != "ended" and (made.is_admin or (status != "draft" and passes))


def _may_enter(made: Made) -> bool:
    status, policy = made.webinar.get("status"), made.webinar.get("access_policy")
    if status in {None, "ended"} or (made.session and made.session["user_id"] != made.user):
        return False
    if made.session and made.session["exited_at"] is not None:
        return False
    if made.user is None:
        return status != "draft" and policy == "guest_allowed"
    if made.registration:
        staff = made.role is not None and made.role != "attendee"
        return staff or made.is_admin or (made.role is not None and status != "draft")
    return _may_register(made)


def _may_see(made: Made) -> bool:
    """A webinar: a draft is for its staff alone."""
    status, staff = made.webinar.get("status"), {"host", "moderator", "speaker"}
    return status is not None and (status != "draft" or made.is_service or made.is_admin or made.role in staff)


def _knows_the_token(made: Made) -> bool:
    return bool(made.session) and made.session["leave_token"] in made.ids("_leave_token")


def _may_read_messages(made: Made) -> bool:
    if _staff("host", "moderator")(made):
        return True
    status, is_open = made.webinar.get("status"), made.webinar.get("access_policy") == "guest_allowed"
    if status in {None, "ended"} or (status == "draft" and made.role in {None, "attendee"}):
        return False
    if made.registration:
        return made.role is not None
    return is_open and (made.user is None or made.webinar["entry_policy"] == "auto_register")


def _may_post(made: Made) -> bool:
    status = made.webinar.get("status")
    return made.role is not None and status != "ended" and (status != "draft" or made.role != "attendee")


_HERE: Rows = {"webinar_id": argument("_webinar_id")}
_MINE = _HERE | {"user_id": signed_in}
_THEIRS = _HERE | {"user_id": argument("_user_id")}
_SHOWN: Rows = {"hidden": lambda _: [False]}
_FEED = (May(_HERE, insert=True, columns=frozenset({"last_change_id"})),)
_SEEN = frozenset({"last_seen_at", "expires_at"})
_PRESENT = _SEEN | {"throttle_s", "ttl_s"}
_BEAT = frozenset({"last_heartbeat_at", "watched_seconds", "interval_s", "expires_at"})
_CLOSED = frozenset({"exited_at", "exit_reason", "replaced_by", "watched_seconds"})
_CHANGED = frozenset({"title", "access_policy", "entry_policy", "duplicate_login_policy", "starts_at", "ends_at"})
_PACE = frozenset({
    "participants", "guests", "registered", "peak_participants", "peak_at", "as_of", "closed_at",
    "presence_ping_interval_s", "session_heartbeat_interval_s", "fallback_poll_interval_s", "throttle_factor",
    "expiry_factor", "watch_credit_factor", "pacing_jitter", "settings", "client_settings", "settings_version",
})  # fmt: skip


def _logged(rows: Rows, *events: str) -> tuple[May, ...]:
    return (May(_HERE | rows | {"event": one_of(*events)}, insert=True),)


EFFECTS: dict[str, Effect] = {
    "pre_request": Effect(),
    "webinar_client_settings": Effect(_may_see),
    "webinar_register": Effect(
        _may_register,
        {
            "registrations": (May(_MINE, insert=True, becomes={"role": one_of("attendee")}),),
            "event_access_logs": _logged({"user_id": signed_in}, "registered"),
        },
    ),
    "webinar_enter": Effect(
        _may_enter,
        {
            "registrations": (
                May(_MINE, insert=True, becomes={"role": one_of("attendee"), "registered_via": one_of("auto")}),
            ),
            "webinar_user_sessions": (
                May(_HERE | {"session_id": argument("_session_id"), "user_id": caller}, insert=True, columns=_BEAT),
                May(_MINE, columns=_CLOSED),
            ),
            "webinar_live_presence": (May(_MINE, insert=True, columns=_PRESENT | {"joined_at"}),),
            "event_access_logs": _logged({"user_id": caller}, "registered", "entered", "replaced", "expired"),
        },
    ),
    "webinar_session_heartbeat": Effect(
        lambda made: bool(made.session) and made.session["user_id"] == made.user,
        {
            "webinar_user_sessions": (
                May(_HERE | {"session_id": argument("_session_id"), "user_id": caller}, columns=_BEAT),
            ),
            "webinar_live_presence": (May(_MINE, insert=True, columns=_PRESENT),),
        },
    ),
    "webinar_presence_ping": Effect(
        lambda made: made.role is not None,
        {"webinar_live_presence": (May(_MINE, insert=True, columns=_SEEN),)},
    ),
    "webinar_presence_ping_many": Effect(
        # Who may execute it is all that is asked: whatever the claims say.
        lambda made: made.caller.role == "service_role" and bool(made.webinar),
        {
            "webinar_live_presence": (
                May(_HERE | {"user_id": argument("_user_ids")}, insert=True, columns=_SEEN),
            )
        },
    ),
    "webinar_leave": Effect(
        _knows_the_token,
        {
            "webinar_user_sessions": (
                May(
                    _HERE | {"session_id": argument("_session_id"), "leave_token": argument("_leave_token")},
                    columns=_CLOSED,
                ),
            ),
            "webinar_live_presence": (May(_HERE | {"user_id": watcher}, delete=True),),
            "event_access_logs": _logged({"session_id": argument("_session_id")}, "left", "expired"),
        },
    ),
    "webinar_messages_poll": Effect(_may_read_messages),
    "webinar_message_post": Effect(
        _may_post,
        {
            "webinar_messages": (
                May(_MINE | {"client_message_id": argument("_client_message_id")}, insert=True, becomes=_SHOWN),
            ),
            "webinar_message_feeds": _FEED,
        },
    ),
    "webinar_message_hide": Effect(
        _staff("host", "moderator"),
        {
            "webinar_messages": (
                May(_HERE | {"message_id": number("_message_id")}, columns=frozenset({"hidden", "change_id"})),
            ),
            "webinar_message_feeds": _FEED,
        },
    ),
    "webinar_stats_access": Effect(_staff("host", "moderator")),
    "webinar_participants": Effect(_staff("host", "moderator")),
    "webinar_create": Effect(
        lambda made: made.is_service or made.is_admin,
        {
            "webinars": (May({}, insert=True, becomes={"status": one_of("draft")}),),
            "webinar_live": (May({}, insert=True),),
            "registrations": (May({"user_id": host_to_be}, insert=True, becomes={"role": one_of("host")}),),
            "event_access_logs": (May({"user_id": host_to_be, "event": one_of("registered")}, insert=True),),
        },
    ),
    "webinar_configure": Effect(
        _staff("host"),
        {
            "webinars": (May({"id": argument("_webinar_id")}, columns=_CHANGED | {"settings", "updated_at"}),),
            "webinar_live": (May(_HERE, columns=_PACE),),
        },
    ),
    "webinar_set_status": Effect(
        _staff("host"),
        {
            "webinars": (May({"id": argument("_webinar_id")}, columns=frozenset({"status", "updated_at"})),),
            "webinar_live": (May(_HERE, columns=_PACE),),
            "webinar_user_sessions": (May(_HERE, columns=_CLOSED),),
            "webinar_live_presence": (May(_HERE, delete=True),),
            "event_access_logs": _logged({}, "webinar_ended", "expired"),
        },
    ),
    "webinar_grant_role": Effect(
        _staff("host"),
        {
            "registrations": (May(_THEIRS, insert=True, columns=frozenset({"role", "ejected_at"})),),
            "event_access_logs": _logged({"user_id": argument("_user_id")}, "registered"),
        },
    ),
    "webinar_allow_emails": Effect(
        _staff("host"), {"webinar_allowed_emails": (May(_HERE, insert=True, delete=True),)}
    ),
    "webinar_eject": Effect(
        _staff("host", "moderator"),
        {
            "registrations": (May(_THEIRS, columns=frozenset({"ejected_at"})),),
            "webinar_user_sessions": (
                May(_THEIRS, columns=_CLOSED),
                May(_HERE | {"session_id": argument("_session_id"), "user_id": nobody}, columns=_CLOSED),
            ),
            "webinar_live_presence": (May(_THEIRS, delete=True),),
            "event_access_logs": _logged({"user_id": lambda made: [None, *made.ids("_user_id")]}, "ejected", "expired"),
        },
    ),
}  # fmt: skip
