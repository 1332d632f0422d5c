"""What is wrong with a call, function by function, and the error it must get."""

from __future__ import annotations

from uuid import UUID

from tests.support.actors import new_id
from tests.support.cast import ELSEWHERE, USERS, WEBINAR

SESSION, GUEST_SESSION, LEAVE_TOKEN = UUID(int=0x501), UUID(int=0x502), UUID(int=0x503)
MESSAGE = 1
"""The one message in WEBINAR, the attendee's."""
ATTENDEE, STRANGER = USERS["attendee"], USERS["stranger"]

# Who calls, and arguments that are right. A new function needs a line here, and one in each table that follows.
VALID: dict[str, tuple[str, dict[str, object]]] = {
    "webinar_register": ("stranger", {"webinar_id": WEBINAR, "registered_via": "manual"}),
    "webinar_enter": ("stranger", {"webinar_id": WEBINAR, "session_id": new_id(), "client": {}, "take_over": False}),
    "webinar_presence_ping": ("attendee", {"webinar_id": WEBINAR}),
    "webinar_session_heartbeat": ("attendee", {"webinar_id": WEBINAR, "session_id": SESSION}),
    "webinar_leave": ("guest", {"webinar_id": WEBINAR, "session_id": SESSION, "leave_token": LEAVE_TOKEN}),
    "webinar_presence_ping_many": ("service", {"webinar_id": WEBINAR, "user_ids": [ATTENDEE]}),
    "webinar_client_settings": ("guest", {"webinar_id": WEBINAR}),
    "webinar_messages_poll": ("attendee", {"webinar_id": WEBINAR, "after": 0, "limit": 50}),
    "webinar_message_post": (
        "attendee",
        {"webinar_id": WEBINAR, "client_message_id": new_id(), "kind": "chat", "body": "Hello"},
    ),
    "webinar_message_hide": ("host", {"webinar_id": WEBINAR, "message_id": MESSAGE, "hidden": True}),
    "webinar_stats_access": ("host", {"webinar_id": WEBINAR, "since": "2026-01-01"}),
    "webinar_participants": ("host", {"webinar_id": WEBINAR, "after": STRANGER, "limit": 50}),
    "pre_request": ("guest", {}),
    "webinar_create": (
        "admin",
        {
            "slug": "new",
            "title": "New",
            "access_policy": "auth",
            "entry_policy": "auto_register",
            "duplicate_login_policy": "ask",
            "starts_at": "2030-01-01",
            "ends_at": "2030-01-02",
            "settings": {},
            "host_id": STRANGER,
        },
    ),
    "webinar_configure": ("host", {"webinar_id": WEBINAR, "changes": {"title": "Changed"}}),
    "webinar_set_status": ("host", {"webinar_id": WEBINAR, "status": "ended"}),
    "webinar_grant_role": ("host", {"webinar_id": WEBINAR, "user_id": STRANGER, "role": "speaker"}),
    "webinar_allow_emails": ("host", {"webinar_id": WEBINAR, "emails": ["a@b.example"], "remove": False}),
    "webinar_eject": ("host", {"webinar_id": WEBINAR, "user_id": ATTENDEE, "session_id": None}),
}

# Null is refused as an invalid argument; but these parameters may be null.
NULL_IS_FINE = {
    "webinar_create": {"title", "starts_at", "ends_at", "host_id"},
    "webinar_eject": {"session_id"},
    "webinar_stats_access": {"since"},
    "webinar_participants": {"after"},
}

UNKNOWN_WEBINAR = {
    "webinar_register": "webinar_not_found",
    "webinar_enter": "webinar_not_found",
    "webinar_presence_ping": "not_registered",
    "webinar_session_heartbeat": "session_not_found",
    "webinar_leave": "session_not_found",
    "webinar_presence_ping_many": "webinar_not_found",
    "webinar_client_settings": "webinar_not_found",
    "webinar_messages_poll": "webinar_not_found",
    "webinar_message_post": "webinar_not_found",
    "webinar_message_hide": "not_allowed",
    "pre_request": None,
    "webinar_create": None,
    # To a host of another webinar, one that does not exist looks like one that is not theirs.
    "webinar_configure": "not_allowed",
    "webinar_set_status": "not_allowed",
    "webinar_grant_role": "not_allowed",
    "webinar_allow_emails": "not_allowed",
    "webinar_eject": "not_allowed",
    "webinar_stats_access": "not_allowed",
    "webinar_participants": "not_allowed",
}

