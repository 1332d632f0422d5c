"""What a line of a log is about: SQLSTATEs, functions of the contract, and the words of others."""

from __future__ import annotations

import re
from collections.abc import Mapping

from eventlive_db.logs import LogEvent, is_rest, route, rpc

MISSING = frozenset({"42703", "42P01", "42883"})
"""undefined_column, undefined_table, undefined_function (Postgres manual, appendix A)."""

UNIQUE_VIOLATION = "23505"
INCIDENT = "registrations_pkey"

_PLACE = r"(?: at character \d+)?"
_WORDS: Mapping[str, re.Pattern[str]] = {
    code: re.compile(words + _PLACE + r"\Z")
    for code, words in {
        "42703": r'(?:column .+ does not exist|record ".+" has no field ".+")',
        "42P01": r'(?:relation ".+" does not exist|missing FROM-clause entry for table ".+")',
        "42883": r"(?:(?:function|procedure|aggregate) .+|operator) does not exist(?:: .+?)?",
        UNIQUE_VIOLATION: r"duplicate key value violates unique constraint .+",
    }.items()
}

# What PostgREST answers with another status than 400 (its manual, "Errors", HTTP status codes); PTnnn says its own.
_NOT_400 = ("00", "01", "02", "08", "09", "0L", "0P", "25", "28", "2D", "38", "39", "3B", "40", "53", "54", "55", "57")
_NOT_400_EITHER = (
    *("58", "F0", "HV", "P0", "XX", "PGRST", "PT"),
    *("21000", "23503", UNIQUE_VIOLATION, "42501", "42883", "42P01", "42P17"),
)
_TOKENS_OF_400 = frozenset({"invalid_argument", "isolation_not_supported", "unknown_setting", "setting_out_of_range"})

_BEATS = frozenset(
    {
        "webinar_presence_ping",
        "webinar_session_heartbeat",
        "webinar_enter",
        "webinar_leave",
        "webinar_messages_poll",
        "webinar_register",
    }
)

# Functions of the contract that answer 409 of their own, which is the product working; none of them lets a duplicate
# key out.
_CONFLICTS = frozenset({"webinar_enter", "webinar_create", "webinar_set_status", "webinar_grant_role"})

_REUSED = re.compile(r"refresh_token_already_used|Invalid Refresh Token: Already Used", re.IGNORECASE)


def sqlstate(event: LogEvent) -> str | None:
    """The SQLSTATE of a line of Postgres; ``None`` for any other line, or where it cannot be known."""
    if event.source != "postgres":
        return None
    if event.sqlstate is None and event.severity == "ERROR":
        # A text log without %e; it has the place of the error behind the message.
        return next((code for code, words in _WORDS.items() if words.match(event.message)), None)
    return event.sqlstate


def is_cause_of_400(event: LogEvent) -> bool:
    """An error of Postgres that PostgREST, if it was PostgREST that asked, answers with 400."""
    if event.source != "postgres" or event.severity != "ERROR":
        return False
    code = sqlstate(event)
    if code in {"PT400", "P0001"}:
        return True
    if code is None:
        # A text log without %e; the contract's own errors have their token in DETAIL.
        return (event.detail or "").partition(" ")[0] in _TOKENS_OF_400
    return not code.startswith((*_NOT_400, *_NOT_400_EITHER))


def is_hot(event: LogEvent) -> bool:
    """A request of the participants' hot path."""
    return rpc(event) in _BEATS


def is_duplicate_409(event: LogEvent) -> bool:
    """A 409 that can only be a duplicate key, going by what was called."""
    return event.status == 409 and is_rest(event) and rpc(event) not in _CONFLICTS


def is_user_call(event: LogEvent) -> bool:
    """A request that asks the auth service who somebody is."""
    path = route(event)
    if event.source == "auth":
        # The line that ends a request has its status; others of the same request have not.
        answered = event.status is not None
        return answered and path in {"/user", "/auth/v1/user"} and (event.method or "GET").upper() == "GET"
    return event.source == "gateway" and path.endswith("/auth/v1/user") and (event.method or "GET").upper() == "GET"


def is_reused_token(event: LogEvent) -> bool:
    """The auth service refused a refresh token that was used before: two tabs, or clients without single flight."""
    if event.source not in {"auth", "gateway"}:
        return False
    return any(_REUSED.search(text) for text in (event.message, event.detail, event.hint) if text)
