"""The functions of the contract as data: what each is called, takes, answers and refuses, and who may call it.

A test holds this against the catalog and the source of a real database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventlive_db.client import replies
from eventlive_db.client.functions import Function, Parameter

_WEBINAR = Parameter("_webinar_id", "uuid")
_SESSION = Parameter("_session_id", "uuid")
_USER = frozenset({"authenticated"})
_ANYBODY = frozenset({"anon", "authenticated"})
_STAFF = frozenset({"authenticated", "service_role"})
_SERVICE = frozenset({"service_role"})

_MALFORMED = {"invalid_argument", "invalid_claims"}
_ADMINISTRATION = frozenset({*_MALFORMED, "unauthenticated", "not_allowed", "webinar_not_found"})
_ADMISSION = {"webinar_not_found", "webinar_ended", "ejected", "not_invited", "email_not_verified", "not_registered"}

WEBINAR_REGISTER = Function(
    "webinar_register",
    (_WEBINAR, Parameter("_registered_via", "text", optional=True)),
    replies.Registered,
    _USER,
    frozenset({*_MALFORMED, *_ADMISSION, "unauthenticated", "isolation_not_supported"}),
)
WEBINAR_ENTER = Function(
    "webinar_enter",
    (
        _WEBINAR,
        _SESSION,
        Parameter("_client", "jsonb", optional=True),
        Parameter("_take_over", "boolean", optional=True),
    ),
    replies.Entry,
    _ANYBODY,
    frozenset(
        {
            *_MALFORMED,
            *_ADMISSION,
            "isolation_not_supported",
            "guests_not_allowed",
            "duplicate_session",
            "too_many_sessions",
            "session_not_found",
            "session_not_yours",
            "session_left",
            "session_expired",
            "session_replaced",
            "session_ejected",
        }
    ),
)
WEBINAR_PRESENCE_PING: Function[None] = Function(
    "webinar_presence_ping",
    (_WEBINAR,),
    None,
    _USER,
    frozenset(
        {*_MALFORMED, "unauthenticated", "isolation_not_supported", "not_registered", "ejected", "webinar_ended"}
    ),
    repeatable=False,  # the next one comes by itself, and a retry storm of pings is what this project answers
)
WEBINAR_SESSION_HEARTBEAT = Function(
    "webinar_session_heartbeat",
    (_WEBINAR, _SESSION),
    replies.Heartbeat,
    _ANYBODY,
    frozenset({*_MALFORMED, "session_not_found"}),
    repeatable=False,
)
WEBINAR_LEAVE: Function[None] = Function(
    "webinar_leave",
    (_WEBINAR, _SESSION, Parameter("_leave_token", "uuid")),
    None,
    _ANYBODY,
    frozenset({"invalid_argument", "session_not_found"}),
)
WEBINAR_PRESENCE_PING_MANY = Function(
    "webinar_presence_ping_many",
    (_WEBINAR, Parameter("_user_ids", "uuid[]")),
    replies.PingMany,
    _SERVICE,
    frozenset({"invalid_argument", "isolation_not_supported", "webinar_not_found", "webinar_ended"}),
    repeatable=False,
)
WEBINAR_CLIENT_SETTINGS = Function(
    "webinar_client_settings",
    (_WEBINAR,),
    replies.ClientSettings,
    frozenset({"anon", "authenticated", "service_role"}),
    frozenset({*_MALFORMED, "webinar_not_found"}),
)
WEBINAR_CREATE = Function(
    "webinar_create",
    (
        Parameter("_slug", "text"),
        Parameter("_title", "text", optional=True),
        Parameter("_access_policy", "text", optional=True),
        Parameter("_entry_policy", "text", optional=True),
        Parameter("_duplicate_login_policy", "text", optional=True),
        Parameter("_starts_at", "timestamp with time zone", optional=True),
        Parameter("_ends_at", "timestamp with time zone", optional=True),
        Parameter("_settings", "jsonb", optional=True),
        Parameter("_host_id", "uuid", optional=True),
    ),
    replies.CreatedWebinar,
    _STAFF,
    frozenset({*_MALFORMED, "unauthenticated", "not_allowed", "webinar_exists"}),
)
WEBINAR_CONFIGURE = Function(
    "webinar_configure", (_WEBINAR, Parameter("_changes", "jsonb")), replies.Webinar, _STAFF, _ADMINISTRATION
)
WEBINAR_SET_STATUS = Function(
    "webinar_set_status",
    (_WEBINAR, Parameter("_status", "text")),
    replies.StatusChange,
    _STAFF,
    frozenset({*_ADMINISTRATION, "isolation_not_supported", "status_change_refused"}),
)
WEBINAR_GRANT_ROLE = Function(
    "webinar_grant_role",
    (_WEBINAR, Parameter("_user_id", "uuid"), Parameter("_role", "text")),
    replies.Registration,
    _STAFF,
    frozenset({*_ADMINISTRATION, "last_host"}),
)
WEBINAR_ALLOW_EMAILS = Function(
    "webinar_allow_emails",
    (_WEBINAR, Parameter("_emails", "text[]"), Parameter("_remove", "boolean", optional=True)),
    replies.EmailList,
    _STAFF,
    _ADMINISTRATION,
)
WEBINAR_EJECT = Function(
    "webinar_eject",
    (_WEBINAR, Parameter("_user_id", "uuid", optional=True), Parameter("_session_id", "uuid", optional=True)),
    replies.Ejection,
    _STAFF,
    frozenset({*_ADMINISTRATION, "isolation_not_supported", "session_not_found"}),
)
WEBINAR_MESSAGES_POLL = Function(
    "webinar_messages_poll",
    (_WEBINAR, Parameter("_after", "bigint", optional=True), Parameter("_limit", "integer", optional=True)),
    replies.MessagePage,
    frozenset({"anon", "authenticated", "service_role"}),
    frozenset(
        {
            *_MALFORMED,
            "webinar_not_found",
            "webinar_ended",
            "ejected",
            "guests_not_allowed",
            "not_registered",
            "fallback_disabled",
        }
    ),
)
WEBINAR_MESSAGE_POST = Function(
    "webinar_message_post",
    (
        _WEBINAR,
        Parameter("_client_message_id", "uuid"),
        Parameter("_kind", "text"),
        Parameter("_body", "text"),
    ),
    replies.PostedMessage,
    _USER,
    frozenset(
        {*_MALFORMED, *_ADMISSION, "unauthenticated", "isolation_not_supported", "not_allowed", "too_many_messages"}
    ),
)
WEBINAR_MESSAGE_HIDE = Function(
    "webinar_message_hide",
    (_WEBINAR, Parameter("_message_id", "bigint"), Parameter("_hidden", "boolean", optional=True)),
    replies.HiddenMessage,
    _STAFF,
    frozenset({*_ADMINISTRATION, "isolation_not_supported", "message_not_found"}),
)
WEBINAR_STATS_ACCESS = Function(
    "webinar_stats_access",
    (_WEBINAR, Parameter("_since", "timestamp with time zone", optional=True)),
    replies.StatsReply,
    _STAFF,
    _ADMINISTRATION,
)
WEBINAR_PARTICIPANTS = Function(
    "webinar_participants",
    (_WEBINAR, Parameter("_after", "uuid", optional=True), Parameter("_limit", "integer", optional=True)),
    replies.ParticipantsPage,
    _STAFF,
    _ADMINISTRATION,
)

FUNCTIONS: Mapping[str, Function[Any]] = {
    function.name: function
    for function in (
        WEBINAR_REGISTER,
        WEBINAR_ENTER,
        WEBINAR_PRESENCE_PING,
        WEBINAR_SESSION_HEARTBEAT,
        WEBINAR_LEAVE,
        WEBINAR_PRESENCE_PING_MANY,
        WEBINAR_CLIENT_SETTINGS,
        WEBINAR_MESSAGES_POLL,
        WEBINAR_MESSAGE_POST,
        WEBINAR_CREATE,
        WEBINAR_CONFIGURE,
        WEBINAR_SET_STATUS,
        WEBINAR_GRANT_ROLE,
        WEBINAR_ALLOW_EMAILS,
        WEBINAR_EJECT,
        WEBINAR_MESSAGE_HIDE,
        WEBINAR_STATS_ACCESS,
        WEBINAR_PARTICIPANTS,
    )
}
"""By name."""