# The role authenticated without claims is a guest.
WITHOUT_CLAIMS = {
    "webinar_register": "unauthenticated",
    "webinar_enter": "guests_not_allowed",
    "webinar_presence_ping": "unauthenticated",
    "webinar_session_heartbeat": "session_not_found",
    "webinar_leave": None,
    "webinar_client_settings": None,
    "webinar_messages_poll": "guests_not_allowed",
    "webinar_message_post": "unauthenticated",
    "webinar_message_hide": "unauthenticated",
    "pre_request": "token_not_accepted",
    "webinar_create": "unauthenticated",
    "webinar_configure": "unauthenticated",
    "webinar_set_status": "unauthenticated",
    "webinar_grant_role": "unauthenticated",
    "webinar_allow_emails": "unauthenticated",
    "webinar_eject": "unauthenticated",
    "webinar_stats_access": "unauthenticated",
    "webinar_participants": "unauthenticated",
}

# The leave token is all that counts for the one; the other takes its users from a gateway that is trusted.
ASK_NO_CLAIMS = {"webinar_leave", "webinar_presence_ping_many"}

RUBBISH = {
    "uuid": ("rubbish", "22P02"),
    "uuid[]": ("{rubbish}", "22P02"),
    "text[]": ("{", "22P02"),
    "jsonb": ("{", "22P02"),
    "boolean": ("maybe", "22P02"),
    "integer": ("many", "22P02"),
    "bigint": ("many", "22P02"),
    "timestamp with time zone": ("soon", "22007"),
}

SUB = f'"sub":"{ATTENDEE}"'
MALFORMED_CLAIMS = {
    "no-json": "rubbish",
    "cut-short": "{",
    "more-behind": f"{{{SUB}}} rubbish",
    "array": "[]",
    "array-of-claims": f"[{{{SUB}}}]",
    "string": f'"{ATTENDEE}"',
    "null": "null",
    "number": "5",
    "sub-no-uuid": '{"sub":"rubbish"}',
    "sub-empty": '{"sub":""}',
    "sub-number": '{"sub":5}',
    "sub-true": '{"sub":true}',
    "sub-array": f'{{"sub":["{ATTENDEE}"]}}',
    "sub-object": f'{{"sub":{{{SUB}}}}}',
    "sub-with-nul": f'{{"sub":"{ATTENDEE}\\u0000"}}',
    "nul-elsewhere": f'{{{SUB},"name":"\\u0000"}}',
    "half-a-surrogate": f'{{{SUB},"name":"\\ud800"}}',
    "deeply-nested": f'{{{SUB},"x":' + "[" * 100_000 + "]" * 100_000 + "}",
}

MEGABYTE = "x" * 1_000_000
CONTROL = "a\x01\x1b\x7fb"

