"""Faults put into functions for as long as a check needs to see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.database import EventliveDatabase
from tests.support.faults import break_function

Plant = tuple[str, str, str]
"""A function of the schema ``eventlive``, what stands in it, and what instead."""


@contextmanager
def planted(db: EventliveDatabase, plant: Plant) -> Iterator[None]:
    """A function with a fault; it is whole again at the end."""
    whole = db.value("select pg_get_functiondef(%s::regproc)", f"eventlive.{plant[0]}")
    break_function(db, *plant)
    try:
        yield
    finally:
        db.admin.execute(whole.encode())


A_PING_REGISTERS: Plant = (
    "create_presence",
    "raise_error('not_registered')",
    "insert_registration(_webinar_id, _user_id, 'auto')",
)
ERROR_IN_EJECT_OF_A_GUEST: Plant = (
    "webinar_eject",
    "v_session_ids := array[_session_id];",
    "raise exception using errcode = 'XX000';",
)
ERROR_FOR_A_KNOWN_CLIENT_KEY: Plant = (
    "insert_session",
    "begin",
    "begin if _client ? 'campaign' then raise exception using errcode = 'XX000'; end if;",
)
DUPLICATE_KEY_AT_A_REPEAT: Plant = (
    "webinar_register",
    "if v_registration.ejected_at is not null",
    "if not v_created then raise exception using errcode = '23505'; end if; if v_registration.ejected_at is not null",
)
CONFLICT_OVER_THE_LAST_HOST: Plant = (
    "webinar_grant_role",
    "perform eventlive.raise_error('last_host');",
    "raise exception using errcode = '40001';",
)
DRAFTS_ARE_PUBLIC: Plant = ("joined_webinar_ids", "begin", "begin return array(select id from eventlive.webinars);")
ATTENDEES_ARE_STAFF: Plant = ("staffed_webinar_ids", "r.role in ('host', 'moderator')", "true")
A_PING_TOUCHES_EVERYBODY: Plant = (
    "webinar_presence_ping",
    "and p.user_id = v_user_id\n       and p.last",
    "and p.last",
)
ANY_TOKEN_ENDS_A_SESSION: Plant = ("webinar_leave", "and s.leave_token = _leave_token", "")