# Function, what is wrong with the arguments, the token.
OUT_OF_BOUNDS: list[tuple[str, str, dict[str, object], str]] = [
    ("webinar_register", "unknown-origin", {"registered_via": "auto"}, "invalid_argument"),
    ("webinar_register", "overlong-origin", {"registered_via": MEGABYTE}, "invalid_argument"),
    ("webinar_register", "control-characters", {"registered_via": CONTROL}, "invalid_argument"),
    ("webinar_enter", "megabyte-of-client", {"client": {"agent": MEGABYTE}}, "invalid_argument"),
    ("webinar_enter", "megabyte-of-keys", {"client": {f"k{n}": n for n in range(60_000)}}, "invalid_argument"),
    ("webinar_presence_ping_many", "too-many", {"user_ids": [UUID(int=n) for n in range(1001)]}, "invalid_argument"),
    ("webinar_presence_ping_many", "null-inside", {"user_ids": [ATTENDEE, None]}, "invalid_argument"),
    ("webinar_presence_ping_many", "two-dimensions", {"user_ids": [[ATTENDEE], [STRANGER]]}, "invalid_argument"),
    ("webinar_create", "slug-empty", {"slug": ""}, "invalid_argument"),
    ("webinar_create", "slug-upper-case", {"slug": "New"}, "invalid_argument"),
    ("webinar_create", "slug-with-line-end", {"slug": "new\n"}, "invalid_argument"),
    ("webinar_create", "slug-with-control-characters", {"slug": CONTROL}, "invalid_argument"),
    ("webinar_create", "slug-of-101", {"slug": "x" * 101}, "invalid_argument"),
    ("webinar_create", "slug-of-a-megabyte", {"slug": MEGABYTE}, "invalid_argument"),
    ("webinar_create", "title-empty", {"title": ""}, "invalid_argument"),
    ("webinar_create", "title-of-301", {"title": "x" * 301}, "invalid_argument"),
    ("webinar_create", "access-policy", {"access_policy": "open"}, "invalid_argument"),
    ("webinar_create", "entry-policy", {"entry_policy": "open"}, "invalid_argument"),
    ("webinar_create", "duplicate-login-policy", {"duplicate_login_policy": "open"}, "invalid_argument"),
    ("webinar_create", "ends-before-start", {"ends_at": "2029-01-01"}, "invalid_argument"),
    ("webinar_create", "unknown-setting", {"settings": {"nonsense": 1}}, "unknown_setting"),
    ("webinar_create", "megabyte-of-setting-key", {"settings": {MEGABYTE: 1}}, "unknown_setting"),
    ("webinar_create", "setting-out-of-range", {"settings": {"pacing_jitter": 0.6}}, "setting_out_of_range"),
    ("webinar_create", "megabyte-of-setting", {"settings": {"pacing_jitter": MEGABYTE}}, "setting_out_of_range"),
    ("webinar_configure", "unknown-key", {"changes": {"slug": "other"}}, "invalid_argument"),
    ("webinar_configure", "megabyte-of-key", {"changes": {MEGABYTE: 1}}, "invalid_argument"),
    ("webinar_configure", "title-of-a-megabyte", {"changes": {"title": MEGABYTE}}, "invalid_argument"),
    ("webinar_configure", "policy-null", {"changes": {"access_policy": None}}, "invalid_argument"),
    ("webinar_configure", "policy-object", {"changes": {"entry_policy": {"a": 1}}}, "invalid_argument"),
    ("webinar_configure", "settings-null", {"changes": {"settings": None}}, "invalid_argument"),
    ("webinar_configure", "settings-array", {"changes": {"settings": [1]}}, "invalid_argument"),
    ("webinar_configure", "time-no-time", {"changes": {"starts_at": "soon"}}, "invalid_argument"),
    ("webinar_configure", "time-out-of-range", {"changes": {"ends_at": "999999-01-01"}}, "invalid_argument"),
    ("webinar_configure", "title-object", {"changes": {"title": {"a": 1}}}, "invalid_argument"),
    ("webinar_configure", "setting-of-all", {"changes": {"settings": {"anyone_may_create": True}}}, "unknown_setting"),
    ("webinar_configure", "setting-object", {"changes": {"settings": {"pacing_jitter": {}}}}, "setting_out_of_range"),
    ("webinar_set_status", "unknown-status", {"status": "open"}, "invalid_argument"),
    ("webinar_set_status", "overlong-status", {"status": MEGABYTE}, "invalid_argument"),
    ("webinar_set_status", "control-characters", {"status": CONTROL}, "invalid_argument"),
    ("webinar_grant_role", "unknown-role", {"role": "admin"}, "invalid_argument"),
    ("webinar_grant_role", "overlong-role", {"role": MEGABYTE}, "invalid_argument"),
    ("webinar_allow_emails", "no-address", {"emails": ["a@b.example", "rubbish"]}, "invalid_argument"),
    ("webinar_allow_emails", "null-inside", {"emails": [None]}, "invalid_argument"),
    ("webinar_allow_emails", "control-characters", {"emails": ["a\x01@b.example"]}, "invalid_argument"),
    ("webinar_allow_emails", "line-end", {"emails": ["a@b.example\n"]}, "invalid_argument"),
    ("webinar_allow_emails", "overlong", {"emails": ["a" * 320 + "@b.example"]}, "invalid_argument"),
    ("webinar_allow_emails", "too-many", {"emails": ["a@b.example"] * 10_001}, "invalid_argument"),
    ("webinar_messages_poll", "before-the-end", {"after": -2}, "invalid_argument"),
    ("webinar_messages_poll", "limit-zero", {"limit": 0}, "invalid_argument"),
    ("webinar_messages_poll", "limit-negative", {"limit": -1}, "invalid_argument"),
    ("webinar_message_post", "unknown-kind", {"kind": "joke"}, "invalid_argument"),
    ("webinar_message_post", "overlong-kind", {"kind": MEGABYTE}, "invalid_argument"),
    ("webinar_message_post", "body-empty", {"body": ""}, "invalid_argument"),
    ("webinar_message_post", "body-blank", {"body": " \n\t "}, "invalid_argument"),
    ("webinar_message_post", "body-no-break-space", {"body": "\u00a0"}, "invalid_argument"),
    ("webinar_message_post", "body-that-shows-nothing", {"body": "\u200b \u2028\u3000\ufeff"}, "invalid_argument"),
    ("webinar_message_post", "body-of-2001", {"body": "x" * 2001}, "invalid_argument"),
    ("webinar_message_post", "overlong-body", {"body": MEGABYTE}, "invalid_argument"),
    ("webinar_message_post", "control-characters", {"body": CONTROL}, "invalid_argument"),
    ("webinar_message_post", "line-end-of-old", {"body": "a\rb"}, "invalid_argument"),
    ("webinar_message_post", "control-characters-of-8-bits", {"body": "a\x9bb"}, "invalid_argument"),
    ("webinar_message_hide", "unknown-message", {"message_id": 4711}, "message_not_found"),
    ("webinar_message_hide", "negative-message", {"message_id": -1}, "message_not_found"),
    ("webinar_participants", "limit-zero", {"limit": 0}, "invalid_argument"),
    ("webinar_participants", "limit-negative", {"limit": -1}, "invalid_argument"),
    ("webinar_eject", "nobody", {"user_id": None}, "invalid_argument"),
    ("webinar_eject", "user-and-session", {"session_id": SESSION}, "invalid_argument"),
    ("webinar_eject", "unknown-user", {"user_id": STRANGER}, "invalid_argument"),
]  # fmt: skip

# Who touches whose session, with what.
FOREIGN_SESSION: list[tuple[str, str, dict[str, object], str]] = [
    ("webinar_enter", "guest", {"session_id": SESSION}, "session_not_yours"),
    ("webinar_enter", "stranger", {"session_id": SESSION}, "session_not_yours"),
    ("webinar_enter", "attendee", {"session_id": GUEST_SESSION}, "session_not_yours"),
    ("webinar_session_heartbeat", "guest", {"session_id": SESSION}, "session_not_found"),
    ("webinar_session_heartbeat", "stranger", {"session_id": SESSION}, "session_not_found"),
    ("webinar_session_heartbeat", "host", {"session_id": SESSION}, "session_not_found"),
    ("webinar_session_heartbeat", "attendee", {"session_id": GUEST_SESSION}, "session_not_found"),
    ("webinar_session_heartbeat", "attendee", {"webinar_id": ELSEWHERE}, "session_not_found"),
    ("webinar_leave", "attendee", {"leave_token": new_id()}, "session_not_found"),
    ("webinar_leave", "guest", {"session_id": GUEST_SESSION}, "session_not_found"),
    ("webinar_leave", "guest", {"webinar_id": ELSEWHERE}, "session_not_found"),
    ("webinar_eject", "host", {"user_id": None, "session_id": SESSION}, "session_not_found"),
    ("webinar_eject", "host_elsewhere", {"user_id": None, "session_id": GUEST_SESSION}, "not_allowed"),
]
